/* Applies migrations. Each one takes the lock, reads the books, runs and is noted in one transaction of its
 * own: nothing depends on a session, so that a pooler may stand between, and a migrator that dies leaves
 * nothing. */
#include "store/migrate.h"

#include <inttypes.h>
#include <string.h>

#include "base/timeutil.h"
#include "store/migration_set.h"

#define DEFAULT_LOCK_TIMEOUT SECONDS(60)
#define LOCK_POLL            (USEC_PER_SEC / 5)

/* Whoever wants a table queues behind a migration that waits for it. So a migration waits this long for each
 * lock, then lets those behind it through for a pause and tries again, as long as the patience lasts. */
#define TABLE_WAIT     "2s"
#define TABLE_PAUSE    SECONDS(1)
#define TABLE_PATIENCE SECONDS(120)

#define LOCK_NOT_AVAILABLE "55P03"

static const struct db_context no_context = { 0 };

struct run {
    struct db *db;
    struct arena *arena;
    const struct migrate_options *options;
    struct migrate_report *report;
    struct migration_set set;
    struct error *err;
    int64_t books;    /* migrations noted in the database */
    bool have_books;  /* the table exists */
    bool told_wait;   /* MIGRATE_WAITING was told */
    bool busy;        /* the last migration failed because of others' locks */
    const char *form; /* of the time series */
};

/* ---- asking ---- */

static bool fail_rows(struct run *run, const struct rows *rows, const char *doing)
{
    if (rows_status(rows) == DB_UNAVAILABLE)
        return error_set(run->err, "database_unavailable", "%s: %s", doing, rows_message(rows));
    return error_set(run->err, "database_error", "%s: %s", doing, rows_message(rows));
}

static bool execute(struct run *run, const char *sql, const char *doing)
{
    const struct rows *rows = db_execute(run->db, sql);
    return rows_ok(rows) || fail_rows(run, rows, doing);
}

static void notify(const struct run *run, enum migrate_event event, const char *name, int64_t usec)
{
    if (run->options->notify != NULL)
        run->options->notify(run->options->self, event, name, usec);
}

/* ---- lock ---- */

/* One migrator for each database, until the end of the transaction. */
static bool take_lock(struct run *run)
{
    int64_t limit = run->options->lock_timeout > 0 ? run->options->lock_timeout : DEFAULT_LOCK_TIMEOUT;
    int64_t give_up = time_monotonic() + limit;
    for (;;) {
        const struct rows *rows = db_query(
            run->db, "SELECT pg_try_advisory_xact_lock(hashtextextended('trackerd migrate', 0))", "");
        if (!rows_ok(rows))
            return fail_rows(run, rows, "taking the lock");
        if (rows_bool(rows, 0, 0))
            return true;
        if (time_monotonic() >= give_up)
            return error_set(run->err, "migration_lock",
                             "another migrator has been at work for %" PRId64 " s", limit / USEC_PER_SEC);
        if (!run->told_wait)
            notify(run, MIGRATE_WAITING, NULL, 0);
        run->told_wait = true;
        clock_sleep(&clock_system, LOCK_POLL);
    }
}

/* ---- books ---- */

static bool check_noted(struct run *run, const struct rows *rows, size_t i)
{
    int64_t version = rows_int(rows, i, 0);
    const char *name = rows_text(rows, i, 1);
    if (version != (int64_t)i + 1)
        return error_set(run->err, "migration_gap",
                         "the database has migration %s but not number %04zu before it", name, i + 1);
    if (i >= run->set.count)
        return error_set(
            run->err, "database_newer",
            "the database is newer than this program: it has migration %s, the newest known here is %s", name,
            run->set.list[run->set.count - 1].name);
    const char *text = migration_assemble(run->arena, &run->set, &run->set.list[i], run->form, run->err);
    if (text == NULL)
        return false;
    char digest[MIGRATION_DIGEST_SIZE];
    migration_digest(text, digest);
    if (strcmp(digest, rows_text(rows, i, 2)) != 0)
        return error_set(
            run->err, "migration_changed",
            "migration %s was changed after it had been applied; undo the change and write a new migration",
            name);
    return true;
}

/* Compare what the database says was applied with what there is. */
static bool read_books(struct run *run)
{
    const struct rows *rows = db_query(run->db, "SELECT to_regclass('public.schema_migrations') IS NOT NULL",
                                       "");
    if (!rows_ok(rows))
        return fail_rows(run, rows, "looking for schema_migrations");
    run->have_books = rows_bool(rows, 0, 0);
    run->books = 0;
    if (!run->have_books)
        return true;
    rows = db_query(run->db, "SELECT version, name, sha256 FROM public.schema_migrations ORDER BY version",
                    "");
    if (!rows_ok(rows))
        return fail_rows(run, rows, "reading schema_migrations");
    for (size_t i = 0; i < rows_count(rows); i++)
        if (!check_noted(run, rows, i))
            return false;
    run->books = (int64_t)rows_count(rows);
    return true;
}

static const char make_books[] =
    "CREATE TABLE public.schema_migrations ("
    " version bigint PRIMARY KEY CONSTRAINT schema_migrations_version_range CHECK (version BETWEEN 1 AND 9999),"
    " name text NOT NULL CONSTRAINT schema_migrations_name_length CHECK (length(name) <= 255),"
    " sha256 text NOT NULL CONSTRAINT schema_migrations_sha256_form CHECK (sha256 ~ '^[0-9a-f]{64}$'),"
    " applied_at timestamptz NOT NULL DEFAULT now());"
    "COMMENT ON TABLE public.schema_migrations IS 'Books of trackerd migrate: which migration was applied when'";

/* Servers read the books at their start; whoever migrates next, as another member of the owner, goes on with
 * them. A folder of somebody else's migrations need not have our roles. */
static const char open_books[] =
    "DO $$ DECLARE r record; BEGIN"
    " FOR r IN SELECT rolname, CASE rolname WHEN 'tracker_owner' THEN 'SELECT, INSERT' ELSE 'SELECT' END AS rights"
    "  FROM pg_roles WHERE rolname IN ('tracker_owner', 'tracker_api', 'tracker_worker') LOOP"
    "  EXECUTE format('GRANT %s ON public.schema_migrations TO %I', r.rights, r.rolname);"
    " END LOOP; END $$";

static bool note(struct run *run, const struct migration *migration, const char *text)
{
    char digest[MIGRATION_DIGEST_SIZE];
    migration_digest(text, digest);
    const struct rows *rows = db_query(
        run->db, "INSERT INTO public.schema_migrations (version, name, sha256) VALUES ($1, $2, $3)", "iss",
        migration->version, migration->name, digest);
    if (!rows_ok(rows))
        return fail_rows(run, rows, "noting the migration");
    return run->have_books || execute(run, open_books, "opening schema_migrations to the servers");
}

/* ---- time series ---- */

/* The first row names the extension's version and what speaks against it, if anything. by_range() and its
 * like came with 2.13; the Apache edition has neither compression nor continuous aggregates. A loaded library
 * is known by its settings, since shared_preload_libraries is not for everybody to read. */
static const char weigh_timescale[] =
    "SELECT version, CASE"
    " WHEN version IS NULL THEN 'the server does not offer the extension timescaledb'"
    " WHEN NOT EXISTS (SELECT FROM pg_settings WHERE name LIKE 'timescaledb.%')"
    "  THEN 'timescaledb is installed but not in shared_preload_libraries'"
    " WHEN (regexp_match(version, '^([0-9]+)[.]([0-9]+)'))::int[] < ARRAY[2, 13]"
    "  THEN 'timescaledb ' || version || ' is older than 2.13'"
    " WHEN current_setting('timescaledb.license', true) = 'apache'"
    "  THEN 'the Apache edition of timescaledb lacks continuous aggregates'"
    " WHEN NOT usable THEN 'only a superuser can create the extension timescaledb here'"
    " END"
    " FROM (SELECT max(coalesce(e.installed_version, e.default_version)) AS version,"
    "  bool_or(e.installed_version IS NOT NULL OR v.trusted OR r.rolsuper) AS usable"
    "  FROM pg_available_extensions e"
    "  JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version"
    "  CROSS JOIN pg_roles r WHERE e.name = 'timescaledb' AND r.rolname = current_user) offered";

/* What the first migration chose, "" when nothing has been chosen. */
static bool read_form(struct run *run, const char **form)
{
    *form = "";
    const struct rows *rows = db_query(run->db, "SELECT to_regclass('public.schema_info') IS NOT NULL", "");
    if (!rows_ok(rows))
        return fail_rows(run, rows, "looking for schema_info");
    if (!rows_bool(rows, 0, 0))
        return true;
    rows = db_query(run->db, "SELECT value FROM public.schema_info WHERE key = 'timeseries_form'", "");
    if (!rows_ok(rows))
        return fail_rows(run, rows, "reading schema_info");
    if (rows_count(rows) > 0)
        *form = rows_text(rows, 0, 0);
    return true;
}

static bool choose_form(struct run *run)
{
    const char *chosen;
    if (!read_form(run, &chosen))
        return false;
    const struct rows *rows = db_query(run->db, weigh_timescale, "");
    if (!rows_ok(rows))
        return fail_rows(run, rows, "asking for timescaledb");
    const char *against = rows_null(rows, 0, 1) ? NULL : rows_text(rows, 0, 1);
    const char *version = rows_null(rows, 0, 0) ? "" : rows_text(rows, 0, 0);

    bool native = chosen[0] != '\0' ? strcmp(chosen, "native") == 0 : against != NULL;
    if (native && against == NULL)
        against = "chosen by the first migration, before the server offered timescaledb";
    run->form = native ? "native" : "timescale";
    run->report->timeseries = run->form;
    run->report->timeseries_detail = native ? against
                                            : arena_printf(run->arena, "timescaledb %s",
                                                           version[0] != '\0' ? version : "is away");
    return true;
}

/* ---- one migration ---- */

/* A login may have settings of its own: names must mean ours, and no time limit ends a long change halfway.
 */
static const char settle_session[] = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;"
                                     "SET LOCAL search_path = public;"
                                     "SET LOCAL statement_timeout = 0;"
                                     "SET LOCAL lock_timeout = '" TABLE_WAIT "';"
                                     "SET LOCAL client_min_messages = warning";

static bool apply(struct run *run, const struct migration *migration)
{
    const char *text = migration_assemble(run->arena, &run->set, migration, run->form, run->err);
    if (text == NULL)
        return false;
    if (!run->have_books && !execute(run, make_books, "making schema_migrations"))
        return false;
    const struct rows *rows = db_execute(run->db, text);
    if (rows_status(rows) == DB_UNAVAILABLE)
        return fail_rows(run, rows, migration->name);
    run->busy = rows_status(rows) == DB_CONFLICT || strcmp(rows_sqlstate(rows), LOCK_NOT_AVAILABLE) == 0;
    if (!rows_ok(rows))
        return error_set(run->err, "migration_failed", "migration %s failed, nothing of it was kept: %s (%s)",
                         migration->name, rows_message(rows), rows_sqlstate(rows));
    return note(run, migration, text);
}

/* In an open transaction: apply the next migration, if there is one. *name is it, or NULL. */
static bool apply_next(struct run *run, const char **name)
{
    *name = NULL;
    if (!execute(run, settle_session, "preparing the session") || !take_lock(run) || !choose_form(run) ||
        !read_books(run))
        return false;
    if ((size_t)run->books == run->set.count)
        return true;
    *name = run->set.list[run->books].name;
    return apply(run, &run->set.list[run->books]);
}

static bool step(struct run *run, bool *more)
{
    const char *name;
    int64_t started = time_monotonic();
    if (!db_begin(run->db, run->err))
        return false;
    if (!apply_next(run, &name)) {
        db_rollback(run->db);
        return false;
    }
    if (!db_commit(run->db, run->err))
        return false;
    *more = name != NULL;
    if (*more) {
        run->report->applied++;
        run->report->version = run->books + 1;
        notify(run, MIGRATE_APPLIED, name, time_monotonic() - started);
    }
    return true;
}

static bool step_patiently(struct run *run, bool *more)
{
    int64_t give_up = time_monotonic() + TABLE_PATIENCE;
    for (;;) {
        run->busy = false;
        if (step(run, more))
            return true;
        if (!run->busy || time_monotonic() >= give_up)
            return false;
        notify(run, MIGRATE_BUSY, run->set.list[run->books].name, 0);
        clock_sleep(&clock_system, TABLE_PAUSE);
    }
}

/* ---- the whole ---- */

static bool preview(struct run *run)
{
    if (!choose_form(run) || !read_books(run))
        return false;
    run->report->version = run->books;
    for (size_t i = (size_t)run->books; i < run->set.count; i++) {
        if (migration_assemble(run->arena, &run->set, &run->set.list[i], run->form, run->err) == NULL)
            return false;
        run->report->applied++;
        notify(run, MIGRATE_PENDING, run->set.list[i].name, 0);
    }
    run->report->already = (size_t)run->books;
    return true;
}

/* Time goes on between two migrations: reports of the coming months need their partitions. */
static bool make_partitions(struct run *run)
{
    const struct rows *rows = db_query(
        run->db, "SELECT to_regprocedure('public.ensure_partitions(interval)') IS NOT NULL", "");
    if (!rows_ok(rows))
        return fail_rows(run, rows, "looking for ensure_partitions");
    return !rows_bool(rows, 0, 0) || execute(run, "SELECT public.ensure_partitions()", "making partitions");
}

bool migrate_run(struct db *db, struct arena *arena, const struct migrate_options *options,
                 struct migrate_report *report, struct error *err)
{
    struct run run = { .db = db, .arena = arena, .options = options, .report = report, .err = err };
    *report = (struct migrate_report){ 0 };
    if (!migration_set_read(arena, options->folder, &run.set, err))
        return false;
    db_use(db, arena, &no_context);
    if (options->dry_run)
        return preview(&run);
    bool more;
    do
        if (!step_patiently(&run, &more))
            return false;
    while (more);
    report->version = run.books;
    report->already = (size_t)run.books - report->applied;
    return make_partitions(&run);
}

/* ---- servers at start ---- */

static bool check_version(struct db *db, struct error *err)
{
    static const char advice[] = "run `trackerd migrate`";
    const struct rows *rows = db_query(db, "SELECT to_regclass('public.schema_migrations') IS NOT NULL", "");
    if (rows_status(rows) == DB_UNAVAILABLE)
        return error_set(err, "database_unavailable", "%s", rows_message(rows));
    if (!rows_ok(rows))
        return error_set(err, "database_error", "the schema cannot be checked: %s", rows_message(rows));
    if (!rows_bool(rows, 0, 0))
        return error_set(err, "schema_missing", "the database has no schema yet: %s", advice);

    rows = db_query(db, "SELECT coalesce(max(version), 0) FROM public.schema_migrations", "");
    if (rows_status(rows) == DB_DENIED)
        return error_set(err, "schema_denied",
                         "this login may not read the schema's version: make it a member of tracker_api or "
                         "tracker_worker after `trackerd migrate`");
    if (!rows_ok(rows))
        return error_set(err, "database_error", "the schema cannot be checked: %s", rows_message(rows));
    int64_t version = rows_int(rows, 0, 0), needed = migration_newest();
    if (version < needed)
        return error_set(err, "schema_old",
                         "the database has schema version %" PRId64 ", this program needs %" PRId64 ": %s",
                         version, needed, advice);
    return true;
}

bool migrate_check(struct db *db, struct error *err)
{
    struct arena *arena = arena_new();
    db_use(db, arena, &no_context);
    bool good = check_version(db, err);
    arena_free(arena);
    return good;
}
