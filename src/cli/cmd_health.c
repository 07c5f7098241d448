/* trackerd health: asks a process of this system how it is, for health checks in containers without other
 * tools. */
#include <stdio.h>

#include "base/timeutil.h"
#include "cli/cli.h"
#include "net/httpc.h"

/* Shorter than the interval at which supervisors usually ask. */
#define HEALTH_TIMEOUT  SECONDS(5)
#define HEALTH_MAX_BODY (64u * 1024)

static bool ask(const char *url, struct arena *arena, struct http_in *answer, struct error *err)
{
    const struct httpc_options options = { 0 };
    struct http_client *client = httpc_curl_new(&options, err);
    if (client == NULL)
        return false;
    const struct http_out question = { .url = url, .timeout = HEALTH_TIMEOUT, .max_body = HEALTH_MAX_BODY };
    bool answered = httpc_request(client, &question, answer, arena, err);
    httpc_close(client);
    return answered;
}

static int run(int argc, char **argv, const struct config *config)
{
    int positional;
    if (!cli_options(argc, argv, NULL, 0, &positional))
        return EXIT_USAGE;
    if (positional > 1)
        return cli_usage(argv[0], "unexpected argument %s", argv[2]);

    struct arena *arena = arena_new();
    const char *url = positional == 1 ? argv[1]
                                      : arena_printf(arena, "http://127.0.0.1:%lld/health/ready",
                                                     (long long)config->http_port);
    struct http_in answer;
    struct error err;
    int status = EXIT_OK;
    if (!ask(url, arena, &answer, &err)) {
        struct error told;
        error_set(&told, err.code, "nothing answers at %s: %s", url, err.message);
        status = cli_fail(&told);
    } else {
        printf("%s\n", answer.body);
        if (answer.status != 200)
            status = EXIT_FAILED;
    }
    arena_free(arena);
    return status;
}

const struct command cmd_health = {
    .name = "health",
    .summary = "ask a running process how it is",
    .help =
        "Usage: trackerd health [URL]\n\n"
        "Asks URL, or the API of this machine at HTTP_PORT when it is left out, and prints the answer.\n"
        "Ends with 0 when the answer is 200, with 1 when it is another or does not come.\n\n"
        "  trackerd health http://127.0.0.1:8000/health/ready      the API can serve requests\n"
        "  trackerd health http://127.0.0.1:8000/health/pipeline   reports are fetched and judged in time\n"
        "  trackerd health http://127.0.0.1:9000/health/live       a worker makes progress (METRICS_PORT)\n",
    .settings = true,
    .run = run,
};
