/* GET /trackers/{id}/reports and /production-runs/{id}/reports: what Apple's network reported, flags
 * included. */
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

/* Partitions and chunks of this many days are looked into at most. */
#define REPORTS_MAX_DAYS 92

static const char *const flags[] = { "none", "low_confidence", "inaccurate", "jump", "excluded", NULL };
static const char *const sorts[] = { "reported_at", "-reported_at", NULL };
#define NEWEST_FIRST 1

#define COLUMNS                                                                                              \
    "x.reported_at, x.received_at, x.latitude AS \"position.latitude\", x.longitude AS "                     \
    "\"position.longitude\", x.accuracy_m, x.confidence, x.battery, x.flag, x.place, x.latitude_e7, "        \
    "x.longitude_e7"
#define HELPERS     2 /* at the end: the position as the cursor wants it */
#define WANTED(row) "($4::text[] IS NULL OR coalesce(" row ".flag, 'none') = ANY ($4::text[]))"
#define BEYOND(row, side)                                                                                    \
    "($6::timestamptz IS NULL OR (" row ".reported_at, " row ".latitude_e7, " row ".longitude_e7) " side     \
    " ($6::timestamptz, $7::integer, $8::integer))"
#define IN_ORDER(direction)                                                                                  \
    "x.reported_at" direction ", x.latitude_e7" direction ", x.longitude_e7" direction " LIMIT $5"

/* $1 tracker, $2 and $3 the period, $4 flags or null, $5 limit, $6 to $8 the last report of the page before,
 * or null. The period begins (or ends) at that report, so that the index is entered there; the comparison of
 * rows leaves out its equals in time. */
#define TRACKER_SQL(side, direction)                                                                         \
    "SELECT " COLUMNS " FROM tracker_reports x WHERE x.tracker_id = $1 AND x.reported_at >= $2 AND "         \
    "x.reported_at < $3 AND " WANTED("x") " AND " BEYOND("x", side) " ORDER BY " IN_ORDER(direction)

/* $1 run, $9 the tracker of the last report, or 0. Tracker by tracker, so that a page reads nothing of the
 * trackers after its end; of each only what falls into its time with the run. */
#define RUN_SQL(side, direction)                                                                             \
    "SELECT r.tracker_id, " COLUMNS " FROM (SELECT m.tracker_id, range_agg(m.period) AS periods FROM "       \
    "tracker_runs m WHERE m.production_run_id = $1 AND m.tracker_id >= $9 GROUP BY m.tracker_id) r "         \
    "CROSS JOIN LATERAL (SELECT h.* FROM tracker_reports h WHERE h.tracker_id = r.tracker_id AND "           \
    "h.reported_at >= $2 AND h.reported_at < $3 AND r.periods @> h.reported_at AND " WANTED(                 \
        "h") " AND (r.tracker_id > $9 OR " BEYOND("h",                                                       \
                                                  side) ")) x ORDER BY r.tracker_id, " IN_ORDER(direction)

static const char *const tracker_sql[] = { TRACKER_SQL(">", ""), TRACKER_SQL("<", " DESC") };
static const char *const run_sql[] = { RUN_SQL(">", ""), RUN_SQL("<", " DESC") };

struct report_query {
    bool of_run;
    int64_t id, limit; /* of the tracker or run */
    struct period period;
    const char *flags;
    int sort;
    const char *scope;
    struct cursor after;
};

static bool take_query(struct request *req, bool of_run, struct report_query *query)
{
    query->of_run = of_run;
    if (!param_id(req, "id", &query->id) || !route_parameters_known(req) ||
        !query_period(req, &query->period, DAYS(REPORTS_MAX_DAYS)) ||
        !query_words(req, "flag", flags, &query->flags) ||
        !query_int(req, "limit", 1, SERIES_LIMIT_MAX, SERIES_LIMIT_DEFAULT, &query->limit) ||
        !query_enum(req, "sort", sorts, NEWEST_FIRST, &query->sort))
        return false;
    query->scope = arena_printf(req->arena, "%s reports|%" PRId64 "|%s", of_run ? "run" : "tracker",
                                query->id, sorts[query->sort]);
    return query_cursor(req, query->scope, &query->after);
}

/* The last row of a page as cursor: "USEC,LATITUDE,LONGITUDE", and the tracker in a run. */
static struct cursor cursor_of(struct request *req, const struct report_query *query, const struct rows *rows,
                               size_t row)
{
    size_t end = rows_columns(rows);
    return (struct cursor){
        .id = query->of_run ? rows_int(rows, row, 0) : 0,
        .text = arena_printf(req->arena, "%" PRId64 ",%s,%s", rows_time(rows, row, query->of_run ? 1 : 0),
                             rows_text(rows, row, end - 2), rows_text(rows, row, end - 1)),
    };
}

static struct rows *ask(struct request *req, const struct report_query *query)
{
    bool newest = query->sort == NEWEST_FIRST;
    struct period period = query->period;
    int64_t at = 0, latitude = 0, longitude = 0;
    bool after = query->after.text != NULL && sscanf(query->after.text, "%" SCNd64 ",%" SCNd64 ",%" SCNd64,
                                                     &at, &latitude, &longitude) == 3;
    if (after && !query->of_run && newest && at < period.to)
        period.to = at + 1;
    if (after && !query->of_run && !newest && at > period.from)
        period.from = at;

    char time[RFC3339_SIZE];
    const struct db_param params[] = {
        { .type = 'i', .value.number = query->id },
        { .type = 't', .value.number = period.from },
        { .type = 't', .value.number = period.to },
        { .type = 's', .value.data = query->flags },
        { .type = 'i', .value.number = query->limit + 1 },
        { .type = 's', .value.data = after ? time_format(at, time) : NULL },
        { .type = 's', .value.data = after ? arena_printf(req->arena, "%" PRId64, latitude) : NULL },
        { .type = 's', .value.data = after ? arena_printf(req->arena, "%" PRId64, longitude) : NULL },
        { .type = 'i', .value.number = query->after.id },
    };
    const char *const *sql = query->of_run ? run_sql : tracker_sql;
    struct statement statement = { sql[newest], params, query->of_run ? 9 : 8 };
    return read_rows(req, &statement);
}

static void reply_reports(struct request *req, bool of_run)
{
    struct report_query query;
    if (!take_query(req, of_run, &query))
        return;
    struct rows *rows = ask(req, &query);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    size_t count = rows_count(rows);
    if (count == 0 && !row_exists(req, of_run ? &production_runs_resource : &trackers_resource, query.id))
        return;
    bool more = count > (size_t)query.limit;
    if (more)
        count = (size_t)query.limit;

    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "items");
    json_start_array(&json);
    for (size_t i = 0; i < count; i++)
        rows_write_object(rows, i, rows_columns(rows) - HELPERS, &json);
    json_end_array(&json);
    struct cursor next = { 0 };
    if (more)
        next = cursor_of(req, &query, rows, count - 1);
    put_next_cursor(req, &json, query.scope, &next);
    json_end_object(&json);
    reply_reading(req, &body);
}

/* GET /trackers/{id}/reports */
static void get_tracker_reports(struct request *req)
{
    reply_reports(req, false);
}

/* GET /production-runs/{id}/reports */
static void get_run_reports(struct request *req)
{
    reply_reports(req, true);
}

static const struct parameter parameters[] = {
    { .name = "id", .type = VALUE_ID, .in = "path", .required = true },
    { .name = "from",
      .type = VALUE_TIME,
      .about = "At this time or later; 92 days before `to` when left out." },
    { .name = "to",
      .type = VALUE_TIME,
      .about = "Before this time; now when left out. At most 92 days after `from`." },
    { .name = "flag",
      .type = VALUE_TEXT,
      .about =
          "Reports with this flag, or one of several separated by commas: none (judged), low_confidence, "
          "inaccurate, jump, excluded." },
    { .name = "limit",
      .type = VALUE_INT,
      .min = 1,
      .max = SERIES_LIMIT_MAX,
      .about = "Rows of a page; 1000 when left out." },
    { .name = "cursor", .type = VALUE_TEXT, .about = "next_cursor of the page before; opaque." },
    { .name = "sort", .type = VALUE_ENUM, .words = sorts, .about = "The newest first when left out." },
    { .name = "If-None-Match",
      .type = VALUE_TEXT,
      .in = "header",
      .about = "Answer 304 while this is the ETag." },
};
static const struct answer answers[] = {
    { 200, "ReportPage", "One page." },
    { 304, NULL, "Not changed." },
    { 404, "Problem", "No such tracker or run, or not yours.", "application/problem+json" },
    { 422, "Problem", "A parameter is not valid.", "application/problem+json" },
};

const struct route report_routes[] = {
    { .method = HTTP_GET,
      .path = "/api/v1/trackers/{id}/reports",
      .handle = get_tracker_reports,
      .access = ACCESS_USER,
      .tag = "trackers",
      .summary = "The location reports of a tracker",
      .about =
          "Every stored report, also those that are not judged; `flag` says why. Reports in an exclusion "
          "area are shown to admins only.",
      .operation_id = "listTrackerReports",
      .parameters = parameters,
      .parameter_count = ARRAY_LEN(parameters),
      .answers = answers,
      .answer_count = ARRAY_LEN(answers) },
    { .method = HTTP_GET,
      .path = "/api/v1/production-runs/{id}/reports",
      .handle = get_run_reports,
      .access = ACCESS_USER,
      .tag = "production-runs",
      .summary = "The location reports of the trackers of a run",
      .about =
          "The same for every tracker of the run while it belonged to it: tracker by tracker, each report with its "
          "`tracker_id`; `sort` is the order within a tracker.",
      .operation_id = "listRunReports",
      .parameters = parameters,
      .parameter_count = ARRAY_LEN(parameters),
      .answers = answers,
      .answer_count = ARRAY_LEN(answers) },
};
const size_t report_route_count = ARRAY_LEN(report_routes);

void report_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "Report",
        "{\"type\":\"object\",\"properties\":{\"tracker_id\":{\"type\":\"integer\",\"format\":\"int64\",\"description\":"
        "\"In the reports of a run.\"},\"reported_at\":{\"type\":\"string\",\"format\":\"date-time\","
        "\"description\":\"When a device saw the tracker.\"},\"received_at\":{\"type\":\"string\",\"format\":"
        "\"date-time\",\"description\":\"When it was stored here.\"},\"position\":{\"$ref\":"
        "\"#/components/schemas/Position\"},\"accuracy_m\":{\"type\":\"number\"},\"confidence\":{\"type\":"
        "\"integer\",\"minimum\":0,\"maximum\":3},\"battery\":{\"type\":[\"string\",\"null\"],\"enum\":[\"full\","
        "\"medium\",\"low\",\"very_low\",null]},\"flag\":{\"type\":[\"string\",\"null\"],\"enum\":["
        "\"low_confidence\",\"inaccurate\",\"jump\",\"excluded\",null],\"description\":\"Why it is not judged; "
        "null for a judged one.\"},\"place\":{\"type\":[\"string\",\"null\"]}},\"required\":[\"reported_at\","
        "\"received_at\",\"position\",\"accuracy_m\",\"confidence\",\"battery\",\"flag\",\"place\"]}");
    add(to, "ReportPage",
        "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{\"$ref\":"
        "\"#/components/schemas/Report\"}},\"next_cursor\":{\"type\":[\"string\",\"null\"],\"description\":\"For "
        "the next page; null on the last one.\"}},\"required\":[\"items\",\"next_cursor\"]}");
}
