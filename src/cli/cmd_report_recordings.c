/* trackerd report recordings: lists and writes out the answers that workers kept. */
#include <inttypes.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/parse.h"
#include "base/seal.h"
#include "cli/cli.h"
#include "cli/database.h"
#include "findmy/record.h"

static bool list(struct db *db, struct error *err)
{
    static const char sql[] =
        "SELECT r.id, to_char(r.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), "
        "octet_length(r.sealed), coalesce(r.fetch_batch_id::text, '-'), coalesce(b.result, '-') "
        "FROM provider_recordings r LEFT JOIN fetch_batches b ON b.id = r.fetch_batch_id ORDER BY r.id DESC";
    struct rows *rows = db_query(db, sql, "");
    if (!rows_ok(rows))
        return cli_rows_failed(rows, err);
    for (size_t i = 0; i < rows_count(rows); i++)
        for (size_t k = 0; k < rows_columns(rows); k++)
            printf("%s%c", rows_text(rows, i, k), k + 1 < rows_columns(rows) ? '\t' : '\n');
    return true;
}

static bool write_out(const char *lines, size_t len, const char *path, const struct sealer *sealer,
                      struct error *err)
{
    if (path != NULL)
        return record_write_file(path, lines, len, sealer, err);
    return (fwrite(lines, 1, len, stdout) == len && fflush(stdout) == 0) ||
           error_set(err, "output", "standard output cannot be written");
}

static bool export_one(struct db *db, struct arena *arena, int64_t id, const char *path,
                       const struct sealer *sealer, struct error *err)
{
    size_t len;
    char context[64];
    struct rows *rows = db_query(db, "SELECT sealed FROM provider_recordings WHERE id = $1", "i", id);
    if (!rows_ok(rows))
        return cli_rows_failed(rows, err);
    if (rows_count(rows) == 0)
        return error_set(err, "not_found", "there is no recording %" PRId64, id);
    const uint8_t *sealed = rows_bytes(rows, 0, 0, &len);
    char *lines = arena_secret(arena, len);
    snprintf(context, sizeof(context), "provider_recording:%" PRId64, id);
    return unseal(sealer, context, sealed, len, lines, err) &&
           write_out(lines, len - SEAL_OVERHEAD, path, sealer, err);
}

static bool open_master_key(const struct config *config, struct sealer *sealer, struct error *err)
{
    if (config->master_key[0] == '\0')
        return error_set(err, "setting_missing", "MASTER_KEY is not set: recordings are sealed with it");
    return sealer_init(sealer, config->master_key, err);
}

static int run(int argc, char **argv, const struct config *config)
{
    const char *path = NULL;
    const struct cli_option options[] = { { "--out", false, &path } };
    int64_t id = 0;
    int positional;
    struct error err;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional > 1)
        return cli_usage(argv[0], "unexpected argument %s", argv[2]);
    if (positional == 1 && !parse_i64_range(argv[1], 1, INT64_MAX, &id))
        return cli_usage(argv[0], "%s is no id of a recording", argv[1]);
    if (positional == 0 && path != NULL)
        return cli_usage(argv[0], "--out needs the id of a recording");

    struct sealer sealer = { 0 };
    if (positional == 1 && !open_master_key(config, &sealer, &err))
        return cli_fail(&err);
    struct db *db = cli_database(config, "trackerd report recordings", &err);
    struct arena *arena = arena_new();
    if (db != NULL)
        db_use(db, arena, NULL);
    bool ok = db != NULL &&
              (positional == 0 ? list(db, &err) : export_one(db, arena, id, path, &sealer, &err));
    db_free(db);
    arena_free(arena);
    sealer_wipe(&sealer);
    return ok ? EXIT_OK : cli_fail(&err);
}

const struct command cmd_report_recordings = {
    .name = "recordings",
    .summary = "Apple's answers that workers kept while RECORD_ANSWERS was on",
    .help = "Usage: trackerd report recordings [ID [--out FILE]]\n\n"
            "Without ID: one line for each recording in the database at DATABASE_URL (a member of\n"
            "tracker_worker), newest first: id, time, size in bytes, fetch batch and its result.\n\n"
            "With ID: the answers of that request as one JSON object a line (at, method, url, status,\n"
            "headers, body in base64; or error and message), opened with MASTER_KEY.\n\n"
            "  --out FILE   write them to a new FILE instead, sealed with MASTER_KEY, for\n"
            "               `trackerd report fetch --replay FILE`\n\n"
            "Workers keep at most 500 recordings, for RECORDING_RETENTION. Treat one like the account\n"
            "that asked: after signing in anew it holds tokens.\n\n"
            "Exit status: 0 done, 1 failed, 2 bad usage.\n",
    .settings = true,
    .run = run,
};
