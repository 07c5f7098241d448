/* The hourly clean-up: rows that have had their time, in small pieces, so that nobody waits for a lock. */
#include "base/timeutil.h"
#include "jobs/failure.h"
#include "jobs/jobs.h"

/* Rows of one statement. */
#define PIECE 2000

/* What ended stays visible for a while, for whoever looks into an incident. */
#define SESSIONS_KEPT DAYS(30)
#define RESETS_KEPT   DAYS(7)
#define ATTEMPTS_KEPT DAYS(1)
#define BATCHES_KEPT  DAYS(90)
#define MARKS_KEPT    DAYS(400)

#define KEPT_BY_TASK_RETENTION      (-1)
#define KEPT_BY_RECORDING_RETENTION (-2)

/* Rows whose `since` lies further back than this are deleted. */
struct leftover {
    const char *table, *since;
    int64_t kept; /* microseconds; KEPT_BY_...: a setting */
};

static const struct leftover leftovers[] = {
    { "sessions", "expires_at", SESSIONS_KEPT },
    { "password_reset_tokens", "expires_at", RESETS_KEPT },
    { "login_attempts", "first_at", ATTEMPTS_KEPT },
    { "idempotency_keys", "expires_at", 0 },
    { "auth_changes", "at", HOURS(1) },
    { "tasks", "finished_at", KEPT_BY_TASK_RETENTION },
    { "provider_recordings", "recorded_at", KEPT_BY_RECORDING_RETENTION },
    { "fetch_batches", "started_at", BATCHES_KEPT },
    { "task_schedule_marks", "last_run_at", MARKS_KEPT },
};

static const char *statement(struct arena *arena, const struct leftover *leftover)
{
    return arena_printf(arena,
                        "DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE %s < now() - $1 * "
                        "interval '1 microsecond' LIMIT $2 FOR UPDATE SKIP LOCKED))",
                        leftover->table, leftover->table, leftover->since);
}

static int64_t kept_for(const struct leftover *leftover, const struct config *config)
{
    return leftover->kept == KEPT_BY_TASK_RETENTION        ? config->task_retention
           : leftover->kept == KEPT_BY_RECORDING_RETENTION ? config->recording_retention
                                                           : leftover->kept;
}

static enum task_verdict tidy_run(struct task_context *task, json_t **result, struct error *err)
{
    json_t *counts = json_object();
    bool failed = false;
    for (size_t i = 0; !failed && i < ARRAY_LEN(leftovers); i++) {
        const struct leftover *leftover = &leftovers[i];
        int64_t kept = kept_for(leftover, task->config), deleted = 0;
        size_t n = PIECE;
        const char *sql = statement(task->arena, leftover);
        task_progress(task, (int64_t)i, ARRAY_LEN(leftovers), leftover->table);
        while (n == PIECE && !failed &&
               !task_should_stop(task)) { /* what is left over waits for the next hour */
            struct rows *rows = db_query(task->db, sql, "ii", kept, (int64_t)PIECE);
            failed = !rows_ok(rows) && !database_failed(rows, leftover->table, err);
            n = failed ? 0 : rows_affected(rows);
            deleted += (int64_t)n;
        }
        json_object_set_new(counts, leftover->table, json_integer(deleted));
    }
    if (failed) {
        json_decref(counts);
        return TASK_RETRY;
    }
    *result = counts;
    return TASK_DONE;
}

const struct task_type maintenance_tidy_task = {
    .name = "maintenance.tidy",
    .queue = "default",
    .about =
        "Deletes expired sessions, reset links, sign-in attempts, idempotency keys, old tasks, fetch batches and recordings.",
    .timeout = 1800,
    .max_attempts = 3,
    .run = tidy_run,
};
