/* The server's parts, for the files that share them. */
#ifndef HTTP_SERVER_PRIVATE_H
#define HTTP_SERVER_PRIVATE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/request_private.h"
#include "http/server.h"

/* Longer ones are no address of the API, and every router and log on the way carries them. */
#define HTTP_MAX_TARGET 8192u

/* ---- forwarded.c: who is calling ---- */

struct network {
    bool ipv6;
    unsigned bits;
    unsigned char address[16];
};

struct networks {
    struct network *list;
    size_t count;
};

MUST_CHECK bool networks_parse(const char *text, struct networks *networks, struct error *err);
void networks_free(struct networks *networks);
bool networks_hold(const struct networks *networks, const char *ip);

/* The caller's address: the rightmost in X-Forwarded-For that is not a trusted proxy's, when the peer is
 * one. In the arena, or peer itself. */
const char *client_address(struct arena *arena, const struct networks *trusted, const char *peer,
                           const struct pairs *headers);

/* ---- cors.c ---- */

MUST_CHECK bool cors_check_origins(const char *origins, struct error *err);
void cors_headers(struct request *req, const char *origins); /* of an answer */
bool cors_is_preflight(const struct request *req, const char *origins);
void cors_preflight(struct request *req, const char *allow);

/* ---- connections.c: deadlines ---- */

enum connection_phase {
    PHASE_IDLE,      /* between requests, or the request line is still coming */
    PHASE_RECEIVING, /* headers and body */
    PHASE_WORKING,   /* waiting for the answer */
    PHASE_SENDING,
    PHASE_STREAM, /* an answer without an end */
};

struct http_connection {
    struct http_connection *prev, *next; /* guarded by the list's lock */
    int fd;                              /* valid while listed */
    char ip[46];
    _Atomic int phase;
    _Atomic int64_t since;    /* monotonic µs of the last change of phase */
    _Atomic int64_t deadline; /* of SENDING */
    _Atomic bool linger;      /* drain what the peer still sends, so that it gets to read the answer */
    /* of the sweeper alone: how a request line is trickling in */
    int64_t idle_since;
    uint64_t idle_bytes;
    int64_t partial_since;
    int64_t left_since; /* the request during which its peer was seen to have left */
};

struct connections;

/* tick is called once a second, on a thread of its own. */
struct connections *connections_new(int64_t idle_timeout, int64_t request_timeout, void (*tick)(void *self),
                                    void *self);
void connections_free(struct connections *connections);
struct http_connection *connections_add(struct connections *connections, int fd, const char *ip);
void connections_remove(struct connections *connections, struct http_connection *connection);
int64_t connections_count(void *connections);

/* End all connections and wait until they are removed. libmicrohttpd 0.9.75 must not be stopped while a peer
 * sends: an error it finds in a request then is answered without an answer, at address 0. */
void connections_end(struct connections *connections);
void connection_phase(struct http_connection *connection, enum connection_phase phase);

/* The answer has so many bytes: a reader may take its time, but not for ever. */
void connection_sends(struct connections *connections, struct http_connection *connection, size_t bytes);

/* Write a problem straight to the socket of a connection on which no answer was begun. */
void connection_raw_problem(struct http_connection *connection, int status, const char *code,
                            const char *detail);

/* ---- handlers.c: the pool ---- */

struct handlers;

/* run is called on a thread of the pool for each request pushed. */
MUST_CHECK struct handlers *handlers_new(const struct http_server_options *options,
                                         void (*run)(struct request *req, const struct http_thread *thread),
                                         struct error *err);
void handlers_free(struct handlers *handlers); /* ends when the queue is empty */

/* Two steps, so that a connection is suspended between them only when there is room. */
MUST_CHECK bool handlers_reserve(struct handlers *handlers);
void handlers_push(struct handlers *handlers, struct request *req);
int64_t handlers_waiting(void *handlers);
int64_t handlers_busy(void *handlers);

/* ---- accounts.c: log lines and metrics ---- */

struct accounts;

struct accounts *accounts_new(const struct router *router, int64_t slow_request, bool quiet);
void accounts_free(struct accounts *accounts);

/* Once for each request, when its answer is complete. usec: how long it took. */
void accounts_add(struct accounts *accounts, struct request *req, int64_t usec,
                  const struct http_hooks *hooks);
void accounts_each(const struct accounts *accounts,
                   void (*visit)(void *to, const struct http_route_stats *stats), void *to);

/* ---- head.c: what the request line and headers alone decide ---- */

/* Fills the request and finds its route. May answer (problems, OPTIONS); then framing says whether a body
 * follows all the same. */
struct framing;
void head_read(struct http_server *server, struct request *req, const char *method, const char *version,
               struct framing *framing);

/* ---- answer.c ---- */

/* Hand the request's answer to libmicrohttpd. */
enum MHD_Result answer_send(struct http_server *server, struct request *req);

/* ---- server.c ---- */

struct http_server {
    struct http_server_options options; /* with defaults filled in */
    struct MHD_Daemon *daemon;
    int listener;
    uint16_t port;
    struct router *router;
    struct networks proxies;
    struct connections *connections;
    struct handlers *handlers;
    struct accounts *accounts;
    char id_prefix[17]; /* of request ids made here */
    _Atomic uint32_t id_next;
    _Atomic bool draining; /* stopping: every answer ends its connection */
    _Atomic bool closed;   /* what arrives now is refused */

    pthread_mutex_t lock;
    pthread_cond_t idle;    /* in_flight became 0 */
    size_t handed;          /* of those, the ones given to handlers; guarded by lock */
    size_t in_flight;       /* accepted and not yet sent; guarded by lock */
    struct request *spares; /* guarded by lock */
    size_t spare_count;
    struct sse_stream *streams; /* open ones; guarded by lock */
};

#endif
