/* The rows of table `tasks`. */
#include "tasks/ledger.h"

#include <string.h>

#include "base/timeutil.h"
#include "tasks/value.h"

#define ROW_COLUMNS                                                                                          \
    " RETURNING t.id, t.name, t.queue, t.args::text, t.kwargs::text, t.labels::text, t.attempts, "           \
    "t.max_attempts, t.user_id, t.client_id, t.stream_entry, t.sent_at IS NOT NULL"
#define START                                                                                                \
    "state = 'running', worker = $1, lease_until = now() + $2 * interval '1 microsecond', "                  \
    "started_at = now(), attempts = t.attempts + 1"

static bool database_failed(const struct rows *rows, struct error *err)
{
    return error_set(err, rows_status(rows) == DB_UNAVAILABLE ? "database_unavailable" : "database_error",
                     "the table of tasks: %s", rows_message(rows));
}

static json_t *read_column(const struct rows *rows, size_t column, struct arena *arena, struct error *err)
{
    return value_read_arena(arena, rows_text(rows, 0, column), rows_length(rows, 0, column), err);
}

static bool read_row(const struct rows *rows, struct arena *arena, struct task_row *row, struct error *err)
{
    *row = (struct task_row){
        .id = rows_text(rows, 0, 0),
        .name = rows_text(rows, 0, 1),
        .queue = rows_text(rows, 0, 2),
        .args = read_column(rows, 3, arena, err),
        .kwargs = read_column(rows, 4, arena, err),
        .labels = read_column(rows, 5, arena, err),
        .attempt = (int)rows_int(rows, 0, 6),
        .max_attempts = (int)rows_int(rows, 0, 7),
        .user_id = rows_int(rows, 0, 8),
        .client_id = rows_int(rows, 0, 9),
        .stream_entry = rows_null(rows, 0, 10) ? NULL : rows_text(rows, 0, 10),
        .was_sent = rows_bool(rows, 0, 11),
    };
    return row->args != NULL && row->kwargs != NULL && row->labels != NULL;
}

static enum ledger_outcome taken(const struct rows *rows, struct arena *arena, struct task_row *row,
                                 struct error *err)
{
    if (!rows_ok(rows)) {
        bool never = rows_status(rows) == DB_CHECK;
        database_failed(rows, err);
        return never ? LEDGER_REFUSED : LEDGER_FAILED;
    }
    if (rows_count(rows) == 0)
        return LEDGER_NOTHING;
    return read_row(rows, arena, row, err) ? LEDGER_TAKEN : LEDGER_FAILED;
}

enum ledger_outcome ledger_take_due(struct db *db, struct arena *arena, const struct ledger_scope *scope,
                                    struct task_row *row, struct error *err)
{
    struct rows *rows = db_query(
        db,
        "WITH known AS (SELECT * FROM unnest($3::text[], $4::int[]) AS k (name, attempts)), "
        "due AS (SELECT d.id, coalesce(d.max_attempts, k.attempts) AS attempts FROM tasks d JOIN known k USING (name) "
        "WHERE d.state IN ('scheduled', 'waiting') AND d.run_at <= now() AND d.queue = ANY ($5::text[]) "
        "AND (d.sent_at IS NULL OR d.sent_at < now() - $6 * interval '1 microsecond') "
        "ORDER BY d.run_at, d.id LIMIT 1 FOR UPDATE OF d SKIP LOCKED) "
        "UPDATE tasks t SET " START ", max_attempts = due.attempts FROM due WHERE t.id = due.id" ROW_COLUMNS,
        "sisssi", scope->worker, scope->lease, scope->names, scope->max_attempts, scope->queues,
        scope->message_grace);
    return taken(rows, arena, row, err);
}

enum ledger_outcome ledger_take_message(struct db *db, struct arena *arena, const struct ledger_scope *scope,
                                        const struct task_message *message, const char *queue,
                                        int max_attempts, const char *stream_entry, struct task_row *row,
                                        struct error *err)
{
    struct rows *rows = db_query(
        db,
        "INSERT INTO tasks AS t (id, name, queue, args, kwargs, labels, state, worker, lease_until, attempts, "
        "max_attempts, started_at, sent_at, stream_entry) "
        "VALUES ($3, $4, $5, $6::jsonb, $7::jsonb, $8::jsonb, 'running', $1, now() + $2 * interval '1 microsecond', 1, "
        "$9, now(), now(), $10) "
        "ON CONFLICT (id) DO UPDATE SET state = 'running', worker = $1, lease_until = excluded.lease_until, "
        "started_at = now(), sent_at = now(), stream_entry = $10, max_attempts = coalesce(t.max_attempts, $9), "
        "attempts = CASE WHEN t.finished_at IS NULL THEN t.attempts + 1 ELSE 1 END, "
        "args = CASE WHEN t.finished_at IS NULL THEN t.args ELSE excluded.args END, "
        "kwargs = CASE WHEN t.finished_at IS NULL THEN t.kwargs ELSE excluded.kwargs END, "
        "labels = CASE WHEN t.finished_at IS NULL THEN t.labels ELSE excluded.labels END, "
        "finished_at = NULL, result = NULL, error = NULL, progress = NULL, "
        "cancel_requested_at = CASE WHEN t.finished_at IS NULL THEN t.cancel_requested_at END "
        "WHERE t.name = excluded.name AND (t.state = 'waiting' OR (t.state = 'scheduled' AND t.run_at <= now()) "
        "OR (t.finished_at IS NOT NULL AND t.stream_entry <> $10))" ROW_COLUMNS,
        "sissssssis", scope->worker, scope->lease, message->id, message->name, queue,
        value_text(arena, message->args), value_text(arena, message->kwargs),
        value_text(arena, message->labels), (int64_t)max_attempts, stream_entry);
    return taken(rows, arena, row, err);
}

/* ---- the end of an execution ---- */

static const struct {
    const char *state;
    bool final;
} ends[] = {
    [LEDGER_SUCCEEDED] = { "succeeded", true },    [LEDGER_SCHEDULED] = { "scheduled", false },
    [LEDGER_FAILED_FOR_GOOD] = { "failed", true }, [LEDGER_DEAD] = { "dead", true },
    [LEDGER_LEFT] = { "waiting", false },          [LEDGER_CANCELLED] = { "cancelled", true },
    [LEDGER_HANDED_BACK] = { "waiting", false },
};

const char *ledger_state(enum ledger_end end)
{
    return ends[end].state;
}

bool ledger_end(struct db *db, const struct ledger_scope *scope, const struct task_row *row,
                const struct ledger_result *result, struct error *err)
{
    struct rows *rows = db_query(
        db,
        "UPDATE tasks SET state = $4, lease_until = NULL, finished_at = CASE WHEN $5 THEN now() END, "
        "result = $6::jsonb, error = $7::jsonb, run_at = CASE WHEN $4 = 'scheduled' THEN $8 ELSE run_at END, "
        "progress = coalesce($10::jsonb, progress), "
        "attempts = CASE WHEN $4 = 'waiting' THEN attempts - 1 ELSE attempts END, "
        "sent_at = CASE WHEN $5 THEN sent_at WHEN $9 THEN now() END " /* the entry stays: the same message may
                                                                         come again */
        "WHERE id = $1 AND worker = $2 AND attempts = $3 AND state = 'running'",
        "ssisbsstbs", row->id, scope->worker, (int64_t)row->attempt, ends[result->end].state,
        ends[result->end].final, result->result, result->error, result->run_at, result->end == LEDGER_LEFT,
        result->progress);
    if (!rows_ok(rows))
        return database_failed(rows, err);
    return rows_affected(rows) == 1 ||
           error_set(err, "lease_lost", "task %s is another worker's by now", row->id);
}

#define RENEW       "UPDATE tasks SET lease_until = now() + $4 * interval '1 microsecond'"
#define OF_THIS_RUN " WHERE id = $1 AND worker = $2 AND attempts = $3 AND state = 'running'"

bool ledger_renew(struct db *db, const struct ledger_scope *scope, const char *id, int attempt,
                  const char *progress, bool *cancelled, struct error *err)
{
    /* Two texts: naming the column alone would give the row a new version. */
    const int64_t run = attempt;
    struct rows *rows = progress == NULL
                            ? db_query(db, RENEW OF_THIS_RUN " RETURNING cancel_requested_at IS NOT NULL",
                                       "ssii", id, scope->worker, run, scope->lease)
                            : db_query(db,
                                       RENEW ", progress = $5::jsonb" OF_THIS_RUN
                                             " RETURNING cancel_requested_at IS NOT NULL",
                                       "ssiis", id, scope->worker, run, scope->lease, progress);
    if (!rows_ok(rows))
        return database_failed(rows, err);
    if (rows_count(rows) == 0)
        return error_set(err, "lease_lost", "task %s is another worker's by now", id);
    *cancelled = rows_bool(rows, 0, 0);
    return true;
}

struct rows *ledger_expire(struct db *db)
{
    return db_query(
        db,
        "WITH gone AS (SELECT id FROM tasks WHERE state = 'running' AND lease_until < now() "
        "ORDER BY id FOR UPDATE SKIP LOCKED), "
        "freed AS (UPDATE tasks t SET lease_until = NULL, sent_at = NULL, "
        "state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled' WHEN attempts >= max_attempts THEN 'dead' "
        "ELSE 'waiting' END, "
        "finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR attempts >= max_attempts THEN now() END, "
        "error = CASE WHEN attempts >= max_attempts THEN jsonb_build_object('code', 'worker_lost', 'message', "
        "'the worker ' || t.worker || ' ended without a word') END "
        "FROM gone WHERE t.id = gone.id RETURNING t.id, t.state, t.labels, t.stream_entry) "
        "SELECT id, state, labels::text, stream_entry FROM freed",
        "");
}
