/* Keeps this process's entry among the readers, and a list of the others. */
#include "api/cache_peers.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/encode.h"

/* The entry is renewed this often: several attempts fit into SETTLE_TRUST. */
#define RENEW SECONDS(2)

struct cache_peers {
    struct answer_cache *answers;
    char id[SETTLE_ID_SIZE];
    _Atomic bool bus;            /* expiries can be heard */
    _Atomic int64_t trust_from;  /* monotonic; 0: not entered */
    _Atomic int64_t trust_until; /* by the last renewal */
    int64_t renewed;             /* of the ticking thread alone */
    pthread_mutex_t lock;        /* of the list */
    struct arena *arena;         /* holds the list */
    struct settle_readers list;
    int64_t listed; /* monotonic time before it was read; 0: never */
};

struct cache_peers *cache_peers_new(struct answer_cache *answers)
{
    struct cache_peers *peers = calloc(1, sizeof(*peers));
    if (peers == NULL)
        abort();
    uint8_t id[16];
    randombytes_buf(id, sizeof(id));
    hex_encode(id, sizeof(id), peers->id);
    peers->answers = answers;
    peers->arena = arena_new();
    pthread_mutex_init(&peers->lock, NULL);
    return peers;
}

void cache_peers_free(struct cache_peers *peers)
{
    if (peers == NULL)
        return;
    arena_free(peers->arena);
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

bool cache_peers_trusted(struct cache_peers *peers, int64_t now)
{
    int64_t from = atomic_load(&peers->trust_from);
    return atomic_load(&peers->bus) && from != 0 && now >= from && now < atomic_load(&peers->trust_until);
}

/* ---- entry ---- */

static const char renew_sql[] =
    "WITH old AS (DELETE FROM cache_readers WHERE until < now() - interval '1 minute' AND id <> $1)"
    " INSERT INTO cache_readers AS r (id, until) VALUES ($1, now() + $2 * interval '1 microsecond')"
    " ON CONFLICT (id) DO UPDATE SET until = excluded.until";

static void renew(struct cache_peers *peers, struct db *db, int64_t now)
{
    if (!rows_ok(db_query(db, renew_sql, "si", peers->id, SETTLE_ENTRY)))
        return;
    /* Renewed in time only if it is still that time: else others may have a list without this process. */
    bool lapsed = atomic_load(&peers->trust_from) == 0 ||
                  time_monotonic() >= atomic_load(&peers->trust_until);
    peers->renewed = now;
    if (lapsed)
        atomic_store(&peers->trust_from, time_monotonic() + SETTLE_PROBATION);
    atomic_store(&peers->trust_until, now + SETTLE_TRUST);
}

void cache_peers_leave(struct cache_peers *peers, struct db *db)
{
    if (atomic_exchange(&peers->trust_from, 0) == 0)
        return;
    /* When this fails, the entry ends by itself. */
    (void)db_query(db, "DELETE FROM cache_readers WHERE id = $1", "s", peers->id);
}

static void read_list(struct cache_peers *peers, struct db *db, int64_t now)
{
    struct arena *arena = arena_new();
    struct settle_readers list;
    if (settle_list(db, arena, &list)) {
        pthread_mutex_lock(&peers->lock);
        struct arena *old = peers->arena;
        peers->arena = arena;
        peers->list = list;
        peers->listed = now;
        pthread_mutex_unlock(&peers->lock);
        arena = old;
    }
    arena_free(arena);
}

void cache_peers_tick(struct cache_peers *peers, struct db *db)
{
    int64_t now = time_monotonic();
    if (!atomic_load(&peers->bus))
        cache_peers_leave(peers, db);
    else if (atomic_load(&peers->trust_from) == 0 || now - peers->renewed >= RENEW)
        renew(peers, db, now);
    read_list(peers, db, now);
}

/* ---- writes ---- */

/* A copy of the list, or NULL when it is too old. */
static const struct settle_readers *copy_list(struct cache_peers *peers, struct arena *arena)
{
    struct settle_readers *copy = NULL;
    pthread_mutex_lock(&peers->lock);
    if (peers->listed != 0 && time_monotonic() - peers->listed < SETTLE_LIST_LIFE) {
        copy = arena_zalloc(arena, 1, sizeof(*copy));
        const char **ids = arena_zalloc(arena, peers->list.count + 1, sizeof(*ids));
        for (size_t i = 0; i < peers->list.count; i++)
            ids[i] = arena_strdup(arena, peers->list.ids[i]);
        *copy = (struct settle_readers){ ids, peers->list.count };
    }
    pthread_mutex_unlock(&peers->lock);
    return copy;
}

void cache_peers_settle(struct cache_peers *peers, struct redis *redis)
{
    struct arena *arena = arena_new();
    settle_write(redis, copy_list(peers, arena), peers->id);
    arena_free(arena);
}

/* ---- the bus ---- */

void cache_peers_bus(struct cache_peers *peers, bool here)
{
    atomic_store(&peers->bus, here);
}

void cache_peers_hear(struct cache_peers *peers, struct redis *redis, const struct live_event *expire)
{
    answer_cache_expire(peers->answers);
    settle_acknowledge(redis, expire, peers->id);
}
