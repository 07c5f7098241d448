/* After a write: make sure that no process answers from memory what was true before it.
 *
 * Processes that keep answers (readers) stand in the table cache_readers, which is read only by those who
 * write. A reader uses its memory only while its last look at cache_generations is younger than
 * SETTLE_LEASE, so a writer who waits that long after his commit is safe whatever happens to Redis. To wait
 * less, he publishes an `expire` on the live bus; each reader forgets its look, and acknowledges. A reader
 * that does not (it hangs, died, or Redis is away) costs time, never truth.
 *
 * A writer may use a list of readers that is up to SETTLE_LIST_LIFE old, because a new reader does not use
 * its memory before SETTLE_PROBATION has passed since it was entered; and a reader that is gone from the list
 * has stopped before, by its own clock (SETTLE_TRUST < SETTLE_ENTRY). */
#ifndef STORE_SETTLE_H
#define STORE_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/timeutil.h"
#include "store/db.h"
#include "store/live.h"
#include "store/redis.h"

#define SETTLE_LEASE     (USEC_PER_SEC / 10)
#define SETTLE_LIST_LIFE (SECONDS(3) / 2)
#define SETTLE_PROBATION SECONDS(2)
#define SETTLE_TRUST     SECONDS(7)
#define SETTLE_ENTRY     SECONDS(10)

/* A list that is older is of no use: its writer waits for the lease. */
#define SETTLE_ID_SIZE 33 /* 32 hex digits and a NUL */

struct settle_readers {
    const char *const *ids; /* in the arena */
    size_t count;
};

/* The readers of this moment. */
MUST_CHECK bool settle_list(struct db *db, struct arena *arena, struct settle_readers *readers);

/* Call after the commit and before telling anybody of the write. readers: NULL when they are not known. self:
 * the process's own id, which needs no telling; NULL for none. Returns when no reader uses what it knew
 * before: after one round through Redis, or at the latest SETTLE_LEASE after the call. */
void settle_write(struct redis *redis, const struct settle_readers *readers, const char *self);

/* The same for processes that write now and then, and keep no list: workers, the command line. */
void settle_now(struct db *db, struct redis *redis);

/* A reader's answer to an `expire`, after it forgot its look. */
void settle_acknowledge(struct redis *redis, const struct live_event *expire, const char *self);

#endif
