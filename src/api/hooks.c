/* What happens around every handler: access, and answers that are known already. */
#include <string.h>

#include "api/access.h"
#include "api/answer_cache.h"
#include "api/app.h"
#include "base/timeutil.h"

/* What app_before found out for app_after on the same thread. */
struct reading {
    const struct request *req; /* NULL: the answer is not to be kept */
    uint8_t key[CACHE_KEY_SIZE];
    uint64_t stamp;
};
static _Thread_local struct reading reading;

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
        !answer_cache_get(cache, in->key, in->stamp, time_monotonic(), true, req->arena, &answer))
        return false;
    reply_known(req, &answer);
    return true;
}

bool app_before(struct request *req)
{
    reading.req = NULL;
    if (!access_check(req->app->auth, req))
        return false;
    if (!cacheable(req) || req->principal == NULL)
        return true;

    bool confirmed = answer_cache_confirm(req->app->answers, req->db, time_monotonic());
    db_set_context(req->db, &req->principal->context);
    if (!confirmed)
        return true;
    if (answer_known(req, req->principal, &reading))
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
    if (reading.req == req && req->status == 200 && etag != NULL)
        answer_cache_put(req->app->answers, reading.key, reading.stamp, time_monotonic(),
                         &(struct cached_answer){ etag, req->content_type, req->out.data, req->out.len });
    reading.req = NULL;
}

bool app_fast(struct request *req)
{
    if (!cacheable(req) || !answer_cache_confirmed(req->app->answers, time_monotonic()))
        return false;
    const struct principal *principal = access_fast(req->app->auth, req);
    struct reading in;
    return principal != NULL && answer_known(req, principal, &in);
}
