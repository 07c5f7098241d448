/* Tasks tracker.fetch_now and tracker.history_refresh: one tracker at the head of the queue, and what came of
 * it.
 *
 * The task works at the head of the queue itself, but any worker may be faster: the tracker's own row tells
 * when it is done. When no account may be used for longer than a caller waits, the answer is that it stands
 * first. */
#include "base/timeutil.h"
#include "jobs/args.h"
#include "jobs/failure.h"
#include "jobs/fetch_batch.h"
#include "jobs/jobs.h"
#include "tasks/queue.h"

#define WAIT    SECONDS(90) /* as long as a person looks at a progress bar */
#define TIMEOUT 300         /* seconds: WAIT and a request that has just begun */
#define PAUSE   SECONDS(1)

struct refresh {
    struct task_context *task;
    int64_t tracker_id, client_id;
    int64_t started_at; /* by the database's clock, microseconds */
    const char *kind;
};

/* since: what to ask for again; 0: nothing. "not_found". */
static bool put_first(struct refresh *refresh, int64_t since, struct error *err)
{
    static const char sql[] =
        "SELECT refresh_tracker($1, CASE WHEN $2 > 'epoch' THEN $2 END), clock_timestamp(), "
        "(SELECT client_id FROM trackers WHERE id = $1)";
    struct db *db = refresh->task->db;
    struct rows *rows = db_begin(db, err) ? db_query(db, sql, "it", refresh->tracker_id, since) : NULL;
    if (rows == NULL)
        return false;
    bool ok = rows_ok(rows)
                  ? rows_bool(rows, 0, 0) || error_set(err, "not_found", "there is no such tracker in use")
                  : database_failed(rows, "putting a tracker first", err);
    if (ok) {
        refresh->started_at = rows_time(rows, 0, 1);
        refresh->client_id = rows_int(rows, 0, 2);
        rows = db_query(db, "SELECT bump_generations(ARRAY[$1])", "i", refresh->client_id);
        ok = rows_ok(rows) ? db_commit(db, err) : database_failed(rows, "telling caches", err);
    }
    if (!ok)
        db_rollback(db);
    return ok;
}

/* How it stands with the tracker. */
struct look {
    bool fetched;         /* asked for since */
    bool in_hand;         /* a worker asks for it at the moment */
    int64_t next_allowed; /* when an account may be used next; 0: there is none */
};

static bool look(const struct refresh *refresh, struct look *look, struct error *err)
{
    static const char sql[] =
        "SELECT coalesce(t.last_fetched_at > $2, false), coalesce(t.lease_until > now(), false), (SELECT "
        "min(greatest(next_allowed_at, now())) FROM apple_accounts WHERE state = 'ready' AND archived_at IS NULL), "
        "NOT EXISTS (SELECT FROM tracker_keys k WHERE k.tracker_id = t.id AND k.private_key_sealed IS NOT NULL) "
        "FROM trackers t WHERE t.id = $1";
    struct rows *rows = db_query(refresh->task->db, sql, "it", refresh->tracker_id, refresh->started_at);
    if (!rows_ok(rows))
        return database_failed(rows, "looking at a tracker", err);
    if (rows_count(rows) == 0)
        return error_set(err, "not_found", "the tracker is gone");
    *look = (struct look){ .fetched = rows_bool(rows, 0, 0),
                           .in_hand = rows_bool(rows, 0, 1),
                           .next_allowed = rows_time(rows, 0, 2) };
    if (rows_bool(rows, 0, 3))
        return error_set(err, "no_keys", "the tracker has no private key to ask for");
    return true;
}

static json_t *result_of(const struct refresh *refresh, const struct look *look, struct error *err)
{
    static const char sql[] =
        "SELECT t.last_fetched_at, (SELECT count(*) FROM location_reports l WHERE l.tracker_id = t.id AND "
        "l.received_at > $2 AND l.reported_at > $2 - interval '9 days'), (SELECT max(l.reported_at) FROM "
        "location_reports l WHERE l.tracker_id = t.id AND l.reported_at > $2 - interval '9 days') "
        "FROM trackers t WHERE t.id = $1";
    char text[RFC3339_SIZE];
    struct rows *rows = db_query(refresh->task->db, sql, "it", refresh->tracker_id, refresh->started_at);
    if (!rows_ok(rows) || rows_count(rows) == 0) {
        database_failed(rows, "looking at a tracker", err);
        return NULL;
    }
    json_t *result = json_pack("{s:I, s:s, s:I}", "tracker_id", (json_int_t)refresh->tracker_id, "state",
                               look->fetched ? "fetched" : "queued", "reports_new",
                               (json_int_t)rows_int(rows, 0, 1));
    if (look->fetched)
        json_object_set_new(result, "fetched_at", json_string(time_format(rows_time(rows, 0, 0), text)));
    if (!rows_null(rows, 0, 2))
        json_object_set_new(result, "last_report_at", json_string(time_format(rows_time(rows, 0, 2), text)));
    if (!look->fetched && look->next_allowed != 0)
        json_object_set_new(result, "next_request_at", json_string(time_format(look->next_allowed, text)));
    return result;
}

/* Ask, or wait for others who do, as long as there is hope. False: something of ours failed. */
static bool wait_for_it(const struct refresh *refresh, struct look *seen, struct error *err)
{
    struct task_context *task = refresh->task;
    int64_t until = time_monotonic() + WAIT;
    task_progress(task, 0, 1, "at the head of the queue");
    while (look(refresh, seen, err)) {
        int64_t left = until - time_monotonic();
        bool hope = seen->in_hand || (seen->next_allowed != 0 && seen->next_allowed - time_now() < left);
        if (seen->fetched || !hope || left <= 0 || task_should_stop(task))
            return true;
        int64_t done = fetch_batch_run(task, refresh->kind, err);
        if (done < 0)
            return false;
        if (done == 0)
            clock_sleep(&clock_system, PAUSE);
    }
    return false;
}

static enum task_verdict run(struct task_context *task, const char *kind, int64_t since, json_t **result,
                             struct error *err)
{
    struct refresh refresh = { .task = task, .kind = kind };
    struct look seen = { 0 };
    if (!task_id_argument(task, 0, "tracker_id", &refresh.tracker_id, err))
        return TASK_FAILED;
    if (!put_first(&refresh, since, err))
        return error_is(err, "not_found") ? TASK_FAILED : TASK_RETRY;
    task_hint(task->redis, "fetch.due");
    if (!wait_for_it(&refresh, &seen, err))
        return error_is(err, "not_found") || error_is(err, "no_keys") ? TASK_FAILED : TASK_RETRY;
    *result = result_of(&refresh, &seen, err);
    return *result != NULL ? TASK_DONE : TASK_RETRY;
}

static enum task_verdict run_now(struct task_context *task, json_t **result, struct error *err)
{
    return run(task, FETCH_KIND_NOW, 0, result, err);
}

/* Keys are asked for from `from` up to now: what lies behind `to` is stored already and costs nothing. */
static enum task_verdict run_history(struct task_context *task, json_t **result, struct error *err)
{
    int64_t from = 0, to = 0;
    if (!task_time_argument(task, 1, "from", &from, err) || !task_time_argument(task, 2, "to", &to, err))
        return TASK_FAILED;
    if (from == 0 || (to != 0 && to <= from)) {
        error_set(err, "argument_invalid", "from must be a time, and before to");
        return TASK_FAILED;
    }
    return run(task, FETCH_KIND_HISTORY, from, result, err);
}

const struct task_type fetch_now_task = {
    .name = "tracker.fetch_now",
    .queue = "fetch",
    .about = "Asks Apple for one tracker's reports as soon as an account may be used.",
    .timeout = TIMEOUT,
    .max_attempts = 5,
    .run = run_now,
};

const struct task_type history_refresh_task = {
    .name = "tracker.history_refresh",
    .queue = "history",
    .about = "Asks Apple again for a stretch of one tracker's past, as far as it is still kept.",
    .timeout = TIMEOUT,
    .max_attempts = 5,
    .run = run_history,
};
