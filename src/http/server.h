/* The HTTP server: libmicrohttpd's epoll threads take whole requests, a fixed pool of handler threads answers
 * them.
 *
 * A full request is suspended and queued; the queue is bounded. A slow client holds a connection but never a
 * handler thread: the body is read before, the answer is written after the handler ran. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/json.h"
#include "http/route.h"

struct http_server;

/* What a handler thread brings to its requests. */
struct http_thread {
    struct db *db;
    struct redis *redis;
};

/* Zero means the default named at the field. Texts and routes must outlive the server. */
struct http_server_options {
    const char *address;         /* "127.0.0.1" */
    uint16_t port;               /* 0: any free one, see http_server_port */
    unsigned threads;            /* 2 network threads */
    unsigned handlers;           /* 8 handler threads */
    unsigned queue;              /* 256 requests waiting for a handler */
    unsigned max_connections;    /* 10,000 */
    unsigned ip_connections;     /* 0: no limit per address */
    size_t max_header;           /* 32 KiB */
    size_t max_body;             /* 1 MiB */
    size_t max_upload;           /* 64 MiB, ROUTE_UPLOAD */
    int64_t idle_timeout;        /* 75 s */
    int64_t request_timeout;     /* 30 s for a request to arrive whole */
    int64_t shutdown_timeout;    /* 25 s for accepted requests to finish */
    int64_t slow_request;        /* 500 ms; slower ones are logged with what `describe` adds */
    const char *cors_origins;    /* "": none; separated by commas */
    const char *trusted_proxies; /* "": none; addresses and CIDR networks */
    const char *upload_folder;   /* "/tmp" */

    const struct route *routes;
    size_t route_count;

    /* the application */
    const struct app *app;
    void (*thread_start)(const struct app *app, struct http_thread *thread); /* NULL: no db, no redis */
    void (*thread_stop)(const struct app *app, struct http_thread *thread);
    bool (*before)(struct request *req); /* on the handler thread; false: answered */
    void (*after)(struct request *req);  /* on the handler thread, when the answer is complete */
    bool (*fast)(
        struct request *req); /* on the network thread for GET and HEAD without a body; true: answered */
    void (*describe)(const struct request *req,
                     bool slow); /* may add request_note()s before the log line is written */
};

MUST_CHECK struct http_server *http_server_start(const struct http_server_options *options,
                                                 struct error *err);
uint16_t http_server_port(const struct http_server *server);

/* Refuses new connections, finishes what was accepted (bounded), frees everything. */
void http_server_stop(struct http_server *server);

/* ---- figures ---- */

/* Per route, since the start. Times in microseconds. */
struct route_figures {
    const struct route *route;
    uint64_t count, errors; /* errors: status 500 and above */
    int64_t p50, p95, p99, slowest;
};
size_t http_server_figures(const struct http_server *server, struct arena *arena,
                           struct route_figures **figures);

struct server_figures {
    unsigned connections, queued, busy; /* now */
    uint64_t requests, rejected, bytes_in, bytes_out;
};
struct server_figures http_server_state(const struct http_server *server);

#endif
