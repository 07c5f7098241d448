/* What is written down of every request: one log line, and metrics for its route. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/timeutil.h"
#include "http/server_private.h"

#define CLASSES 6 /* 1xx … 5xx, by status / 100 */

/* More notes than these no handler makes. */
#define MAX_NOTES 8

struct route_account {
    struct series *latency;
    struct series *classes[CLASSES];
};

struct accounts {
    const struct router *router;
    int64_t slow_request;
    bool quiet;
    struct series *body_bytes, *answer_bytes;
    size_t count;                  /* of routes */
    struct route_account routes[]; /* the last one, at count, is for requests without a route */
};

static void make_series(struct route_account *account, const char *method, const char *route)
{
    static const char *const classes[] = { "", "1xx", "2xx", "3xx", "4xx", "5xx" };
    account->latency = metric_series(
        metric_histogram("http_request_seconds", "From the last byte of a request to its complete answer.",
                         "method,route"),
        (const char *const[]){ method, route });
    for (size_t i = 2; i < CLASSES; i++)
        account->classes[i] = metric_series(
            metric_counter("http_requests_total", "Requests by class of status.", "method,route,status"),
            (const char *const[]){ method, route, classes[i] });
}

struct accounts *accounts_new(const struct router *router, int64_t slow_request, bool quiet)
{
    size_t count = router_count(router);
    struct accounts *accounts = calloc(1, sizeof(*accounts) + (count + 1) * sizeof(accounts->routes[0]));
    if (accounts == NULL)
        abort();
    accounts->router = router;
    accounts->slow_request = slow_request;
    accounts->quiet = quiet;
    accounts->count = count;
    for (size_t i = 0; i < count; i++) {
        const struct route *route = router_route(router, i);
        make_series(&accounts->routes[i], http_method_names[route->method], route->path);
    }
    make_series(&accounts->routes[count], "", "");
    accounts->body_bytes = metric_series(
        metric_counter("http_request_body_bytes_total", "Bytes of requests' bodies.", ""), NULL);
    accounts->answer_bytes = metric_series(
        metric_counter("http_answer_body_bytes_total", "Bytes of answers' bodies.", ""), NULL);
    return accounts;
}

void accounts_free(struct accounts *accounts)
{
    free(accounts);
}

static double milliseconds(int64_t usec)
{
    return (double)usec / 1000.0;
}

/* Paths of routes that carry credentials may hold them ("/share/{token}"). */
static bool is_confidential(const struct request *req)
{
    return req->route != NULL && (req->route->flags & ROUTE_NO_BODY_LOG);
}

static void log_request(const struct request *req, int64_t usec)
{
    const struct request_private *p = req->private_;
    struct log_field fields[15 + MAX_NOTES];
    size_t n = 0;
    fields[n++] = LOG_TEXT("method", req->method < HTTP_METHODS ? http_method_names[req->method] : "other");
    fields[n++] = LOG_TEXT("route", req->route != NULL ? req->route->path : NULL);
    fields[n++] = LOG_TEXT("path", is_confidential(req) ? NULL : req->path);
    fields[n++] = LOG_NUM("status", req->status);
    fields[n++] = LOG_REAL("ms", milliseconds(usec));
    if (p->queued_usec > 0)
        fields[n++] = LOG_REAL("queue_ms", milliseconds(p->queued_usec));
    if (p->db_statements > 0) {
        fields[n++] = LOG_REAL("db_ms", milliseconds(p->db_usec));
        fields[n++] = LOG_NUM("db_statements", p->db_statements);
    }
    fields[n++] = LOG_NUM("bytes_in", p->body_received);
    fields[n++] = LOG_NUM("bytes_out", req->out.len);
    fields[n++] = LOG_TEXT("ip", req->client_ip);
    fields[n++] = LOG_TEXT("request_id", req->id);
    fields[n++] = LOG_TEXT("user", p->user);
    fields[n++] = LOG_TEXT("error_code", req->error_code);
    for (size_t i = 0; i < p->notes.count && i < MAX_NOTES; i++)
        fields[n++] = LOG_TEXT(p->notes.items[i].name, p->notes.items[i].value);
    log_write(LOG_LEVEL_INFO, "request", fields, n);
}

static void log_slow(const struct request *req, int64_t usec, const struct http_hooks *hooks)
{
    struct buf queries = { 0 };
    struct json json;
    json_begin(&json, &queries);
    json_start_array(&json);
    if (hooks->queries != NULL)
        hooks->queries(req, &json);
    json_end_array(&json);
    LOG_WARN("slow request", LOG_TEXT("method", http_method_names[req->method]),
             LOG_TEXT("route", req->route != NULL ? req->route->path : NULL), LOG_NUM("status", req->status),
             LOG_REAL("ms", milliseconds(usec)),
             LOG_REAL("queue_ms", milliseconds(req->private_->queued_usec)),
             LOG_REAL("db_ms", milliseconds(req->private_->db_usec)), LOG_TEXT("request_id", req->id),
             LOG_RAW("queries", buf_text(&queries)));
    buf_free(&queries);
}

void accounts_add(struct accounts *accounts, struct request *req, int64_t usec,
                  const struct http_hooks *hooks)
{
    struct request_private *p = req->private_;
    size_t index = p->route_index < accounts->count ? p->route_index : accounts->count;
    struct route_account *account = &accounts->routes[index];
    int class = req->status / 100;
    if (p->logged)
        return;
    p->logged = true;
    series_observe(account->latency, usec);
    if (class >= 2 && class < CLASSES)
        series_add(account->classes[class], 1);
    series_add(accounts->body_bytes, (int64_t)p->body_received);
    series_add(accounts->answer_bytes, (int64_t)req->out.len);

    if (hooks->describe != NULL && p->handled_usec > 0) {
        struct http_log_extra extra = { 0 };
        hooks->describe(req, &extra);
        p->user = extra.user;
        p->db_usec = extra.db_usec;
        p->db_statements = extra.db_statements;
    }
    if (!accounts->quiet && log_enabled(LOG_LEVEL_INFO))
        log_request(req, usec);
    if (usec > accounts->slow_request && p->handled_usec > 0)
        log_slow(req, usec, hooks);
}

void accounts_each(const struct accounts *accounts,
                   void (*visit)(void *to, const struct http_route_stats *stats), void *to)
{
    for (size_t i = 0; i < accounts->count; i++) {
        const struct route_account *account = &accounts->routes[i];
        struct http_route_stats stats = { .route = router_route(accounts->router, i) };
        if (series_value(account->latency) == 0)
            continue;
        series_quantiles(account->latency, &stats.latency);
        stats.errors = (uint64_t)series_value(account->classes[5]);
        visit(to, &stats);
    }
}
