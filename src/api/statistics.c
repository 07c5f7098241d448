/* GET /statistics/…: trackers by status, how long statuses last, deliveries on time, statuses over time. All
 * read counts and daily sums that are kept; none reads trackers or their history. */
#include "api/statistics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/app.h"
#include "api/db_problem.h"
#include "api/reading.h"
#include "base/json.h"
#include "base/timeutil.h"
#include "store/rows_json.h"

#define STATISTICS_USUAL_DAYS 30
#define STATISTICS_MAX_DAYS   366
#define GROUPS_DEFAULT        100
#define GROUPS_MAX            500

/* ---- what the figures are about ---- */

static bool query_id(struct request *req, const char *name, int64_t *id)
{
    return query_int(req, name, 1, INT64_MAX, 0, id);
}

static const char *client_array(struct request *req, int64_t wanted)
{
    const struct principal *principal = req->principal;
    struct buf text = { 0 };
    if (wanted != 0) {
        buf_printf(&text, principal_sees_client(principal, wanted) ? "{%" PRId64 "}" : "{}", wanted);
    } else {
        buf_putc(&text, '{');
        for (size_t i = 0; i < principal->client_count; i++)
            buf_printf(&text, "%s%" PRId64, i > 0 ? "," : "", principal->client_ids[i]);
        buf_putc(&text, '}');
    }
    const char *array = arena_strdup(req->arena, buf_text(&text));
    buf_free(&text);
    return array;
}

bool query_scope(struct request *req, struct scope *scope)
{
    int64_t client;
    *scope = (struct scope){ 0 };
    if (!query_id(req, "client_id", &client) || !query_id(req, "brand_id", &scope->brand_id) ||
        !query_id(req, "production_run_id", &scope->run_id))
        return false;
    scope->every_client = client == 0 && req->principal->role == ROLE_ADMIN;
    scope->clients = scope->every_client ? NULL : client_array(req, client);
    return true;
}

void scope_params(const struct scope *scope, struct db_param params[SCOPE_PARAMS])
{
    params[0] = (struct db_param){ .type = 's', .value.data = scope->clients };
    params[1] = (struct db_param){ .type = 'I', .value.data = scope->run_id != 0 ? &scope->run_id : NULL };
    params[2] = (struct db_param){ .type = 'I',
                                   .value.data = scope->brand_id != 0 ? &scope->brand_id : NULL };
}

const char *scope_clients(const struct scope *scope)
{
    return scope->every_client ? "$1::bigint[] IS NULL" : "s.client_id = ANY ($1::bigint[])";
}

/* ---- groups ---- */

static const char *const group_words[] = { "none", "client", "brand", "production_run", NULL };
enum { BY_NONE, BY_CLIENT, BY_BRAND, BY_RUN };

/* The id of a group from a row `s` of its figures, and its name from the id. */
static const struct {
    const char *key, *name;
} groups[] = {
    [BY_NONE] = { "NULL::bigint", "NULL::text" },
    [BY_CLIENT] = { "s.client_id", "(SELECT x.name FROM clients x WHERE x.id = g.id)" },
    [BY_BRAND] = { "(SELECT x.brand_id FROM production_runs x WHERE x.id = s.production_run_id)",
                   "(SELECT x.name FROM brands x WHERE x.id = g.id)" },
    [BY_RUN] = { "s.production_run_id", "(SELECT x.name FROM production_runs x WHERE x.id = g.id)" },
};

/* $2 run, $3 brand, over rows `s` with production_run_id. */
#define SCOPE_RUNS                                                                                           \
    "($2::bigint IS NULL OR s.production_run_id = $2) AND ($3::bigint IS NULL OR s.production_run_id IN "    \
    "(SELECT r.id FROM production_runs r WHERE r.brand_id = $3))"

/* $5 and $6 the period: every day that it touches. */
#define SCOPE_DAYS                                                                                           \
    "s.day >= ($5::timestamptz AT TIME ZONE 'UTC')::date AND s.day <= "                                      \
    "(($6::timestamptz - interval '1 microsecond') AT TIME ZONE 'UTC')::date"

/* Each text has %s for the clients (as often as it says), then the key of a group; %s is filled by compose().
 * $4 is the number of groups, and one. */
#define BY_STATUS(status)                                                                                    \
    "coalesce(sum(s.trackers) FILTER (WHERE s.status = '" status "'), 0)::bigint AS \"by_status." status "\""
static const char status_sql[] =
    "SELECT g.id, {name} AS name, g.trackers, g.\"by_status.CREATED\", g.\"by_status.IN_TRANSIT\", "
    "g.\"by_status.IN_STORAGE\", g.\"by_status.DELIVERED\" FROM (SELECT {key} AS id, "
    "coalesce(sum(s.trackers), 0)::bigint AS trackers, " BY_STATUS("CREATED") ", " BY_STATUS("IN_TRANSIT") ", " BY_STATUS(
        "IN_STORAGE") ", " BY_STATUS("DELIVERED") " FROM tracker_status_counts s WHERE {clients} AND " SCOPE_RUNS
                                                  " {group}) g ORDER BY g.trackers DESC, g.id LIMIT $4";

static const char durations_sql[] =
    "SELECT g.id, {name} AS name, g.status, g.periods, g.seconds / g.periods AS mean_seconds, g.longest AS "
    "longest_seconds FROM (SELECT {key} AS id, s.status, sum(s.periods)::bigint AS periods, "
    "sum(s.seconds)::float8 AS seconds, max(s.longest) AS longest FROM (SELECT s.client_id, "
    "nullif(s.production_run_id, 0) AS production_run_id, s.day, s.status, s.periods, s.seconds, s.longest FROM "
    "status_daily_now s) s WHERE {clients} AND " SCOPE_RUNS " AND " SCOPE_DAYS " GROUP BY 1, 2) g "
    "WHERE g.periods > 0 ORDER BY g.id, g.status LIMIT $4";

/* A tracker that is not delivered counts against its run once that has ended. */
static const char on_time_sql[] =
    "WITH delivered AS (SELECT s.production_run_id AS run, sum(s.deliveries)::bigint AS delivered, "
    "sum(s.on_time)::bigint AS on_time FROM status_daily_now s WHERE {clients} AND s.status = 'DELIVERED' AND " SCOPE_RUNS
    " GROUP BY 1), "
    "counted AS (SELECT s.production_run_id AS run, sum(s.trackers)::bigint AS trackers FROM "
    "tracker_status_counts s WHERE {clients} AND " SCOPE_RUNS " GROUP BY 1), "
    "runs AS (SELECT s.client_id, s.id AS production_run_id, coalesce(c.trackers, 0) AS trackers, "
    "coalesce(d.delivered, 0) AS delivered, coalesce(d.on_time, 0) AS on_time, CASE WHEN s.ends_at < now() THEN "
    "greatest(coalesce(c.trackers, 0) - coalesce(d.delivered, 0), 0) ELSE 0 END AS overdue "
    "FROM production_runs s LEFT JOIN counted c ON c.run = s.id LEFT JOIN delivered d ON d.run = s.id "
    "WHERE {clients} AND ($2::bigint IS NULL OR s.id = $2) AND ($3::bigint IS NULL OR s.brand_id = $3)) "
    "SELECT g.id, {name} AS name, g.trackers, g.delivered, g.on_time, g.delivered - g.on_time AS late, g.overdue, "
    "g.on_time / nullif(g.delivered + g.overdue, 0)::float8 AS share FROM (SELECT {key} AS id, "
    "coalesce(sum(s.trackers), 0)::bigint AS trackers, coalesce(sum(s.delivered), 0)::bigint AS delivered, "
    "coalesce(sum(s.on_time), 0)::bigint AS on_time, coalesce(sum(s.overdue), 0)::bigint AS overdue FROM runs s "
    "{group}) g ORDER BY g.trackers DESC, g.id LIMIT $4";

/* From the counts of today backwards: the count at the end of a day is today's without what changed after it.
 */
static const char over_time_sql[] =
    "WITH counted AS (SELECT s.status, sum(s.trackers) AS n FROM tracker_status_counts s WHERE {clients} AND " SCOPE_RUNS
    " GROUP BY 1), "
    "changes AS (SELECT s.day, s.status, sum(s.entered) - sum(s.left_again) AS n, sum(s.deliveries) AS deliveries "
    "FROM status_daily_now s WHERE {clients} AND " SCOPE_RUNS " AND s.day >= ($4::timestamptz AT TIME ZONE "
    "'UTC')::date GROUP BY 1, 2), "
    "days AS (SELECT d::date AS day FROM generate_series(($4::timestamptz AT TIME ZONE 'UTC')::date::timestamp, "
    "greatest((now() AT TIME ZONE 'UTC')::date, (SELECT max(day) FROM changes))::timestamp, interval '1 day') d), "
    "counts AS (SELECT d.day, w.status, coalesce(c.n, 0) - coalesce(sum(x.n) OVER (PARTITION BY w.status ORDER BY "
    "d.day DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS n, coalesce(x.deliveries, 0) AS deliveries "
    "FROM days d CROSS JOIN unnest(enum_range(NULL::tracker_status)) AS w (status) LEFT JOIN counted c ON c.status = "
    "w.status LEFT JOIN changes x ON x.day = d.day AND x.status = w.status) "
    "SELECT day, "
#define ON_DAY(status)                                                                                       \
    "greatest(sum(n) FILTER (WHERE status = '" status "'), 0)::bigint AS \"by_status." status "\""
    ON_DAY("CREATED") ", " ON_DAY("IN_TRANSIT") ", " ON_DAY("IN_STORAGE") ", " ON_DAY(
        "DELIVERED") ", sum(deliveries)::bigint AS deliveries FROM counts WHERE day <= (($5::timestamptz - interval '1 microsecond') "
                     "AT TIME ZONE 'UTC')::date GROUP BY day ORDER BY day";

/* The text with its marks filled in; it depends on nothing but their shape. */
static const char *compose(struct arena *arena, const char *text, const struct scope *scope, int group)
{
    const struct {
        const char *mark, *value;
    } marks[] = {
        { "{clients}", scope_clients(scope) },
        { "{key}", groups[group].key },
        { "{name}", groups[group].name },
        { "{group}", group == BY_NONE ? "" : "GROUP BY 1" },
    };
    struct buf sql = { 0 };
    while (*text != '\0') {
        size_t plain = strcspn(text, "{"), i = 0;
        buf_append(&sql, text, plain);
        text += plain;
        while (i < ARRAY_LEN(marks) && strncmp(text, marks[i].mark, strlen(marks[i].mark)) != 0)
            i++;
        if (i < ARRAY_LEN(marks)) {
            buf_puts(&sql, marks[i].value);
            text += strlen(marks[i].mark);
        } else if (*text != '\0') {
            abort(); /* a mark that nobody knows is a mistake in a text above */
        }
    }
    const char *composed = arena_strdup(arena, buf_text(&sql));
    buf_free(&sql);
    return composed;
}

/* ---- handlers ---- */

/* {group_by, complete, items} */
static void reply_groups(struct request *req, struct rows *rows, int group, int64_t limit)
{
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    size_t count = rows_count(rows);
    bool complete = count <= (size_t)limit;
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_put_text(&json, "group_by", group_words[group]);
    json_put_bool(&json, "complete", complete);
    json_key(&json, "items");
    json_start_array(&json);
    for (size_t i = 0; i < count && i < (size_t)limit; i++)
        rows_write_object(rows, i, SIZE_MAX, &json);
    json_end_array(&json);
    json_end_object(&json);
    reply_reading(req, &body);
}

/* Figures in groups; with_period: of the days that the period touches. */
static void get_groups(struct request *req, const char *sql, int usual, bool with_period)
{
    struct scope scope;
    int group;
    int64_t limit;
    struct period period = { 0, 0 };
    if (!route_parameters_known(req) || !query_scope(req, &scope) ||
        !query_enum(req, "group_by", group_words, usual, &group) ||
        !query_int(req, "limit", 1, GROUPS_MAX, GROUPS_DEFAULT, &limit) ||
        (with_period &&
         !query_period_within(req, &period, DAYS(STATISTICS_USUAL_DAYS), DAYS(STATISTICS_MAX_DAYS))))
        return;
    struct db_param params[SCOPE_PARAMS + 3];
    scope_params(&scope, params);
    params[SCOPE_PARAMS] = (struct db_param){ .type = 'i', .value.number = limit + 1 };
    params[SCOPE_PARAMS + 1] = (struct db_param){ .type = 't', .value.number = period.from };
    params[SCOPE_PARAMS + 2] = (struct db_param){ .type = 't', .value.number = period.to };
    struct statement statement = { compose(req->arena, sql, &scope, group), params,
                                   SCOPE_PARAMS + (with_period ? 3 : 1) };
    reply_groups(req, read_rows(req, &statement), group, limit);
}

/* GET /statistics/status */
static void get_status(struct request *req)
{
    get_groups(req, status_sql, BY_NONE, false);
}

/* GET /statistics/durations */
static void get_durations(struct request *req)
{
    get_groups(req, durations_sql, BY_NONE, true);
}

/* GET /statistics/on-time */
static void get_on_time(struct request *req)
{
    get_groups(req, on_time_sql, BY_RUN, false);
}

struct rows *statuses_over_time(struct request *req, const struct scope *scope, const struct period *period)
{
    struct db_param params[SCOPE_PARAMS + 2];
    scope_params(scope, params);
    params[SCOPE_PARAMS] = (struct db_param){ .type = 't', .value.number = period->from };
    params[SCOPE_PARAMS + 1] = (struct db_param){ .type = 't', .value.number = period->to };
    struct statement statement = { compose(req->arena, over_time_sql, scope, BY_NONE), params,
                                   ARRAY_LEN(params) };
    return read_rows(req, &statement);
}

/* GET /statistics/status-over-time */
static void get_over_time(struct request *req)
{
    struct scope scope;
    struct period period;
    if (!route_parameters_known(req) || !query_scope(req, &scope) ||
        !query_period_within(req, &period, DAYS(STATISTICS_USUAL_DAYS), DAYS(STATISTICS_MAX_DAYS)))
        return;
    struct rows *rows = statuses_over_time(req, &scope, &period);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "items");
    rows_write_array(rows, SIZE_MAX, &json);
    json_end_object(&json);
    reply_reading(req, &body);
}

/* ---- routes and schemas ---- */

#define GROUP_PARAMETERS                                                                                     \
    { .name = "group_by",                                                                                    \
      .type = VALUE_ENUM,                                                                                    \
      .words = group_words,                                                                                  \
      .about = "One item for all, or one for each." },                                                       \
    {                                                                                                        \
        .name = "limit", .type = VALUE_INT, .min = 1, .max = GROUPS_MAX,                                     \
        .about = "Items, those with most trackers first; 100 when left out. `complete` tells whether "       \
                 "these are all."                                                                            \
    }
#define PERIOD_PARAMETERS                                                                                    \
    { .name = "from",                                                                                        \
      .type = VALUE_TIME,                                                                                    \
      .about = "30 days before `to` when left out; the whole UTC day counts." },                             \
    {                                                                                                        \
        .name = "to", .type = VALUE_TIME,                                                                    \
        .about = "Now when left out; at most 366 days after `from`. The whole UTC day counts."               \
    }
#define IF_NONE_MATCH                                                                                        \
    {                                                                                                        \
        .name = "If-None-Match", .type = VALUE_TEXT, .in = "header",                                         \
        .about = "Answer 304 while this is the ETag."                                                        \
    }

static const struct parameter group_parameters[] = { SCOPE_PARAMETERS, GROUP_PARAMETERS, IF_NONE_MATCH };
static const struct parameter period_group_parameters[] = { SCOPE_PARAMETERS, GROUP_PARAMETERS,
                                                            PERIOD_PARAMETERS, IF_NONE_MATCH };
static const struct parameter over_time_parameters[] = { SCOPE_PARAMETERS, PERIOD_PARAMETERS, IF_NONE_MATCH };

#define ANSWERS(name, schema)                                                                                \
    static const struct answer name[] = {                                                                    \
        { 200, schema, "The figures." },                                                                     \
        { 304, NULL, "Not changed." },                                                                       \
        { 422, "Problem", "A parameter is not valid.", "application/problem+json" },                         \
    }
ANSWERS(status_answers, "StatusStatistics");
ANSWERS(duration_answers, "DurationStatistics");
ANSWERS(on_time_answers, "OnTimeStatistics");
ANSWERS(over_time_answers, "StatusOverTime");

#define ROUTE(last, handler, takes, gives, title, text, id)                                                  \
    {                                                                                                        \
        .method = HTTP_GET, .path = "/api/v1/statistics/" last, .handle = (handler), .access = ACCESS_USER,  \
        .tag = "statistics", .summary = (title), .about = (text), .operation_id = (id),                      \
        .parameters = (takes), .parameter_count = ARRAY_LEN(takes), .answers = (gives),                      \
        .answer_count = ARRAY_LEN(gives)                                                                     \
    }

const struct route statistics_routes[] = {
    ROUTE("status", get_status, group_parameters, status_answers, "Trackers by status",
          "How many trackers that are not archived have each status at this moment.", "getStatusStatistics"),
    ROUTE("durations", get_durations, period_group_parameters, duration_answers, "How long statuses last",
          "Stays in a status that ended within the period; a change of place within one status does not end "
          "it.",
          "getDurationStatistics"),
    ROUTE(
        "on-time", get_on_time, group_parameters, on_time_answers, "Deliveries on time",
        "A tracker is on time when its first delivery in the run is not after the run's end. `overdue` ones are not "
        "delivered although their run has ended; `share` is on_time of delivered and overdue.",
        "getOnTimeStatistics"),
    ROUTE(
        "status-over-time", get_over_time, over_time_parameters, over_time_answers,
        "Trackers by status, day by day",
        "Of the trackers that are in use now: which status they had at the end of each day (UTC), and how many were "
        "delivered for the first time on it.",
        "getStatusOverTime"),
};
const size_t statistics_route_count = ARRAY_LEN(statistics_routes);

#define WHOLE "{\"type\":\"integer\",\"format\":\"int64\"}"
#define GROUP_KEY                                                                                             \
    "\"id\":{\"type\":[\"integer\",\"null\"],\"format\":\"int64\",\"description\":\"Of the client, brand or " \
    "run; null for all, or for trackers without one.\"},\"name\":{\"type\":[\"string\",\"null\"]}"
#define GROUPED(properties, required)                                                                           \
    "{\"type\":\"object\",\"properties\":{\"group_by\":{\"type\":\"string\",\"enum\":[\"none\",\"client\","     \
    "\"brand\",\"production_run\"]},\"complete\":{\"type\":\"boolean\",\"description\":\"False when `limit` "   \
    "left some out.\"},\"items\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{" GROUP_KEY \
    "," properties "},\"required\":[\"id\",\"name\"," required                                                  \
    "]}}},\"required\":[\"group_by\",\"complete\",\"items\"]}"

void statistics_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "StatusCounts",
        "{\"type\":\"object\",\"properties\":{\"CREATED\":" WHOLE ",\"IN_TRANSIT\":" WHOLE
        ",\"IN_STORAGE\":" WHOLE ",\"DELIVERED\":" WHOLE
        "},\"required\":[\"CREATED\",\"IN_TRANSIT\",\"IN_STORAGE\",\"DELIVERED\"]}");
    add(to, "StatusStatistics",
        GROUPED("\"trackers\":" WHOLE ",\"by_status\":{\"$ref\":\"#/components/schemas/StatusCounts\"}",
                "\"trackers\",\"by_status\""));
    add(to, "DurationStatistics",
        GROUPED(
            "\"status\":{\"type\":\"string\",\"enum\":[\"CREATED\",\"IN_TRANSIT\",\"IN_STORAGE\",\"DELIVERED\"]},"
            "\"periods\":" WHOLE ",\"mean_seconds\":{\"type\":\"number\"},\"longest_seconds\":" WHOLE,
            "\"status\",\"periods\",\"mean_seconds\",\"longest_seconds\""));
    add(to, "OnTimeStatistics",
        GROUPED("\"trackers\":" WHOLE ",\"delivered\":" WHOLE ",\"on_time\":" WHOLE ",\"late\":" WHOLE
                ",\"overdue\":" WHOLE
                ",\"share\":{\"type\":[\"number\",\"null\"],\"description\":\"0 to 1; null while "
                "nothing is delivered or overdue.\"}",
                "\"trackers\",\"delivered\",\"on_time\",\"late\",\"overdue\",\"share\""));
    add(to, "StatusDay",
        "{\"type\":\"object\",\"properties\":{\"day\":{\"type\":\"string\",\"format\":\"date\"},\"by_status\":{\"$ref\":"
        "\"#/components/schemas/StatusCounts\"},\"deliveries\":" WHOLE
        "},\"required\":[\"day\",\"by_status\","
        "\"deliveries\"]}");
    add(to, "StatusOverTime",
        "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{\"$ref\":"
        "\"#/components/schemas/StatusDay\"}}},\"required\":[\"items\"]}");
}
