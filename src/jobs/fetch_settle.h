/* The end of a request in the database: one transaction with reports, cursors, trackers, account and log. */
#ifndef JOBS_FETCH_SETTLE_H
#define JOBS_FETCH_SETTLE_H

#include "base/error.h"
#include "findmy/fetch.h"
#include "jobs/apple_account.h"
#include "jobs/fetch_keys.h"
#include "jobs/fetch_verdict.h"
#include "jobs/ingest.h"

/* SQL condition over a row `t` of trackers: it is to be fetched by itself, as trackers_arm() has it. */
#define FETCH_WANTED                                                                                         \
    "t.archived_at IS NULL AND EXISTS (SELECT FROM production_runs r WHERE r.id = t.production_run_id AND "  \
    "r.archived_at IS NULL AND r.starts_at <= now() AND (r.ends_at IS NULL OR r.ends_at >= now()))"

/* All that a request in progress consists of. */
struct fetch_batch {
    struct db *db;
    const char *worker;
    int64_t interval, cycle; /* microseconds */
    struct arena *arena;
    const struct profile *profile;
    int64_t id; /* row of fetch_batches */
    int64_t started_at;
    struct apple_account account;
    struct fetch_tracker *trackers; /* leased, oldest due first */
    size_t tracker_count;
    struct fetch_keys keys;
    struct fetch_result result;
    bool suspicious; /* see fetch_ending */
    struct ingest ingest;
    struct ingest_result stored;
};

/* Retried when it collides with another transaction. On failure nothing was settled: leases run out, and the
 * reports come again with the next request. */
MUST_CHECK bool fetch_settle(struct fetch_batch *batch, struct error *err);

/* The end of a request that failed by no fault of Apple's, the account's or the trackers': all of them are
 * free again, and the reason is logged with the batch. */
MUST_CHECK bool fetch_abandon(struct fetch_batch *batch, const char *reason, struct error *err);

#endif
