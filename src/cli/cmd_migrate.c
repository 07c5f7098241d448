/* trackerd migrate: brings the database's schema up to date. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/database.h"
#include "store/logins.h"
#include "store/migrate.h"

/* A connection address; libpq itself sets no bound. */
#define MAX_ADDRESS 4096

/* Files with the connection addresses of the processes whose logins are to be made; NULL: not asked for. */
struct logins {
    const char *api, *worker;
};

static void print_event(void *self, enum migrate_event event, const char *name, int64_t usec)
{
    (void)self;
    if (event == MIGRATE_WAITING) {
        fputs("trackerd: another migrator is at work; waiting for it\n", stderr);
        return;
    }
    if (event == MIGRATE_BUSY) {
        fprintf(stderr, "trackerd: %s waits for a table that is in use; trying again\n", name);
        return;
    }
    if (event == MIGRATE_PENDING)
        printf("would apply %s\n", name);
    else
        printf("applied %s (%lld ms)\n", name, (long long)(usec / 1000));
    fflush(stdout); /* a long migration follows; operators want to see how far it is */
}

/* A connection address from a file, as secrets are mounted. */
static bool read_address(struct arena *arena, const char *path, const char **address, struct error *err)
{
    char text[MAX_ADDRESS];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return error_set(err, "login_file", "%s cannot be read: %s", path, strerror(errno));
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    *address = arena_strdup(arena, text);
    OPENSSL_cleanse(text, sizeof(text));
    return true;
}

static bool make_logins(struct db *db, struct arena *arena, const struct logins *logins, struct error *err)
{
    const struct {
        const char *path, *group;
    } wanted[] = { { logins->api, "tracker_api" }, { logins->worker, "tracker_worker" } };
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        const char *address = NULL, *name = NULL;
        if (wanted[i].path == NULL)
            continue;
        if (!read_address(arena, wanted[i].path, &address, err) ||
            !login_ensure(db, arena, address, wanted[i].group, &name, err))
            return false;
        printf("login %s is a member of %s\n", name, wanted[i].group);
    }
    return true;
}

static int migrate(struct db *db, const struct migrate_options *options, const struct logins *logins)
{
    struct error err;
    struct migrate_report report;
    struct arena *arena = arena_new();
    bool done = migrate_run(db, arena, options, &report, &err);
    if (done && options->dry_run)
        printf("schema version %lld, %zu to apply, time series: %s (%s)\n", (long long)report.version,
               report.applied, report.timeseries, report.timeseries_detail);
    else if (done)
        printf("schema version %lld, time series: %s (%s)\n", (long long)report.version, report.timeseries,
               report.timeseries_detail);
    if (done && !options->dry_run)
        done = make_logins(db, arena, logins, &err);
    db_free(db);
    arena_free(arena);
    return done ? EXIT_OK : cli_fail(&err);
}

static int check(struct db *db)
{
    struct error err;
    bool good = migrate_check(db, &err);
    db_free(db);
    if (!good)
        return cli_fail(&err);
    puts("the schema is what this program needs");
    return EXIT_OK;
}

static int run(int argc, char **argv, const struct config *config)
{
    const char *dry_run = NULL, *only_check = NULL, *folder = NULL;
    struct logins logins = { 0 };
    int positional;
    const struct cli_option options[] = {
        { "--api-login", false, &logins.api }, { "--worker-login", false, &logins.worker },
        { "--dry-run", true, &dry_run },       { "--check", true, &only_check },
        { "--folder", false, &folder },
    };
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional > 0)
        return cli_usage(argv[0], "unexpected argument %s", argv[1]);
    if (only_check != NULL &&
        (dry_run != NULL || folder != NULL || logins.api != NULL || logins.worker != NULL))
        return cli_usage(argv[0], "--check stands alone");

    struct error err;
    struct db *db = cli_database(config, "trackerd migrate", &err);
    if (db == NULL)
        return cli_fail(&err);
    if (only_check != NULL)
        return check(db);
    return migrate(db,
                   &(struct migrate_options){
                       .folder = folder,
                       .dry_run = dry_run != NULL,
                       .notify = print_event,
                   },
                   &logins);
}

const struct command cmd_migrate = {
    .name = "migrate",
    .summary = "bring the database's schema up to date",
    .help =
        "Usage: trackerd migrate [--dry-run] [--folder DIR] [--api-login FILE] [--worker-login FILE]\n"
        "       trackerd migrate --check\n\n"
        "Applies the migrations that the database at DATABASE_URL does not have yet, each in a\n"
        "transaction of its own, and prints a line for each; then the schema's version, and which\n"
        "form the time series has: timescale where the server offers the extension timescaledb,\n"
        "else native partitions. The form is chosen once, by the first run.\n\n"
        "The login must be a superuser, or own the database and be a member of tracker_owner\n"
        "(see the operators' guide). Safe to run twice, and by several at once: the others wait up\n"
        "to a minute. Refused: a migration that was changed after it was applied, a gap in the\n"
        "numbers, a database newer than this program. A migration that fails leaves nothing behind.\n\n"
        "  --dry-run      only print what would be applied\n"
        "  --check        only tell whether the schema is what this program needs; works under the\n"
        "                 logins of the API and the workers, too\n"
        "  --folder DIR   take DIR/migrations and DIR/timeseries instead of what is built in\n"
        "  --api-login FILE, --worker-login FILE\n"
        "                 afterwards make the login that the DATABASE_URL in FILE names, or give it that\n"
        "                 password, with the rights of the API or of the workers\n\n"
        "Exit status: 0 done or up to date, 1 failed or (--check) not up to date, 2 wrong usage.\n",
    .settings = true,
    .run = run,
};
