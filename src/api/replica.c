/* Remembers who wrote lately, and sends their reads to the primary. */
#include "api/replica.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "api/answer_cache.h"
#include "api/app.h"
#include "api/cache_peers.h"
#include "base/timeutil.h"
#include "store/redis.h"

#define WRITE_SLOTS 4096 /* power of two; 32 KiB */
#define WRITE_TRIES 4

struct recent_writes {
    int64_t window;
    _Atomic int64_t
        until[WRITE_SLOTS]; /* monotonic time until which the slot's users read from the primary */
};

struct recent_writes *recent_writes_new(int64_t window)
{
    struct recent_writes *writes = calloc(1, sizeof(*writes));
    if (writes == NULL)
        abort();
    writes->window = window;
    return writes;
}

void recent_writes_free(struct recent_writes *writes)
{
    free(writes);
}

void recent_writes_note(struct recent_writes *writes, int64_t user_id, int64_t now)
{
    atomic_store_explicit(&writes->until[user_id & (WRITE_SLOTS - 1)], now + writes->window,
                          memory_order_relaxed);
}

bool recent_writes_has(const struct recent_writes *writes, int64_t user_id, int64_t now)
{
    return atomic_load_explicit(&writes->until[user_id & (WRITE_SLOTS - 1)], memory_order_relaxed) > now;
}

static bool has_replica(const struct request *req)
{
    return req->app->config->database_replica_url[0] != '\0';
}

/* Did the caller write through another process? Without an answer they may have. */
static bool wrote_elsewhere(struct request *req)
{
    struct redis_reply reply;
    return req->redis == NULL ||
           !redis_command(req->redis, req->arena, &reply, "GET written:%lld",
                          (long long)req->principal->user_id) ||
           reply.type != REDIS_NIL;
}

struct rows *read_rows(struct request *req, const struct statement *s)
{
    if (!has_replica(req) || req->principal == NULL ||
        recent_writes_has(req->app->writes, req->principal->user_id, time_monotonic()) ||
        wrote_elsewhere(req))
        return db_query_params(req->db, s->sql, s->params, s->count);
    app_keep_nothing(); /* the answer may be older than the generations that it would be kept under */
    return db_read_params(req->db, s->sql, s->params, s->count);
}

void note_write(struct request *req)
{
    /* Within a transaction others have nothing to forget yet; it is called again after the commit. */
    answer_cache_expire(req->app->answers);
    if (!db_in_transaction(req->db))
        cache_peers_settle(req->app->peers, req->redis);
    if (!has_replica(req) || req->principal == NULL)
        return;
    recent_writes_note(req->app->writes, req->principal->user_id, time_monotonic());
    struct redis_reply reply;
    int64_t milliseconds = (req->app->config->database_replica_max_lag + REPLICA_MARGIN) / 1000;
    if (req->redis != NULL)
        (void)!redis_command(req->redis, req->arena, &reply, "SET written:%lld 1 PX %lld",
                             (long long)req->principal->user_id, (long long)milliseconds);
}

struct rows *write_rows(struct request *req, const struct statement *s)
{
    struct rows *rows;
    int tries = 0;
    do
        rows = db_query_params(req->db, s->sql, s->params, s->count);
    while (rows_status(rows) == DB_CONFLICT && !db_in_transaction(req->db) && ++tries < WRITE_TRIES);
    return rows;
}
