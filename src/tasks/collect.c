/* Tasks that only others know (Python workers): sends their messages, and notes in the table what became of
 * them.
 *
 * Their workers know nothing of the table. So a row is looked at now and then: its result is in Redis, or its
 * message is still there, or both are gone (Redis was flushed) and the message is sent again. At least once,
 * therefore. */
#include <string.h>

#include "base/log.h"
#include "tasks/result.h"
#include "tasks/stream.h"
#include "tasks/worker_private.h"

#define COLLECT_AT_ONCE 50

/* A message is sent so often at most. */
#define COLLECT_SENDS 3

static void finish(const struct collector *by, const char *id, const struct ledger_result *end)
{
    struct rows *rows = db_query(
        by->db,
        "UPDATE tasks SET state = $2, finished_at = now(), result = $3::jsonb, error = $4::jsonb "
        "WHERE id = $1 AND state = 'waiting'",
        "ssss", id, ledger_state(end->end), end->result, end->error);
    if (!rows_ok(rows))
        LOG_WARN("a result could not be noted", LOG_TEXT("id", id), LOG_TEXT("message", rows_message(rows)));
}

static void send_again(const struct collector *by, const char *id)
{
    struct rows *rows = db_query(
        by->db,
        "UPDATE tasks SET attempts = attempts + 1, sent_at = NULL, stream_entry = NULL "
        "WHERE id = $1 AND state = 'waiting' AND attempts < $2",
        "si", id, (int64_t)COLLECT_SENDS);
    if (!rows_ok(rows))
        return;
    if (rows_affected(rows) == 1) {
        task_send(by->db, by->redis, by->arena, id);
        return;
    }
    const struct ledger_result lost = {
        .end = LEDGER_DEAD,
        .error = error_json(by->arena, "no_result", "its message was sent three times and nobody answered"),
    };
    finish(by, id, &lost);
}

static void look_at(const struct collector *by, const char *id, const char *entry)
{
    bool asked;
    if (entry == NULL) {
        send_again(by, id);
        return;
    }
    const json_t *result = result_load(by->redis, by->arena, by->config, id, &asked);
    if (result != NULL) {
        const struct ledger_result end = collected(by->arena, result);
        finish(by, id, &end);
    } else if (asked && stream_find(by->redis, by->arena, entry) == STREAM_DONE) {
        send_again(by, id);
    }
}

void collect(const struct collector *by)
{
    /* sent_at is the time of the last look, so that each row is looked at by one process at a time. */
    struct rows *rows = db_query(
        by->db,
        "UPDATE tasks t SET sent_at = now(), state = 'waiting' FROM (SELECT id FROM tasks "
        "WHERE state IN ('scheduled', 'waiting') AND run_at <= now() AND name <> ALL ($1::text[]) "
        "AND (sent_at IS NULL OR sent_at < now() - $2 * interval '1 microsecond') "
        "ORDER BY run_at, id LIMIT $3 FOR UPDATE SKIP LOCKED) due "
        "WHERE t.id = due.id RETURNING t.id, t.stream_entry",
        "sii", by->scope->names, by->scope->message_grace, (int64_t)COLLECT_AT_ONCE);
    for (size_t i = 0; rows_ok(rows) && i < rows_count(rows); i++)
        look_at(by, rows_text(rows, i, 0), rows_null(rows, i, 1) ? NULL : rows_text(rows, i, 1));
}
