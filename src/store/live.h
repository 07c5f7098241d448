/* The live bus: what happened, told to every process that serves open streams, through one Redis stream.
 *
 * Writers publish after their commit, best effort: PostgreSQL is the truth, and a reader that missed
 * something is told to read it again. Entries are kept up to LIVE_KEEP, so that a reader who comes back with
 * the id of the last entry he saw gets what followed, or learns that it is not known any more: Redis was
 * flushed, lost, or the entry was trimmed. */
#ifndef STORE_LIVE_H
#define STORE_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "store/redis.h"

/* Entries of about 250 bytes. At the 25 positions a second of a million trackers they reach back half an
 * hour. */
#define LIVE_KEEP 50000

/* Kinds that readers of GET /stream see. */
#define LIVE_POSITION     "position"
#define LIVE_STATUS       "status"
#define LIVE_NOTIFICATION "notification"
#define LIVE_TASK         "task"

/* Kinds between processes. */
#define LIVE_RESET "reset" /* entries may have been lost: whoever reads, reads everything again */
#define LIVE_EXPIRE                                                                                          \
    "expire" /* a tenant's rows changed; data: where to acknowledge it (see api/cache_peers.h) */

struct live_event {
    int64_t client_id;                     /* 0: of no tenant, for admins only unless it has a user */
    int64_t user_id;                       /* whom alone it concerns; 0: everybody of the client */
    int64_t tracker_id, production_run_id; /* 0: none; what readers narrow their stream by */
    const char *kind;                      /* one of the above */
    const char *data;                      /* text of a JSON object */
};

/* Call after the commit. Costs one round trip. False: some or all were not published, which is no error of
 * the caller's. */
bool live_publish(struct redis *redis, const struct live_event *events, size_t n);

/* ---- reading ---- */

/* Place of an entry; all zeros: before the first. */
struct live_id {
    uint64_t ms, sequence;
};
#define LIVE_ID_SIZE sizeof("18446744073709551615-18446744073709551615")
MUST_CHECK bool live_id_parse(const char *text, struct live_id *id); /* strict */
char *live_id_format(struct live_id id, char out[LIVE_ID_SIZE]);     /* returns out */
int live_id_compare(struct live_id a, struct live_id b);

struct live_entry {
    struct live_id id;
    struct live_event event; /* texts live in the arena */
};

struct live_batch {
    const struct live_entry *entries; /* in their order */
    size_t count;
    bool gap; /* the entry that was asked from is not kept any more: others may be missing before the first */
};

/* The newest entry's id; zeros when there is none. False, here and below: Redis could not be asked. */
MUST_CHECK bool live_newest(struct redis *redis, struct arena *arena, struct live_id *id);

/* At most limit entries after one that the reader saw. */
MUST_CHECK bool live_after(struct redis *redis, struct arena *arena, struct live_id after, size_t limit,
                           struct live_batch *batch);

/* The same, waiting up to `patience` (microseconds) for the next one; an empty batch when none came. From
 * before the first entry there is never a gap. */
MUST_CHECK bool live_wait(struct redis *redis, struct arena *arena, struct live_id after, int64_t patience,
                          struct live_batch *batch);

#endif
