/* Metrics and health of processes without an API, by the same HTTP server. */
#include "cli/monitor.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/timeutil.h"
#include "cli/database.h"
#include "http/server.h"
#include "store/migrate.h"

struct monitor {
    struct http_server *server; /* NULL: no port was wanted */
    bool (*health)(void *self, struct buf *out);
    void *self;
    struct route routes[2];
    struct route_table table;
};

static void get_metrics(struct request *req)
{
    struct buf text = { 0 };
    metrics_write(&text);
    reply_text(req, 200, METRICS_CONTENT_TYPE, buf_text(&text), text.len);
    buf_free(&text);
}

static void get_live(struct request *req)
{
    const struct monitor *monitor = req->route->data;
    struct buf body = { 0 };
    bool well = monitor->health(monitor->self, &body);
    reply_json(req, well ? 200 : 503, &body);
}

static bool listen_on(struct monitor *monitor, const struct config *config, int64_t port, struct error *err)
{
    struct http_server_options options = { 0 };
    monitor->routes[0] = (struct route){ .method = HTTP_GET,
                                         .path = "/metrics",
                                         .handle = get_metrics,
                                         .access = ACCESS_PUBLIC,
                                         .flags = ROUTE_FAST | ROUTE_HIDDEN };
    monitor->routes[1] = (struct route){ .method = HTTP_GET,
                                         .path = "/health/live",
                                         .handle = get_live,
                                         .access = ACCESS_PUBLIC,
                                         .flags = ROUTE_FAST | ROUTE_HIDDEN,
                                         .data = monitor };
    monitor->table = (struct route_table){ monitor->routes, ARRAY_LEN(monitor->routes) };
    http_options_from_config(&options, config);
    options.port = (uint16_t)port;
    options.threads = options.handlers = 1;
    options.max_connections = 100;
    options.quiet = true;
    options.tables = &monitor->table;
    options.table_count = 1;
    monitor->server = http_server_start(&options, err);
    return monitor->server != NULL;
}

struct monitor *monitor_start(const struct config *config, int64_t port,
                              bool (*health)(void *self, struct buf *out), void *self, struct error *err)
{
    struct monitor *monitor = calloc(1, sizeof(*monitor));
    if (monitor == NULL) {
        error_set(err, "memory", "not enough memory");
        return NULL;
    }
    monitor->health = health;
    monitor->self = self;
    if (port == 0 || listen_on(monitor, config, port, err))
        return monitor;
    free(monitor);
    return NULL;
}

void monitor_stop(struct monitor *monitor)
{
    if (monitor == NULL)
        return;
    if (monitor->server != NULL && !http_server_stop(monitor->server, SECONDS(2)))
        LOG_WARN("the metrics port did not close in time");
    free(monitor);
}

/* ---- start ---- */

bool cli_check_schema(const struct config *config, struct error *err)
{
    struct db *db = cli_database(config, "trackerd", err);
    if (db == NULL)
        return false;
    struct arena *arena = arena_new();
    db_use(db, arena, NULL);
    bool ok = migrate_check(db, err);
    db_free(db);
    arena_free(arena);
    return ok;
}

/* ---- signals ---- */

void stop_signals_block(sigset_t *stop)
{
    sigemptyset(stop);
    sigaddset(stop, SIGTERM);
    sigaddset(stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, stop, NULL);
}

const char *stop_signals_wait(const sigset_t *stop)
{
    int received;
    sigwait(stop, &received);
    return received == SIGINT ? "SIGINT" : "SIGTERM";
}
