/* trackerd api: serves the REST API until it is asked to stop. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/app.h"
#include "auth/principal.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/database.h"
#include "cli/secrets.h"
#include "http/server.h"
#include "jobs/jobs.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/redis.h"

static struct db *open_database(const struct config *config)
{
    const struct db_options options = {
        .url = config->database_url,
        .replica_url = config->database_replica_url,
        .transaction_pooler = strcmp(config->database_pooler, "transaction") == 0,
        .statement_timeout = config->database_statement_timeout,
        .connect_timeout = config->database_connect_timeout,
        .replica_max_lag = config->database_replica_max_lag,
        .application_name = "trackerd api",
    };
    return db_new(&options);
}

/* ---- hooks ---- */

static bool thread_start(const struct app *app, struct http_thread *thread, struct error *err)
{
    thread->redis = redis_new(app->config->redis_url, app->config->redis_timeout, err);
    if (thread->redis == NULL)
        return false;
    thread->db = open_database(app->config);
    return true;
}

static void thread_stop(const struct app *app, struct http_thread *thread)
{
    (void)app;
    db_free(thread->db);
    redis_free(thread->redis);
}

static bool before(struct request *req)
{
    if (req->db != NULL) /* routes that are answered on the network thread have none */
        db_use(req->db, req->arena, NULL);
    return app_before(req);
}

static void describe(const struct request *req, struct http_log_extra *extra)
{
    if (req->db == NULL)
        return;
    const struct db_stats *stats = db_stats(req->db);
    extra->user = req->principal != NULL ? req->principal->email : NULL;
    extra->db_usec = stats->usec;
    extra->db_statements = stats->statements;
}

static void queries(const struct request *req, struct json *json)
{
    if (req->db == NULL)
        return;
    const struct db_stats *stats = db_stats(req->db);
    for (size_t i = 0; i < stats->listed; i++) {
        json_start_object(json);
        json_put_text(json, "sql", stats->list[i].sql);
        json_put_double(json, "ms", (double)stats->list[i].usec / 1000);
        json_put_int(json, "rows", (int64_t)stats->list[i].rows);
        json_end_object(json);
    }
}

/* ---- start and stop ---- */

/* A login that could see past row security, or a schema that is not this binary's, must not serve. */
static bool check_database(const struct config *config, struct error *err)
{
    struct db *db = cli_database(config, "trackerd api", err);
    if (db == NULL)
        return false;
    struct arena *arena = arena_new();
    db_use(db, arena, NULL);
    bool ok = db_check_confined(db, err) && migrate_check(db, err);
    db_free(db);
    arena_free(arena);
    return ok;
}

/* Blocked before threads start, so that only sigwait sees them. */
static void block_stop_signals(sigset_t *stop)
{
    sigemptyset(stop);
    sigaddset(stop, SIGTERM);
    sigaddset(stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, stop, NULL);
}

static int serve(const struct config *config, struct app *app)
{
    const struct route_table table = { app->routes, app->route_count };
    struct http_server_options options = { 0 };
    http_options_from_config(&options, config);
    options.tables = &table;
    options.table_count = 1;
    options.hooks = (struct http_hooks){ .app = app,
                                         .thread_start = thread_start,
                                         .thread_stop = thread_stop,
                                         .before = before,
                                         .after = app_after,
                                         .fast = app_fast,
                                         .describe = describe,
                                         .queries = queries };
    sigset_t stop;
    block_stop_signals(&stop);
    struct error err;
    if (!app_start(app, &err))
        return cli_fail(&err);
    struct http_server *server = http_server_start(&options, &err);
    if (server == NULL) {
        app_stop(app);
        return cli_fail(&err);
    }
    LOG_INFO("api started", LOG_TEXT("address", config->http_address),
             LOG_NUM("port", http_server_port(server)));

    int received;
    sigwait(&stop, &received);
    LOG_INFO("api stopping", LOG_TEXT("signal", received == SIGINT ? "SIGINT" : "SIGTERM"));
    if (!http_server_stop(server, config->http_shutdown_timeout)) {
        LOG_WARN("requests were cut off",
                 LOG_REAL("after_s", (double)config->http_shutdown_timeout / USEC_PER_SEC));
        fflush(NULL);
        _exit(EXIT_FAILED); /* handlers still run on what would be freed */
    }
    app_stop(app);
    LOG_INFO("api stopped");
    return EXIT_OK;
}

static int run(int argc, char **argv, const struct config *config)
{
    if (argc > 1)
        return cli_usage("api", "unexpected argument %s", argv[1]);
    struct error err;
    if (!secrets_check(config, &err))
        return cli_fail(&err);
    struct app *app = app_new(config, &err);
    if (app == NULL)
        return cli_fail(&err);
    app->catalogue = &jobs_catalogue;
    int status = check_database(config, &err) ? serve(config, app) : cli_fail(&err);
    app_free(app);
    return status;
}

const struct command cmd_api = {
    .name = "api",
    .summary = "serve the REST API",
    .help = "Usage: trackerd api\n\n"
            "Serves the REST API, its OpenAPI document (/openapi.json, /docs), health and metrics on\n"
            "HTTP_ADDRESS and HTTP_PORT until SIGTERM or SIGINT; then it finishes what it accepted.\n\n"
            "Needed: DATABASE_URL (a login that is a member of tracker_api), MASTER_KEY, JWT_SECRET.\n"
            "`trackerd config` lists every setting.\n",
    .settings = true,
    .run = run,
};
