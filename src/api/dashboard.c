/* GET /dashboard: what a start page shows, in one call. */
#include <string.h>

#include "api/app.h"
#include "api/db_problem.h"
#include "api/pipeline.h"
#include "api/reading.h"
#include "api/resources.h"
#include "api/statistics.h"
#include "base/json.h"
#include "base/timeutil.h"
#include "store/rows_json.h"

#define DASHBOARD_DAYS   30
#define DASHBOARD_EVENTS 10

/* One row of numbers; %s is the condition for the clients, over rows `s`. The run and the brand are not asked
 * for here: a dashboard is of clients. */
#define STATUS(word)                                                                                         \
    "coalesce(sum(s.trackers) FILTER (WHERE s.status = '" word "'), 0)::bigint AS \"by_status." word "\""
static const char trackers_sql[] =
    "SELECT coalesce(sum(s.trackers), 0)::bigint AS total, " STATUS("CREATED") ", " STATUS(
        "IN_TRANSIT") ", " STATUS("IN_STORAGE") ", " STATUS("DELIVERED") " FROM tracker_status_counts s WHERE %s";
static const char runs_sql[] =
    "SELECT count(*) AS total, count(*) FILTER (WHERE s.starts_at <= now() AND (s.ends_at IS NULL OR s.ends_at >= "
    "now())) AS in_progress FROM production_runs s WHERE s.archived_at IS NULL AND %s";
#define KIND(word) "count(*) FILTER (WHERE s.kind = '" word "') AS " word
static const char exceptions_sql[] =
    "SELECT count(*) AS total, " KIND("wrong_place") ", " KIND("left_early") ", " KIND("silent") ", " KIND(
        "stuck") " FROM tracker_exceptions s WHERE s.ended_at IS NULL AND %s";

/* {"name": the first row of sql}; false: answered. */
static bool put_row(struct request *req, struct json *json, const char *name, const char *sql,
                    const struct scope *scope)
{
    struct db_param clients = { .type = 's', .value.data = scope->clients };
    struct statement statement = { arena_printf(req->arena, sql, scope_clients(scope)), &clients, 1 };
    struct rows *rows = read_rows(req, &statement);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return false;
    }
    json_key(json, name);
    rows_write_object(rows, 0, SIZE_MAX, json);
    return true;
}

static bool put_days(struct request *req, struct json *json, const struct scope *scope)
{
    int64_t now = time_now();
    struct period period = { now - DAYS(DASHBOARD_DAYS - 1), now };
    struct rows *rows = statuses_over_time(req, scope, &period);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return false;
    }
    json_key(json, "status_over_time");
    rows_write_array(rows, SIZE_MAX, json);
    return true;
}

static bool put_events(struct request *req, struct json *json, int64_t client)
{
    const struct principal *principal = req->principal;
    struct list_query query = {
        .resource = &events_resource,
        .sort = &events_resource.fields[resource_field(&events_resource, "occurred_at")],
        .descending = true,
        .archived = ARCHIVED_ALL,
        .every_client = client == 0 && principal->role == ROLE_ADMIN,
        .clients = client != 0 ? &client : principal->client_ids,
        .client_count = client != 0 ? principal_sees_client(principal, client) : principal->client_count,
        .limit = DASHBOARD_EVENTS - 1, /* sql_list asks for one more */
    };
    struct statement statement = sql_list(&query, req->arena);
    struct rows *rows = read_rows(req, &statement);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return false;
    }
    json_key(json, "recent_events");
    rows_write_array(rows, sql_column_count(&events_resource), json);
    return true;
}

/* What only the operator sees. The rest of the page does not depend on it. */
static void put_pipeline(struct request *req, struct json *json)
{
    if (req->principal->role != ROLE_ADMIN || !pipeline_refresh(req)) {
        json_put_null(json, "pipeline");
        return;
    }
    json_key(json, "pipeline");
    json_start_object(json);
    pipeline_put(req, json);
    json_end_object(json);
}

static void get_dashboard(struct request *req)
{
    struct scope scope;
    int64_t client;
    if (!route_parameters_known(req) || !query_int(req, "client_id", 1, INT64_MAX, 0, &client) ||
        !query_scope(req, &scope))
        return;
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    bool good = put_row(req, &json, "trackers", trackers_sql, &scope) &&
                put_row(req, &json, "production_runs", runs_sql, &scope) &&
                put_row(req, &json, "exceptions", exceptions_sql, &scope) && put_days(req, &json, &scope) &&
                put_events(req, &json, client);
    if (!good) {
        buf_free(&body);
        return;
    }
    put_pipeline(req, &json);
    json_end_object(&json);
    reply_reading(req, &body);
}

static const struct parameter parameters[] = {
    { .name = "client_id", .type = VALUE_ID, .about = "Only of this client." },
    { .name = "If-None-Match",
      .type = VALUE_TEXT,
      .in = "header",
      .about = "Answer 304 while this is the ETag." },
};
static const struct answer answers[] = {
    { 200, "Dashboard", "The figures." },
    { 304, NULL, "Not changed." },
    { 422, "Problem", "A parameter is not valid.", "application/problem+json" },
};

const struct route dashboard_routes[] = {
    { .method = HTTP_GET,
      .path = "/api/v1/dashboard",
      .handle = get_dashboard,
      .access = ACCESS_USER,
      .tag = "statistics",
      .summary = "The figures of a start page",
      .about =
          "Trackers by status now and on each of the last 30 days, runs in progress, exceptions that last, the last "
          "10 events; for admins also how the pipeline does.",
      .operation_id = "getDashboard",
      .parameters = parameters,
      .parameter_count = ARRAY_LEN(parameters),
      .answers = answers,
      .answer_count = ARRAY_LEN(answers) },
};
const size_t dashboard_route_count = ARRAY_LEN(dashboard_routes);

#define WHOLE "{\"type\":\"integer\",\"format\":\"int64\"}"

void dashboard_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "Dashboard",
        "{\"type\":\"object\",\"properties\":{\"trackers\":{\"type\":\"object\",\"properties\":{\"total\":" WHOLE
        ",\"by_status\":{\"$ref\":\"#/components/schemas/StatusCounts\"}},\"required\":[\"total\",\"by_status\"]},"
        "\"production_runs\":{\"type\":\"object\",\"properties\":{\"total\":" WHOLE ",\"in_progress\":" WHOLE
        "},\"required\":[\"total\",\"in_progress\"]},\"exceptions\":{\"type\":\"object\",\"properties\":{\"total\":" WHOLE
        ",\"wrong_place\":" WHOLE ",\"left_early\":" WHOLE ",\"silent\":" WHOLE ",\"stuck\":" WHOLE
        "},\"required\":[\"total\",\"wrong_place\",\"left_early\",\"silent\",\"stuck\"]},\"status_over_time\":{\"type\":"
        "\"array\",\"items\":{\"$ref\":\"#/components/schemas/StatusDay\"}},\"recent_events\":{\"type\":\"array\","
        "\"items\":{\"$ref\":\"#/components/schemas/Event\"}},\"pipeline\":{\"anyOf\":[{\"$ref\":"
        "\"#/components/schemas/Pipeline\"},{\"type\":\"null\"}],\"description\":\"For admins only.\"}},\"required\":["
        "\"trackers\",\"production_runs\",\"exceptions\",\"status_over_time\",\"recent_events\",\"pipeline\"]}");
}
