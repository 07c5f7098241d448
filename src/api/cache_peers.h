/* This process among those that keep answers in memory: entered in cache_readers, so that writers tell it of
 * their writes, and knowing the others, so that it tells them of its own. See store/settle.h for the rules.
 */
#ifndef API_CACHE_PEERS_H
#define API_CACHE_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "api/answer_cache.h"
#include "store/db.h"
#include "store/live.h"
#include "store/redis.h"
#include "store/settle.h"

struct cache_peers;

/* answers outlives it. */
struct cache_peers *cache_peers_new(struct answer_cache *answers);
void cache_peers_free(struct cache_peers *peers);

/* May answers from memory be used, as far as writers know of this process? Together with a look that is
 * younger than the lease. */
bool cache_peers_trusted(struct cache_peers *peers, int64_t now);

/* After a commit of this process: returns when no other process uses what it knew before. */
void cache_peers_settle(struct cache_peers *peers, struct redis *redis);

/* ---- for the threads of the live hub ---- */

/* Several times within SETTLE_LIST_LIFE: renew the entry (or end it, while the bus is away: writers would
 * wait in vain), read the list. db is in the context `auth`. */
void cache_peers_tick(struct cache_peers *peers, struct db *db);
void cache_peers_leave(struct cache_peers *peers, struct db *db); /* at the end of the process */

void cache_peers_bus(struct cache_peers *peers, bool here);
void cache_peers_hear(struct cache_peers *peers, struct redis *redis, const struct live_event *expire);

#endif
