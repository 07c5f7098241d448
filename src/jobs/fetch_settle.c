/* Writes what came of a request. */
#include "jobs/fetch_settle.h"

#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "jobs/failure.h"

/* Two batches meet only in reports of one tracker and in generations of one client, both taken in order; a
 * deadlock with somebody else's transaction is tried again. */
#define MAX_TRIES 3

#define USEC(parameter) parameter " * interval '1 microsecond'"

static bool done(const struct rows *rows, const char *what, struct error *err)
{
    return rows_ok(rows) || database_failed(rows, what, err);
}

/* ---- cursors ---- */

/* False when some id of the row was not in an answer. */
static bool row_asked(const struct fetch_batch *batch, size_t row)
{
    const struct fetch_keys *keys = &batch->keys;
    for (size_t i = 0; i < keys->id_count; i++)
        for (size_t k = 0; k < keys->of_id[i].count; k++)
            if (keys->keys[keys->of_id[i].first + k].row == row && !batch->result.asked[i])
                return false;
    return true;
}

/* Rows that somebody has set back meanwhile keep that. */
static bool move_cursors(const struct fetch_batch *batch, struct error *err)
{
    static const char sql[] =
        "UPDATE tracker_keys k SET asked_until = a.until FROM unnest($1, $2, $3) AS a (id, before, until) "
        "WHERE k.id = a.id AND k.asked_until IS NOT DISTINCT FROM nullif(a.before, 'epoch')";
    const struct fetch_keys *keys = &batch->keys;
    size_t n = 0;
    int64_t *ids = arena_zalloc(batch->arena, keys->row_count + 1, sizeof(*ids)),
            *before = arena_zalloc(batch->arena, keys->row_count + 1, sizeof(*before)),
            *until = arena_zalloc(batch->arena, keys->row_count + 1, sizeof(*until));
    for (size_t i = 0; i < keys->row_count; i++) {
        if (!row_asked(batch, i))
            continue;
        ids[n] = keys->rows[i].id;
        before[n] = keys->rows[i].asked_before;
        until[n++] = keys->rows[i].asked_until;
    }
    return done(db_query(batch->db, sql, "aTT", ids, n, before, n, until, n), "moving cursors of keys", err);
}

/* A rolling accessory that was heard tells which slot it is at. */
static bool move_alignments(const struct fetch_batch *batch, struct error *err)
{
    static const char sql[] =
        "UPDATE tracker_keys k SET alignment_index = $2, alignment_at = $3 WHERE k.id = $1 AND k.kind = 'rolling' "
        "AND coalesce(k.alignment_index, 0) <= $2 AND coalesce(k.alignment_at, k.paired_at) <= $3";
    const struct fetch_keys *keys = &batch->keys;
    bool ok = true;
    for (size_t row = 0; ok && row < keys->row_count; row++) {
        struct rolling_alignment alignment = keys->rows[row].alignment;
        bool moved = false;
        for (size_t i = 0; keys->rows[row].rolling && i < batch->result.count; i++) {
            const struct fetch_report *report = &batch->result.reports[i];
            const struct fetch_key *key = &keys->keys[keys->of_id[report->id].first];
            if (key->row == row && key->slot >= 0 && fetch_time_plausible(report->time, batch->started_at))
                moved |= rolling_observe(&alignment, report->time, key->slot);
        }
        if (moved)
            ok = done(db_query(batch->db, sql, "iit", keys->rows[row].id, alignment.index, alignment.at),
                      "moving the alignment of a key", err);
    }
    return ok;
}

/* ---- trackers ---- */

/* Due times that somebody moved to the head meanwhile stay there. A tracker whose run has ended leaves the
 * queue. */
#define NEXT_FETCH(due)                                                                                      \
    "next_fetch_at = CASE WHEN " FETCH_WANTED " THEN " due " END, lease_owner = NULL, lease_until = NULL"

/* Which trackers an ending concerns, as arrays in the arena. */
struct chosen {
    int64_t *ids, *clients, *due;
    size_t count;
};

static struct chosen choose(const struct fetch_batch *batch, bool (*wanted)(const struct fetch_tracker *))
{
    struct chosen chosen = {
        .ids = arena_zalloc(batch->arena, batch->tracker_count + 1, sizeof(int64_t)),
        .clients = arena_zalloc(batch->arena, batch->tracker_count + 1, sizeof(int64_t)),
        .due = arena_zalloc(batch->arena, batch->tracker_count + 1, sizeof(int64_t)),
    };
    for (size_t i = 0; i < batch->tracker_count; i++)
        if (wanted(&batch->trackers[i])) {
            chosen.ids[chosen.count] = batch->trackers[i].id;
            chosen.due[chosen.count] = batch->trackers[i].due_at;
            chosen.clients[chosen.count++] = batch->trackers[i].client_id;
        }
    return chosen;
}

static bool is_taken(const struct fetch_tracker *tracker)
{
    return tracker->taken;
}

static bool is_complete(const struct fetch_tracker *tracker)
{
    return tracker->taken && tracker->complete;
}

static bool is_partial(const struct fetch_tracker *tracker)
{
    return tracker->taken && !tracker->complete;
}

static bool settle_complete(const struct fetch_batch *batch, struct error *err)
{
    static const char sql[] =
        "UPDATE trackers t SET last_fetched_at = now(), fetch_failures = 0, " NEXT_FETCH(
            "CASE WHEN t.next_fetch_at IS DISTINCT FROM a.due THEN t.next_fetch_at ELSE now() + " USEC(
                "$3") " END") " FROM unnest($1, $4) AS a (id, due) WHERE t.id = a.id AND t.lease_owner = $2";
    struct chosen chosen = choose(batch, is_complete);
    return done(db_query(batch->db, sql, "asiT", chosen.ids, chosen.count, batch->worker, batch->interval,
                         chosen.due, chosen.count),
                "settling trackers", err);
}

/* A tracker with more keys than a request takes goes to the end of the queue for its next part. It counts as
 * fetched when none of its keys is further behind than a cycle. */
static bool settle_partial(const struct fetch_batch *batch, struct error *err)
{
    static const char sql[] =
        "WITH fetched AS (SELECT u.id, NOT EXISTS (SELECT FROM tracker_keys k WHERE k.tracker_id = u.id AND "
        "k.private_key_sealed IS NOT NULL AND k.period && tstzrange(now() - " USEC(
            "$5") ", now()) AND "
                  "coalesce(k.asked_until, '-infinity') < now() - " USEC(
                      "$4") ") AS whole FROM unnest($1) AS u (id)) "
                            "UPDATE trackers t SET fetch_failures = 0, last_fetched_at = CASE WHEN f.whole THEN now() ELSE "
                            "t.last_fetched_at END, " NEXT_FETCH("CASE WHEN f.whole THEN now() + " USEC(
                                "$3") " ELSE now() END") " "
                                                         "FROM fetched f WHERE t.id = f.id AND t.lease_owner = $2";
    struct chosen chosen = choose(batch, is_partial);
    return chosen.count == 0 ||
           done(db_query(batch->db, sql, "asiii", chosen.ids, chosen.count, batch->worker, batch->interval,
                         batch->cycle, batch->profile->fetch.look_back),
                "settling trackers with many keys", err);
}

/* Back-off is counted on the queue's own clock, from the time at which the tracker was due: in a long queue
 * the head was due long ago, and counting from now would send a tracker to the end for each failure. It gives
 * way to the cycle: half a cycle after the last success it is two intervals, whatever the failures. */
static bool settle_failed(const struct fetch_batch *batch, struct error *err)
{
    static const char sql[] = "UPDATE trackers t SET fetch_failures = least(t.fetch_failures + 1, 1000), " NEXT_FETCH(
        "CASE WHEN a.due <= fetch_first() THEN now() ELSE a.due END + greatest(2 * " USEC("$3") ", least(a.intervals * " USEC(
            "$3") ", coalesce(t.last_fetched_at, now()) + " USEC("$6") " / 2 - now()))") " FROM unnest($1, $4, $5) AS a (id, intervals, due) WHERE t.id = a.id AND t.lease_owner = $2";
    struct chosen chosen = choose(batch, is_taken);
    int64_t *intervals = arena_zalloc(batch->arena, chosen.count + 1, sizeof(*intervals));
    for (size_t i = 0, n = 0; i < batch->tracker_count; i++)
        if (batch->trackers[i].taken)
            intervals[n++] = fetch_back_off(batch->trackers[i].failures + 1);
    return done(db_query(batch->db, sql, "asiaTi", chosen.ids, chosen.count, batch->worker, batch->interval,
                         intervals, chosen.count, chosen.due, chosen.count, batch->cycle),
                "settling trackers after a failure", err);
}

static bool settle_released(const struct fetch_batch *batch, struct error *err)
{
    static const char sql[] = "UPDATE trackers t SET lease_owner = NULL, lease_until = NULL "
                              "WHERE t.id = ANY ($1) AND t.lease_owner = $2";
    struct chosen chosen = choose(batch, is_taken);
    return done(db_query(batch->db, sql, "as", chosen.ids, chosen.count, batch->worker), "freeing trackers",
                err);
}

static bool settle_trackers(const struct fetch_batch *batch, struct error *err)
{
    switch (fetch_ending(&batch->result, batch->suspicious)) {
    case ENDED_WELL:
        return move_cursors(batch, err) && move_alignments(batch, err) && settle_complete(batch, err) &&
               settle_partial(batch, err);
    case ENDED_BY_PROVIDER:
        return settle_failed(batch, err);
    default:
        return settle_released(batch, err);
    }
}

/* ---- account, log, generations ---- */

static bool settle_account(const struct fetch_batch *batch, struct error *err)
{
    const struct fetch_result *result = &batch->result;
    const struct apple_use use = {
        .sent = result->requests > 0,
        .worked = result->verdict == FETCH_DONE && result->outcome == FETCH_OK,
        .not_before = result->verdict == FETCH_LATER ? result->retry_at : 0,
        .trouble = result->verdict == FETCH_DONE ? NULL : result->message,
    };
    return apple_account_release(&batch->account, &use, err);
}

static bool settle_log(const struct fetch_batch *batch, struct error *err)
{
    static const char sql[] =
        "UPDATE fetch_batches SET finished_at = greatest(now(), started_at), result = $2, error = nullif(left($3, 2000), ''), "
        "reports_received = $4, reports_new = $5, reports_rejected = $6 WHERE id = $1";
    const struct fetch_result *result = &batch->result;
    const char *word = fetch_result_word(result, batch->suspicious);
    return done(db_query(batch->db, sql, "issiii", batch->id, word, result->message, (int64_t)result->count,
                         batch->stored.stored, batch->stored.rejected),
                "logging a fetch", err);
}

static bool bump(const struct fetch_batch *batch, struct error *err)
{
    struct chosen chosen = choose(batch, is_taken);
    return done(db_query(batch->db, "SELECT bump_generations($1)", "a", chosen.clients, chosen.count),
                "telling caches", err);
}

static bool settle_once(struct fetch_batch *batch, struct error *err)
{
    bool ok = db_begin(batch->db, err) && ingest_store(&batch->ingest, batch->db, &batch->stored, err) &&
              settle_trackers(batch, err) && settle_account(batch, err) && settle_log(batch, err) &&
              bump(batch, err) && db_commit(batch->db, err);
    if (!ok)
        db_rollback(batch->db);
    return ok;
}

bool fetch_settle(struct fetch_batch *batch, struct error *err)
{
    bool ok = false;
    for (int i = 0; !ok && i < MAX_TRIES; i++) {
        *err = (struct error){ .code = "" };
        ok = settle_once(batch, err);
        if (!ok && !error_is(err, "database_unavailable"))
            break;
    }
    return ok;
}

static bool abandon_log(const struct fetch_batch *batch, const char *reason, struct error *err)
{
    static const char sql[] =
        "UPDATE fetch_batches SET finished_at = greatest(now(), started_at), result = 'abandoned', "
        "error = left($2, 2000) WHERE id = $1";
    return done(db_query(batch->db, sql, "is", batch->id, reason), "logging a fetch", err);
}

bool fetch_abandon(struct fetch_batch *batch, const char *reason, struct error *err)
{
    bool sent = batch->result.requests > 0;
    bool ok = db_begin(batch->db, err) && settle_released(batch, err) &&
              apple_account_give_up(&batch->account, sent, reason, err) && abandon_log(batch, reason, err) &&
              db_commit(batch->db, err);
    if (!ok)
        db_rollback(batch->db);
    return ok;
}
