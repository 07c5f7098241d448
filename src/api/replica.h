/* Which reads may go to a replica: not those of a caller who wrote a moment ago and must see it. */
#ifndef API_REPLICA_H
#define API_REPLICA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timeutil.h"

/* Beside the lag that a replica may have: what two clocks and two round trips can differ by. */
#define REPLICA_MARGIN SECONDS(2)

/* Who wrote lately, in this process; other processes learn it through Redis. */
struct recent_writes;

/* window: microseconds for which a writer reads from the primary; longer than a replica may lag. */
struct recent_writes *recent_writes_new(int64_t window);
void recent_writes_free(struct recent_writes *writes);

/* Thread-safe. now: monotonic. Users that share a slot are taken for each other, which only costs the
 * primary a read. */
void recent_writes_note(struct recent_writes *writes, int64_t user_id, int64_t now);
bool recent_writes_has(const struct recent_writes *writes, int64_t user_id, int64_t now);

#endif
