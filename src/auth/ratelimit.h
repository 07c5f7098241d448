/* Requests per session, API key or address within a window.
 *
 * Counting happens in the process; every so often the process adds what it counted to a counter in Redis and
 * learns the others' share. So most requests cost no round trip, a limit holds over all processes within a
 * few percent, and without Redis it holds for each process by itself. */
#ifndef AUTH_RATELIMIT_H
#define AUTH_RATELIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "store/redis.h"

struct ratelimit;

struct ratelimit *ratelimit_new(void);
void ratelimit_free(struct ratelimit *limits);

struct ratelimit_state {
    int64_t limit, remaining;
    int reset; /* seconds until the window ends, at least 1 */
};

/* Count one request of `subject` ("session:17"). False: it is beyond the limit. window in microseconds; now
 * is wall-clock time. redis NULL (with arena NULL): only this process's count, without blocking. */
bool ratelimit_take(struct ratelimit *limits, struct redis *redis, struct arena *arena, const char *subject,
                    int64_t limit, int64_t window, int64_t now, struct ratelimit_state *state);

#endif
