/* Hands events of the live bus to open streams, and closes streams whose readers' rights are gone. */
#include "api/live_hub.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/cache_peers.h"
#include "auth/cache.h"
#include "auth/recheck.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/timeutil.h"

/* Bytes that may wait for a reader: some thousand events, so that a burst passes and a reader that has
 * stopped does not stay. */
#define STREAM_QUEUE (256u * 1024)

/* What a returning reader is told at once; who missed more reads everything again, which costs less. */
#define CATCH_UP_BYTES   (128u * 1024)
#define CATCH_UP_ENTRIES 10000
#define CATCH_UP_BATCH   500

#define BUS_PATIENCE SECONDS(1)          /* how long the stop of the process may wait for the bus */
#define BUS_PAUSE    (USEC_PER_SEC / 10) /* between attempts while Redis is away */

/* Rights are looked at again when any were changed, which is noticed within a tick, and now and then, for
 * sessions that end by the clock. */
#define GUARD_TICK    (USEC_PER_SEC / 2)
#define GUARD_RECHECK SECONDS(5)

/* Readers of quiet streams learn how far the bus has come, so that they can resume from there. */
#define MARK_PERIOD SECONDS(15)

#define RESOURCE "stream" /* of API key scopes */

/* One open stream; guarded by the hub's lock, as are all its fields but the constant ones. */
struct live_reader {
    struct live_reader *prev, *next;
    struct live_hub *hub;
    struct sse_stream *stream;
    uint64_t number;            /* of its opening, rising; constant */
    struct principal principal; /* its rights alone: texts and clients stand behind the struct; constant */
    struct live_filter filter;  /* constant */
    struct live_id after;       /* it has seen what came up to here */
    bool live;                  /* caught up: the hub sends */
    bool confirmed;             /* its rights were looked at since it was added */
};

struct live_hub {
    const struct config *config;
    struct auth *auth;
    struct cache_peers *peers;
    pthread_mutex_t lock;
    pthread_cond_t wake;         /* stopping */
    struct live_reader *readers; /* the newest first */
    uint64_t opened;
    struct live_id position; /* of the bus; guarded by lock */
    bool started;
    _Atomic bool stopping;
    pthread_t bus, guard;
    struct series *open, *events, *resets, *revoked;
};

/* ---- life ---- */

struct live_hub *live_hub_new(const struct config *config, struct auth *auth, struct cache_peers *peers)
{
    struct live_hub *hub = calloc(1, sizeof(*hub));
    if (hub == NULL)
        abort();
    hub->config = config;
    hub->auth = auth;
    hub->peers = peers;
    pthread_mutex_init(&hub->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&hub->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    hub->open = metric_series(metric_gauge("tracker_live_streams", "Open streams of live updates.", ""),
                              NULL);
    hub->events = metric_series(metric_counter("tracker_live_events_total", "Events sent to streams.", ""),
                                NULL);
    hub->resets = metric_series(
        metric_counter("tracker_live_resets_total", "Times that events may have been lost.", ""), NULL);
    hub->revoked = metric_series(
        metric_counter("tracker_live_revoked_total", "Streams closed because rights had gone.", ""), NULL);
    return hub;
}

void live_hub_free(struct live_hub *hub)
{
    if (hub == NULL)
        return;
    pthread_cond_destroy(&hub->wake);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}

/* ---- who sees what ---- */

static const struct {
    const char *kind;
    unsigned topic;
} topics[] = {
    { LIVE_POSITION, TOPIC_POSITION },
    { LIVE_STATUS, TOPIC_STATUS },
    { LIVE_NOTIFICATION, TOPIC_NOTIFICATION },
    { LIVE_TASK, TOPIC_TASK },
};

static unsigned topic_of(const struct live_event *event)
{
    for (size_t i = 0; i < ARRAY_LEN(topics); i++)
        if (strcmp(topics[i].kind, event->kind) == 0)
            return topics[i].topic;
    return 0;
}

static bool allowed(const struct principal *principal, const struct live_event *event, unsigned topic)
{
    bool admin = principal->role == ROLE_ADMIN, own = event->user_id == principal->user_id;
    /* Nobody reads another's notifications; admins follow everybody's tasks. */
    if (event->user_id != 0 && !own && !(admin && topic == TOPIC_TASK))
        return false;
    if (admin)
        return true;
    return event->client_id != 0 ? principal_sees_client(principal, event->client_id) : own;
}

static bool wanted(const struct live_filter *filter, const struct live_event *event, unsigned topic)
{
    return (filter->topics & topic) != 0 &&
           (filter->client_id == 0 || filter->client_id == event->client_id) &&
           (filter->production_run_id == 0 || filter->production_run_id == event->production_run_id) &&
           (filter->tracker_id == 0 || filter->tracker_id == event->tracker_id);
}

bool live_visible(const struct principal *principal, const struct live_filter *filter,
                  const struct live_event *event)
{
    unsigned topic = topic_of(event);
    return wanted(filter, event, topic) && allowed(principal, event, topic);
}

/* ---- sending; the hub's lock is held or the reader is not live yet ---- */

static void format_entry(struct buf *text, const struct live_entry *entry)
{
    char id[LIVE_ID_SIZE];
    buf_clear(text);
    sse_format(text, live_id_format(entry->id, id), entry->event.kind, entry->event.data);
}

/* Nothing that the reader knows can be relied on: it is to read everything again, and goes on from here. */
static void send_reset(struct live_reader *reader, struct live_id position)
{
    char id[LIVE_ID_SIZE];
    reader->after = position;
    sse_send(reader->stream, live_id_format(position, id), LIVE_RESET, "{}");
}

static void send_mark(struct live_reader *reader, struct live_id position)
{
    char id[LIVE_ID_SIZE];
    reader->after = position;
    sse_send(reader->stream, live_id_format(position, id), NULL, NULL);
}

static void reset_all(struct live_hub *hub, struct live_id position)
{
    series_add(hub->resets, 1);
    for (struct live_reader *reader = hub->readers; reader != NULL; reader = reader->next)
        if (reader->live)
            send_reset(reader, position);
}

static void dispatch(struct live_hub *hub, const struct live_entry *entry, struct buf *text)
{
    bool formatted = false;
    for (struct live_reader *reader = hub->readers; reader != NULL; reader = reader->next) {
        if (!reader->live || live_id_compare(entry->id, reader->after) <= 0 ||
            !live_visible(&reader->principal, &reader->filter, &entry->event))
            continue;
        if (!formatted)
            format_entry(text, entry);
        formatted = true;
        reader->after = entry->id;
        if (sse_put(reader->stream, text))
            series_add(hub->events, 1);
    }
}

/* ---- the bus ---- */

/* Writers wait for the answer, so these come before the events behind them. */
static void hear_expiries(struct live_hub *hub, const struct live_batch *batch, struct redis *redis)
{
    for (size_t i = 0; i < batch->count; i++)
        if (strcmp(batch->entries[i].event.kind, LIVE_EXPIRE) == 0)
            cache_peers_hear(hub->peers, redis, &batch->entries[i].event);
}

static void take_batch(struct live_hub *hub, const struct live_batch *batch, struct buf *text)
{
    pthread_mutex_lock(&hub->lock);
    for (size_t i = 0; i < batch->count; i++) {
        const struct live_entry *entry = &batch->entries[i];
        hub->position = entry->id;
        if (strcmp(entry->event.kind, LIVE_RESET) == 0)
            reset_all(hub, entry->id);
        else
            dispatch(hub, entry, text);
    }
    pthread_mutex_unlock(&hub->lock);
}

/* Begin at the end of the bus, as it is now. */
static bool join_bus(struct live_hub *hub, struct redis *redis, struct arena *arena)
{
    struct live_id newest;
    if (!live_newest(redis, arena, &newest))
        return false;
    pthread_mutex_lock(&hub->lock);
    hub->position = newest;
    pthread_mutex_unlock(&hub->lock);
    return true;
}

/* Events were lost while Redis was away, for readers of other processes as well: said on the bus, so that it
 * reaches also those who come back later. */
static bool tell_loss(struct redis *redis)
{
    const struct live_event loss = { .kind = LIVE_RESET, .data = "{}" };
    return live_publish(redis, &loss, 1);
}

static void pause_bus(void)
{
    const struct timespec pause = { .tv_nsec = BUS_PAUSE * 1000 };
    nanosleep(&pause, NULL);
}

/* The bus was emptied under us: go on from its end. */
static void rejoin(struct live_hub *hub, const struct live_batch *batch, struct redis *redis,
                   struct arena *arena)
{
    struct live_id position = { 0 };
    if (batch->count > 0)
        position = batch->entries[0].id;
    else if (!live_newest(redis, arena, &position))
        return; /* away: found out at the next read */
    pthread_mutex_lock(&hub->lock);
    hub->position = position;
    reset_all(hub, (struct live_id){ 0 });
    pthread_mutex_unlock(&hub->lock);
}

static void *run_bus(void *self)
{
    struct live_hub *hub = self;
    if (hub->config->redis_url[0] == '\0')
        return NULL; /* without Redis there is nothing to read; streams stay quiet */
    struct error err;
    struct redis *redis = redis_new(hub->config->redis_url, hub->config->redis_timeout, &err);
    struct arena *arena = arena_new();
    struct buf text = { 0 };
    bool joined = false, lost = false;
    while (!atomic_load(&hub->stopping)) {
        struct live_batch batch;
        arena_reset(arena);
        if (!joined) {
            joined = join_bus(hub, redis, arena) && (!lost || tell_loss(redis));
            lost |= !joined;
            if (!joined)
                pause_bus();
            continue;
        }
        if (!live_wait(redis, arena, hub->position, BUS_PATIENCE, &batch)) {
            cache_peers_bus(hub->peers, false);
            joined = false;
            lost = true;
            continue;
        }
        lost = false;
        cache_peers_bus(hub->peers, true);
        hear_expiries(hub, &batch, redis);
        if (batch.gap)
            rejoin(hub, &batch, redis, arena);
        take_batch(hub, &batch, &text);
    }
    buf_free(&text);
    arena_free(arena);
    redis_free(redis);
    return NULL;
}

/* ---- the guard ---- */

/* Rights of the readers that are to be looked at, newest first; numbers tells which they are. */
static size_t list_rights(struct live_hub *hub, bool all, struct arena *arena, struct held_rights **rights,
                          uint64_t **numbers)
{
    size_t n = 0;
    pthread_mutex_lock(&hub->lock);
    for (struct live_reader *reader = hub->readers; reader != NULL; reader = reader->next)
        n += all || !reader->confirmed;
    *rights = arena_zalloc(arena, n + 1, sizeof(**rights));
    *numbers = arena_zalloc(arena, n + 1, sizeof(**numbers));
    n = 0;
    for (struct live_reader *reader = hub->readers; reader != NULL; reader = reader->next) {
        const struct principal *p = &reader->principal;
        if (!all && reader->confirmed)
            continue;
        (*numbers)[n] = reader->number;
        (*rights)[n++] = (struct held_rights){ .user_id = p->user_id,
                                               .session_id = p->session_id,
                                               .api_key_id = p->api_key_id,
                                               .role = p->role,
                                               .clients = arena_strdup(arena, p->context.clients) };
    }
    pthread_mutex_unlock(&hub->lock);
    return n;
}

static void act_on_rights(struct live_hub *hub, const struct held_rights *rights, const uint64_t *numbers,
                          size_t n)
{
    size_t i = 0;
    pthread_mutex_lock(&hub->lock);
    for (struct live_reader *reader = hub->readers; reader != NULL && i < n; reader = reader->next) {
        while (i < n && numbers[i] > reader->number)
            i++; /* gone meanwhile */
        if (i == n || numbers[i] != reader->number)
            continue;
        reader->confirmed = true;
        if (!rights[i].hold) {
            series_add(hub->revoked, 1);
            sse_close(reader->stream);
        }
    }
    pthread_mutex_unlock(&hub->lock);
}

static bool recheck(struct live_hub *hub, struct db *db, struct arena *arena, bool all)
{
    struct held_rights *rights;
    uint64_t *numbers;
    size_t n = list_rights(hub, all, arena, &rights, &numbers);
    if (n == 0)
        return true;
    if (!rights_recheck(db, RESOURCE, rights, n))
        return false;
    act_on_rights(hub, rights, numbers, n);
    return true;
}

static void mark_all(struct live_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    for (struct live_reader *reader = hub->readers; reader != NULL; reader = reader->next)
        if (reader->live && live_id_compare(hub->position, reader->after) > 0)
            send_mark(reader, hub->position);
    pthread_mutex_unlock(&hub->lock);
}

static bool wait_tick(struct live_hub *hub)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nsec = until.tv_nsec + GUARD_TICK * 1000;
    until.tv_sec += nsec / 1000000000;
    until.tv_nsec = nsec % 1000000000;
    pthread_mutex_lock(&hub->lock);
    while (!atomic_load(&hub->stopping) && pthread_cond_timedwait(&hub->wake, &hub->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&hub->lock);
    return !atomic_load(&hub->stopping);
}

/* What the guard did last; monotonic times. */
struct rounds {
    uint64_t changes; /* of rights, as they had been seen when all were looked at */
    int64_t rechecked, marked;
};

static void guard_round(struct live_hub *hub, struct db *db, struct arena *arena, struct rounds *last)
{
    int64_t now = time_monotonic();
    if (now - last->marked >= MARK_PERIOD) {
        mark_all(hub);
        last->marked = now;
    }
    arena_reset(arena);
    db_use(db, arena, &auth_context);
    cache_peers_tick(hub->peers, db);
    if (!auth_cache_confirm(hub->auth->cache, db))
        return; /* the database is away: nothing is revoked meanwhile */
    uint64_t changes = auth_cache_seen(hub->auth->cache);
    bool all = changes != last->changes || now - last->rechecked >= GUARD_RECHECK;
    if (recheck(hub, db, arena, all) && all) {
        last->changes = changes;
        last->rechecked = now;
    }
}

static void *run_guard(void *self)
{
    struct live_hub *hub = self;
    const struct db_options options = { .url = hub->config->database_url,
                                        .transaction_pooler = strcmp(hub->config->database_pooler,
                                                                     "transaction") == 0,
                                        .statement_timeout = hub->config->database_statement_timeout,
                                        .connect_timeout = hub->config->database_connect_timeout,
                                        .application_name = "trackerd api live" };
    struct db *db = db_new(&options);
    struct arena *arena = arena_new();
    struct rounds rounds = { 0 };
    do
        guard_round(hub, db, arena, &rounds);
    while (wait_tick(hub));
    arena_reset(arena);
    db_use(db, arena, &auth_context);
    cache_peers_leave(hub->peers, db);
    arena_free(arena);
    db_free(db);
    return NULL;
}

/* ---- threads ---- */

bool live_hub_start(struct live_hub *hub, struct error *err)
{
    if (pthread_create(&hub->bus, NULL, run_bus, hub) != 0)
        return error_set(err, "no_thread", "cannot start a thread for live updates");
    if (pthread_create(&hub->guard, NULL, run_guard, hub) != 0) {
        atomic_store(&hub->stopping, true);
        pthread_join(hub->bus, NULL);
        return error_set(err, "no_thread", "cannot start a thread for live updates");
    }
    hub->started = true;
    return true;
}

void live_hub_stop(struct live_hub *hub)
{
    if (hub == NULL || !hub->started)
        return;
    pthread_mutex_lock(&hub->lock);
    atomic_store(&hub->stopping, true);
    pthread_cond_broadcast(&hub->wake);
    pthread_mutex_unlock(&hub->lock);
    pthread_join(hub->bus, NULL);
    pthread_join(hub->guard, NULL);
    hub->started = false;
}

/* ---- opening and closing ---- */

static void remove_reader(struct live_reader *reader)
{
    struct live_hub *hub = reader->hub;
    pthread_mutex_lock(&hub->lock);
    if (reader->prev != NULL)
        reader->prev->next = reader->next;
    else
        hub->readers = reader->next;
    if (reader->next != NULL)
        reader->next->prev = reader->prev;
    pthread_mutex_unlock(&hub->lock);
    series_add(hub->open, -1);
}

static void closed(void *self, struct sse_stream *stream)
{
    struct live_reader *reader = self;
    remove_reader(reader);
    sse_release(stream);
    free(reader);
}

static void add_reader(struct live_hub *hub, struct live_reader *reader)
{
    pthread_mutex_lock(&hub->lock);
    reader->number = ++hub->opened;
    reader->next = hub->readers;
    if (reader->next != NULL)
        reader->next->prev = reader;
    hub->readers = reader;
    pthread_mutex_unlock(&hub->lock);
    series_add(hub->open, 1);
}

/* Thousands are open, so a reader is one block: itself, its clients, their text. */
static struct live_reader *new_reader(struct live_hub *hub, const struct principal *from,
                                      const struct live_filter *filter)
{
    size_t ids = from->client_count * sizeof(*from->client_ids), text = strlen(from->context.clients) + 1;
    struct live_reader *reader = calloc(1, sizeof(*reader) + ids + text);
    if (reader == NULL)
        abort();
    int64_t *clients = (int64_t *)(reader + 1);
    char *literal = (char *)clients + ids;
    if (ids > 0)
        memcpy(clients, from->client_ids, ids);
    memcpy(literal, from->context.clients, text);
    reader->hub = hub;
    reader->filter = *filter;
    reader->principal = (struct principal){ .kind = from->kind,
                                            .user_id = from->user_id,
                                            .role = from->role,
                                            .client_ids = clients,
                                            .client_count = from->client_count,
                                            .session_id = from->session_id,
                                            .api_key_id = from->api_key_id,
                                            .context = { .clients = literal } };
    return reader;
}

_Static_assert(sizeof(struct live_reader) % _Alignof(int64_t) == 0, "client ids follow the struct");

/* From now on the hub sends, if the reader has all that the hub has handed out so far. */
static bool go_live(struct live_hub *hub, struct live_reader *reader)
{
    pthread_mutex_lock(&hub->lock);
    reader->live = live_id_compare(hub->position, reader->after) <= 0;
    pthread_mutex_unlock(&hub->lock);
    return reader->live;
}

static void go_live_here(struct live_hub *hub, struct live_reader *reader,
                         void (*begin)(struct live_reader *reader, struct live_id position))
{
    pthread_mutex_lock(&hub->lock);
    begin(reader, hub->position);
    reader->live = true;
    pthread_mutex_unlock(&hub->lock);
}

/* Send what followed. False: that is not known, or too much. */
static bool catch_up(struct live_hub *hub, struct live_reader *reader, struct redis *redis,
                     struct arena *arena)
{
    struct buf text = { 0 };
    size_t entries = 0, bytes = 0;
    bool known = redis != NULL;
    while (known) {
        struct live_batch batch;
        known = live_after(redis, arena, reader->after, CATCH_UP_BATCH, &batch) && !batch.gap;
        for (size_t i = 0; known && i < batch.count; i++) {
            const struct live_entry *entry = &batch.entries[i];
            known = strcmp(entry->event.kind, LIVE_RESET) != 0;
            reader->after = entry->id;
            if (!known || !live_visible(&reader->principal, &reader->filter, &entry->event))
                continue;
            format_entry(&text, entry);
            bytes += text.len;
            known = bytes <= CATCH_UP_BYTES && sse_put(reader->stream, &text);
        }
        entries += batch.count;
        known = known && entries <= CATCH_UP_ENTRIES;
        if (known && batch.count < CATCH_UP_BATCH && go_live(hub, reader))
            break;
    }
    buf_free(&text);
    return known;
}

void live_hub_open(struct live_hub *hub, struct request *req, const struct live_filter *filter,
                   const struct live_id *last)
{
    struct live_reader *reader = new_reader(hub, req->principal, filter);
    const struct sse_options options = { .queue = STREAM_QUEUE, .closed = closed, .self = reader };
    reader->stream = reply_stream(req, &options);
    add_reader(hub, reader);
    if (last == NULL) {
        go_live_here(hub, reader, send_mark);
        return;
    }
    reader->after = *last;
    if (!catch_up(hub, reader, req->redis, req->arena))
        go_live_here(hub, reader, send_reset);
}
