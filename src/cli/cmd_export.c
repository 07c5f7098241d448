/* trackerd export: derived rows as JSON lines or CSV, always in the same order and form. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/csv.h"
#include "base/parse.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/database.h"
#include "store/rows_json.h"

#define MAX_TRACKERS 1000 /* on one command line */
#define PAGE         500  /* trackers whose rows are in memory at a time */

/* Ids that hang on the order of arrival (those of the rows themselves) are left out, so that the same reports
 * give the same text. */
static const struct {
    const char *name, *sql; /* sql: $1 trackers, $2 from, $3 to */
} exports[] = {
    { "status-history",
      "SELECT h.tracker_id, t.name AS tracker, h.client_id, h.production_run_id, h.since, h.status::text AS status,"
      " h.location_id, l.name AS location, h.previous_status::text AS previous_status, h.previous_location_id, h.rule,"
      " h.reported_at, h.latitude, h.longitude, h.accuracy_m, h.distance_m, h.override_id, o.reason AS override_reason"
      " FROM status_history h JOIN trackers t ON t.id = h.tracker_id LEFT JOIN locations l ON l.id = h.location_id"
      " LEFT JOIN status_overrides o ON o.id = h.override_id"
      " WHERE h.tracker_id = ANY ($1) AND h.since >= $2 AND h.since < $3 ORDER BY h.tracker_id, h.since, h.id" },
    { "events",
      "SELECT e.tracker_id, t.name AS tracker, e.client_id, e.production_run_id, e.occurred_at, e.kind, e.location_id,"
      " l.name AS location, l.kind::text AS location_kind, e.latitude, e.longitude, e.accuracy_m, e.distance_m"
      " FROM geofence_events e JOIN trackers t ON t.id = e.tracker_id JOIN locations l ON l.id = e.location_id"
      " WHERE e.tracker_id = ANY ($1) AND e.occurred_at >= $2 AND e.occurred_at < $3"
      " ORDER BY e.tracker_id, e.occurred_at, e.id" },
};

struct export_command {
    size_t what; /* index of exports */
    bool csv;
    int64_t trackers[MAX_TRACKERS];
    size_t tracker_count; /* 0: all */
    int64_t client, run;  /* 0: not given */
    int64_t from, to;
};

/* ---- forms ---- */

static void put_json_lines(const struct rows *rows, struct buf *out)
{
    struct json json;
    for (size_t i = 0; i < rows_count(rows); i++) {
        json_begin(&json, out);
        rows_write_object(rows, i, SIZE_MAX, &json);
        buf_putc(out, '\n');
    }
}

static void put_csv_head(const struct rows *rows, struct buf *out)
{
    for (size_t c = 0; c < rows_columns(rows); c++) {
        buf_puts(out, c > 0 ? "," : "");
        buf_puts(out, rows_name(rows, c));
    }
    buf_puts(out, "\r\n");
}

/* Times as in JSON: PostgreSQL writes them its own way. */
static void put_csv_value(const struct rows *rows, size_t row, size_t column, struct buf *out)
{
    static const uint32_t timestamptz_oid = 1184;
    char time[RFC3339_SIZE];
    if (rows_null(rows, row, column))
        return;
    bool is_time = rows_type(rows, column) == timestamptz_oid;
    csv_put(out, is_time ? time_format(rows_time(rows, row, column), time) : rows_text(rows, row, column),
            ',');
}

static void put_csv(const struct rows *rows, struct buf *out)
{
    for (size_t i = 0; i < rows_count(rows); i++) {
        for (size_t c = 0; c < rows_columns(rows); c++) {
            if (c > 0)
                buf_putc(out, ',');
            put_csv_value(rows, i, c, out);
        }
        buf_puts(out, "\r\n");
    }
}

/* ---- pages of trackers ---- */

static struct rows *next_trackers(const struct export_command *command, struct db *db, int64_t last)
{
    return db_query(db,
                    "SELECT t.id FROM trackers t WHERE t.id > $1 AND ($2 OR t.id = ANY ($3))"
                    " AND ($4 = 0 OR t.client_id = $4) AND ($5 = 0 OR EXISTS (SELECT FROM tracker_runs r"
                    "  WHERE r.tracker_id = t.id AND r.production_run_id = $5)) ORDER BY t.id LIMIT $6",
                    "ibaiii", last, (int)(command->tracker_count == 0), command->trackers,
                    command->tracker_count, command->client, command->run, (int64_t)PAGE);
}

static bool put_page(const struct export_command *command, struct db *db, struct arena *arena, int64_t *last,
                     bool first, bool *more, struct error *err)
{
    int64_t ids[PAGE];
    arena_reset(arena);
    db_use(db, arena, NULL);
    struct rows *trackers = next_trackers(command, db, *last);
    if (!rows_ok(trackers))
        return cli_rows_failed(trackers, err);
    size_t n = rows_count(trackers);
    *more = n == PAGE;
    for (size_t i = 0; i < n; i++)
        *last = ids[i] = rows_int(trackers, i, 0);
    struct rows *rows = db_query(db, exports[command->what].sql, "att", ids, n, command->from, command->to);
    if (!rows_ok(rows))
        return cli_rows_failed(rows, err);

    struct buf out = { 0 };
    if (command->csv && first)
        put_csv_head(rows, &out);
    if (command->csv)
        put_csv(rows, &out);
    else
        put_json_lines(rows, &out);
    bool good = !out.overflow && fwrite(buf_text(&out), 1, out.len, stdout) == out.len;
    buf_free(&out);
    return good || error_set(err, "output", "writing to standard output failed");
}

static int export_rows(const struct export_command *command, const struct config *config)
{
    struct error err;
    struct db *db = cli_database(config, "trackerd export", &err);
    if (db == NULL)
        return cli_fail(&err);
    struct arena *arena = arena_new();
    int64_t last = 0;
    bool good = true, more = true;
    for (bool first = true; good && more; first = false)
        good = put_page(command, db, arena, &last, first, &more, &err);
    if (good && fflush(stdout) != 0)
        good = error_set(&err, "output", "writing to standard output failed");
    db_free(db);
    arena_free(arena);
    return good ? EXIT_OK : cli_fail(&err);
}

/* ---- the command ---- */

/* Takes each --tracker out of argv, since cli_options keeps only the last. */
static bool take_trackers(int *argc, char **argv, struct export_command *command)
{
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        const char *value = NULL;
        if (strncmp(argv[i], "--tracker=", 10) == 0)
            value = argv[i] + 10;
        else if (strcmp(argv[i], "--tracker") == 0 && i + 1 < *argc)
            value = argv[++i];
        if (value == NULL) {
            argv[kept++] = argv[i];
            continue;
        }
        if (command->tracker_count == MAX_TRACKERS ||
            !parse_i64_range(value, 1, INT64_MAX, &command->trackers[command->tracker_count]))
            return false;
        command->tracker_count++;
    }
    *argc = kept;
    return true;
}

static int run(int argc, char **argv, const struct config *config)
{
    struct export_command command = { .from = TIME_MIN, .to = TIME_MAX };
    const char *format = "jsonl", *tracker = NULL, *client = NULL, *production_run = NULL, *from = NULL,
               *to = NULL;
    int positional;
    const struct cli_option options[] = {
        { "--format", false, &format }, { "--tracker", false, &tracker },    { "--from", false, &from },
        { "--to", false, &to },         { "--run", false, &production_run }, { "--client", false, &client },
    };
    if (!take_trackers(&argc, argv, &command))
        return cli_usage("export", "--tracker takes an id, at most %d times", MAX_TRACKERS);
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional != 1)
        return cli_usage(
            "export", positional == 0 ? "what? status-history or events" : "unexpected argument %s", argv[2]);
    while (command.what < ARRAY_LEN(exports) && strcmp(exports[command.what].name, argv[1]) != 0)
        command.what++;
    if (command.what == ARRAY_LEN(exports))
        return cli_usage("export", "unknown kind of rows %s: status-history or events", argv[1]);
    command.csv = strcmp(format, "csv") == 0;
    if (!command.csv && strcmp(format, "jsonl") != 0)
        return cli_usage("export", "--format must be jsonl or csv");
    if ((client != NULL && !parse_i64_range(client, 1, INT64_MAX, &command.client)) ||
        (production_run != NULL && !parse_i64_range(production_run, 1, INT64_MAX, &command.run)))
        return cli_usage("export", "--client and --run take an id");
    if ((from != NULL && !time_parse(from, &command.from)) || (to != NULL && !time_parse(to, &command.to)))
        return cli_usage("export", "--from and --to take a time such as 2026-05-01T00:00:00Z");
    return export_rows(&command, config);
}

const struct command cmd_export = {
    .name = "export",
    .summary = "write status histories or events as JSON lines or CSV",
    .help =
        "Usage: trackerd export status-history [OPTIONS]\n"
        "       trackerd export events [OPTIONS]\n\n"
        "Rows go to standard output, by tracker and then in the order in which things happened. The same\n"
        "reports, places and overrides give the same text, in whatever order reports arrived.\n\n"
        "  --format FORMAT  jsonl (default): an object a line; csv: with a line of names\n"
        "  --tracker ID     only this tracker; give it once for each\n"
        "  --run ID         only trackers that ever belonged to this production run\n"
        "  --client ID      only trackers of this client\n"
        "  --from TIME      only rows from this time on (RFC 3339)\n"
        "  --to TIME        only rows before this time\n\n"
        "status-history: tracker_id, tracker, client_id, production_run_id, since, status, location_id,\n"
        "  location, previous_status, previous_location_id, rule, reported_at, latitude, longitude,\n"
        "  accuracy_m, distance_m, override_id, override_reason\n"
        "events: tracker_id, tracker, client_id, production_run_id, occurred_at, kind (entry, exit, dwell),\n"
        "  location_id, location, location_kind, latitude, longitude, accuracy_m, distance_m\n\n"
        "distance_m is to the edge of the place, negative inside. Of a row that was set by hand (rule\n"
        "override) there is no report.\n\n"
        "DATABASE_URL names the database; its login must be a member of tracker_worker.\n",
    .settings = true,
    .run = run,
};
