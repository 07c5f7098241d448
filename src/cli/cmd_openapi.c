/* trackerd openapi: prints the OpenAPI document without settings or a database. */
#include <stdio.h>

#include "api/app.h"
#include "cli/cli.h"

static int run(int argc, char **argv, const struct config *config)
{
    (void)config;
    if (argc > 1)
        return cli_usage("openapi", "unexpected argument %s", argv[1]);
    struct arena *arena = arena_new();
    struct buf document = { 0 };
    const struct route *routes;
    size_t count = app_collect_routes(arena, &routes);
    char *nothing[] = { NULL };
    struct error err;
    struct config *defaults = config_load(nothing, &err);
    if (defaults == NULL)
        return cli_fail(&err);
    app_write_document(&document, routes, count, defaults->cookie_name);
    puts(buf_text(&document));
    config_free(defaults);
    buf_free(&document);
    arena_free(arena);
    return EXIT_OK;
}

const struct command cmd_openapi = {
    .name = "openapi",
    .summary = "print the OpenAPI document of the API",
    .help = "Usage: trackerd openapi\n\n"
            "Prints the OpenAPI 3.1 document that the API serves at /openapi.json. Needs no database.\n",
    .run = run,
};
