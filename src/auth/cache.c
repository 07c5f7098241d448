/* What the process knows of credentials, and the certainty that it still holds. */
#include "auth/cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ENTRIES 16384
#define WAYS            4 /* places an entry may stand in: few enough to look at each */

/* Users whose changes are remembered for judging copies. Beyond this the memory starts anew, which only costs
 * a look into PostgreSQL for each copy. */
#define MAX_CHANGED 65536

/* After a pause as long as this the log of changes may have been pruned (after an hour): start anew. */
#define LOG_MEMORY MINUTES(30)

struct entry {
    uint8_t key[AUTH_CACHE_KEY];
    struct principal *principal; /* one allocation with all that it points to; NULL: free place */
    int64_t valid_until;
    uint64_t used; /* tick of the last use: the oldest of a set makes room */
};

struct changed {
    int64_t user_id, xid; /* newest transaction that changed the user; user_id 0: free place */
};

struct auth_cache {
    pthread_rwlock_t lock;
    size_t sets; /* power of two */
    struct entry *entries;
    atomic_uint_fast64_t tick;

    /* the last look */
    pthread_mutex_t look_lock; /* one thread looks, the others wait for what it sees; taken before lock */
    _Atomic int64_t looked_at; /* monotonic time before the look was sent; 0: never, or expired */
    int64_t last_look;         /* the same, not reset by expire */
    int64_t xmin;              /* oldest transaction that ran at the last look */
    int64_t *seen_ids;         /* changes of the last look, in rising order: still listed at the next one */
    size_t seen_count;
    atomic_uint_fast64_t changes; /* changes acted on so far */

    /* for copies, under lock */
    int64_t watched_since;   /* all changes by transactions from here on are in `changed`; 0: nothing known */
    struct changed *changed; /* hash table of 2 * MAX_CHANGED places */
    size_t changed_count;
};

static void *must_calloc(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (p == NULL)
        abort();
    return p;
}

struct auth_cache *auth_cache_new(size_t entries)
{
    struct auth_cache *cache = must_calloc(1, sizeof(*cache));
    if (entries == 0)
        entries = DEFAULT_ENTRIES;
    for (cache->sets = 1; cache->sets * WAYS < entries;)
        cache->sets *= 2;
    cache->entries = must_calloc(cache->sets * WAYS, sizeof(*cache->entries));
    cache->changed = must_calloc(2 * MAX_CHANGED, sizeof(*cache->changed));
    pthread_rwlock_init(&cache->lock, NULL);
    pthread_mutex_init(&cache->look_lock, NULL);
    return cache;
}

void auth_cache_free(struct auth_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->sets * WAYS; i++)
        free(cache->entries[i].principal);
    free(cache->entries);
    free(cache->changed);
    free(cache->seen_ids);
    pthread_rwlock_destroy(&cache->lock);
    pthread_mutex_destroy(&cache->look_lock);
    free(cache);
}

/* ---- forgetting ---- */

static void drop(struct entry *entry)
{
    free(entry->principal);
    *entry = (struct entry){ 0 };
}

static void forget_user(struct auth_cache *cache, int64_t user_id)
{
    for (size_t i = 0; i < cache->sets * WAYS; i++)
        if (cache->entries[i].principal != NULL && cache->entries[i].principal->user_id == user_id)
            drop(&cache->entries[i]);
}

static void forget_all(struct auth_cache *cache)
{
    for (size_t i = 0; i < cache->sets * WAYS; i++)
        if (cache->entries[i].principal != NULL)
            drop(&cache->entries[i]);
}

static struct changed *changed_place(struct auth_cache *cache, int64_t user_id)
{
    size_t at = ((uint64_t)user_id * UINT64_C(0x9E3779B97F4A7C15)) >> 47; /* 17 bits: 2 * MAX_CHANGED */
    while (cache->changed[at].user_id != 0 && cache->changed[at].user_id != user_id)
        at = (at + 1) % (2 * MAX_CHANGED);
    return &cache->changed[at];
}

_Static_assert(2 * MAX_CHANGED == 1 << 17, "changed_place takes 17 bits");

/* Copies count from `since` on: every change seen so far was by an earlier transaction, so a copy whose
 * oldest running transaction is not earlier was read after it. */
static void watch_anew(struct auth_cache *cache, int64_t since)
{
    memset(cache->changed, 0, 2 * MAX_CHANGED * sizeof(*cache->changed));
    cache->changed_count = 0;
    cache->watched_since = since;
}

static void note_change(struct auth_cache *cache, int64_t user_id, int64_t xid)
{
    struct changed *place = changed_place(cache, user_id);
    cache->changed_count += place->user_id == 0;
    place->user_id = user_id;
    if (xid > place->xid)
        place->xid = xid;
}

/* ---- looking ---- */

/* Changes by transactions that were not finished at the last look; some of them were seen there already. The
 * first look has no last one and asks for those that are not finished for everybody. There is always a row,
 * to tell xmin; its other columns are null when nothing changed. */
static const char look_sql[] =
    "SELECT s.xmin, c.id, c.user_id, c.xid::text::bigint"
    " FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xmin) s"
    " LEFT JOIN auth_changes c ON c.xid >= coalesce($1::bigint, s.xmin)::text::xid8 ORDER BY c.id";

enum { COLUMN_XMIN, COLUMN_ID, COLUMN_USER, COLUMN_XID };

static size_t change_count(const struct rows *rows)
{
    return rows_null(rows, 0, COLUMN_ID) ? 0 : rows_count(rows);
}

static bool was_seen(const struct auth_cache *cache, int64_t id)
{
    size_t low = 0, high = cache->seen_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cache->seen_ids[middle] == id)
            return true;
        if (cache->seen_ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static void remember_ids(struct auth_cache *cache, const struct rows *rows)
{
    size_t n = change_count(rows);
    free(cache->seen_ids);
    cache->seen_ids = must_calloc(n + 1, sizeof(*cache->seen_ids));
    cache->seen_count = n;
    for (size_t i = 0; i < n; i++)
        cache->seen_ids[i] = rows_int(rows, i, COLUMN_ID);
}

static int64_t after_all_seen(const struct rows *rows)
{
    int64_t since = rows_int(rows, 0, COLUMN_XMIN);
    for (size_t i = 0; i < change_count(rows); i++)
        if (rows_int(rows, i, COLUMN_XID) >= since)
            since = rows_int(rows, i, COLUMN_XID) + 1;
    return since;
}

static void act_on(struct auth_cache *cache, const struct rows *rows)
{
    size_t n = change_count(rows);
    for (size_t i = 0; i < n; i++) {
        if (was_seen(cache, rows_int(rows, i, COLUMN_ID)))
            continue;
        forget_user(cache, rows_int(rows, i, COLUMN_USER));
        if (cache->changed_count < MAX_CHANGED)
            note_change(cache, rows_int(rows, i, COLUMN_USER), rows_int(rows, i, COLUMN_XID));
        atomic_fetch_add(&cache->changes, 1);
    }
    if (cache->changed_count == MAX_CHANGED)
        watch_anew(cache, after_all_seen(rows));
}

static void start_anew(struct auth_cache *cache, const struct rows *rows)
{
    forget_all(cache);
    watch_anew(cache, after_all_seen(rows));
    atomic_fetch_add(&cache->changes, 1);
}

static bool look(struct auth_cache *cache, struct db *db)
{
    int64_t before = time_monotonic();
    bool known = cache->xmin != 0 && before - cache->last_look < LOG_MEMORY;
    struct rows *rows = db_query(db, look_sql, "I", known ? &cache->xmin : NULL);
    if (!rows_ok(rows) || rows_count(rows) == 0)
        return false;

    pthread_rwlock_wrlock(&cache->lock);
    if (known && rows_int(rows, 0, COLUMN_XMIN) >= cache->xmin)
        act_on(cache, rows);
    else
        start_anew(cache,
                   rows); /* also when time went back: another database, or one restored from a backup */
    pthread_rwlock_unlock(&cache->lock);

    remember_ids(cache, rows);
    cache->xmin = rows_int(rows, 0, COLUMN_XMIN);
    cache->last_look = before;
    atomic_store(&cache->looked_at, before);
    return true;
}

bool auth_cache_confirmed(const struct auth_cache *cache)
{
    int64_t looked_at = atomic_load(&cache->looked_at);
    return looked_at != 0 && time_monotonic() - looked_at < AUTH_LEASE;
}

bool auth_cache_confirm(struct auth_cache *cache, struct db *db)
{
    if (auth_cache_confirmed(cache))
        return true;
    pthread_mutex_lock(&cache->look_lock);
    bool done = auth_cache_confirmed(cache) || look(cache, db);
    pthread_mutex_unlock(&cache->look_lock);
    return done;
}

void auth_cache_expire(struct auth_cache *cache)
{
    atomic_store(&cache->looked_at, 0);
}

/* ---- entries ---- */

static size_t text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static size_t scope_count(const struct principal *principal)
{
    size_t n = 0;
    while (principal->scopes != NULL && principal->scopes[n] != NULL)
        n++;
    return n;
}

/* bytes of a principal with all that it points to */
static size_t packed_size(const struct principal *from)
{
    size_t size = sizeof(*from) + from->client_count * sizeof(*from->client_ids) +
                  (scope_count(from) + 1) * sizeof(*from->scopes);
    size += text_size(from->email) + text_size(from->name) + text_size(from->context.role) +
            text_size(from->context.clients) + text_size(from->context.user);
    for (size_t i = 0; i < scope_count(from); i++)
        size += text_size(from->scopes[i]);
    return size;
}

static const char *pack_text(char **at, const char *text)
{
    if (text == NULL)
        return NULL;
    const char *start = *at;
    *at = stpcpy(*at, text) + 1;
    return start;
}

/* Lay a principal out in packed_size() bytes: the struct, then what needs alignment, then the texts. */
static struct principal *pack(void *memory, const struct principal *from)
{
    struct principal *to = memory;
    *to = *from;
    int64_t *clients = (int64_t *)(to + 1);
    for (size_t i = 0; i < from->client_count; i++)
        clients[i] = from->client_ids[i];
    to->client_ids = clients;

    const char **scopes = (const char **)(clients + from->client_count);
    size_t n = scope_count(from);
    char *at = (char *)(scopes + n + 1);
    for (size_t i = 0; i < n; i++)
        scopes[i] = pack_text(&at, from->scopes[i]);
    scopes[n] = NULL;
    to->scopes = from->scopes != NULL ? scopes : NULL;

    to->email = pack_text(&at, from->email);
    to->name = pack_text(&at, from->name);
    to->context.role = pack_text(&at, from->context.role);
    to->context.clients = pack_text(&at, from->context.clients);
    to->context.user = pack_text(&at, from->context.user);
    return to;
}

_Static_assert(sizeof(struct principal) % _Alignof(int64_t) == 0, "client ids follow the struct");

struct principal *principal_copy(struct arena *arena, const struct principal *from)
{
    return pack(arena_alloc(arena, packed_size(from)), from);
}

static struct entry *set_of(const struct auth_cache *cache, const uint8_t *key)
{
    uint32_t hash; /* the key is a hash already */
    memcpy(&hash, key, sizeof(hash));
    return &cache->entries[(hash & (cache->sets - 1)) * WAYS];
}

static struct entry *find(struct entry *set, const uint8_t *key)
{
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].principal != NULL && memcmp(set[i].key, key, AUTH_CACHE_KEY) == 0)
            return &set[i];
    return NULL;
}

const struct principal *auth_cache_get(struct auth_cache *cache, const uint8_t key[AUTH_CACHE_KEY],
                                       int64_t now, struct arena *arena)
{
    struct principal *found = NULL;
    pthread_rwlock_rdlock(&cache->lock);
    struct entry *entry = find(set_of(cache, key), key);
    if (entry != NULL && entry->valid_until > now) {
        found = principal_copy(arena, entry->principal);
        /* Readers may overwrite each other here; any of their ticks will do. */
        __atomic_store_n(&entry->used, atomic_fetch_add(&cache->tick, 1) + 1, __ATOMIC_RELAXED);
    }
    pthread_rwlock_unlock(&cache->lock);
    return found;
}

uint64_t auth_cache_seen(const struct auth_cache *cache)
{
    return atomic_load(&cache->changes);
}

static struct entry *place_for(struct entry *set, const uint8_t *key)
{
    struct entry *place = find(set, key);
    for (size_t i = 0; i < WAYS && place == NULL; i++)
        if (set[i].principal == NULL)
            place = &set[i];
    if (place != NULL)
        return place;
    place = &set[0];
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].used < place->used)
            place = &set[i];
    return place;
}

void auth_cache_put(struct auth_cache *cache, const uint8_t key[AUTH_CACHE_KEY], uint64_t seen,
                    int64_t valid_until, const struct principal *principal)
{
    struct principal *copy = pack(must_calloc(1, packed_size(principal)), principal);
    pthread_rwlock_wrlock(&cache->lock);
    if (atomic_load(&cache->changes) == seen) {
        struct entry *place = place_for(set_of(cache, key), key);
        drop(place);
        memcpy(place->key, key, AUTH_CACHE_KEY);
        place->principal = copy;
        place->valid_until = valid_until;
        place->used = atomic_fetch_add(&cache->tick, 1) + 1;
        copy = NULL;
    }
    pthread_rwlock_unlock(&cache->lock);
    free(copy);
}

bool auth_cache_copy_holds(struct auth_cache *cache, int64_t user_id, int64_t xmin)
{
    pthread_rwlock_rdlock(&cache->lock);
    bool holds = cache->watched_since != 0 && xmin >= cache->watched_since &&
                 changed_place(cache, user_id)->xid < xmin;
    pthread_rwlock_unlock(&cache->lock);
    return holds;
}
