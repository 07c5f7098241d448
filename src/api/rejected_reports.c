/* GET /rejected-reports and /trackers/{id}/rejected-reports: what could not be used of Apple's answers, and
 * why. */
#include "api/rejected_reports.h"

#include "api/app.h"
#include "api/db_problem.h"
#include "api/reading.h"
#include "api/resources.h"
#include "base/json.h"
#include "base/timeutil.h"
#include "store/rows_json.h"

#define REJECTED_USUAL_DAYS 7
#define REJECTED_MAX_DAYS   92
#define GROUPS_DEFAULT      100
#define GROUPS_MAX          500

static const char *const group_words[] = { "day", "tracker", NULL };
enum { BY_DAY, BY_TRACKER };

/* $1 and $2 the period: every day that it touches; $3 the number of groups, and one. */
#define DAYS_OF                                                                                              \
    "r.day >= ($1::timestamptz AT TIME ZONE 'UTC')::date AND r.day <= "                                      \
    "(($2::timestamptz - interval '1 microsecond') AT TIME ZONE 'UTC')::date"
static const char *const group_sql[] = {
    [BY_DAY] =
        "SELECT r.day, r.reason, sum(r.reports)::bigint AS reports, count(DISTINCT r.tracker_id) AS trackers, "
        "max(r.last_at) AS last_at FROM rejected_reports r WHERE " DAYS_OF
        " GROUP BY r.day, r.reason ORDER BY r.day DESC, r.reason LIMIT $3",
    [BY_TRACKER] =
        "SELECT g.tracker_id, t.name AS tracker_name, t.client_id, g.reason, g.reports, g.last_at FROM (SELECT "
        "r.tracker_id, r.reason, sum(r.reports)::bigint AS reports, max(r.last_at) AS last_at FROM "
        "rejected_reports r WHERE " DAYS_OF " GROUP BY r.tracker_id, r.reason ORDER BY sum(r.reports) DESC, "
        "r.tracker_id, r.reason LIMIT $3) g JOIN trackers t ON t.id = g.tracker_id ORDER BY g.reports DESC, "
        "g.tracker_id, g.reason",
};
static const char tracker_sql[] =
    "SELECT r.day, r.reason, r.reports, r.last_at FROM rejected_reports r WHERE " DAYS_OF
    " AND r.tracker_id = $3 ORDER BY r.day DESC, r.reason";

static bool take_period(struct request *req, struct period *period)
{
    return query_period_within(req, period, DAYS(REJECTED_USUAL_DAYS), DAYS(REJECTED_MAX_DAYS));
}

/* The first `limit` rows as {items, complete}. */
static void reply_items(struct request *req, const struct rows *rows, size_t limit)
{
    size_t count = rows_count(rows);
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_put_bool(&json, "complete", count <= limit);
    json_key(&json, "items");
    rows_write_first(rows, count < limit ? count : limit, SIZE_MAX, &json);
    json_end_object(&json);
    reply_reading(req, &body);
}

/* GET /rejected-reports - counts by day or by tracker. */
static void get_rejected(struct request *req)
{
    struct period period;
    int group;
    int64_t limit;
    if (!route_parameters_known(req) || !take_period(req, &period) ||
        !query_enum(req, "group_by", group_words, BY_DAY, &group) ||
        !query_int(req, "limit", 1, GROUPS_MAX, GROUPS_DEFAULT, &limit))
        return;
    const struct db_param params[] = {
        { .type = 't', .value.number = period.from },
        { .type = 't', .value.number = period.to },
        { .type = 'i', .value.number = limit + 1 },
    };
    struct statement statement = { group_sql[group], params, ARRAY_LEN(params) };
    struct rows *rows = read_rows(req, &statement);
    if (rows_ok(rows))
        reply_items(req, rows, (size_t)limit);
    else
        reply_db_problem(req, rows);
}

/* GET /trackers/{id}/rejected-reports - counts of one tracker by day. */
static void get_tracker_rejected(struct request *req)
{
    struct period period;
    int64_t id;
    if (!param_id(req, "id", &id) || !route_parameters_known(req) || !take_period(req, &period))
        return;
    const struct db_param params[] = {
        { .type = 't', .value.number = period.from },
        { .type = 't', .value.number = period.to },
        { .type = 'i', .value.number = id },
    };
    struct statement statement = { tracker_sql, params, ARRAY_LEN(params) };
    struct rows *rows = read_rows(req, &statement);
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    else if (rows_count(rows) > 0 || row_exists(req, &trackers_resource, id))
        reply_items(req, rows, SIZE_MAX);
}

/* ---- routes and schemas ---- */

#define PERIOD                                                                                               \
    { .name = "from",                                                                                        \
      .type = VALUE_TIME,                                                                                    \
      .about = "7 days before `to` when left out; the whole UTC day counts." },                              \
    {                                                                                                        \
        .name = "to", .type = VALUE_TIME, .about = "Now when left out; at most 92 days after `from`."        \
    }
#define IF_NONE_MATCH                                                                                        \
    {                                                                                                        \
        .name = "If-None-Match", .type = VALUE_TEXT, .in = "header",                                         \
        .about = "Answer 304 while this is the ETag."                                                        \
    }

static const struct parameter parameters[] = {
    PERIOD,
    { .name = "group_by", .type = VALUE_ENUM, .words = group_words, .about = "day when left out." },
    { .name = "limit", .type = VALUE_INT, .min = 1, .max = GROUPS_MAX, .about = "Items; 100 when left out." },
    IF_NONE_MATCH,
};
static const struct parameter tracker_parameters[] = {
    { .name = "id", .type = VALUE_ID, .in = "path", .required = true },
    PERIOD,
    IF_NONE_MATCH,
};
static const struct answer answers[] = {
    { 200, "RejectedReports", "Counts by day, or by tracker, and reason." },
    { 304, NULL, "Not changed." },
    { 404, "Problem", "No such tracker.", "application/problem+json" },
    { 422, "Problem", "A parameter is not valid.", "application/problem+json" },
};

const struct route rejected_report_routes[] = {
    { .method = HTTP_GET,
      .path = "/api/v1/rejected-reports",
      .handle = get_rejected,
      .access = ACCESS_ADMIN,
      .tag = "rejected-reports",
      .summary = "Reports that could not be used",
      .about =
          "How many, by day and reason, the newest day first; or by tracker and reason, those with most first.",
      .operation_id = "listRejectedReports",
      .parameters = parameters,
      .parameter_count = ARRAY_LEN(parameters),
      .answers = answers,
      .answer_count = ARRAY_LEN(answers) },
    { .method = HTTP_GET,
      .path = "/api/v1/trackers/{id}/rejected-reports",
      .handle = get_tracker_rejected,
      .access = ACCESS_ADMIN,
      .tag = "trackers",
      .summary = "Reports of a tracker that could not be used",
      .operation_id = "listTrackerRejectedReports",
      .parameters = tracker_parameters,
      .parameter_count = ARRAY_LEN(tracker_parameters),
      .answers = answers,
      .answer_count = ARRAY_LEN(answers) },
};
const size_t rejected_report_route_count = ARRAY_LEN(rejected_report_routes);

void rejected_report_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "RejectedReports",
        "{\"type\":\"object\",\"properties\":{\"complete\":{\"type\":\"boolean\",\"description\":\"False when `limit` left "
        "some out.\"},\"items\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"day\":{\"type\":"
        "\"string\",\"format\":\"date\"},\"tracker_id\":{\"type\":\"integer\",\"format\":\"int64\"},\"tracker_name\":{"
        "\"type\":\"string\"},\"client_id\":{\"type\":\"integer\",\"format\":\"int64\"},\"reason\":{\"type\":\"string\","
        "\"description\":\"auth (forged or damaged), key, length, range, future, old, excluded and others.\"},\"reports\":{\"type\":\"integer\"},"
        "\"trackers\":{\"type\":\"integer\"},\"last_at\":{\"type\":\"string\",\"format\":\"date-time\"}},\"required\":["
        "\"reason\",\"reports\",\"last_at\"]}}},\"required\":[\"complete\",\"items\"]}");
}
