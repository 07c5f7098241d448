/* The judge: what reports and edits mean for statuses, events, exceptions and the current state of trackers.
 *
 * Work is what stands in report_inbox. A batch is one transaction: it takes trackers from the inbox (with a
 * lock on each), loads their reports from the first moment that the change touches, lets src/tracking decide,
 * and replaces the derived rows from there on where they differ. Nothing is kept between batches: the state
 * of the rules is resumed from the derived rows. */
#ifndef JOBS_JUDGE_H
#define JOBS_JUDGE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/error.h"
#include "base/json.h"
#include "store/db.h"
#include "store/redis.h"

/* What the judge works with. */
struct judging {
    const struct config *config;
    struct db *db;       /* as the worker's role */
    struct redis *redis; /* NULL: nobody is told of what has changed */
    struct arena *arena;
};

/* One batch. Returns how many trackers were judged: 0 when nothing is in the inbox that somebody else is not
 * at, -1 with err. No transaction may be open. */
int64_t judge_inbox(const struct judging *judging, struct error *err);

/* Turn replay requests of edits into inbox rows; how many, or -1 with err. */
int64_t judge_expand(const struct judging *judging, struct error *err);

/* A tracker and the first moment that a change touches. */
struct judge_claim {
    int64_t tracker;
    int64_t from; /* JUDGE_BEGINNING: all of it */
};
#define JUDGE_BEGINNING TIME_MIN

/* What judging these trackers anew would change: appends to an open JSON array one object per row that would
 * go or come, {tracker_id, change: "remove"|"add", table: "status_history"|"geofence_events", …the row}.
 * Writes nothing. Sees the edits of a transaction that is open, and leaves it open. trackers_changed and rows
 * count them, also those beyond JUDGE_PREVIEW_ROWS, which are not appended. */
#define JUDGE_PREVIEW_ROWS 1000 /* of one call; a person reads them */
struct judge_preview {
    int64_t trackers;               /* looked at; counted by the caller */
    int64_t rows, trackers_changed; /* rows that differ; trackers whose history does */
};
MUST_CHECK bool judge_preview(const struct judging *judging, const struct judge_claim *claims, size_t n,
                              struct json *out, struct judge_preview *preview, struct error *err);

#endif
