/* The command line: one table of subcommands, one file for each. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/config.h"
#include "base/error.h"

/* exit statuses */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command {
    const char *name;
    const char *summary; /* one line for `trackerd --help` */
    const char *help;    /* the whole of `trackerd NAME --help`, ends with a newline */
    bool settings;       /* load settings first; otherwise config is NULL */
    int (*run)(int argc, char **argv,
               const struct config *config); /* argv[0] is the subcommand; returns an exit status */
    /* NULL-terminated: `trackerd NAME PART ...`, where run is NULL and argv[0] of a part is "NAME PART";
     * `trackerd NAME --help` prints help, then that of the parts. Otherwise NULL. */
    const struct command *const *parts;
};

/* one for each file cmd_*.c */
extern const struct command cmd_account;
extern const struct command cmd_api;
extern const struct command cmd_config;
extern const struct command cmd_export;
extern const struct command cmd_health;
extern const struct command cmd_import;
extern const struct command cmd_judge;
extern const struct command cmd_keys;
extern const struct command cmd_keys_rotate; /* a part of cmd_keys */
extern const struct command cmd_migrate;
extern const struct command cmd_openapi;
extern const struct command cmd_places;
extern const struct command cmd_report;
extern const struct command cmd_report_fetch;      /* a part of cmd_report */
extern const struct command cmd_report_recordings; /* a part of cmd_report */
extern const struct command cmd_scheduler;
extern const struct command cmd_tasks;
extern const struct command cmd_user;
extern const struct command cmd_worker;

/* Print "trackerd NAME: message" and a pointer to --help on standard error; returns EXIT_USAGE. */
int cli_usage(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* Print "trackerd: message" on standard error; returns EXIT_FAILED. */
int cli_fail(const struct error *err);

/* One option of a subcommand for cli_options(). A text option stores its argument, a flag stores "" when it
 * is given. */
struct cli_option {
    const char *name;   /* "--format" */
    bool flag;          /* takes no argument */
    const char **value; /* unchanged when the option is not given */
};

/* Parse `--name value`, `--name=value` and flags. Positional arguments are moved to the front of argv (from
 * index 1) and *positional is their number. False: the usage error was printed already. "--" ends the
 * options; "-" is positional. */
MUST_CHECK bool cli_options(int argc, char **argv, const struct cli_option *options, size_t n,
                            int *positional);

#endif
