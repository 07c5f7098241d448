/* What the process knows of credentials, and the certainty that it still holds.
 *
 * Entries are looked up by the SHA-256 of the credential. Every change of sessions, users, their clients and
 * API keys is written by triggers to the table auth_changes. Before an entry is used, the process must have
 * looked at that table within the last AUTH_LEASE; the look forgets every user that changed. Whoever takes a
 * right away waits AUTH_LEASE after the commit before answering (auth_settle). So once a revocation has been
 * answered, every look that a process relies on is younger than the commit: the old state is not used
 * anywhere, whatever happens to Redis, to messages or to other processes. One look serves all requests of the
 * process, so its cost does not grow with them.
 *
 * Copies in Redis carry the oldest transaction that still ran when they were read from PostgreSQL. A copy is
 * believed only when the process has watched auth_changes since before that point and saw no later change of
 * the user: a copy that survived a change (Redis was away, or restarted from an old dump) is recognised. */
#ifndef AUTH_CACHE_H
#define AUTH_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/principal.h"
#include "base/arena.h"
#include "base/timeutil.h"
#include "store/db.h"

/* How old the last look may be. Short, since it delays the answers to revocations; long enough that looks
 * cost nothing beside the requests. */
#define AUTH_LEASE (100 * INT64_C(1000))

#define AUTH_CACHE_KEY 32 /* bytes: SHA-256 of the credential */

struct auth_cache;

/* entries: upper bound, rounded up to a power of two; 0: 16,384 */
struct auth_cache *auth_cache_new(size_t entries);
void auth_cache_free(struct auth_cache *cache);

/* Make sure that the last look is young enough, by looking when it is not. db is in the context `auth`.
 * False: the database could not be asked; then nothing of the cache may be used. */
MUST_CHECK bool auth_cache_confirm(struct auth_cache *cache, struct db *db);

/* True while the last look is young enough. */
bool auth_cache_confirmed(const struct auth_cache *cache);

/* The next confirm looks, however young the last look is (a change of the process's own). */
void auth_cache_expire(struct auth_cache *cache);

/* A principal that is valid at wall-clock time `now`, copied into arena; NULL when unknown. Confirm first. */
const struct principal *auth_cache_get(struct auth_cache *cache, const uint8_t key[AUTH_CACHE_KEY],
                                       int64_t now, struct arena *arena);

/* Keep a principal until valid_until. `seen` is auth_cache_seen() from before it was read from the database:
 * when the user changed meanwhile, nothing is kept. */
uint64_t auth_cache_seen(const struct auth_cache *cache);
void auth_cache_put(struct auth_cache *cache, const uint8_t key[AUTH_CACHE_KEY], uint64_t seen,
                    int64_t valid_until, const struct principal *principal);

/* Was a copy of user_id's rights, read when `xmin` was the oldest running transaction, still right at the
 * last look? False also when the process cannot know. */
bool auth_cache_copy_holds(struct auth_cache *cache, int64_t user_id, int64_t xmin);

/* Deep copy into an arena. */
struct principal *principal_copy(struct arena *arena, const struct principal *from);

#endif
