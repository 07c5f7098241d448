/* The story of one request. */
#include "jobs/fetch_batch.h"

#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/timeutil.h"
#include "jobs/apple_side.h"
#include "jobs/failure.h"
#include "jobs/fetch_settle.h"
#include "jobs/jobs.h"
#include "jobs/recordings.h"
#include "tasks/queue.h"

/* Apple holds a report for seven days. An answer without any for a tracker that was heard within this time is
 * a fault of theirs, until it was given three times. */
#define SURELY_HELD       DAYS(6)
#define MAX_EMPTY_REFUSED 3

/* ---- leases ---- */

/* True: there is something to do and somebody to do it with. Cheap, since it is asked every second. */
static bool anything_due(struct db *db, bool *due, struct error *err)
{
    static const char sql[] =
        "SELECT EXISTS (SELECT FROM apple_accounts WHERE state = 'ready' AND archived_at IS NULL AND "
        "next_allowed_at <= now() AND (lease_until IS NULL OR lease_until < now())) AND EXISTS (SELECT FROM trackers WHERE "
        "next_fetch_at <= now() AND archived_at IS NULL AND (lease_until IS NULL OR lease_until < now()))";
    struct rows *rows = db_query(db, sql, "");
    if (!rows_ok(rows))
        return database_failed(rows, "looking for due trackers", err);
    *due = rows_bool(rows, 0, 0);
    return true;
}

static bool lease_trackers(struct fetch_batch *batch, size_t most, int64_t lease, struct error *err)
{
    static const char sql[] =
        "WITH due AS (SELECT id FROM trackers WHERE next_fetch_at <= now() AND archived_at IS NULL AND "
        "(lease_until IS NULL OR lease_until < now()) ORDER BY next_fetch_at, id LIMIT $3 FOR UPDATE SKIP LOCKED), "
        "taken AS (UPDATE trackers t SET lease_owner = $1, lease_until = now() + $2 * interval '1 microsecond' "
        "FROM due WHERE t.id = due.id RETURNING t.id, t.client_id, t.last_report_at, t.fetch_failures, "
        "t.next_fetch_at) SELECT id, client_id, last_report_at, fetch_failures, next_fetch_at FROM taken "
        "ORDER BY next_fetch_at, id";
    struct rows *rows = db_query(batch->db, sql, "sii", batch->worker, lease, (int64_t)most);
    if (!rows_ok(rows))
        return database_failed(rows, "leasing trackers", err);
    batch->tracker_count = rows_count(rows);
    batch->trackers = arena_zalloc(batch->arena, batch->tracker_count + 1, sizeof(*batch->trackers));
    for (size_t i = 0; i < batch->tracker_count; i++)
        batch->trackers[i] = (struct fetch_tracker){ .id = rows_int(rows, i, 0),
                                                     .client_id = rows_int(rows, i, 1),
                                                     .last_report_at = rows_time(rows, i, 2),
                                                     .failures = rows_int(rows, i, 3),
                                                     .due_at = rows_time(rows, i, 4) };
    return true;
}

/* Free those that did not fit; push those without a usable key, which would stand at the head for ever, to
 * the next cycle. */
static bool part_with_others(struct fetch_batch *batch, struct error *err)
{
    static const char sql[] =
        "UPDATE trackers t SET lease_owner = NULL, lease_until = NULL, next_fetch_at = CASE WHEN NOT a.keyless THEN "
        "t.next_fetch_at WHEN " FETCH_WANTED " THEN now() + $3 * interval '1 microsecond' END "
        "FROM unnest($1, $2) AS a (id, keyless) WHERE t.id = a.id";
    const struct fetch_keys *keys = &batch->keys;
    size_t n = 0;
    int64_t *ids = arena_zalloc(batch->arena, batch->tracker_count + 1, sizeof(*ids));
    bool *keyless = arena_zalloc(batch->arena, batch->tracker_count + 1, sizeof(*keyless)),
         *has_ids = arena_zalloc(batch->arena, batch->tracker_count + 1, sizeof(*has_ids));
    for (size_t i = 0; i < keys->key_count; i++)
        has_ids[keys->rows[keys->keys[i].row].tracker] = true;
    for (size_t i = 0; i < batch->tracker_count; i++)
        if (!has_ids[i]) {
            ids[n] = batch->trackers[i].id;
            keyless[n++] = batch->trackers[i].taken;
            batch->trackers[i].taken = false;
        }
    struct rows *rows = n > 0 ? db_query(batch->db, sql, "aBi", ids, n, keyless, n, batch->cycle) : NULL;
    return rows == NULL || rows_ok(rows) || database_failed(rows, "freeing trackers", err);
}

/* Rows of batches of this account that have no end are of workers that died. */
static bool open_log(struct fetch_batch *batch, const char *kind, struct error *err)
{
    static const char sql[] =
        "WITH lost AS (UPDATE fetch_batches SET finished_at = now(), result = 'lost' WHERE apple_account_id = $1 AND "
        "result IS NULL AND started_at > now() - interval '7 days') INSERT INTO fetch_batches (apple_account_id, kind, "
        "worker, trackers, key_ids) VALUES ($1, $2, $3, $4, $5) RETURNING id";
    int64_t trackers = 0;
    for (size_t i = 0; i < batch->tracker_count; i++)
        trackers += batch->trackers[i].taken;
    struct rows *rows = db_query(batch->db, sql, "issii", batch->account.id, kind, batch->worker, trackers,
                                 (int64_t)batch->keys.id_count);
    if (!rows_ok(rows))
        return database_failed(rows, "logging a fetch", err);
    batch->id = rows_int(rows, 0, 0);
    return true;
}

/* Within a transaction. False without an error in err: nothing to do. */
static bool lease(struct fetch_batch *batch, const struct apple_user *user, size_t max_ids, const char *kind,
                  struct error *err)
{
    const struct fetch_window window = { batch->profile, batch->started_at, max_ids };
    if (apple_account_take(&batch->account, user, batch->arena, err) != APPLE_TAKEN ||
        !lease_trackers(batch, max_ids, user->lease, err) || batch->tracker_count == 0)
        return false;
    if (!fetch_keys_load(&batch->keys, batch->db, user->sealer, &window, batch->trackers,
                         batch->tracker_count, batch->arena, err) ||
        !part_with_others(batch, err))
        return false;
    if (batch->keys.id_count == 0)
        return apple_account_give_up(&batch->account, false, NULL, err);
    return open_log(batch, kind, err);
}

/* ---- reports ---- */

/* The key that was its tracker's at the report's time; the first key of the id with *valid false when none
 * was. */
static const struct fetch_key *key_of(const struct fetch_keys *keys, const struct fetch_report *report,
                                      bool *valid)
{
    const struct fetch_key *first = &keys->keys[keys->of_id[report->id].first];
    for (size_t i = 0; i < keys->of_id[report->id].count; i++) {
        *valid = report->time >= first[i].valid_from && report->time < first[i].valid_until;
        if (*valid)
            return &first[i];
    }
    return first;
}

static bool open_reports(struct fetch_batch *batch, bool drop_excluded, struct error *err)
{
    const struct fetch_result *result = &batch->result;
    const struct fetch_keys *keys = &batch->keys;
    struct ingest_input *inputs = arena_zalloc(batch->arena, result->count + 1, sizeof(*inputs));
    for (size_t i = 0; i < result->count; i++) {
        bool valid = false;
        const struct fetch_key *key = key_of(keys, &result->reports[i], &valid);
        const struct fetch_row *row = &keys->rows[key->row];
        inputs[i] = (struct ingest_input){ .payload = result->reports[i].payload,
                                           .len = result->reports[i].len,
                                           .tracker_id = batch->trackers[row->tracker].id,
                                           .key_id = row->id,
                                           .private_key = valid ? key->private_key : NULL };
    }
    return ingest_open(&batch->ingest, inputs, result->count, drop_excluded, batch->started_at, batch->arena,
                       err);
}

static bool looks_suspicious(const struct fetch_batch *batch)
{
    bool heard = false;
    for (size_t i = 0; i < batch->tracker_count; i++) {
        const struct fetch_tracker *tracker = &batch->trackers[i];
        heard |= tracker->taken && tracker->complete && tracker->failures < MAX_EMPTY_REFUSED &&
                 tracker->last_report_at > batch->started_at - SURELY_HELD;
    }
    return heard && batch->result.verdict == FETCH_DONE && batch->result.count == 0;
}

/* ---- the request ---- */

static void count_metrics(const struct fetch_batch *batch)
{
    const char *word = fetch_result_word(&batch->result, batch->suspicious);
    struct metric *batches = metric_counter("fetch_batches_total", "Requests for reports by result.",
                                            "result");
    struct metric *seconds = metric_histogram("fetch_batch_seconds",
                                              "From leasing trackers to their settled reports.", "");
    series_add(metric_series(batches, (const char *const[]){ word }), 1);
    series_observe(metric_series(seconds, NULL), time_now() - batch->started_at);
    ingest_count(&batch->stored);
    LOG_INFO("fetch batch", LOG_TEXT("account", batch->account.name), LOG_TEXT("result", word),
             LOG_NUM("batch_id", batch->id), LOG_NUM("ids", batch->keys.id_count),
             LOG_NUM("received", batch->result.count), LOG_NUM("new", batch->stored.stored),
             LOG_NUM("rejected", batch->stored.rejected));
}

/* Everything between the two transactions. False: something of ours failed. */
static bool ask(struct fetch_batch *batch, const struct task_context *task, struct error *err)
{
    struct provider *provider = apple_side_open(task->config, batch->profile, batch->arena, err);
    if (provider == NULL || !apple_account_open(&batch->account, provider, false, err))
        return false;
    const struct fetch_job job = {
        .ids = batch->keys.ids,
        .count = batch->keys.id_count,
        .from = batch->started_at - batch->profile->fetch.look_back,
        .to = batch->started_at,
        .max_requests = 1, /* the account's interval is counted by requests */
    };
    struct recording recording = { 0 };
    if (task->config->record_answers)
        recording_begin(&recording, provider, batch->arena);
    fetch_run(batch->account.account, &batch->account.env, &job, batch->arena, &batch->result);
    recording_keep(&recording, provider, task->db, batch->account.user->sealer, batch->id, batch->arena);
    batch->suspicious = looks_suspicious(batch);
    return open_reports(batch, strcmp(task->config->excluded_reports, "drop") == 0, err);
}

static bool finish(struct fetch_batch *batch, struct task_context *task, struct error *err)
{
    struct error ignored;
    if (!ask(batch, task, err)) {
        if (!fetch_abandon(batch, err->message, &ignored))
            LOG_WARN("fetch not abandoned", LOG_NUM("batch_id", batch->id),
                     LOG_TEXT("reason", ignored.message));
        return false;
    }
    if (!fetch_settle(batch, err))
        return false;
    count_metrics(batch);
    if (batch->stored.stored > batch->stored.excluded)
        task_hint(task->redis, "judge.inbox");
    return true;
}

int64_t fetch_batch_run(struct task_context *task, const char *kind, struct error *err)
{
    const struct config *config = task->config;
    const struct apple_user user = { task->db, &((struct jobs_shared *)task->shared)->sealer, task->worker,
                                     config->fetch_interval, config->fetch_lease };
    struct fetch_batch batch = { .db = task->db,
                                 .worker = task->worker,
                                 .interval = config->fetch_interval,
                                 .cycle = config->fetch_cycle,
                                 .arena = task->arena };
    bool due = false;
    *err = (struct error){ .code = "" };
    if (!anything_due(task->db, &due, err))
        return -1;
    batch.profile = due ? apple_profile(config, task->db, task->arena, err) : NULL;
    if (batch.profile == NULL)
        return due ? -1 : 0;
    int64_t max_ids = config->fetch_keys_per_request < batch.profile->fetch.ids_per_request
                          ? config->fetch_keys_per_request
                          : batch.profile->fetch.ids_per_request;
    batch.started_at = time_now();
    bool leased = db_begin(task->db, err) && lease(&batch, &user, (size_t)max_ids, kind, err) &&
                  db_commit(task->db, err);
    if (!leased) {
        db_rollback(task->db);
        return err->code[0] != '\0' ? -1 : 0;
    }
    if (batch.keys.id_count > 0 && !finish(&batch, task, err))
        return -1;
    return (int64_t)batch.tracker_count;
}
