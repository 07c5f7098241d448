/* Answers that processes share through Redis, behind the answers that each keeps itself (answer_cache.h).
 *
 * The name of an answer holds its key and the stamp of its tenants' generations, so that a write makes the
 * old one unreachable, in every process that has heard of the write; nothing is ever deleted by name, and
 * everything expires. A copy is signed: whoever can write to Redis cannot put words into the API's mouth. */
#ifndef API_ANSWER_SHARE_H
#define API_ANSWER_SHARE_H

#include "api/answer_cache.h"
#include "auth/auth.h"
#include "store/redis.h"

/* Answers that took the database less are had from it as fast as from Redis. */
#define SHARE_WORTH_USEC 1000

/* False: not there, forged, or Redis is away. The answer lives in the arena. */
MUST_CHECK bool answer_share_get(const struct auth *auth, struct redis *redis, struct arena *arena,
                                 const uint8_t key[CACHE_KEY_SIZE], uint64_t stamp,
                                 struct cached_answer *answer);

/* Best effort. */
void answer_share_put(const struct auth *auth, struct redis *redis, struct arena *arena,
                      const uint8_t key[CACHE_KEY_SIZE], uint64_t stamp, const struct cached_answer *answer);

#endif
