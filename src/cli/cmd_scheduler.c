/* trackerd scheduler: turns schedules into tasks until it is asked to stop. */
#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/monitor.h"
#include "jobs/jobs.h"
#include "tasks/scheduler.h"

static bool health(void *scheduler, struct buf *out)
{
    return scheduler_health(scheduler, out);
}

static int run(int argc, char **argv, const struct config *config)
{
    const char *port = NULL;
    const struct cli_option options[] = { { "--metrics-port", false, &port } };
    int64_t metrics_port = config->metrics_port;
    int positional;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional > 0)
        return cli_usage("scheduler", "unexpected argument %s", argv[1]);
    if (port != NULL && !parse_i64_range(port, 0, UINT16_MAX, &metrics_port))
        return cli_usage("scheduler", "--metrics-port is a port, or 0 for none");

    struct error err;
    sigset_t stop;
    if (!cli_check_schema(config, &err))
        return cli_fail(&err);
    stop_signals_block(&stop);
    struct scheduler *scheduler = scheduler_start(config, &jobs_catalogue, &err);
    if (scheduler == NULL)
        return cli_fail(&err);
    struct monitor *monitor = monitor_start(config, metrics_port, health, scheduler, &err);
    int status = monitor != NULL ? EXIT_OK : cli_fail(&err);
    if (monitor != NULL) {
        LOG_INFO("scheduler started");
        LOG_INFO("scheduler stopping", LOG_TEXT("signal", stop_signals_wait(&stop)));
    }
    monitor_stop(monitor);
    scheduler_stop(scheduler);
    return status;
}

const struct command cmd_scheduler = {
    .name = "scheduler",
    .summary = "turn schedules into tasks",
    .help = "Usage: trackerd scheduler [OPTIONS]\n\n"
            "Adds a task for each schedule that is due, until SIGTERM or SIGINT: schedules of the database\n"
            "(`/api/v1/task-schedules`) and those that TaskiQ clients keep in Redis. Any number may run;\n"
            "one of them leads at a time.\n\n"
            "  --metrics-port=P    /metrics and /health/live (default: METRICS_PORT; 0: none)\n\n"
            "Needed: DATABASE_URL (a login that is a member of tracker_worker).\n",
    .settings = true,
    .run = run,
};
