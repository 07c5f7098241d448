/* Keeps answers in a table of slots, and the generations by which they are valid. */
#include "api/answer_cache.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"

/* Tenants that the generation table has room for at first; it doubles. */
#define GENERATIONS_INITIAL 256

#define ETAG_MAX 64
#define TYPE_MAX 64

/* One answer; a slot holds the newest of all keys that fall into it. */
struct slot {
    uint8_t key[CACHE_KEY_SIZE];
    uint64_t stamp;
    int64_t until; /* monotonic; 0: empty */
    char etag[ETAG_MAX], content_type[TYPE_MAX];
    char *body;
    size_t len;
};

struct generation {
    int64_t client_id;
    int64_t value; /* 0: empty place */
};

struct answer_cache {
    pthread_mutex_t lock; /* everything below; held for a copy of one body at most */
    struct slot slots[CACHE_SLOTS];
    size_t total; /* bytes of bodies */
    size_t hand;  /* next slot to give up when they are too many */

    struct generation *generations; /* open addressing */
    size_t places, used;
    uint64_t sum;         /* of the marks of all */
    int64_t looked_at;    /* monotonic time before the last look began; 0: never, or expired */
    uint64_t expiries;    /* how often it was expired */
    pthread_mutex_t look; /* one look at a time */
};

struct answer_cache *answer_cache_new(void)
{
    struct answer_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL)
        abort();
    pthread_mutex_init(&cache->lock, NULL);
    pthread_mutex_init(&cache->look, NULL);
    cache->places = GENERATIONS_INITIAL;
    cache->generations = calloc(cache->places, sizeof(*cache->generations));
    if (cache->generations == NULL)
        abort();
    return cache;
}

static void empty(struct answer_cache *cache, struct slot *slot)
{
    cache->total -= slot->len;
    free(slot->body);
    *slot = (struct slot){ 0 };
}

void answer_cache_clear(struct answer_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        empty(cache, &cache->slots[i]);
    pthread_mutex_unlock(&cache->lock);
}

void answer_cache_free(struct answer_cache *cache)
{
    if (cache == NULL)
        return;
    answer_cache_clear(cache);
    pthread_mutex_destroy(&cache->lock);
    pthread_mutex_destroy(&cache->look);
    free(cache->generations);
    free(cache);
}

void answer_key(const struct principal *principal, const char *url, uint8_t key[CACHE_KEY_SIZE])
{
    crypto_generichash_state state;
    uint64_t head[2] = { (uint64_t)principal->role, principal->client_count };
    crypto_generichash_init(&state, NULL, 0, CACHE_KEY_SIZE);
    crypto_generichash_update(&state, (const uint8_t *)head, sizeof(head));
    crypto_generichash_update(&state, (const uint8_t *)principal->client_ids,
                              principal->client_count * sizeof(*principal->client_ids));
    crypto_generichash_update(&state, (const uint8_t *)url, strlen(url));
    crypto_generichash_final(&state, key, CACHE_KEY_SIZE);
}

/* ---- generations ---- */

/* The place of a client: its own, or the empty one where it would go. */
static struct generation *find(struct generation *table, size_t places, int64_t client_id)
{
    size_t i = (size_t)((uint64_t)client_id * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (places - 1);
    while (table[i].value != 0 && table[i].client_id != client_id)
        i = (i + 1) & (places - 1);
    return &table[i];
}

static void grow(struct answer_cache *cache)
{
    size_t places = cache->places * 2;
    struct generation *table = calloc(places, sizeof(*table));
    if (table == NULL)
        abort();
    for (size_t i = 0; i < cache->places; i++)
        if (cache->generations[i].value != 0)
            *find(table, places, cache->generations[i].client_id) = cache->generations[i];
    free(cache->generations);
    cache->generations = table;
    cache->places = places;
}

/* Tenants are learned about at different times and in different processes: a mere sum of generations could be
 * the same for two states of them, a sum of marks is not but by a chance of 2^-64. None for generation 0, so
 * that a tenant without writes counts as one that is not known. (The mixer of SplitMix64.) */
static uint64_t mark(int64_t client_id, int64_t generation)
{
    uint64_t z = (uint64_t)client_id * UINT64_C(0x9E3779B97F4A7C15) ^ (uint64_t)generation;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return generation == 0 ? 0 : z ^ z >> 31;
}

static void learn(struct answer_cache *cache, int64_t client_id, int64_t generation)
{
    struct generation *place = find(cache->generations, cache->places, client_id);
    if (generation <= place->value)
        return;
    if (place->value == 0 && ++cache->used * 2 > cache->places) {
        grow(cache);
        place = find(cache->generations, cache->places, client_id);
    }
    cache->sum += mark(client_id, generation) - mark(client_id, place->value);
    *place = (struct generation){ client_id, generation };
}

void answer_cache_learn(struct answer_cache *cache, int64_t client_id, int64_t generation)
{
    pthread_mutex_lock(&cache->lock);
    learn(cache, client_id, generation);
    pthread_mutex_unlock(&cache->lock);
}

uint64_t answer_stamp(struct answer_cache *cache, const struct principal *principal)
{
    uint64_t stamp = 0;
    pthread_mutex_lock(&cache->lock);
    if (principal->role == ROLE_ADMIN)
        stamp = cache->sum;
    for (size_t i = 0; principal->role != ROLE_ADMIN && i < principal->client_count; i++)
        stamp += mark(principal->client_ids[i],
                      find(cache->generations, cache->places, principal->client_ids[i])->value);
    pthread_mutex_unlock(&cache->lock);
    return stamp;
}

bool answer_cache_confirmed(struct answer_cache *cache, int64_t now)
{
    pthread_mutex_lock(&cache->lock);
    bool young = cache->looked_at != 0 && now - cache->looked_at < CACHE_LEASE;
    pthread_mutex_unlock(&cache->lock);
    return young;
}

void answer_cache_expire(struct answer_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    cache->looked_at = 0;
    cache->expiries++;
    pthread_mutex_unlock(&cache->lock);
}

/* True when the look counts: it was answered, and no write was committed since it began. */
static bool look(struct answer_cache *cache, struct db *db, int64_t now)
{
    pthread_mutex_lock(&cache->lock);
    uint64_t expiries = cache->expiries;
    pthread_mutex_unlock(&cache->lock);

    db_set_context(db, &auth_context);
    struct rows *rows = db_query(db, "SELECT client_id, generation FROM cache_generations", "");
    if (!rows_ok(rows))
        return false;

    pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < rows_count(rows); i++)
        learn(cache, rows_int(rows, i, 0), rows_int(rows, i, 1));
    bool counts = cache->expiries == expiries;
    if (counts)
        cache->looked_at = now;
    pthread_mutex_unlock(&cache->lock);
    return counts;
}

bool answer_cache_confirm(struct answer_cache *cache, struct db *db, int64_t now)
{
    if (answer_cache_confirmed(cache, now))
        return true;
    pthread_mutex_lock(&cache->look);
    /* Another thread may have looked while this one waited. */
    bool confirmed = answer_cache_confirmed(cache, now) || look(cache, db, now);
    pthread_mutex_unlock(&cache->look);
    return confirmed;
}

/* ---- answers ---- */

static struct slot *slot_of(struct answer_cache *cache, const uint8_t key[CACHE_KEY_SIZE])
{
    uint32_t index;
    memcpy(&index, key, sizeof(index));
    return &cache->slots[index & (CACHE_SLOTS - 1)];
}

static bool valid(const struct slot *slot, const uint8_t key[CACHE_KEY_SIZE], uint64_t stamp, int64_t now)
{
    return slot->until > now && slot->stamp == stamp && memcmp(slot->key, key, CACHE_KEY_SIZE) == 0;
}

bool answer_cache_get(struct answer_cache *cache, const uint8_t key[CACHE_KEY_SIZE], uint64_t stamp,
                      int64_t now, bool want_body, struct arena *arena, struct cached_answer *answer)
{
    pthread_mutex_lock(&cache->lock);
    const struct slot *slot = slot_of(cache, key);
    bool hit = valid(slot, key, stamp, now);
    if (hit)
        *answer = (struct cached_answer){ .etag = arena_strdup(arena, slot->etag),
                                          .content_type = arena_strdup(arena, slot->content_type),
                                          .body = want_body && slot->body != NULL
                                                      ? arena_memdup(arena, slot->body, slot->len)
                                                      : NULL,
                                          .len = slot->len };
    pthread_mutex_unlock(&cache->lock);
    return hit;
}

/* True when the tag tells that it is what is kept: nothing need be copied then. */
static bool renew(struct answer_cache *cache, const uint8_t key[CACHE_KEY_SIZE], uint64_t stamp, int64_t now,
                  const struct cached_answer *answer)
{
    pthread_mutex_lock(&cache->lock);
    struct slot *slot = slot_of(cache, key);
    bool same = valid(slot, key, stamp, now) && strcmp(slot->etag, answer->etag) == 0 &&
                (answer->len == 0 || answer->len == slot->len);
    if (same)
        slot->until = now + CACHE_LIFE;
    pthread_mutex_unlock(&cache->lock);
    return same;
}

bool answer_cache_put(struct answer_cache *cache, const uint8_t key[CACHE_KEY_SIZE], uint64_t stamp,
                      int64_t now, const struct cached_answer *answer)
{
    size_t len = answer->len;
    if ((answer->body == NULL) != (len == 0) || len > CACHE_MAX_BODY || strlen(answer->etag) >= ETAG_MAX ||
        strlen(answer->content_type) >= TYPE_MAX || renew(cache, key, stamp, now, answer))
        return false;
    char *copy = len > 0 ? malloc(len) : NULL;
    if (len > 0 && copy == NULL)
        return false;
    if (copy != NULL)
        memcpy(copy, answer->body, len);

    pthread_mutex_lock(&cache->lock);
    struct slot *slot = slot_of(cache, key);
    empty(cache, slot);
    while (cache->total + len > CACHE_MAX_TOTAL)
        empty(cache, &cache->slots[cache->hand++ & (CACHE_SLOTS - 1)]);
    memcpy(slot->key, key, CACHE_KEY_SIZE);
    memcpy(slot->etag, answer->etag, strlen(answer->etag) + 1);
    memcpy(slot->content_type, answer->content_type, strlen(answer->content_type) + 1);
    slot->stamp = stamp;
    slot->until = now + CACHE_LIFE;
    slot->body = copy;
    slot->len = len;
    cache->total += len;
    pthread_mutex_unlock(&cache->lock);
    return true;
}
