/* The judge's transaction: from the inbox to rows. */
#include "jobs/judge.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/timeutil.h"
#include "jobs/judge_batch.h"

/* Trackers of one transaction. More save round trips, fewer let workers share and keep edits of these rows
 * waiting for less long. */
#define BATCH_TRACKERS 64

/* Reports of one transaction, unless a single tracker has more. They are in memory at once, some 300 bytes
 * each. */
#define BATCH_REPORTS 50000

/* Replay requests that are turned into inbox rows at once. */
#define EXPAND_REQUESTS 100

/* ---- taking work ---- */

static int by_tracker(const void *a, const void *b)
{
    const struct judge_claim *x = a, *y = b;
    return (x->tracker > y->tracker) - (x->tracker < y->tracker);
}

static bool claim(const struct judging *judging, struct rows **claimed, struct judge_claim **claims,
                  struct error *err)
{
    *claimed = db_query(
        judging->db,
        "SELECT tracker_id, from_start, reported_at, reports, oldest_at FROM claim_inbox($1::integer)"
        " ORDER BY oldest_at, tracker_id",
        "i", (int64_t)BATCH_TRACKERS);
    if (!rows_ok(*claimed))
        return database_failed(*claimed, "taking trackers from the inbox", err);
    *claims = arena_alloc(judging->arena, (rows_count(*claimed) + 1) * sizeof(**claims));
    for (size_t i = 0; i < rows_count(*claimed); i++)
        (*claims)[i] = (struct judge_claim){ .tracker = rows_int(*claimed, i, 0),
                                             .from = rows_bool(*claimed, i, 1) ? JUDGE_BEGINNING
                                                                               : rows_time(*claimed, i, 2) };
    return true;
}

static struct subject *subject_of(const struct batch *batch, int64_t tracker)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->subjects[i].tracker == tracker)
            return &batch->subjects[i];
    return NULL;
}

/* A claim as it was in the inbox, with the age that it has. */
static bool put_back(const struct judging *judging, const struct rows *claimed, size_t i, struct error *err)
{
    struct rows *rows = db_query(judging->db,
                                 "INSERT INTO report_inbox (tracker_id, reported_at, reports, created_at)"
                                 " VALUES ($1, CASE WHEN NOT $2 THEN $3 END, $4, $5)",
                                 "ibtit", rows_int(claimed, i, 0), (int)rows_bool(claimed, i, 1),
                                 rows_time(claimed, i, 2), rows_int(claimed, i, 3), rows_time(claimed, i, 4));
    return rows_ok(rows) || database_failed(rows, "putting trackers back into the inbox", err);
}

/* Of the claims, oldest first, keep what fits into memory; the first always does. */
static bool put_back_what_is_too_much(const struct judging *judging, const struct rows *claimed,
                                      struct batch *batch, struct error *err)
{
    int64_t reports = 0;
    for (size_t i = 0; i < rows_count(claimed); i++) {
        struct subject *subject = subject_of(batch, rows_int(claimed, i, 0));
        if (subject == NULL)
            continue; /* deleted meanwhile */
        subject->too_much = reports > 0 && reports + subject->reports > BATCH_REPORTS;
        if (!subject->too_much)
            reports += subject->reports;
        else if (!put_back(judging, claimed, i, err))
            return false;
    }
    size_t kept = 0;
    for (size_t i = 0; i < batch->count; i++)
        if (!batch->subjects[i].too_much)
            batch->subjects[kept++] = batch->subjects[i];
    batch->count = kept;
    return true;
}

/* ---- one batch ---- */

static bool judge_claims(const struct judging *judging, const struct rows *claimed,
                         struct judge_claim *claims, struct batch *batch, struct error *err)
{
    struct rules rules = judge_rules(judging->config);
    if (!judge_resume(judging, claims, rows_count(claimed), batch, err) ||
        !put_back_what_is_too_much(judging, claimed, batch, err) || !judge_load(judging, batch, err))
        return false;
    judge_decide(&rules, judging->arena, batch);
    return judge_write(judging, batch, err);
}

int64_t judge_inbox(const struct judging *judging, struct error *err)
{
    struct rows *claimed = NULL;
    struct judge_claim *claims = NULL;
    struct batch batch = { 0 };
    int64_t started = time_monotonic();

    if (!db_begin(judging->db, err))
        return -1;
    if (!claim(judging, &claimed, &claims, err) ||
        (rows_count(claimed) > 0 && !judge_claims(judging, claimed, claims, &batch, err))) {
        db_rollback(judging->db);
        return -1;
    }
    if (!db_commit(judging->db, err))
        return -1;
    if (rows_count(claimed) == 0)
        return 0;
    judge_announce(judging, &batch);
    LOG_DEBUG("judged", LOG_NUM("trackers", (int64_t)batch.count),
              LOG_NUM("rows", (int64_t)batch.history.count), LOG_NUM("events", (int64_t)batch.events.count),
              LOG_NUM("usec", time_monotonic() - started));
    return (int64_t)rows_count(claimed);
}

int64_t judge_expand(const struct judging *judging, struct error *err)
{
    struct rows *rows = db_query(judging->db, "SELECT expand_replays($1::integer)", "i",
                                 (int64_t)EXPAND_REQUESTS);
    if (!rows_ok(rows)) {
        database_failed(rows, "taking replay requests", err);
        return -1;
    }
    return rows_int(rows, 0, 0);
}

/* ---- preview ---- */

bool judge_preview(const struct judging *judging, const struct judge_claim *claims, size_t n,
                   struct json *out, struct judge_preview *preview, struct error *err)
{
    struct rules rules = judge_rules(judging->config);
    struct batch batch;
    struct judge_claim *sorted = arena_memdup(judging->arena, claims, n * sizeof(*claims));

    qsort(sorted, n, sizeof(*sorted), by_tracker);
    if (!judge_resume(judging, sorted, n, &batch, err) || !judge_load(judging, &batch, err))
        return false;
    judge_decide(&rules, judging->arena, &batch);
    return judge_compare(judging, &batch, out, preview, err);
}
