/* What happens around every handler: access, and answers that are known already. */
#include <stdatomic.h>
#include <string.h>

#include "api/access.h"
#include "api/answer_cache.h"
#include "api/answer_share.h"
#include "api/app.h"
#include "api/cache_peers.h"
#include "base/metrics.h"
#include "base/timeutil.h"

/* What app_before found out for app_after on the same thread. */
struct reading {
    const struct request *req; /* NULL: the answer is not to be kept */
    uint8_t key[CACHE_KEY_SIZE];
    uint64_t stamp;
};
static _Thread_local struct reading reading;

/* Where answers that may be kept came from. */
enum source { SOURCE_PROCESS, SOURCE_REDIS, SOURCE_DATABASE, SOURCES };

static void count(enum source source)
{
    static const char *const names[] = { "process", "redis", "database" };
    static struct series *_Atomic series[SOURCES];
    struct series *one = atomic_load_explicit(&series[source], memory_order_relaxed);
    if (one == NULL) { /* asking twice gives the same */
        one = metric_series(metric_counter("tracker_kept_answers_total",
                                           "Answers to reads that may be kept, by where they came from.",
                                           "source"),
                            &names[source]);
        atomic_store_explicit(&series[source], one, memory_order_relaxed);
    }
    series_add(one, 1);
}

/* Reads of tenant rows that change only by writes, and are the same for all who see the tenant. The audit log
 * grows with every write, and shapes of locations by the clock. */
static bool cacheable(const struct request *req)
{
    if (req->route == NULL)
        return false;
    if (!resource_reads(req->route))
        return req->route->flags & ROUTE_KEPT;
    const struct resource *resource = req->route->data;
    return resource->tenant != NULL &&
           !(resource->flags & (RESOURCE_REREAD | RESOURCE_UNVERSIONED | RESOURCE_OWN));
}

/* A caller may ask not to be answered from memory (RFC 9111, 5.2.1.4). */
static bool wants_fresh(const struct request *req)
{
    const char *control = request_header(req, "Cache-Control");
    return control != NULL && strcasestr(control, "no-cache") != NULL;
}

/* The path with its query, as the key of an answer. */
static const char *url_of(struct request *req)
{
    struct buf url = { 0 };
    const char *name, *value;
    buf_puts(&url, req->path);
    for (size_t i = 0; request_query_at(req, i, &name, &value); i++) {
        /* Decoded names may hold any character but NUL, so lengths stand between them. */
        buf_printf(&url, "|%zu:%s=%zu:%s", strlen(name), name, strlen(value), value);
    }
    const char *text = arena_strndup(req->arena, buf_text(&url), url.len);
    buf_free(&url);
    return text;
}

static void reply_known(struct request *req, const struct cached_answer *answer)
{
    reply_header(req, "Cache-Control", "private, no-cache");
    if (!reply_unless_unchanged(req, answer->etag))
        return;
    reply_text(req, 200, answer->content_type, answer->body, answer->len);
}

/* Confirm first. True: answered from memory. */
static bool answer_known(struct request *req, const struct principal *principal, struct reading *in)
{
    struct answer_cache *cache = req->app->answers;
    answer_key(principal, url_of(req), in->key);
    in->stamp = answer_stamp(cache, principal);
    struct cached_answer answer;
    if (wants_fresh(req) ||
        !answer_cache_get(cache, in->key, in->stamp, time_monotonic(), true, req->arena, &answer) ||
        (answer.body == NULL && !request_knows(req, answer.etag)))
        return false;
    reply_known(req, &answer);
    count(SOURCE_PROCESS);
    return true;
}

/* Reads of one row cost the database no more than Redis. */
static bool shareable(const struct request *req)
{
    return (req->route->flags & ROUTE_KEPT) || strchr(req->route->path, '{') == NULL;
}

/* Did another process have the same question? True: answered. */
static bool answer_shared(struct request *req, const struct reading *in)
{
    struct cached_answer answer;
    if (wants_fresh(req) || !shareable(req) ||
        !answer_share_get(req->app->auth, req->redis, req->arena, in->key, in->stamp, &answer))
        return false;
    answer_cache_put(req->app->answers, in->key, in->stamp, time_monotonic(), &answer);
    reply_known(req, &answer);
    count(SOURCE_REDIS);
    return true;
}

bool app_before(struct request *req)
{
    reading.req = NULL;
    if (!access_check(req->app->auth, req))
        return false;
    if (!cacheable(req) || req->principal == NULL)
        return true;

    int64_t now = time_monotonic();
    if (!cache_peers_trusted(req->app->peers, now))
        return true; /* writers do not know of this process (yet): the database answers */
    bool confirmed = answer_cache_confirm(req->app->answers, req->db, now);
    db_set_context(req->db, &req->principal->context);
    if (!confirmed)
        return true;
    if (answer_known(req, req->principal, &reading) || answer_shared(req, &reading))
        return false;
    reading.req = req;
    return true;
}

static const char *etag_of(const struct request *req)
{
    for (const struct http_header *header = req->headers; header != NULL; header = header->next)
        if (strcmp(header->name, "ETag") == 0)
            return header->value;
    return NULL;
}

void app_after(struct request *req)
{
    const char *etag = etag_of(req);
    if (cacheable(req))
        count(SOURCE_DATABASE);
    if (reading.req == req && req->status == 304 && etag != NULL) {
        /* Who asks again and again whether anything changed is answered from memory, too. */
        answer_cache_put(req->app->answers, reading.key, reading.stamp, time_monotonic(),
                         &(struct cached_answer){ etag, "", NULL, 0 });
    } else if (reading.req == req && req->status == 200 && etag != NULL) {
        const struct cached_answer answer = { etag, req->content_type, req->out.data, req->out.len };
        bool news = answer_cache_put(req->app->answers, reading.key, reading.stamp, time_monotonic(),
                                     &answer);
        if (news && shareable(req) && db_stats(req->db)->usec >= SHARE_WORTH_USEC)
            answer_share_put(req->app->auth, req->redis, req->arena, reading.key, reading.stamp, &answer);
    }
    reading.req = NULL;
}

void app_keep_nothing(void)
{
    reading.req = NULL;
}

bool app_fast(struct request *req)
{
    int64_t now = time_monotonic();
    if (!cacheable(req) || !cache_peers_trusted(req->app->peers, now) ||
        !answer_cache_confirmed(req->app->answers, now))
        return false;
    const struct principal *principal = access_fast(req->app->auth, req);
    struct reading in;
    return principal != NULL && answer_known(req, principal, &in);
}
