/* trackerd config: prints every setting, its value, where it comes from and what it means. */
#include <stdio.h>

#include "base/parse.h"
#include "cli/cli.h"

static const char *const formats[] = { "table", "env", "json", "markdown",
                                       NULL }; /* order of enum config_format */

static int run(int argc, char **argv, const struct config *config)
{
    const char *format = "table";
    int positional;
    const struct cli_option options[] = { { "--format", false, &format } };
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional > 0)
        return cli_usage(argv[0], "unexpected argument %s", argv[1]);
    int index = word_index(formats, format);
    if (index < 0)
        return cli_usage(argv[0], "--format must be table, env, json or markdown, not %s", format);

    struct buf out = { 0 };
    config_print(config, (enum config_format)index, &out);
    fputs(buf_text(&out), stdout);
    buf_free(&out);
    return EXIT_OK;
}

const struct command cmd_config = {
    .name = "config",
    .summary = "print every setting, its value, source and meaning",
    .help = "Usage: trackerd config [--format table|env|json|markdown]\n\n"
            "Prints every setting with its value (secrets are masked), where the value comes from\n"
            "(default, environment, file, secret file) and its meaning.\n\n"
            "Settings come from environment variables, or from a file of NAME=VALUE lines that the\n"
            "variable TRACKERD_CONFIG names; the environment wins. A secret can also be read from a\n"
            "file: NAME_FILE=/path. An unknown or malformed setting stops every command.\n\n"
            "  --format table     columns for reading (default)\n"
            "  --format env       a commented file for TRACKERD_CONFIG or Docker\n"
            "  --format json      an array of objects\n"
            "  --format markdown  the tables of the documentation\n",
    .settings = true,
    .run = run,
};
