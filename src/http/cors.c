/* Cross-origin requests from browsers, by an allow-list of origins. */
#include <string.h>

#include "http/server_private.h"

#define ALLOW_HEADERS                                                                                        \
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-API-Key, X-Request-Id"
#define EXPOSE_HEADERS                                                                                       \
    "ETag, Idempotency-Replayed, Link, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "    \
    "Retry-After, X-Request-Id"
/* A browser asks again after this, so that a changed list takes effect. */
#define PREFLIGHT_SECONDS "600"

bool cors_check_origins(const char *origins, struct error *err)
{
    while (origins != NULL && *origins != '\0') {
        origins += strspn(origins, " ,");
        size_t len = strcspn(origins, " ,");
        const char *host = len > 0 ? strstr(origins, "://") : NULL;
        /* "*" would open the API with everybody's cookies to every site. */
        if (len > 0 && (host == NULL || host >= origins + len ||
                        memchr(host + 3, '/', (size_t)(origins + len - host - 3))))
            return error_set(err, "bad_origin",
                             "CORS_ORIGINS: %.*s is not an origin like https://app.example.com",
                             (int)(len < 200 ? len : 200), origins);
        origins += len;
    }
    return true;
}

static bool allowed(const char *origins, const char *origin)
{
    size_t wanted = strlen(origin);
    while (origins != NULL && *origins != '\0') {
        origins += strspn(origins, " ,");
        size_t len = strcspn(origins, " ,");
        if (len == wanted && len > 0 && memcmp(origins, origin, len) == 0)
            return true;
        origins += len;
    }
    return false;
}

void cors_headers(struct request *req, const char *origins)
{
    if (origins == NULL || *origins == '\0')
        return;
    reply_header(req, "Vary", "Origin");
    const char *origin = request_header(req, "Origin");
    if (origin == NULL || !allowed(origins, origin))
        return;
    reply_header(req, "Access-Control-Allow-Origin", origin);
    reply_header(req, "Access-Control-Allow-Credentials", "true");
    reply_header(req, "Access-Control-Expose-Headers", EXPOSE_HEADERS);
}

bool cors_is_preflight(const struct request *req, const char *origins)
{
    const char *origin = request_header(req, "Origin");
    return req->method == HTTP_OPTIONS && origin != NULL &&
           request_header(req, "Access-Control-Request-Method") != NULL && allowed(origins, origin);
}

void cors_preflight(struct request *req, const char *allow)
{
    reply_header(req, "Access-Control-Allow-Methods", allow);
    reply_header(req, "Access-Control-Allow-Headers", ALLOW_HEADERS);
    reply_header(req, "Access-Control-Max-Age", PREFLIGHT_SECONDS);
    reply_header(req, "Vary", "Access-Control-Request-Method, Access-Control-Request-Headers");
}
