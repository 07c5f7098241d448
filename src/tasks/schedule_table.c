/* Schedules of the table task_schedules. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/timeutil.h"
#include "tasks/cron.h"
#include "tasks/schedule.h"
#include "tasks/value.h"

static bool database_failed(const struct rows *rows, struct error *err)
{
    return error_set(err, "database_error", "the table of schedules: %s", rows_message(rows));
}

bool schedule_add(struct schedule_pass *pass, const struct task_request *task, struct error *err)
{
    char id[TASK_ID_SIZE];
    if (!task_enqueue(pass->db, pass->redis, pass->arena, task, id, err))
        return false;
    pass->ids[pass->count++] = arena_strdup(pass->arena, id);
    return true;
}

bool schedule_seed(struct schedule_pass *pass, struct error *err)
{
    const struct task_catalogue *catalogue = pass->catalogue;
    for (size_t i = 0; i < catalogue->rhythm_count; i++) {
        const struct task_rhythm *rhythm = &catalogue->rhythms[i];
        struct rows *rows = db_query(pass->db,
                                     "INSERT INTO task_schedules (name, task_name, queue, cron) "
                                     "VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING",
                                     "ssss", rhythm->name, rhythm->task, rhythm->queue, rhythm->cron);
        if (!rows_ok(rows))
            return database_failed(rows, err);
    }
    return true;
}

/* ---- moving on ---- */

enum { ID, NAME, TASK, QUEUE, CRON, ARGS, KWARGS, DUE, LOCAL };

/* The next minute of a cron expression on the schedule's own clock, as a timestamp without zone; NULL: never.
 */
static const char *next_local(struct schedule_pass *pass, const struct rows *rows, size_t i)
{
    struct cron cron;
    struct cron_time now, next;
    struct error err;
    if (sscanf(rows_text(rows, i, LOCAL), "%d-%d-%d %d:%d", &now.year, &now.month, &now.day, &now.hour,
               &now.minute) != 5)
        return NULL;
    if (!cron_read(rows_text(rows, i, CRON), &cron, &err)) {
        LOG_WARN("a schedule cannot be understood", LOG_TEXT("schedule", rows_text(rows, i, NAME)),
                 LOG_TEXT("message", err.message));
        return NULL;
    }
    return cron_next(&cron, &now, &next) ? arena_printf(pass->arena, "%04d-%02d-%02d %02d:%02d", next.year,
                                                        next.month, next.day, next.hour, next.minute)
                                         : NULL;
}

static bool move_on(struct schedule_pass *pass, const struct rows *rows, size_t i, struct error *err)
{
    bool cron = !rows_null(rows, i, CRON);
    const char *next = cron ? next_local(pass, rows, i) : NULL;
    /* greatest(): an hour that comes twice in autumn must not make a schedule due again at once. A cron that
     * never comes is looked at again after a year. */
    struct rows *done = db_query(
        pass->db,
        "UPDATE task_schedules SET last_run_at = CASE WHEN next_run_at IS NULL THEN last_run_at ELSE now() END, "
        "next_run_at = CASE WHEN $2 THEN greatest(coalesce($3::timestamp AT TIME ZONE time_zone, "
        "now() + interval '366 days'), now() + interval '1 second') "
        "WHEN next_run_at + every > now() THEN next_run_at + every ELSE now() + every END WHERE id = $1",
        "ibs", rows_int(rows, i, ID), cron, next);
    return rows_ok(done) || database_failed(done, err);
}

static bool hand_over(struct schedule_pass *pass, const struct rows *rows, size_t i, struct error *err)
{
    json_t *args = value_read_arena(pass->arena, rows_text(rows, i, ARGS), rows_length(rows, i, ARGS), err);
    json_t *kwargs = value_read_arena(pass->arena, rows_text(rows, i, KWARGS), rows_length(rows, i, KWARGS),
                                      err);
    const char *id = arena_printf(pass->arena, "%" PRId64, rows_int(rows, i, ID));
    json_t *labels = value_defer(pass->arena, json_pack("{s:s}", "schedule_id", id));
    if (args == NULL || kwargs == NULL)
        return false;
    const struct task_request task = {
        .name = rows_text(rows, i, TASK),
        .queue = rows_text(rows, i, QUEUE),
        .args = args,
        .kwargs = kwargs,
        .labels = labels,
        .dedupe_key = arena_printf(pass->arena, "schedule:%s", id), /* the last run may still be at it */
    };
    return schedule_add(pass, &task, err);
}

bool schedule_table_pass(struct schedule_pass *pass, struct error *err)
{
    struct rows *rows = db_query(
        pass->db,
        "SELECT id, name, task_name, queue, cron, args::text, kwargs::text, next_run_at IS NOT NULL, "
        "to_char(now() AT TIME ZONE time_zone, 'YYYY-MM-DD HH24:MI') FROM task_schedules "
        "WHERE enabled AND (next_run_at IS NULL OR next_run_at <= now()) "
        "ORDER BY next_run_at NULLS FIRST, id LIMIT $1 FOR UPDATE SKIP LOCKED",
        "i", (int64_t)SCHEDULE_MAX_TASKS / 2);
    if (!rows_ok(rows))
        return database_failed(rows, err);
    for (size_t i = 0; i < rows_count(rows); i++)
        if ((rows_bool(rows, i, DUE) && !hand_over(pass, rows, i, err)) || !move_on(pass, rows, i, err))
            return false;
    return true;
}
