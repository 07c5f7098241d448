/* Counts tasks by queue. */
#include "tasks/figures.h"

#include "base/buf.h"
#include "tasks/task.h"

static const char figures_sql[] =
    "WITH open AS (SELECT queue, count(*) FILTER (WHERE run_at <= now()) AS waiting, "
    "count(*) FILTER (WHERE run_at > now()) AS scheduled, min(run_at) FILTER (WHERE run_at <= now()) AS oldest "
    "FROM tasks WHERE state IN ('scheduled', 'waiting') GROUP BY queue), "
    "busy AS (SELECT queue, count(*) AS running FROM tasks WHERE state = 'running' GROUP BY queue), "
    "over AS (SELECT queue, count(*) FILTER (WHERE state = 'succeeded') AS succeeded, "
    "count(*) FILTER (WHERE state IN ('failed', 'dead')) AS failed FROM tasks "
    "WHERE finished_at > now() - interval '1 day' GROUP BY queue), "
    "names AS (SELECT unnest($1::text[]) AS queue UNION SELECT queue FROM open UNION SELECT queue FROM busy) "
    "SELECT n.queue, coalesce(open.waiting, 0), coalesce(open.scheduled, 0), coalesce(busy.running, 0), open.oldest, "
    "coalesce(over.succeeded, 0), coalesce(over.failed, 0) FROM names n LEFT JOIN open USING (queue) "
    "LEFT JOIN busy USING (queue) LEFT JOIN over USING (queue) ORDER BY 1";

static const char *queue_names(struct arena *arena)
{
    struct buf text = { 0 };
    for (size_t i = 0; task_queues[i] != NULL; i++)
        buf_printf(&text, "%c%s", i == 0 ? '{' : ',', task_queues[i]);
    buf_putc(&text, '}');
    const char *array = arena_strndup(arena, text.data, text.len);
    buf_free(&text);
    return array;
}

struct rows *task_figures(struct db *db, struct arena *arena)
{
    return db_query(db, figures_sql, "s", queue_names(arena));
}
