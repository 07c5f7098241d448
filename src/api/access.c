/* The gate before every handler: who is asking, are they within their rate, may they use this route. */
#include "api/access.h"

#include <stdio.h>
#include <string.h>

#include "auth/authenticate.h"
#include "auth/ratelimit.h"
#include "auth/throttle.h"
#include "base/timeutil.h"

#define API_PREFIX "/api/v1/"

static const struct db_context nobody = { .role = "", .clients = "{}", .user = "" };

static const enum role least_role[] = {
    [ACCESS_PUBLIC] = ROLE_NONE,
    [ACCESS_USER] = ROLE_USER,
    [ACCESS_MANAGER] = ROLE_MANAGER,
    [ACCESS_ADMIN] = ROLE_ADMIN,
};

/* ---- rate ---- */

static const char *rate_subject(struct request *req, const struct principal *principal)
{
    if (principal == NULL)
        return arena_printf(req->arena, "address:%s", address_subject(req->arena, req->client_ip));
    if (principal->kind == PRINCIPAL_API_KEY)
        return arena_printf(req->arena, "key:%lld", (long long)principal->api_key_id);
    return arena_printf(req->arena, "session:%lld", (long long)principal->session_id);
}

static void header_number(struct request *req, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    reply_header(req, name, text);
}

/* False: answered 429. */
static bool within_rate(struct auth *auth, struct request *req, const struct principal *principal)
{
    const struct config *config = auth->config;
    int64_t limit = principal != NULL ? config->rate_limit : config->rate_limit_anonymous;
    /* Health checks and metrics are asked for by machines that must not be turned away. */
    if (limit == 0 || strncmp(req->path, API_PREFIX, strlen(API_PREFIX)) != 0)
        return true;
    struct ratelimit_state state;
    bool within = ratelimit_take(auth->limits, req->redis, req->arena, rate_subject(req, principal), limit,
                                 config->rate_limit_window, time_now(), &state);
    header_number(req, "RateLimit-Limit", state.limit);
    header_number(req, "RateLimit-Remaining", state.remaining);
    header_number(req, "RateLimit-Reset", state.reset);
    if (!within) {
        header_number(req, "Retry-After", state.reset);
        reply_problem(req, 429, "rate_limited", "At most %lld requests in %lld seconds; wait %d seconds.",
                      (long long)limit, (long long)(config->rate_limit_window / USEC_PER_SEC), state.reset);
    }
    return within;
}

/* ---- rights ---- */

const char *access_resource(struct arena *arena, const char *path)
{
    size_t prefix = strlen(API_PREFIX);
    if (strncmp(path, API_PREFIX, prefix) != 0)
        return "";
    return arena_strndup(arena, path + prefix, strcspn(path + prefix, "/"));
}

static bool is_write(enum http_method method)
{
    return method != HTTP_GET && method != HTTP_HEAD && method != HTTP_OPTIONS;
}

static bool may_use(struct request *req, const struct principal *principal)
{
    if (principal->role < least_role[req->route->access]) {
        reply_problem(req, 403, "forbidden", "This needs the role %s.",
                      role_names[least_role[req->route->access]]);
        return false;
    }
    const char *resource = access_resource(req->arena, req->path);
    if (!principal_in_scope(principal, resource, is_write(req->method))) {
        reply_problem(req, 403, "insufficient_scope", "The API key lacks the scope %s:%s.", resource,
                      is_write(req->method) ? "write" : "read");
        return false;
    }
    return true;
}

static struct credentials credentials_of(const struct request *req)
{
    return (struct credentials){ .authorization = request_header(req, "Authorization"),
                                 .api_key = request_header(req, "X-API-Key") };
}

static void refuse(struct request *req, enum auth_outcome outcome)
{
    switch (outcome) {
    case AUTH_UNAVAILABLE:
        reply_unavailable(req, "database_unavailable", 2, "The database is away; try again in a moment.");
        return;
    case AUTH_EXPIRED:
        reply_header(req, "WWW-Authenticate",
                     "Bearer error=\"invalid_token\", error_description=\"expired\"");
        reply_problem(req, 401, "token_expired", "The credentials have expired; sign in or refresh.");
        return;
    case AUTH_INVALID:
        reply_header(req, "WWW-Authenticate", "Bearer error=\"invalid_token\"");
        reply_problem(req, 401, "token_invalid", "The credentials are not valid, or not any more; sign in.");
        return;
    default:
        reply_header(req, "WWW-Authenticate", "Bearer");
        reply_problem(req, 401, "unauthenticated", "Sign in, or send an API key.");
    }
}

bool access_check(struct auth *auth, struct request *req)
{
    if (req->route != NULL && (req->route->flags & ROUTE_FAST))
        return true;
    const struct principal *principal = NULL;
    const struct credentials credentials = credentials_of(req);
    db_use(req->db, req->arena, &nobody);
    enum auth_outcome outcome = authenticate(auth, req->db, req->redis, req->arena, &credentials, &principal);
    req->principal = principal;

    /* Whoever fails to authenticate counts as his address, so that guessing has its limit too. */
    if (!within_rate(auth, req, principal))
        return false;
    if (req->route == NULL || req->route->access == ACCESS_PUBLIC)
        return true;
    if (outcome != AUTH_OK) {
        refuse(req, outcome);
        return false;
    }
    return may_use(req, principal);
}

bool access_required(struct request *req)
{
    if (req->principal == NULL) {
        refuse(req, AUTH_ANONYMOUS);
        return false;
    }
    return may_use(req, req->principal);
}

const struct principal *access_fast(struct auth *auth, struct request *req)
{
    const struct principal *principal = NULL;
    const struct credentials credentials = credentials_of(req);
    if (req->route == NULL || authenticate_fast(auth, req->arena, &credentials, &principal) != AUTH_OK)
        return NULL;
    if (principal->role < least_role[req->route->access] ||
        !principal_in_scope(principal, access_resource(req->arena, req->path), is_write(req->method)))
        return NULL;
    const struct config *config = auth->config;
    struct ratelimit_state state;
    if (config->rate_limit != 0 &&
        !ratelimit_take(auth->limits, NULL, NULL, rate_subject(req, principal), config->rate_limit,
                        config->rate_limit_window, time_now(), &state))
        return NULL;
    return principal;
}

bool access_person(struct request *req)
{
    if (req->principal != NULL && req->principal->kind == PRINCIPAL_SESSION)
        return true;
    reply_problem(req, 403, "session_required", "This needs a person's sign-in; API keys may not do it.");
    return false;
}

/* ---- other sites ---- */

/* Is origin one of a comma-separated list? */
static bool listed(const char *list, const char *origin)
{
    size_t len = strlen(origin);
    while (*list != '\0') {
        list += strspn(list, " ,");
        size_t n = strcspn(list, " ,");
        if (n == len && strncmp(list, origin, len) == 0)
            return true;
        list += n;
    }
    return false;
}

/* scheme://host[:port] of a URL */
static size_t origin_length(const char *url)
{
    const char *host = strstr(url, "://");
    return host != NULL ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : strlen(url);
}

static bool origin_allowed(const struct config *config, struct request *req, const char *origin)
{
    size_t public_len = origin_length(config->public_url);
    if (strlen(origin) == public_len && strncmp(origin, config->public_url, public_len) == 0)
        return true;
    if (listed(config->cors_origins, origin))
        return true;
    /* The page came from where the request goes. */
    const char *host = request_header(req, "Host"), *at = strstr(origin, "://");
    return host != NULL && at != NULL && strcmp(at + 3, host) == 0;
}

bool access_same_site(const struct config *config, struct request *req)
{
    const char *site = request_header(req, "Sec-Fetch-Site"), *origin = request_header(req, "Origin");
    if (site != NULL && (strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0))
        return true;
    if (origin != NULL ? origin_allowed(config, req, origin) : site == NULL)
        return true;
    reply_problem(req, 403, "cross_site", "Pages of other sites may not use this.");
    return false;
}
