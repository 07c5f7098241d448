/* trackerd keys rotate-master: seals everything that an older master key sealed anew with the current one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/seal.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/database.h"

/* Rows of one statement, which is one transaction: what is done stays done. Recordings are large. */
#define BATCH       500
#define BATCH_LARGE 4

#define PROGRESS_EVERY (2 * USEC_PER_SEC)

/* Everything that is sealed at rest in the database, with the context that it is sealed with: an SQL text
 * over the row `t`. See docs/developers/database.md. */
static const struct sealed_column {
    const char *table, *column, *context;
    size_t batch;
} columns[] = {
    { "tracker_keys", "private_key_sealed", "'tracker_key:' || encode(t.key_hash, 'hex')", BATCH },
    { "apple_accounts", "credentials_sealed", "'apple_account:' || t.id || ':credentials'", BATCH },
    { "apple_accounts", "session_sealed", "'apple_account:' || t.id || ':session'", BATCH_LARGE },
    { "apple_accounts", "anisette_sealed", "'apple_account:' || t.id || ':anisette'", BATCH_LARGE },
    { "provider_recordings", "sealed", "'provider_recording:' || t.id", BATCH_LARGE },
    { "webhooks", "secret_sealed", "'webhook:' || t.id", BATCH },
};

struct rotation {
    struct db *db;
    struct arena *arena; /* of one batch */
    struct sealer sealer;
    char key_id[HEX_SIZE(4)]; /* of the current key, as master_key_id has it */
    bool dry_run;
    int64_t resealed, changed, failed; /* of one column; changed: by somebody else meanwhile */
    int64_t told_at;
};

static void progress(struct rotation *rotation, const struct sealed_column *column, bool always)
{
    int64_t now = time_monotonic();
    if (!always && now - rotation->told_at < PROGRESS_EVERY)
        return;
    rotation->told_at = now;
    printf("%s.%s: %" PRId64 " %s", column->table, column->column, rotation->resealed,
           rotation->dry_run ? "to seal anew" : "sealed anew");
    if (rotation->failed > 0)
        printf(", %" PRId64 " failed", rotation->failed);
    putchar('\n');
    fflush(stdout);
}

static bool database_failed(const struct rows *rows, const char *table, struct error *err)
{
    if (rows_status(rows) == DB_UNAVAILABLE)
        return error_set(err, "database_unavailable", "%s; start again to go on", rows_message(rows));
    if (rows_status(rows) == DB_DENIED)
        return error_set(err, "denied",
                         "this login may not rotate %s: DATABASE_URL must be a worker's or the owner's",
                         table);
    return error_set(err, "database", "%s: %s", table, rows_message(rows));
}

/* ---- one batch ---- */

/* New values as array literals. */
struct changes {
    struct buf ids, old, sealed;
    size_t count;
};

static void changes_free(struct changes *changes)
{
    buf_free(&changes->ids);
    buf_free(&changes->old);
    buf_free(&changes->sealed);
}

static void put_bytes(struct rotation *rotation, struct buf *out, const void *bytes, size_t len)
{
    char *hex = arena_alloc(rotation->arena, HEX_SIZE(len));
    hex_encode(bytes, len, hex);
    buf_printf(out, "%c\"\\\\x", out->len == 0 ? '{' : ',');
    buf_append(out, hex, 2 * len);
    buf_putc(out, '"');
}

/* A value that does not open is left as it is, told, and fails the run in the end. */
static void reseal(struct rotation *rotation, const struct sealed_column *column, int64_t id,
                   const char *context, const uint8_t *sealed, size_t len, struct changes *changes)
{
    struct error err;
    if (!seal_is_stale(&rotation->sealer, sealed, len))
        return;
    size_t plain_len = len > SEAL_OVERHEAD ? len - SEAL_OVERHEAD : 0;
    uint8_t *plain = arena_secret(rotation->arena, plain_len + 1);
    uint8_t *fresh = arena_alloc(rotation->arena, len + 1);
    if (!unseal(&rotation->sealer, context, sealed, len, plain, &err)) {
        fprintf(stderr, "trackerd: %s %" PRId64 ", %s: %s\n", column->table, id, column->column, err.message);
        rotation->failed++;
        return;
    }
    rotation->resealed++;
    if (rotation->dry_run || !seal(&rotation->sealer, context, plain, plain_len, fresh))
        return;
    buf_printf(&changes->ids, "%c%" PRId64, changes->count == 0 ? '{' : ',', id);
    put_bytes(rotation, &changes->old, sealed, len);
    put_bytes(rotation, &changes->sealed, fresh, len);
    changes->count++;
}

/* Only while the value is still the one that was read: a process that runs may have written a newer one. */
static bool write_changes(struct rotation *rotation, const struct sealed_column *column,
                          struct changes *changes, struct error *err)
{
    if (changes->count == 0)
        return true;
    buf_putc(&changes->ids, '}');
    buf_putc(&changes->old, '}');
    buf_putc(&changes->sealed, '}');
    const char *sql = arena_printf(
        rotation->arena,
        "UPDATE %s t SET %s = c.fresh, master_key_id = $4 FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) "
        "AS c (id, old, fresh) WHERE t.id = c.id AND t.%s = c.old",
        column->table, column->column, column->column);
    struct rows *rows = db_query(rotation->db, sql, "ssss", buf_text(&changes->ids), buf_text(&changes->old),
                                 buf_text(&changes->sealed), rotation->key_id);
    if (!rows_ok(rows))
        return database_failed(rows, column->table, err);
    rotation->resealed -= (int64_t)(changes->count - rows_affected(rows));
    rotation->changed += (int64_t)(changes->count - rows_affected(rows));
    return true;
}

/* Rows behind *after. *more: there may be others. */
static bool rotate_batch(struct rotation *rotation, const struct sealed_column *column, int64_t *after,
                         bool *more, struct error *err)
{
    const struct db_context nobody = { 0 };
    arena_reset(rotation->arena);
    db_use(rotation->db, rotation->arena, &nobody);
    const char *sql = arena_printf(
        rotation->arena,
        "SELECT t.id, %s, t.%s FROM %s t WHERE t.id > $1 AND t.%s IS NOT NULL ORDER BY t.id LIMIT %zu",
        column->context, column->column, column->table, column->column, column->batch);
    struct rows *rows = db_query(rotation->db, sql, "i", *after);
    if (!rows_ok(rows))
        return database_failed(rows, column->table, err);
    struct changes changes = { 0 };
    for (size_t i = 0; i < rows_count(rows); i++) {
        size_t len;
        const uint8_t *sealed = rows_bytes(rows, i, 2, &len);
        *after = rows_int(rows, i, 0);
        reseal(rotation, column, *after, rows_text(rows, i, 1), sealed, len, &changes);
    }
    *more = rows_count(rows) == column->batch;
    bool written = write_changes(rotation, column, &changes, err);
    changes_free(&changes);
    return written;
}

static bool rotate_column(struct rotation *rotation, const struct sealed_column *column, struct error *err)
{
    int64_t after = 0;
    bool more = true;
    rotation->resealed = rotation->changed = rotation->failed = 0;
    while (more) {
        if (!rotate_batch(rotation, column, &after, &more, err))
            return false;
        if (more)
            progress(rotation, column, false);
    }
    progress(rotation, column, true);
    return true;
}

/* Row security shows nothing to a login that may not see all: that must not look like nothing to do. */
static bool sees_everything(struct rotation *rotation, struct error *err)
{
    const struct db_context nobody = { 0 };
    db_use(rotation->db, rotation->arena, &nobody);
    struct rows *rows = db_query(
        rotation->db,
        "SELECT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) OR "
        "pg_has_role(current_user, 'tracker_worker', 'USAGE')",
        "");
    if (!rows_ok(rows))
        return database_failed(rows, "the roles", err);
    return rows_bool(rows, 0, 0) ||
           error_set(err, "denied", "DATABASE_URL must be a login that is a member of tracker_worker");
}

static int rotate_all(struct rotation *rotation)
{
    struct error err;
    int64_t failed = 0, changed = 0;
    if (!sees_everything(rotation, &err))
        return cli_fail(&err);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        if (!rotate_column(rotation, &columns[i], &err))
            return cli_fail(&err);
        failed += rotation->failed;
        changed += rotation->changed;
    }
    if (failed == 0 && changed == 0) {
        if (!rotation->dry_run)
            puts("everything is sealed with the first key of MASTER_KEY; the others may be removed");
        return EXIT_OK;
    }
    if (failed > 0)
        error_set(&err, "unseal", "%" PRId64 " values do not open; keep the older keys", failed);
    else
        error_set(&err, "changed", "%" PRId64 " values were written meanwhile; run this again", changed);
    return cli_fail(&err);
}

static int run_rotate(int argc, char **argv, const struct config *config)
{
    const char *dry_run = NULL;
    const struct cli_option options[] = { { "--dry-run", true, &dry_run } };
    int positional;
    struct error err;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional > 0)
        return cli_usage(argv[0], "unexpected argument %s", argv[1]);
    struct rotation rotation = { .dry_run = dry_run != NULL, .told_at = time_monotonic() };
    if (config->master_key[0] == '\0') {
        error_set(&err, "settings", "MASTER_KEY is not set: the current key, and those before it");
        return cli_fail(&err);
    }
    if (!sealer_init(&rotation.sealer, config->master_key, &err))
        return cli_fail(&err);
    hex_encode(rotation.sealer.key_ids[0], sizeof(rotation.sealer.key_ids[0]), rotation.key_id);
    rotation.arena = arena_new();
    rotation.db = cli_database(config, "trackerd keys rotate-master", &err);
    int status = rotation.db != NULL ? rotate_all(&rotation) : cli_fail(&err);
    db_free(rotation.db);
    arena_free(rotation.arena);
    sealer_wipe(&rotation.sealer);
    return status;
}

const struct command cmd_keys_rotate = {
    .name = "rotate-master",
    .summary = "seal all stored secrets anew with the current master key",
    .help = "Usage: trackerd keys rotate-master [--dry-run]\n\n"
            "To replace the master key: put the new one in front (MASTER_KEY=NEW,OLD), restart all\n"
            "processes, run this, then remove OLD. While it runs, everything stays in use.\n\n"
            "Reads every sealed value of the database at DATABASE_URL (a member of tracker_worker, or a\n"
            "superuser) and seals those anew that another key than the first one sealed, a batch at a\n"
            "time. Stopped half-way, it goes on where it was when it is started again. Values that no\n"
            "key opens are named and left alone.\n\n"
            "  --dry-run      check that everything opens and count, but write nothing\n\n"
            "Exit status: 0 everything is sealed with the first key, 1 not, 2 wrong usage.\n",
    .settings = true,
    .run = run_rotate,
};
