/* GET /trackers/{id}/history and /production-runs/{id}/history: positions over time, raw or summarised. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/app.h"
#include "api/db_problem.h"
#include "api/reading.h"
#include "api/resources.h"
#include "api/series.h"
#include "base/json.h"
#include "base/timeutil.h"
#include "store/rows_json.h"

/* What is answered when `from` is left out. */
#define HISTORY_USUAL_DAYS 90

/* ---- resolutions ---- */

static const char *const words[] = { "raw", "hour", "day", "auto", NULL };
enum { RAW, HOUR, DAY, AUTO };

/* For each resolution: the width of its buckets, and the longest period, at which a tracker that reports all
 * the time (several times an hour) gives some 10,000 items. `auto` takes the finest that fits its own bound,
 * which is made for charts: a few hundred items. */
static const struct {
    int64_t width, longest, auto_up_to;
} resolutions[] = {
    [RAW] = { 0, DAYS(92), DAYS(2) },
    [HOUR] = { HOURS(1), DAYS(366), DAYS(14) },
    [DAY] = { DAYS(1), DAYS(3660), DAYS(3660) },
    [AUTO] = { 0, DAYS(3660), 0 },
};

static int choose(const struct period *period)
{
    int resolution = RAW;
    while (period->to - period->from > resolutions[resolution].auto_up_to)
        resolution++;
    return resolution;
}

/* ---- SQL ---- */

/* What a position and a bucket show; x is the row of the view. */
#define RAW_COLUMNS                                                                                          \
    "x.reported_at AS at, x.latitude AS \"position.latitude\", x.longitude AS \"position.longitude\", "      \
    "x.accuracy_m, x.confidence, x.flag"
#define RAW_HELPERS ", x.latitude_e7 AS \"!latitude\", x.longitude_e7 AS \"!longitude\""
#define BUCKET_COLUMNS(width)                                                                                \
    "x.bucket AS \"from\", x.bucket + interval '1 " width "' AS \"to\", x.reports, "                         \
    "x.first_at AS \"first.at\", x.first_latitude AS \"first.position.latitude\", "                          \
    "x.first_longitude AS \"first.position.longitude\", x.last_at AS \"last.at\", "                          \
    "x.last_latitude AS \"last.position.latitude\", x.last_longitude AS \"last.position.longitude\", "       \
    "x.best_at AS \"best.at\", x.best_latitude AS \"best.position.latitude\", "                              \
    "x.best_longitude AS \"best.position.longitude\", x.best_accuracy_m AS \"best.accuracy_m\", "            \
    "x.min_latitude AS \"bounds.south\", x.min_longitude AS \"bounds.west\", "                               \
    "x.max_latitude AS \"bounds.north\", x.max_longitude AS \"bounds.east\", x.distance_m, x.place"

/* $1 tracker, $2 and $3 the period, $4 limit, $5 to $7 the last item of the page before, or null. */
static const char *const tracker_sql[] = {
    [RAW] =
        "SELECT " RAW_COLUMNS RAW_HELPERS
        " FROM tracker_reports x WHERE x.tracker_id = $1 AND x.reported_at >= $2 "
        "AND x.reported_at < $3 AND NOT x.excluded AND ($5::timestamptz IS NULL OR (x.reported_at, x.latitude_e7, "
        "x.longitude_e7) > ($5::timestamptz, $6::integer, $7::integer)) "
        "ORDER BY x.reported_at, x.latitude_e7, x.longitude_e7 LIMIT $4",
#define TRACKER_BUCKETS(view, width)                                                                         \
    "SELECT " BUCKET_COLUMNS(                                                                                \
        width) " FROM " view " x WHERE x.tracker_id = $1 AND x.bucket >= $2 AND "                            \
               "x.bucket < $3 AND ($5::timestamptz IS NULL OR x.bucket > $5::timestamptz) ORDER BY x.bucket LIMIT $4"
    [HOUR] = TRACKER_BUCKETS("location_history_hourly", "hour"),
    [DAY] = TRACKER_BUCKETS("location_history_daily", "day"),
};

/* $1 run, $2 and $3 the period, $4 limit, $5 as above, $6 the tracker of that item, or 0, $7 and $8 its
 * position. Tracker by tracker, so that a page ends where the limit says and reads nothing of the trackers
 * after it. Of a tracker only what falls into its time with the run. */
#define RUN_TRACKERS                                                                                         \
    "FROM (SELECT m.tracker_id, range_agg(m.period) AS periods FROM tracker_runs m WHERE "                   \
    "m.production_run_id = $1 AND m.tracker_id >= $6 GROUP BY m.tracker_id) r CROSS JOIN LATERAL "
static const char *const run_sql[] = {
    [RAW] =
        "SELECT r.tracker_id, " RAW_COLUMNS RAW_HELPERS " " RUN_TRACKERS
        "(SELECT h.* FROM tracker_reports h WHERE h.tracker_id = r.tracker_id AND h.reported_at >= $2 AND "
        "h.reported_at < $3 AND NOT h.excluded AND r.periods @> h.reported_at AND (r.tracker_id > $6 OR "
        "$5::timestamptz IS NULL OR (h.reported_at, h.latitude_e7, h.longitude_e7) > "
        "($5::timestamptz, $7::integer, $8::integer))) x "
        "ORDER BY r.tracker_id, x.reported_at, x.latitude_e7, x.longitude_e7 LIMIT $4",
#define RUN_BUCKETS(view, width)                                                                             \
    "SELECT r.tracker_id, " BUCKET_COLUMNS(                                                                  \
        width) " " RUN_TRACKERS "(SELECT h.* FROM " view                                                     \
               " h WHERE h.tracker_id = r.tracker_id AND h.bucket >= $2 AND h.bucket < $3 AND r.periods && " \
               "tstzrange(h.bucket, h.bucket + interval '1 " width "') AND (r.tracker_id > $6 OR "           \
               "$5::timestamptz IS NULL OR h.bucket > $5::timestamptz)) x ORDER BY r.tracker_id, x.bucket LIMIT $4"
    [HOUR] = RUN_BUCKETS("location_history_hourly", "hour"),
    [DAY] = RUN_BUCKETS("location_history_daily", "day"),
};

/* ---- the question ---- */

/* The last item of a page; its text in a cursor is "USEC,LATITUDE,LONGITUDE", the id is the tracker. */
struct position {
    int64_t at, latitude_e7, longitude_e7;
};

struct history_query {
    bool of_run;
    int64_t id, limit;
    struct period period;
    int resolution;
    const char *scope;
    struct cursor cursor;
    bool after;
    struct position last;
};

/* Buckets that the period only touches count whole. */
static int64_t bucket_start(int64_t at, int64_t width)
{
    int64_t rest = at % width;
    return at - (rest < 0 ? rest + width : rest);
}

static bool take_query(struct request *req, bool of_run, int64_t id, struct history_query *query)
{
    *query = (struct history_query){ .of_run = of_run, .id = id };
    if (!route_parameters_known(req) || !query_enum(req, "resolution", words, AUTO, &query->resolution) ||
        !query_period_within(req, &query->period, DAYS(HISTORY_USUAL_DAYS),
                             resolutions[query->resolution].longest) ||
        !query_int(req, "limit", 1, SERIES_LIMIT_MAX, SERIES_LIMIT_DEFAULT, &query->limit))
        return false;
    if (query->resolution == AUTO)
        query->resolution = choose(&query->period);
    query->scope = arena_printf(req->arena, "history|%s|%" PRId64 "|%s", of_run ? "run" : "tracker",
                                query->id, words[query->resolution]);
    if (!query_cursor(req, query->scope, &query->cursor))
        return false;
    struct position *last = &query->last;
    query->after = query->cursor.text != NULL &&
                   sscanf(query->cursor.text, "%" SCNd64 ",%" SCNd64 ",%" SCNd64, &last->at,
                          &last->latitude_e7, &last->longitude_e7) == 3;
    return true;
}

/* As text, which the statement casts to the column's integer. */
static struct db_param number_text(struct request *req, int64_t number)
{
    return (struct db_param){ .type = 's', .value.data = arena_printf(req->arena, "%" PRId64, number) };
}

static struct rows *ask(struct request *req, const struct history_query *query)
{
    int64_t width = resolutions[query->resolution].width;
    int64_t from = width > 0 ? bucket_start(query->period.from, width) : query->period.from;
    /* One tracker's page goes on in the index where the last one ended. */
    if (query->after && !query->of_run && query->last.at > from)
        from = query->last.at;

    char time[RFC3339_SIZE];
    struct db_param params[8] = {
        { .type = 'i', .value.number = query->id },
        { .type = 't', .value.number = from },
        { .type = 't', .value.number = query->period.to },
        { .type = 'i', .value.number = query->limit + 1 },
        { .type = 's', .value.data = query->after ? time_format(query->last.at, time) : NULL },
    };
    size_t count = 5;
    if (query->of_run)
        params[count++] = (struct db_param){ .type = 'i', .value.number = query->cursor.id };
    if (query->resolution == RAW) {
        params[count++] = number_text(req, query->last.latitude_e7);
        params[count++] = number_text(req, query->last.longitude_e7);
    }
    const char *sql = query->of_run ? run_sql[query->resolution] : tracker_sql[query->resolution];
    struct statement statement = { sql, params, count };
    return read_rows(req, &statement);
}

/* ---- the answer ---- */

static struct cursor cursor_of(struct request *req, const struct history_query *query,
                               const struct rows *rows, size_t row)
{
    size_t at = query->of_run ? 1 : 0, last = rows_columns(rows);
    bool raw = query->resolution == RAW;
    return (struct cursor){
        .id = query->of_run ? rows_int(rows, row, 0) : 0,
        .text = arena_printf(req->arena, "%" PRId64 ",%" PRId64 ",%" PRId64, rows_time(rows, row, at),
                             raw ? rows_int(rows, row, last - 2) : 0,
                             raw ? rows_int(rows, row, last - 1) : 0),
    };
}

static void reply_history(struct request *req, const struct history_query *query, const struct rows *rows)
{
    size_t count = rows_count(rows);
    bool more = count > (size_t)query->limit;
    if (more)
        count = (size_t)query->limit;
    size_t shown = rows_columns(rows) - (query->resolution == RAW ? 2 : 0);

    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_put_text(&json, "resolution", words[query->resolution]);
    json_put_time(&json, "from", query->period.from);
    json_put_time(&json, "to", query->period.to);
    json_key(&json, "items");
    json_start_array(&json);
    for (size_t i = 0; i < count; i++)
        rows_write_object(rows, i, shown, &json);
    json_end_array(&json);
    struct cursor next = { 0 };
    if (more)
        next = cursor_of(req, query, rows, count - 1);
    put_next_cursor(req, &json, query->scope, &next);
    json_end_object(&json);
    reply_reading(req, &body);
}

void reply_history_of(struct request *req, bool of_run, int64_t id)
{
    struct history_query query;
    if (!take_query(req, of_run, id, &query))
        return;
    struct rows *rows = ask(req, &query);
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    else if (rows_count(rows) > 0 ||
             row_exists(req, of_run ? &production_runs_resource : &trackers_resource, query.id))
        reply_history(req, &query, rows);
}

/* GET /trackers/{id}/history - positions of one tracker, oldest first. */
static void get_tracker_history(struct request *req)
{
    int64_t id;
    if (param_id(req, "id", &id))
        reply_history_of(req, false, id);
}

/* GET /production-runs/{id}/history - positions of a run's trackers, tracker by tracker, oldest first. */
static void get_run_history(struct request *req)
{
    int64_t id;
    if (param_id(req, "id", &id))
        reply_history_of(req, true, id);
}

/* ---- routes and schemas ---- */

static const struct parameter parameters[] = {
    { .name = "id", .type = VALUE_ID, .in = "path", .required = true },
    { .name = "from",
      .type = VALUE_TIME,
      .about = "At this time or later; 90 days before `to` when left out." },
    { .name = "to", .type = VALUE_TIME, .about = "Before this time; now when left out." },
    { .name = "resolution",
      .type = VALUE_ENUM,
      .words = words,
      .about =
          "raw: every report, of 92 days at most; hour, day: summaries in UTC, of 366 and 3660 days at most; "
          "auto (when left out): raw up to 2 days, hour up to 14, else day." },
    { .name = "limit",
      .type = VALUE_INT,
      .min = 1,
      .max = SERIES_LIMIT_MAX,
      .about = "Items of a page; 1000 when left out." },
    { .name = "cursor",
      .type = VALUE_TEXT,
      .about = "next_cursor of the page before; opaque. Send the same `from` and `to`." },
    { .name = "If-None-Match",
      .type = VALUE_TEXT,
      .in = "header",
      .about = "Answer 304 while this is the ETag." },
};
static const struct answer answers[] = {
    { 200, "History", "One page." },
    { 304, NULL, "Not changed." },
    { 404, "Problem", "No such row, or not yours.", "application/problem+json" },
    { 422, "Problem", "A parameter is not valid, or the period is too long for the resolution.",
      "application/problem+json" },
};

#define ROUTE(address, handler, what, title, text, id)                                                       \
    {                                                                                                        \
        .method = HTTP_GET, .path = (address), .handle = (handler), .access = ACCESS_USER, .tag = (what),    \
        .summary = (title), .about = (text), .operation_id = (id), .parameters = parameters,                 \
        .parameter_count = ARRAY_LEN(parameters), .answers = answers, .answer_count = ARRAY_LEN(answers)     \
    }

const struct route history_routes[] = {
    ROUTE(
        "/api/v1/trackers/{id}/history", get_tracker_history, "trackers", "Where a tracker was, over time",
        "Positions, oldest first, up to date to the last stored report. A summary counts every report of its "
        "hour or day but those in exclusion areas.",
        "getTrackerHistory"),
    ROUTE("/api/v1/production-runs/{id}/history", get_run_history, "production-runs",
          "Where the trackers of a run were, over time",
          "The same for every tracker of the run while it belonged to it, tracker by tracker.",
          "getProductionRunHistory"),
};
const size_t history_route_count = ARRAY_LEN(history_routes);

#define TIME_SCHEMA     "{\"type\":\"string\",\"format\":\"date-time\"}"
#define POSITION_SCHEMA "{\"$ref\":\"#/components/schemas/Position\"}"
#define MOMENT(more, required)                                                                               \
    "{\"type\":\"object\",\"properties\":{\"at\":" TIME_SCHEMA ",\"position\":" POSITION_SCHEMA more         \
    "},\"required\":[\"at\",\"position\"" required "]}"
#define TRACKER_ID                                                                                           \
    "\"tracker_id\":{\"type\":\"integer\",\"format\":\"int64\",\"description\":\"In the history of a run.\"}"

void history_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "HistoryPosition",
        "{\"type\":\"object\",\"properties\":{" TRACKER_ID ",\"at\":" TIME_SCHEMA
        ",\"position\":" POSITION_SCHEMA
        ",\"accuracy_m\":{\"type\":\"number\"},\"confidence\":{\"type\":\"integer\"},\"flag\":{\"type\":"
        "[\"string\",\"null\"],\"description\":\"Why it is not judged; null for a judged one.\"}},\"required\":"
        "[\"at\",\"position\",\"accuracy_m\",\"confidence\",\"flag\"]}");
    add(to, "HistoryBucket",
        "{\"type\":\"object\",\"properties\":{" TRACKER_ID ",\"from\":" TIME_SCHEMA ",\"to\":" TIME_SCHEMA
        ",\"reports\":{\"type\":\"integer\"},\"first\":" MOMENT("", "") ",\"last\":" MOMENT("", "") ",\"best\":" MOMENT(
            ",\"accuracy_m\":{\"type\":\"number\"}",
            ",\"accuracy_m\"") ",\"bounds\":{\"type\":\"object\",\"properties\":{\"south\":{\"type\":\"number\"},\"west\":{\"type\":"
                               "\"number\"},\"north\":{\"type\":\"number\"},\"east\":{\"type\":\"number\"}},\"required\":[\"south\","
                               "\"west\",\"north\",\"east\"]},\"distance_m\":{\"type\":[\"number\",\"null\"],\"description\":\"Length of "
                               "the line through all its reports.\"},\"place\":{\"type\":[\"string\",\"null\"],\"description\":\"Name of "
                               "the best position.\"}},\"required\":[\"from\",\"to\",\"reports\",\"first\",\"last\",\"best\","
                               "\"bounds\",\"distance_m\",\"place\"]}");
    add(to, "History",
        "{\"type\":\"object\",\"properties\":{\"resolution\":{\"type\":\"string\",\"enum\":[\"raw\",\"hour\","
        "\"day\"]},\"from\":" TIME_SCHEMA ",\"to\":" TIME_SCHEMA ",\"items\":{\"type\":\"array\",\"items\":"
        "{\"anyOf\":[{\"$ref\":\"#/components/schemas/HistoryPosition\"},{\"$ref\":"
        "\"#/components/schemas/HistoryBucket\"}]}},\"next_cursor\":{\"type\":[\"string\",\"null\"],"
        "\"description\":\"For the next page; null on the last one.\"}},\"required\":[\"resolution\",\"from\","
        "\"to\",\"items\",\"next_cursor\"]}");
}
