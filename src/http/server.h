/* The HTTP server: libmicrohttpd's epoll threads read and write, a bounded pool of threads runs handlers.
 *
 * A request is read whole before anybody works on it, and its answer is written by the network threads, so
 * that a slow client never holds a handler. What a handler needs that is not thread-safe (database, Redis) is
 * made once for each thread by the hooks. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/metrics.h"
#include "http/route.h"
#include "http/router.h"

struct config;
struct http_server;

/* What one handler thread works with. */
struct http_thread {
    struct db *db;
    struct redis *redis;
};

/* What the application knows of a request, for its log line. Texts live as long as the request. */
struct http_log_extra {
    const char *user; /* NULL: anonymous */
    int64_t db_usec;
    size_t db_statements;
};

/* All may be NULL. */
struct http_hooks {
    const struct app *app;

    /* On the thread itself, before its first request and after its last. A failure stops the start. */
    bool (*thread_start)(const struct app *app, struct http_thread *thread, struct error *err);
    void (*thread_stop)(const struct app *app, struct http_thread *thread);

    /* Around the handler. For ROUTE_FAST on the network thread: must not block, db and redis are NULL. */
    bool (*before)(struct request *req); /* false: answered */
    void (*after)(struct request *req);  /* the handler ran */

    /* On the network thread, for GET and HEAD: must not block. True: answered, nothing else runs. */
    bool (*fast)(struct request *req);

    /* On the handler's thread, after it. queries writes the elements of an array of the request's statements;
     * it is called for slow requests only. */
    void (*describe)(const struct request *req, struct http_log_extra *extra);
    void (*queries)(const struct request *req, struct json *json);
};

/* Zero means the default in brackets. Times are microseconds. Texts are not copied and outlive the server. */
struct http_server_options {
    const char *address;         /* numeric [127.0.0.1] */
    uint16_t port;               /* 0: any free one, see http_server_port */
    unsigned threads;            /* that read and write [2] */
    unsigned handlers;           /* threads that run handlers [8] */
    unsigned queue;              /* requests that may wait for a handler; beyond it 503 [256] */
    unsigned max_connections;    /* [10000] */
    unsigned ip_connections;     /* from one address [no limit] */
    size_t max_header;           /* bytes of request line and headers [16 KiB] */
    size_t max_body;             /* bytes [1 MiB] */
    size_t max_upload;           /* bytes, of ROUTE_UPLOAD [64 MiB] */
    int64_t idle_timeout;        /* [75 s] */
    int64_t request_timeout;     /* for a request to arrive whole, from its first byte [30 s] */
    int64_t slow_request;        /* slower ones are logged with their statements [500 ms] */
    const char *cors_origins;    /* separated by commas [none] */
    const char *trusted_proxies; /* addresses and networks whose X-Forwarded-For is believed [none] */
    bool quiet;                  /* no log line for each request */
    const struct route_table *tables;
    size_t table_count;
    struct http_hooks hooks;
};

/* Everything but routes and hooks, from the settings. */
void http_options_from_config(struct http_server_options *options, const struct config *config);

/* Listens, and answers, when it returns. Ignores SIGPIPE for the process. */
MUST_CHECK struct http_server *http_server_start(const struct http_server_options *options,
                                                 struct error *err);

uint16_t http_server_port(const struct http_server *server);

/* Stops accepting, finishes what it accepted, refuses what comes then on open connections, ends streams.
 * False: requests were still running after timeout; the server is left as it is, and the process should
 * exit. */
MUST_CHECK bool http_server_stop(struct http_server *server, int64_t timeout);

/* How the routes of the server that runs this request did since its start. */
struct http_route_stats {
    const struct route *route;
    struct quantiles latency; /* from the last byte of the request to the complete answer */
    uint64_t errors;          /* answered 5xx */
};
void http_performance(const struct request *req,
                      void (*visit)(void *to, const struct http_route_stats *stats), void *to);

#endif
