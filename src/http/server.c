/* The server: start, stop, and the way of a request from its first line to its answer. */
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "base/config.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "http/body.h"
#include "http/framing.h"
#include "http/mhd_compat.h"
#include "http/server_private.h"
#include "http/sse_private.h"

/* Requests kept for reuse: as many as are usually in work at once. */
#define MAX_SPARES 64

/* Room for the head of an answer, in the memory that libmicrohttpd keeps for a connection. */
#define ANSWER_HEAD_SIZE 4096u

#define BACKLOG 1024

/* Time for peers to stop using their connections while the server stops, and how often it looks. Longer than
 * a request needs from a proxy's decision to us. Microseconds. */
#define HANDOVER_TIME (500 * 1000)
#define HANDOVER_STEP 2000

/* Bodies of refused requests up to this are read to their end, so that the connection can go on. */
#define DISCARD_LIMIT (64 * 1024)

/* Files besides connections: databases, Redis, logs, spooled uploads. */
#define OTHER_FILES 512u

/* ---- requests ---- */

static struct request *get_spare(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    struct request *req = server->spares;
    if (req != NULL) {
        server->spares = req->private_->next;
        server->spare_count--;
    }
    pthread_mutex_unlock(&server->lock);
    return req != NULL ? req : request_new();
}

static void put_spare(struct http_server *server, struct request *req)
{
    request_reset(req);
    pthread_mutex_lock(&server->lock);
    bool keep = server->spare_count < MAX_SPARES;
    if (keep) {
        req->private_->next = server->spares;
        server->spares = req;
        server->spare_count++;
    }
    pthread_mutex_unlock(&server->lock);
    if (!keep)
        request_free(req);
}

/* Its head was accepted: a stop waits for it. */
static void work_begins(struct http_server *server, struct request *req)
{
    req->private_->counted = true;
    pthread_mutex_lock(&server->lock);
    server->in_flight++;
    pthread_mutex_unlock(&server->lock);
}

/* Its connection is suspended: the daemon must not be stopped. */
static void handler_begins(struct http_server *server, struct request *req)
{
    req->private_->handed = true;
    pthread_mutex_lock(&server->lock);
    server->handed++;
    pthread_mutex_unlock(&server->lock);
}

static void work_ends(struct http_server *server, bool counted, bool handed)
{
    pthread_mutex_lock(&server->lock);
    server->in_flight -= counted;
    server->handed -= handed;
    if (server->in_flight == 0)
        pthread_cond_broadcast(&server->idle);
    pthread_mutex_unlock(&server->lock);
}

/* ---- running handlers ---- */

static void account(struct http_server *server, struct request *req)
{
    accounts_add(server->accounts, req, time_monotonic() - req->received_at, &server->options.hooks);
}

static void call_handler(const struct http_hooks *hooks, struct request *req)
{
    if (hooks->before == NULL || hooks->before(req)) {
        req->route->handle(req);
        if (hooks->after != NULL)
            hooks->after(req);
    }
    if (req->status == 0) {
        LOG_ERROR("handler gave no answer", LOG_TEXT("route", req->route->path),
                  LOG_TEXT("request_id", req->id));
        reply_problem(req, 500, "internal_error", "The server made a mistake.");
    }
}

/* On a thread of the pool. After the connection is resumed the request is the network thread's again. */
static void run_request(struct request *req, const struct http_thread *thread)
{
    struct request_private *p = req->private_;
    struct http_server *server = p->server;
    struct MHD_Connection *mhd = p->mhd;
    int64_t begin = time_monotonic();
    p->queued_usec = begin - req->received_at;
    req->db = thread->db;
    req->redis = thread->redis;
    req->app = server->options.hooks.app;
    call_handler(&server->options.hooks, req);
    p->handled_usec = time_monotonic() - begin + 1;
    account(server, req);
    p->stage = STAGE_ANSWERED;
    MHD_resume_connection(mhd);
}

static bool answered_fast(struct http_server *server, struct request *req)
{
    const struct http_hooks *hooks = &server->options.hooks;
    req->app = hooks->app;
    if (req->route->flags & ROUTE_FAST) {
        call_handler(hooks, req);
        return true;
    }
    return hooks->fast != NULL && (req->method == HTTP_GET || req->method == HTTP_HEAD) && hooks->fast(req);
}

static enum MHD_Result send_now(struct http_server *server, struct request *req)
{
    account(server, req);
    return answer_send(server, req);
}

/* The request is whole. */
static enum MHD_Result dispatch(struct http_server *server, struct request *req)
{
    struct request_private *p = req->private_;
    connection_phase(p->connection, PHASE_WORKING);
    req->received_at = time_monotonic();
    body_end(req);
    if (req->status != 0 || answered_fast(server, req))
        return send_now(server, req);
    if (!handlers_reserve(server->handlers)) {
        reply_unavailable(req, "overloaded", 1, "Too many requests are waiting; try again in a moment.");
        return send_now(server, req);
    }
    p->stage = STAGE_WAITING;
    handler_begins(server, req);
    MHD_suspend_connection(p->mhd);
    handlers_push(server->handlers, req);
    return MHD_YES;
}

/* ---- libmicrohttpd's callbacks, on its threads ---- */

static struct http_connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

/* The request line has come; nothing else of the request is known. */
static void *on_line(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct http_server *server = cls;
    struct request *req = get_spare(server);
    struct request_private *p = req->private_;
    p->server = server;
    p->mhd = mhd;
    p->connection = connection_of(mhd);
    p->target_raw = target;
    p->target = arena_strdup(req->arena, target != NULL ? target : "");
    req->received_at = time_monotonic();
    connection_phase(p->connection, PHASE_RECEIVING);
    return req;
}

/* An answer before the body was read: the connection cannot be used again. */
static enum MHD_Result refuse_now(struct http_server *server, struct request *req,
                                  const struct framing *framing)
{
    struct request_private *p = req->private_;
    p->close = true;
    if (framing->has_body)
        atomic_store(&p->connection->linger, true);
    return send_now(server, req);
}

static enum MHD_Result on_head(struct http_server *server, struct request *req, const char *method,
                               const char *version)
{
    struct request_private *p = req->private_;
    struct framing framing;
    struct error err;
    work_begins(server, req);
    head_read(server, req, method, version, &framing);
    if (atomic_load_explicit(&server->closed, memory_order_relaxed) && req->status == 0) {
        p->close = true;
        reply_unavailable(req, "shutting_down", 1, "The server is stopping; try again in a moment.");
    }
    bool small = !framing.chunked && framing.length <= DISCARD_LIMIT && !framing.expects_continue;
    if (req->status != 0 && (p->close || !small))
        return refuse_now(server, req, &framing);
    bool spool = req->status == 0 && framing.has_body && (req->route->flags & ROUTE_UPLOAD);
    if (!body_begin(req, p->body_limit, spool, &err)) {
        reply_problem(req, 500, err.code, "%s", err.message);
        return refuse_now(server, req, &framing);
    }
    p->stage = STAGE_BODY;
    return MHD_YES;
}

/* False ends the connection: it cannot be answered in the middle of a body through libmicrohttpd. */
static bool on_body(struct request *req, const char *data, size_t len)
{
    struct error err;
    if (req->status != 0 || body_append(req, data, len, &err))
        return true;
    bool large = error_is(&err, "body_too_large");
    reply_problem(req, large ? 413 : 500, err.code, "%s", err.message);
    account(req->private_->server, req);
    connection_raw_problem(req->private_->connection, req->status, err.code, err.message);
    atomic_store(&req->private_->connection->linger, true);
    return false;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **con_cls)
{
    struct http_server *server = cls;
    struct request *req = *con_cls;
    (void)mhd;
    (void)url;
    if (req == NULL)
        return MHD_NO;
    switch (req->private_->stage) {
    case STAGE_LINE:
        return on_head(server, req, method, version);
    case STAGE_BODY:
        if (*size == 0)
            return dispatch(server, req);
        if (!on_body(req, data, *size))
            return MHD_NO;
        *size = 0;
        return MHD_YES;
    case STAGE_ANSWERED:
        return answer_send(server, req);
    case STAGE_WAITING:
    case STAGE_SENDING:
        break;
    }
    return MHD_YES;
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
    struct http_server *server = cls;
    struct request *req = *con_cls;
    (void)mhd;
    (void)why;
    if (req == NULL)
        return;
    *con_cls = NULL;
    if (req->private_->stream != NULL)
        sse_detach(req->private_->stream);
    bool counted = req->private_->counted, handed = req->private_->handed;
    connection_phase(req->private_->connection, PHASE_IDLE);
    put_spare(server, req);
    work_ends(server, counted, handed);
}

static void address_text(const struct sockaddr *address, char *out, socklen_t size)
{
    out[0] = '\0';
    if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, out, size);
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(in6))
            inet_ntop(AF_INET, in6->s6_addr + 12, out, size);
        else
            inet_ntop(AF_INET6, in6, out, size);
    }
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        connections_remove(server->connections, *context);
        *context = NULL;
        return;
    }
    char ip[INET6_ADDRSTRLEN] = "";
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info != NULL && info->client_addr != NULL)
        address_text(info->client_addr, ip, sizeof(ip));
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    *context = connections_add(server->connections, info->connect_fd, ip);
}

/* Targets are decoded by us, strictly. */
static size_t no_unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

static void on_log(void *cls, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static void on_log(void *cls, const char *format, va_list args)
{
    char text[256];
    (void)cls;
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    LOG_DEBUG("libmicrohttpd", LOG_TEXT("message", text));
}

/* ---- options ---- */

void http_options_from_config(struct http_server_options *options, const struct config *config)
{
    options->address = config->http_address;
    options->port = (uint16_t)config->http_port;
    options->threads = (unsigned)config->http_threads;
    options->handlers = (unsigned)config->http_handlers;
    options->queue = (unsigned)config->http_queue;
    options->max_connections = (unsigned)config->http_max_connections;
    options->ip_connections = (unsigned)config->http_ip_connections;
    options->max_header = (size_t)config->http_max_header;
    options->max_body = (size_t)config->http_max_body;
    options->max_upload = (size_t)config->http_max_upload;
    options->idle_timeout = config->http_idle_timeout;
    options->request_timeout = config->http_request_timeout;
    options->slow_request = config->http_slow_request;
    options->cors_origins = config->cors_origins;
    options->trusted_proxies = config->trusted_proxies;
}

static void fill_in(struct http_server_options *o)
{
#define DEFAULT(field, value) o->field = o->field != 0 ? o->field : (value)
    DEFAULT(address, "127.0.0.1");
    DEFAULT(threads, 2);
    DEFAULT(handlers, 8);
    DEFAULT(queue, 256);
    DEFAULT(max_connections, 10000);
    DEFAULT(max_header, 16u * 1024);
    DEFAULT(max_body, 1024u * 1024);
    DEFAULT(max_upload, 64u * 1024 * 1024);
    DEFAULT(idle_timeout, SECONDS(75));
    DEFAULT(request_timeout, SECONDS(30));
    DEFAULT(slow_request, USEC_PER_SEC / 2);
#undef DEFAULT
}

/* ---- start ---- */

static int bind_socket(const struct addrinfo *info, struct error *err,
                       const struct http_server_options *options)
{
    const int on = 1, off = 0;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        error_set(err, "cannot_listen", "no socket: %s", strerror(errno));
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)); /* :: takes IPv4 too */
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    close(fd);
    error_set(err, "cannot_listen",
              why == EADDRINUSE ? "port %u of %s is taken; set HTTP_PORT to a free one"
                                : "cannot listen on port %u of %s (HTTP_PORT, HTTP_ADDRESS)",
              options->port, options->address);
    if (why != EADDRINUSE)
        error_prefix(err, "%s: ", strerror(why));
    return -1;
}

static bool listen_on(struct http_server *server, struct error *err)
{
    const struct http_server_options *options = &server->options;
    const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                    .ai_socktype = SOCK_STREAM };
    struct addrinfo *info;
    char port[8];
    snprintf(port, sizeof(port), "%u", options->port);
    if (getaddrinfo(options->address, port, &hints, &info) != 0)
        return error_set(err, "cannot_listen", "HTTP_ADDRESS: %s is not an IP address", options->address);
    server->listener = bind_socket(info, err, options);
    freeaddrinfo(info);
    if (server->listener < 0)
        return false;

    /* IPv4 and IPv6 addresses have their port in the same place. */
    struct sockaddr_in6 bound = { 0 };
    socklen_t size = sizeof(bound);
    if (getsockname(server->listener, (struct sockaddr *)&bound, &size) != 0)
        return error_set(err, "cannot_listen", "the port is not known: %s", strerror(errno));
    server->port = ntohs(bound.sin6_port);
    return true;
}

/* The soft limit on open files is often 1024; connections are files. */
static void raise_file_limit(unsigned connections)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections + OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > wanted ? wanted : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        LOG_WARN("fewer connections than HTTP_MAX_CONNECTIONS are possible",
                 LOG_NUM("open_files", limit.rlim_cur), LOG_NUM("wanted", wanted));
}

static bool start_daemon(struct http_server *server, struct error *err)
{
    const struct http_server_options *o = &server->options;
    const struct MHD_OptionItem pool[] = {
        { o->threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)o->threads, NULL },
        { MHD_OPTION_END, 0, NULL },
    };
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
        server->port, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, server->listener, MHD_OPTION_ARRAY, pool, MHD_OPTION_CONNECTION_LIMIT,
        o->max_connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->ip_connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->max_header + ANSWER_HEAD_SIZE, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((o->idle_timeout + USEC_PER_SEC - 1) / USEC_PER_SEC), MHD_STRICT_OPTION,
        MHD_OPTION_URI_LOG_CALLBACK, on_line, server, MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        server, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (server->daemon == NULL)
        return error_set(err, "cannot_listen", "libmicrohttpd does not start");
    server->listener = -1; /* its own now */
    return true;
}

static int64_t count_in_flight(void *self)
{
    struct http_server *server = self;
    pthread_mutex_lock(&server->lock);
    int64_t n = (int64_t)server->in_flight;
    pthread_mutex_unlock(&server->lock);
    return n;
}

static const char *const gauges[] = { "http_connections", "http_queue_waiting", "http_handlers_busy",
                                      "http_requests_in_flight" };

static void add_gauges(struct http_server *server)
{
    metric_gauge_read(gauges[0], "Open connections.", connections_count, server->connections);
    metric_gauge_read(gauges[1], "Requests waiting for a handler.", handlers_waiting, server->handlers);
    metric_gauge_read(gauges[2], "Handlers at work.", handlers_busy, server->handlers);
    metric_gauge_read(gauges[3], "Requests begun and not yet answered.", count_in_flight, server);
}

static void tick(void *self)
{
    sse_tick(self);
}

/* Everything that start made; the daemon has been stopped. */
static void server_free(struct http_server *server)
{
    handlers_free(server->handlers);
    connections_free(server->connections);
    while (server->spares != NULL) {
        struct request *req = server->spares;
        server->spares = req->private_->next;
        request_free(req);
    }
    accounts_free(server->accounts);
    router_free(server->router);
    networks_free(&server->proxies);
    if (server->listener >= 0)
        close(server->listener);
    pthread_cond_destroy(&server->idle);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

static struct http_server *server_new(const struct http_server_options *options)
{
    struct http_server *server = calloc(1, sizeof(*server));
    uint8_t random[8];
    if (server == NULL)
        abort();
    server->options = *options;
    fill_in(&server->options);
    server->listener = -1;
    randombytes_buf(random, sizeof(random));
    hex_encode(random, sizeof(random), server->id_prefix);
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return server;
}

struct http_server *http_server_start(const struct http_server_options *options, struct error *err)
{
    struct http_server *server = server_new(options);
    const struct http_server_options *o = &server->options;
    signal(SIGPIPE, SIG_IGN);
    server->router = router_new(o->tables, o->table_count, err);
    if (server->router == NULL || !networks_parse(o->trusted_proxies, &server->proxies, err) ||
        !cors_check_origins(o->cors_origins, err) || !listen_on(server, err))
        goto failed;
    raise_file_limit(o->max_connections);
    server->accounts = accounts_new(server->router, o->slow_request, o->quiet);
    server->connections = connections_new(o->idle_timeout, o->request_timeout, tick, server);
    server->handlers = handlers_new(o, run_request, err);
    if (server->handlers == NULL || !start_daemon(server, err))
        goto failed;
    add_gauges(server);
    return server;

failed:
    server_free(server);
    return NULL;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

/* ---- stop ---- */

/* True: nothing that was accepted is left; or what is left can be cut off, because no handler works on it. */
static bool wait_until_idle(struct http_server *server, int64_t timeout)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout / USEC_PER_SEC);
    until.tv_nsec += (long)(timeout % USEC_PER_SEC * 1000);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    int result = 0;
    pthread_mutex_lock(&server->lock);
    while (server->in_flight > 0 && result == 0)
        result = pthread_cond_timedwait(&server->idle, &server->lock, &until);
    bool idle = server->handed == 0;
    pthread_mutex_unlock(&server->lock);
    return idle;
}

/* Connections that the kernel has accepted for us would be reset with the listener, and whoever has sent a
 * request on one could not know whether it took effect. */
static void take_backlog(struct http_server *server, int listener)
{
    struct sockaddr_storage address;
    int flags = fcntl(listener, F_GETFL);
    if (flags < 0 || fcntl(listener, F_SETFL, flags | O_NONBLOCK) < 0)
        return;
    for (;;) {
        socklen_t len = sizeof(address);
        int fd = accept4(listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (MHD_add_connection(server->daemon, fd, (struct sockaddr *)&address, len) != MHD_YES)
            return; /* it has closed fd */
    }
}

/* A proxy hands requests over on connections that it keeps. Those that it has begun to send while we stop are
 * answered like any other, with `Connection: close`; only then are idle connections closed. */
static void let_peers_go(struct http_server *server)
{
    int64_t until = time_monotonic() + HANDOVER_TIME;
    while (connections_count(server->connections) > 0 && time_monotonic() < until)
        usleep(HANDOVER_STEP);
}

bool http_server_stop(struct http_server *server, int64_t timeout)
{
    int64_t started = time_monotonic();
    atomic_store(&server->draining, true);
    sse_close_all(server);
    int listener = MHD_quiesce_daemon(server->daemon);
    if (listener != MHD_INVALID_SOCKET) {
        take_backlog(server, listener);
        close(listener);
    }
    let_peers_go(server);
    atomic_store(&server->closed, true);
    int64_t left = started + timeout - time_monotonic();
    if (!wait_until_idle(server, left > 0 ? left : 0)) {
        LOG_WARN("requests are still running at the end of the time to stop",
                 LOG_NUM("requests", count_in_flight(server)));
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(gauges); i++)
        metric_gauge_forget(gauges[i]);
    /* A handler may still be on its way out of MHD_resume_connection, for an answer that has arrived. Nothing
     * is pushed any more: every request that did not see `closed` was counted in flight. */
    handlers_free(server->handlers);
    server->handlers = NULL;
    connections_end(server->connections);
    MHD_stop_daemon(server->daemon);
    server_free(server);
    return true;
}

void http_performance(const struct request *req,
                      void (*visit)(void *to, const struct http_route_stats *stats), void *to)
{
    accounts_each(req->private_->server->accounts, visit, to);
}
