/* trackerd import: reports from elsewhere, as JSON lines, into the store and the judge's inbox. All or
 * nothing. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/database.h"

#define BATCH         5000 /* reports of one statement */
#define MAX_LINE      4096 /* bytes; a report needs some 200 */
#define MAX_NAME      200  /* characters of a tracker's name, as in the database */
#define SHOWN_BAD     20   /* bad lines that are shown; the others are counted */
#define FUTURE_LEEWAY DAYS(1)

/* A line read, not looked up yet. */
struct reading {
    int64_t line;
    const char *name; /* of the tracker, or hash or id as text; "" when it is a number */
    int64_t id;       /* 0: by name */
    int64_t at;
    double latitude, longitude;
    float accuracy;
    int16_t confidence;
};

struct import {
    struct db *db;
    struct arena *arena; /* of one batch */
    int64_t client;      /* 0: trackers of all clients */
    int64_t now;
    struct reading *batch;
    size_t count;
    int64_t lines, bad, stored;
};

/* ---- one line ---- */

/* Shows what is wrong with a line; the import goes on, to find the other bad ones as well. */
static void bad_line(struct import *import, int64_t line, const char *reason)
{
    if (import->bad++ < SHOWN_BAD)
        fprintf(stderr, "line %" PRId64 ": %s\n", line, reason);
}

/* An RFC 3339 text or seconds since 1970. */
static bool take_time(const json_t *value, int64_t *at)
{
    if (json_is_string(value))
        return time_parse(json_string_value(value), at);
    double seconds = json_number_value(value);
    if (!json_is_number(value) || seconds < 0 || seconds > (double)TIME_MAX / 1e6)
        return false;
    *at = json_is_integer(value) ? SECONDS(json_integer_value(value)) : (int64_t)llround(seconds * 1e6);
    return true;
}

static bool take_number(const json_t *object, const char *name, double min, double max, double *value)
{
    const json_t *member = json_object_get(object, name);
    *value = json_number_value(member);
    return json_is_number(member) && *value >= min && *value <= max;
}

static bool take_tracker(const struct import *import, const json_t *value, struct reading *reading)
{
    reading->name = "";
    if (json_is_integer(value)) {
        reading->id = json_integer_value(value);
        return reading->id > 0;
    }
    const char *name = json_string_value(value);
    if (name == NULL || name[0] == '\0' || strlen(name) != json_string_length(value) ||
        strlen(name) > 4 * MAX_NAME)
        return false;
    reading->name = arena_strdup(import->arena, name);
    return true;
}

/* NULL when the line is a report, else what is wrong. */
static const char *take_report(const struct import *import, const json_t *object, struct reading *reading)
{
    /* Partitions are made for these years (ensure_partitions_for in the database). */
    static const int64_t earliest = SECONDS(631152000); /* 1990 */
    double accuracy, confidence;
    if (!json_is_object(object))
        return "not a JSON object";
    if (!take_tracker(import, json_object_get(object, "tracker"), reading))
        return "tracker must be an id, a name or a key's hash";
    if (!take_time(json_object_get(object, "timestamp"), &reading->at) || reading->at < earliest)
        return "timestamp must be an RFC 3339 time or seconds since 1970, and not before 1990";
    if (reading->at > import->now + FUTURE_LEEWAY)
        return "timestamp lies in the future";
    if (!take_number(object, "latitude", -90, 90, &reading->latitude))
        return "latitude must be a number from -90 to 90";
    if (!take_number(object, "longitude", -180, 180, &reading->longitude))
        return "longitude must be a number from -180 to 180";
    if (!take_number(object, "horizontal_accuracy", 0, 100000, &accuracy))
        return "horizontal_accuracy must be a number of metres from 0 to 100000";
    if (!take_number(object, "confidence", 0, 255, &confidence) || rint(confidence) != confidence)
        return "confidence must be a whole number from 0 to 255";
    reading->accuracy = (float)accuracy;
    reading->confidence = (int16_t)confidence;
    return NULL;
}

static void take_line(struct import *import, const char *line, size_t len)
{
    struct reading *reading = &import->batch[import->count];
    *reading = (struct reading){ .line = import->lines };
    if (len > MAX_LINE) {
        bad_line(import, import->lines, "longer than 4096 bytes");
        return;
    }
    json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const char *reason = object == NULL ? "not JSON" : take_report(import, object, reading);
    json_decref(object);
    if (reason != NULL)
        bad_line(import, import->lines, reason);
    else
        import->count++;
}

/* ---- a batch of lines ---- */

/* By number the tracker with this id; by text one of this name that is in use, or else that of the key with
 * this hash (hex or base64) at the report's time, or else that with this id. 0: none, -1: several of this
 * name. */
static const char find_sql[] =
    "WITH line AS MATERIALIZED ("
    "  SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[]) WITH ORDINALITY AS l (name, id, at, n)"
    "), named AS ("
    "  SELECT d.name, count(t.id) AS found, min(t.id) AS id FROM (SELECT DISTINCT name FROM line WHERE id = 0) d"
    "  JOIN trackers t ON t.name = d.name AND t.archived_at IS NULL AND ($4 = 0 OR t.client_id = $4) GROUP BY 1"
    ")"
    " SELECT CASE WHEN named.found > 1 THEN -1 ELSE coalesce("
    "  named.id,"
    "  (SELECT k.tracker_id FROM tracker_keys k JOIN trackers t ON t.id = k.tracker_id AND ($4 = 0 OR t.client_id = $4)"
    "   WHERE k.key_hash = CASE WHEN line.name ~ '^[0-9a-fA-F]{64}$' THEN decode(line.name, 'hex')"
    "     WHEN line.name ~ '^[A-Za-z0-9+/]{43}=$' THEN decode(line.name, 'base64') END AND k.period @> line.at LIMIT 1),"
    "  (SELECT t.id FROM trackers t WHERE ($4 = 0 OR t.client_id = $4) AND t.id ="
    "   CASE WHEN line.id > 0 THEN line.id WHEN line.name ~ '^[1-9][0-9]{0,17}$' THEN line.name::bigint END), 0) END"
    " FROM line LEFT JOIN named ON named.name = line.name ORDER BY line.n";

static bool find_trackers(struct import *import, int64_t *trackers, struct error *err)
{
    const char *names[BATCH];
    int64_t *ids = arena_alloc(import->arena, import->count * sizeof(*ids));
    int64_t *times = arena_alloc(import->arena, import->count * sizeof(*times));
    for (size_t i = 0; i < import->count; i++) {
        names[i] = import->batch[i].name;
        ids[i] = import->batch[i].id;
        times[i] = import->batch[i].at;
    }
    struct rows *rows = db_query(import->db, find_sql, "SaTi", names, import->count, ids, import->count,
                                 times, import->count, import->client);
    if (!rows_ok(rows))
        return cli_rows_failed(rows, err);
    for (size_t i = 0; i < import->count; i++) {
        trackers[i] = rows_int(rows, i, 0);
        if (trackers[i] <= 0)
            bad_line(import, import->batch[i].line,
                     trackers[i] == 0
                         ? "there is no such tracker"
                         : "several trackers have this name: give the id, or narrow with --client");
    }
    return true;
}

static const char store_sql[] =
    "SELECT count(*) FROM store_reports(trackers => $1, reported => $2, latitudes => $3, longitudes => $4, accuracies => $5,"
    " confidences => $6, statuses => NULL, keys => NULL, excludeds => in_exclusion_area($1, $2, $3, $4), is_import => true)";

static bool store(struct import *import, const int64_t *trackers, struct error *err)
{
    size_t n = import->count;
    int64_t *times = arena_alloc(import->arena, n * sizeof(*times));
    double *latitudes = arena_alloc(import->arena, n * sizeof(*latitudes));
    double *longitudes = arena_alloc(import->arena, n * sizeof(*longitudes));
    float *accuracies = arena_alloc(import->arena, n * sizeof(*accuracies));
    int16_t *confidences = arena_alloc(import->arena, n * sizeof(*confidences));
    for (size_t i = 0; i < n; i++) {
        const struct reading *reading = &import->batch[i];
        times[i] = reading->at;
        latitudes[i] = reading->latitude;
        longitudes[i] = reading->longitude;
        accuracies[i] = reading->accuracy;
        confidences[i] = reading->confidence;
    }
    struct rows *rows = db_query(import->db, store_sql, "aTFFRH", trackers, n, times, n, latitudes, n,
                                 longitudes, n, accuracies, n, confidences, n);
    if (!rows_ok(rows))
        return cli_rows_failed(rows, err);
    import->stored += rows_int(rows, 0, 0);
    return true;
}

/* After a bad line nothing more is stored, since nothing will stay; trackers are still looked up, to tell of
 * all bad lines at once. */
static bool flush(struct import *import, struct error *err)
{
    if (import->count == 0)
        return true;
    int64_t *trackers = arena_alloc(import->arena, import->count * sizeof(*trackers));
    bool good = find_trackers(import, trackers, err) && (import->bad > 0 || store(import, trackers, err));
    /* Nothing of the batch is needed any more, the results of its statements included. */
    arena_reset(import->arena);
    import->count = 0;
    return good;
}

/* ---- the file ---- */

static bool blank(const char *line, size_t len)
{
    return strspn(line, " \t\r\n") == len;
}

static bool import_lines(struct import *import, FILE *file, struct error *err)
{
    char *line = NULL;
    size_t room = 0;
    bool good = true;
    for (ssize_t len; good && (len = getline(&line, &room, file)) >= 0;) {
        import->lines++;
        if (!blank(line, (size_t)len))
            take_line(import, line, (size_t)len);
        if (import->count == BATCH)
            good = flush(import, err);
    }
    if (good && ferror(file))
        good = error_set(err, "input", "reading failed: %s", strerror(errno));
    free(line);
    good = good && flush(import, err);
    if (good && import->bad > 0)
        good = error_set(err, "bad_lines", "%" PRId64 " of %" PRId64 " lines are bad; nothing was imported",
                         import->bad, import->lines);
    return good;
}

static bool import_file(struct import *import, FILE *file, struct error *err)
{
    db_use(import->db, import->arena, NULL);
    if (!db_begin(import->db, err))
        return false;
    if (!import_lines(import, file, err)) {
        db_rollback(import->db);
        return false;
    }
    return db_commit(import->db, err);
}

static int import_reports(const char *path, int64_t client, const struct config *config)
{
    struct error err;
    struct import import = { .client = client, .now = time_now() };
    bool named = strcmp(path, "-") != 0;
    FILE *file = named ? fopen(path, "r") : stdin;
    if (file == NULL) {
        error_set(&err, "input", "%s: %s", path, strerror(errno));
        return cli_fail(&err);
    }
    import.db = cli_database(config, "trackerd import", &err);
    bool good = import.db != NULL;
    if (good) {
        import.arena = arena_new();
        import.batch = calloc(BATCH, sizeof(*import.batch));
        good = import.batch != NULL ? import_file(&import, file, &err)
                                    : error_set(&err, "memory", "not enough memory");
        free(import.batch);
        db_free(import.db);
        arena_free(import.arena);
    }
    if (named)
        fclose(file);
    if (!good)
        return cli_fail(&err);
    printf("read %" PRId64 " lines, stored %" PRId64 " reports that were not known yet\n", import.lines,
           import.stored);
    return EXIT_OK;
}

/* ---- the command ---- */

static int run(int argc, char **argv, const struct config *config)
{
    const char *client = NULL;
    int64_t client_id = 0;
    int positional;
    const struct cli_option options[] = { { "--client", false, &client } };
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional == 0 || strcmp(argv[1], "reports") != 0)
        return cli_usage("import", positional == 0 ? "what? reports" : "unknown kind of rows %s: reports",
                         argv[1]);
    if (positional != 2)
        return cli_usage("import",
                         positional < 2 ? "reports needs a file, or - for standard input"
                                        : "unexpected argument %s",
                         argv[3]);
    if (client != NULL && !parse_i64_range(client, 1, INT64_MAX, &client_id))
        return cli_usage("import", "--client takes an id");
    return import_reports(argv[2], client_id, config);
}

const struct command cmd_import = {
    .name = "import",
    .summary = "take in reports from elsewhere",
    .help = "Usage: trackerd import reports FILE [--client ID]\n\n"
            "FILE (- for standard input) has a JSON object a line:\n\n"
            "  {\"tracker\": \"unit-17\", \"timestamp\": \"2026-05-01T08:30:00Z\", \"latitude\": 52.5,\n"
            "   \"longitude\": 13.4, \"horizontal_accuracy\": 20, \"confidence\": 2}\n\n"
            "tracker is the id (a number), the name, or the hash of a key (hex or base64; the tracker that\n"
            "had the key at that time). timestamp may also be seconds since 1970. Other members are\n"
            "ignored, and so are empty lines and reports that are stored already.\n\n"
            "All lines are taken or none: bad ones are listed with their numbers (the first 20), and then\n"
            "nothing is imported. Reports in exclusion areas are kept and not judged. Workers judge the\n"
            "imported reports at once; without workers, `trackerd judge` does.\n\n"
            "  --client ID      look names up among the trackers of this client only\n\n"
            "DATABASE_URL names the database; its login must be a member of tracker_worker.\n",
    .settings = true,
    .run = run,
};
