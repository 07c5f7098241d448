/* trackerd worker: executes tasks and does duties until it is asked to stop. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/monitor.h"
#include "cli/secrets.h"
#include "jobs/jobs.h"
#include "tasks/worker.h"

static bool health(void *worker, struct buf *out)
{
    return worker_health(worker, out);
}

static int work(const struct worker_options *options, int64_t port)
{
    sigset_t stop;
    struct error err;
    stop_signals_block(&stop); /* before threads start, so that only this one gets them */
    struct worker *worker = worker_start(options, &err);
    if (worker == NULL)
        return cli_fail(&err);
    struct monitor *monitor = monitor_start(options->config, port, health, worker, &err);
    int status = EXIT_OK;
    if (monitor == NULL) {
        status = cli_fail(&err);
    } else {
        LOG_INFO("worker started", LOG_TEXT("worker", worker_name(worker)),
                 LOG_TEXT("queues", options->queues));
        LOG_INFO("worker stopping", LOG_TEXT("signal", stop_signals_wait(&stop)));
    }
    monitor_stop(monitor);
    if (!worker_stop(worker, options->config->worker_stop)) {
        LOG_WARN("executions were cut off", LOG_NUM("after_s", options->config->worker_stop / USEC_PER_SEC));
        fflush(NULL);
        _exit(EXIT_FAILED); /* threads still run on what would be freed */
    }
    LOG_INFO("worker stopped");
    return status;
}

static int run(int argc, char **argv, const struct config *config)
{
    const char *queues = NULL, *threads = NULL, *port = NULL;
    const struct cli_option options[] = {
        { "--queues", false, &queues },
        { "--threads", false, &threads },
        { "--metrics-port", false, &port },
    };
    int64_t count = 0, metrics_port = config->metrics_port;
    int positional;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional > 0)
        return cli_usage("worker", "unexpected argument %s", argv[1]);
    if (threads != NULL && !parse_i64_range(threads, 1, 256, &count))
        return cli_usage("worker", "--threads is a number from 1 to 256");
    if (port != NULL && !parse_i64_range(port, 0, UINT16_MAX, &metrics_port))
        return cli_usage("worker", "--metrics-port is a port, or 0 for none");

    struct error err;
    if (!worker_queues_valid(queues, &err))
        return cli_usage("worker", "%s", err.message);
    if (!secrets_check(config, &err) || !cli_check_schema(config, &err))
        return cli_fail(&err);
    struct jobs_shared *shared = jobs_shared_new(config, &err);
    if (shared == NULL)
        return cli_fail(&err);
    const struct worker_options worker = { .config = config,
                                           .catalogue = &jobs_catalogue,
                                           .queues = queues,
                                           .threads = (int)count,
                                           .shared = shared };
    int status = work(&worker, metrics_port);
    jobs_shared_free(shared);
    return status;
}

const struct command cmd_worker = {
    .name = "worker",
    .summary = "execute tasks and do what is due",
    .help =
        "Usage: trackerd worker [OPTIONS]\n\n"
        "Executes tasks and does what is due until SIGTERM or SIGINT; then short executions finish, long\n"
        "ones are handed back, and what has not ended within WORKER_STOP is cut off. Any number may run.\n\n"
        "  --queues=A,B        only these: fetch, judge, geocode, history, notify, default (default: all)\n"
        "  --threads=N         executions at the same time (default: WORKER_THREADS)\n"
        "  --metrics-port=P    /metrics and /health/live (default: METRICS_PORT; 0: none)\n\n"
        "Needed: DATABASE_URL (a login that is a member of tracker_worker), MASTER_KEY.\n"
        "`trackerd config` lists every setting.\n",
    .settings = true,
    .run = run,
};
