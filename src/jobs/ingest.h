/* Ingest: reports as Apple handed them out become stored reports, once each, and whatever cannot be used is
 * counted.
 *
 * Opening needs no database and uses all cores; storing is a part of the caller's transaction, so that
 * reports, inbox and the state of the fetch are one. */
#ifndef JOBS_INGEST_H
#define JOBS_INGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "findmy/batch.h"
#include "findmy/fetch.h"
#include "store/db.h"

/* A report that was handed out. Borrowed until ingest_open returns. */
struct ingest_input {
    const uint8_t *payload;
    size_t len;
    int64_t tracker_id, key_id;
    const uint8_t *private_key; /* NULL: the key was not the tracker's at the report's time */
};

/* Parallel columns of what is to be stored and of what is to be counted; all in the arena. */
struct ingest {
    struct arena *arena;
    size_t count;
    int64_t *trackers, *times, *key_ids;
    double *latitudes, *longitudes;
    float *accuracies;
    int16_t *confidences, *statuses;
    const char **digests; /* of the payloads; NULL unless excluded reports are dropped */

    size_t rejected;
    int64_t *rejected_trackers;
    const char **rejected_reasons, **rejected_digests;
};

/* What storing came to. */
struct ingest_tracker {
    int64_t id, stored, excluded;
};
struct ingest_result {
    struct ingest_tracker *trackers; /* those with new reports, in the arena */
    size_t count;
    int64_t stored, excluded, rejected; /* new ones only */
};

/* Open all reports. drop_excluded: reports inside exclusion areas will only be counted. now: for finders with
 * a wrong clock. */
MUST_CHECK bool ingest_open(struct ingest *ingest, const struct ingest_input *inputs, size_t count,
                            bool drop_excluded, int64_t now, struct arena *arena, struct error *err);

/* Store and count, within the caller's transaction. "database": the transaction has failed. */
MUST_CHECK bool ingest_store(const struct ingest *ingest, struct db *db, struct ingest_result *result,
                             struct error *err);

/* Count in the metrics; for after the commit. */
void ingest_count(const struct ingest_result *result);

#endif
