/* Deadlines of connections. libmicrohttpd closes what is silent; a peer that sends or reads one byte now and
 * then is never silent, so a sweeper looks at every connection once a second. */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/timeutil.h"
#include "http/problem.h"
#include "http/server_private.h"

#define SWEEP_USEC SECONDS(1)

/* A reader slower than this on the whole is not reading in earnest. */
#define SLOWEST_READER INT64_C(4096) /* bytes a second */

/* The kernel's TCP_CLOSE_WAIT: the peer sends no more. */
#define CLOSE_WAIT 8

/* How long, and how many of them, we listen to peers that still send what nobody will read. */
#define LINGER_USEC  SECONDS(2)
#define LINGER_TICK  (USEC_PER_SEC / 50)
#define LINGER_LIMIT 256

/* How long the network threads are given to notice that all connections have ended. */
#define END_USEC SECONDS(2)
#define END_TICK (USEC_PER_SEC / 200)

struct lingering {
    int fd;
    int64_t until;
};

struct connections {
    int64_t idle_timeout, request_timeout;
    struct series *timeouts, *lingered;
    void (*tick)(void *self); /* once a second, without the lock */
    void *self;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* stopping, or the first lingering socket came */
    struct http_connection *first;
    int64_t count;
    bool stopping;
    struct lingering lingering[LINGER_LIMIT];
    size_t lingering_count;
    pthread_t sweeper;
};

/* ---- phases ---- */

void connection_phase(struct http_connection *connection, enum connection_phase phase)
{
    atomic_store_explicit(&connection->since, time_monotonic(), memory_order_relaxed);
    atomic_store_explicit(&connection->phase, (int)phase, memory_order_relaxed);
}

void connection_sends(struct connections *connections, struct http_connection *connection, size_t bytes)
{
    int64_t allowance = (int64_t)bytes / SLOWEST_READER * USEC_PER_SEC;
    atomic_store_explicit(&connection->deadline, time_monotonic() + connections->request_timeout + allowance,
                          memory_order_relaxed);
    connection_phase(connection, PHASE_SENDING);
}

void connection_raw_problem(struct http_connection *connection, int status, const char *code,
                            const char *detail)
{
    struct buf body = { 0 }, head = { 0 };
    const char *title = code;
    for (size_t i = 0; i < problem_count; i++)
        if (strcmp(problems[i].code, code) == 0)
            title = problems[i].title;
    problem_write(&body, status, code, title, detail, NULL, NULL);
    buf_printf(&head,
               "HTTP/1.1 %d %s\r\nContent-Type: " PROBLEM_CONTENT_TYPE "\r\nContent-Length: %zu\r\n"
               "Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n",
               status, status_phrase(status), body.len);
    buf_append(&head, body.data, body.len);
    /* A socket that cannot take these few bytes at once is no reader. */
    (void)!send(connection->fd, head.data, head.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    buf_free(&body);
    buf_free(&head);
}

/* ---- sweeping ---- */

static struct tcp_info socket_info(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t size = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        info.tcpi_state = CLOSE_WAIT;
    return info;
}

/* Since when has a request line been coming in, byte by byte? 0: it has not. */
static int64_t trickling_since(struct http_connection *connection, int64_t since, int64_t now)
{
    uint64_t bytes = socket_info(connection->fd).tcpi_bytes_received;
    if (connection->idle_since != since) {
        connection->idle_since = since;
        connection->idle_bytes = bytes;
        connection->partial_since = 0;
    } else if (bytes != connection->idle_bytes && connection->partial_since == 0) {
        connection->partial_since = now;
    }
    return connection->partial_since;
}

/* Did the peer leave in the middle of its request? libmicrohttpd waits for the rest all the same. Twice seen,
 * so that what was still in the socket has been read. */
static bool has_left(struct http_connection *connection, int64_t since)
{
    if (socket_info(connection->fd).tcpi_state != CLOSE_WAIT)
        return false;
    bool seen = connection->left_since == since;
    connection->left_since = since;
    return seen;
}

static bool is_late(const struct connections *connections, struct http_connection *connection, int phase,
                    int64_t since, int64_t now)
{
    if (phase == PHASE_RECEIVING)
        return now - since > connections->request_timeout || has_left(connection, since);
    if (phase == PHASE_SENDING)
        return now > atomic_load_explicit(&connection->deadline, memory_order_relaxed);
    if (phase != PHASE_IDLE)
        return false;
    int64_t trickling = trickling_since(connection, since, now);
    return (trickling != 0 && now - trickling > connections->request_timeout) ||
           now - since > connections->idle_timeout + connections->request_timeout;
}

static void sweep(struct connections *connections, int64_t now)
{
    for (struct http_connection *c = connections->first; c != NULL; c = c->next) {
        int phase = atomic_load_explicit(&c->phase, memory_order_relaxed);
        int64_t since = atomic_load_explicit(&c->since, memory_order_relaxed);
        if (!is_late(connections, c, phase, since, now) ||
            since != atomic_load_explicit(&c->since, memory_order_relaxed))
            continue;
        if (phase != PHASE_SENDING)
            connection_raw_problem(c, 408, "request_timeout", "The request did not arrive whole in time.");
        /* The network thread sees the end and cleans up. */
        shutdown(c->fd, SHUT_RDWR);
        series_add(connections->timeouts, 1);
    }
}

/* ---- lingering ---- */

/* True: it has ended. */
static bool drained(struct lingering *lingering, int64_t now)
{
    char sink[16384];
    for (int i = 0; i < 64; i++) {
        ssize_t n = recv(lingering->fd, sink, sizeof(sink), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            return true;
        if (n < 0)
            break;
    }
    return now > lingering->until;
}

static void drain(struct connections *connections, int64_t now)
{
    for (size_t i = connections->lingering_count; i-- > 0;) {
        struct lingering *lingering = &connections->lingering[i];
        if (drained(lingering, now)) {
            close(lingering->fd);
            *lingering = connections->lingering[--connections->lingering_count];
        }
    }
}

/* Closing a socket with unread bytes in it resets the connection, and the peer may lose the answer. So a copy
 * of the socket stays open while the peer finishes sending. */
static void linger(struct connections *connections, int fd)
{
    int copy = connections->lingering_count < LINGER_LIMIT ? dup(fd) : -1;
    if (copy < 0)
        return;
    shutdown(copy, SHUT_WR);
    connections->lingering[connections->lingering_count++] =
        (struct lingering){ .fd = copy, .until = time_monotonic() + LINGER_USEC };
    series_add(connections->lingered, 1);
    pthread_cond_signal(&connections->wake);
}

static void *sweeper_main(void *arg)
{
    struct connections *connections = arg;
    int64_t last = time_monotonic();
    pthread_mutex_lock(&connections->lock);
    while (!connections->stopping) {
        int64_t wait = connections->lingering_count > 0 ? LINGER_TICK : SWEEP_USEC;
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t nsec = until.tv_nsec + wait % USEC_PER_SEC * 1000;
        until.tv_sec += (time_t)(wait / USEC_PER_SEC + nsec / 1000000000);
        until.tv_nsec = (long)(nsec % 1000000000);
        pthread_cond_timedwait(&connections->wake, &connections->lock, &until);
        int64_t now = time_monotonic();
        drain(connections, now);
        if (now - last >= SWEEP_USEC) {
            sweep(connections, now);
            last = now;
            pthread_mutex_unlock(&connections->lock);
            connections->tick(connections->self);
            pthread_mutex_lock(&connections->lock);
        }
    }
    while (connections->lingering_count > 0)
        close(connections->lingering[--connections->lingering_count].fd);
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

/* ---- the list ---- */

struct connections *connections_new(int64_t idle_timeout, int64_t request_timeout, void (*tick)(void *self),
                                    void *self)
{
    struct connections *connections = calloc(1, sizeof(*connections));
    if (connections == NULL)
        abort();
    connections->idle_timeout = idle_timeout;
    connections->request_timeout = request_timeout;
    connections->tick = tick;
    connections->self = self;
    connections->timeouts = metric_series(
        metric_counter("http_timeouts_total", "Connections cut off because their peer was too slow.", ""),
        NULL);
    connections->lingered = metric_series(
        metric_counter("http_lingering_total", "Connections closed while the peer was still sending.", ""),
        NULL);
    pthread_mutex_init(&connections->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&connections->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&connections->sweeper, NULL, sweeper_main, connections) != 0)
        abort();
    return connections;
}

/* All connections must have been removed. */
void connections_free(struct connections *connections)
{
    if (connections == NULL)
        return;
    pthread_mutex_lock(&connections->lock);
    connections->stopping = true;
    pthread_cond_signal(&connections->wake);
    pthread_mutex_unlock(&connections->lock);
    pthread_join(connections->sweeper, NULL);
    pthread_cond_destroy(&connections->wake);
    pthread_mutex_destroy(&connections->lock);
    free(connections);
}

struct http_connection *connections_add(struct connections *connections, int fd, const char *ip)
{
    struct http_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        abort();
    connection->fd = fd;
    strncpy(connection->ip, ip, sizeof(connection->ip) - 1);
    connection_phase(connection, PHASE_IDLE);
    /* Nothing was received before, so that the first byte already counts. */
    connection->idle_since = atomic_load_explicit(&connection->since, memory_order_relaxed);
    pthread_mutex_lock(&connections->lock);
    connection->next = connections->first;
    if (connection->next != NULL)
        connection->next->prev = connection;
    connections->first = connection;
    connections->count++;
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

void connections_remove(struct connections *connections, struct http_connection *connection)
{
    pthread_mutex_lock(&connections->lock);
    if (connection->prev != NULL)
        connection->prev->next = connection->next;
    else
        connections->first = connection->next;
    if (connection->next != NULL)
        connection->next->prev = connection->prev;
    connections->count--;
    if (atomic_load(&connection->linger))
        linger(connections, connection->fd);
    pthread_mutex_unlock(&connections->lock);
    free(connection);
}

void connections_end(struct connections *connections)
{
    pthread_mutex_lock(&connections->lock);
    for (struct http_connection *c = connections->first; c != NULL; c = c->next)
        shutdown(c->fd, SHUT_RDWR);
    pthread_mutex_unlock(&connections->lock);
    int64_t until = time_monotonic() + END_USEC;
    while (connections_count(connections) > 0 && time_monotonic() < until)
        clock_sleep(&clock_system, END_TICK);
}

int64_t connections_count(void *self)
{
    struct connections *connections = self;
    pthread_mutex_lock(&connections->lock);
    int64_t n = connections->count;
    pthread_mutex_unlock(&connections->lock);
    return n;
}
