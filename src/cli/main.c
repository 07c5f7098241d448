/* trackerd: finds the subcommand and runs it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"

extern char **environ;

static const struct command *const commands[] = {
    &cmd_account,   &cmd_api,   &cmd_config,  &cmd_export,  &cmd_health, &cmd_import,
    &cmd_judge,     &cmd_keys,  &cmd_migrate, &cmd_openapi, &cmd_places, &cmd_report,
    &cmd_scheduler, &cmd_tasks, &cmd_user,    &cmd_worker,
};

static void print_help(FILE *out)
{
    fputs("trackerd - follows goods by Apple Find My tags\n\n"
          "Usage: trackerd COMMAND [OPTIONS]\n\nCommands:\n",
          out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    fputs(
        "\n`trackerd COMMAND --help` tells more. Settings come from the environment: see `trackerd config`.\n"
        "  --help       this text\n"
        "  --version    the version\n\n"
        "Exit status: 0 done, 1 failed (one line on standard error says why), 2 bad usage. Commands that have\n"
        "more say so in their help.\n",
        out);
}

int cli_usage(const char *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "trackerd %s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry: trackerd %s --help\n", command);
    return EXIT_USAGE;
}

int cli_fail(const struct error *err)
{
    fprintf(stderr, "trackerd: %s\n", err->message);
    return EXIT_FAILED;
}

static const struct cli_option *find_option(const struct cli_option *options, size_t n, const char *arg,
                                            size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(options[i].name) == len && memcmp(options[i].name, arg, len) == 0)
            return &options[i];
    return NULL;
}

bool cli_options(int argc, char **argv, const struct cli_option *options, size_t n, int *positional)
{
    int kept = 0;
    bool only_positional = false;
    for (int i = 1; i < argc; i++) {
        char *arg = argv[i];
        if (only_positional || arg[0] != '-' || arg[1] == '\0') {
            argv[1 + kept++] = arg;
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            only_positional = true;
            continue;
        }
        const char *equals = strchr(arg, '=');
        size_t len = equals != NULL ? (size_t)(equals - arg) : strlen(arg);
        const struct cli_option *option = find_option(options, n, arg, len);
        if (option == NULL) {
            /* without its value, which may be a misplaced secret */
            cli_usage(argv[0], "unknown option %.*s", (int)len, arg);
            return false;
        }
        if (option->flag ? equals != NULL : (equals == NULL && i + 1 == argc)) {
            cli_usage(argv[0], option->flag ? "%s takes no value" : "%s needs a value", option->name);
            return false;
        }
        *option->value = option->flag ? "" : (equals != NULL ? equals + 1 : argv[++i]);
    }
    *positional = kept;
    return true;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static void print_command_help(const struct command *command)
{
    fputs(command->help, stdout);
    for (const struct command *const *part = command->parts; part != NULL && *part != NULL; part++) {
        putchar('\n');
        print_command_help(*part);
    }
}

static int run_command(const struct command *command, int argc, char **argv);

/* "decrypt, fetch or recordings" */
static const char *part_names(const struct command *command, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (const struct command *const *part = command->parts; *part != NULL && len < size; part++)
        len += (size_t)snprintf(out + len, size - len, "%s%s",
                                part == command->parts ? ""
                                : part[1] == NULL      ? " or "
                                                       : ", ",
                                (*part)->name);
    return out;
}

/* `trackerd NAME PART ...`: argv[0] is NAME. */
static int run_part(const struct command *command, int argc, char **argv)
{
    char name[64], names[128];
    const struct command *const *part = command->parts;
    if (argc < 2)
        return cli_usage(argv[0], "which? %s", part_names(command, names, sizeof(names)));
    while (*part != NULL && strcmp((*part)->name, argv[1]) != 0)
        part++;
    if (*part == NULL)
        return cli_usage(argv[0], "there is no %s; %s", argv[1], part_names(command, names, sizeof(names)));
    snprintf(name, sizeof(name), "%s %s", argv[0], argv[1]);
    argv[1] = name; /* cppcheck-suppress autoVariables ; nobody reads it after run_command */
    return run_command(*part, argc - 1, argv + 1);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    if (command->parts != NULL && !(argc > 1 && argv[1][0] == '-'))
        return run_part(command, argc, argv);
    if (command->parts != NULL || wants_help(argc, argv)) {
        if (!wants_help(argc, argv))
            return cli_usage(argv[0], "unknown option %s", argv[1]);
        print_command_help(command);
        return EXIT_OK;
    }
    struct config *config = NULL;
    if (command->settings) {
        struct error err;
        config = config_load(environ, &err);
        if (config == NULL)
            return cli_fail(&err);
        log_init("trackerd", (enum log_level)word_index(log_level_names, config->log_level));
    }
    int status = command->run(argc, argv, config);
    config_free(config);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("trackerd: cannot write to standard output\n", stderr);
        return EXIT_FAILED;
    }
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("trackerd " TRACKERD_VERSION);
        return EXIT_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return run_command(commands[i], argc - 1, argv + 1);
    fprintf(stderr, "trackerd: unknown command %s\nTry: trackerd --help\n", argv[1]);
    return EXIT_USAGE;
}
