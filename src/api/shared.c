/* GET /shared/{token} and its history: one tracker or one run, for whoever has the link. */
#include "api/shared.h"

#include <inttypes.h>
#include <string.h>

#include "api/app.h"
#include "api/db_problem.h"
#include "api/reading.h"
#include "api/resources.h"
#include "api/series.h"
#include "base/json.h"
#include "base/parse.h"
#include "store/rows_json.h"

/* Trackers of a run that a link shows; a page for people, not an export. */
#define SHARED_TRACKERS_MAX 1000

/* ---- the link ---- */

struct link {
    int64_t client_id, tracker_id, run_id; /* one of the latter is 0 */
    const char *name;
    bool expires;
    int64_t expires_at;
};

/* The use is noted to the minute, so that a page that reloads does not write each time. */
static const char find_sql[] =
    "SELECT id, client_id, tracker_id, production_run_id, name, expires_at, coalesce(last_used_at < now() - interval '1 "
    "minute', true) FROM share_links WHERE token_hash = decode($1, 'hex') AND revoked_at IS NULL AND (expires_at IS NULL "
    "OR expires_at > now())";
static const char note_sql[] = "UPDATE share_links SET last_used_at = now() WHERE id = $1";

/* From the token to the link, and the eyes of its client from here on: what follows names the link's own row,
 * and row security holds it to its tenant. False: answered. */
static bool open_link(struct request *req, struct link *link)
{
    char hash[SHARE_HASH_SIZE];
    share_token_hash(request_param(req, "token"), hash);
    db_set_context(req->db, &auth_context);
    struct rows *rows = db_query(req->db, find_sql, "s", hash);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return false;
    }
    if (rows_count(rows) == 0) {
        reply_problem(req, 404, "not_found", "There is no such link, or it has ended.");
        return false;
    }
    if (rows_bool(rows, 0, 6))
        (void)db_query(req->db, note_sql, "i", rows_int(rows, 0, 0)); /* the page does not depend on it */
    *link = (struct link){ .client_id = rows_int(rows, 0, 1),
                           .tracker_id = rows_int(rows, 0, 2),
                           .run_id = rows_int(rows, 0, 3),
                           .name = rows_text(rows, 0, 4),
                           .expires = !rows_null(rows, 0, 5),
                           .expires_at = rows_time(rows, 0, 5) };
    struct db_context *context = arena_zalloc(req->arena, 1, sizeof(*context));
    *context = (struct db_context){ .role = "user",
                                    .clients = arena_printf(req->arena, "{%" PRId64 "}", link->client_id),
                                    .user = "" };
    db_set_context(req->db, context);
    return true;
}

/* ---- what it shows ---- */

#define TRACKER_COLUMNS                                                                                      \
    "t.id, t.name, t.status, t.status_since, l.name AS \"location.name\", l.kind AS \"location.kind\", "     \
    "t.last_latitude AS \"position.latitude\", t.last_longitude AS \"position.longitude\", "                 \
    "t.last_accuracy_m AS accuracy_m, t.last_report_at AS reported_at, t.last_place AS place, t.battery"
#define TRACKER_TABLES "FROM trackers t LEFT JOIN locations l ON l.id = t.location_id "

static const char tracker_sql[] = "SELECT " TRACKER_COLUMNS " " TRACKER_TABLES "WHERE t.id = $1";
static const char run_trackers_sql[] = "SELECT " TRACKER_COLUMNS " " TRACKER_TABLES
                                       "WHERE t.production_run_id = $1 AND t.archived_at IS NULL "
                                       "ORDER BY t.status, t.id LIMIT $2";
#define RUN_OF(condition)                                                                                    \
    "SELECT r.name, b.name AS brand, r.description, r.starts_at, r.ends_at FROM production_runs r JOIN "     \
    "brands b ON b.id = r.brand_id WHERE " condition
static const char run_sql[] = RUN_OF("r.id = $1");
static const char tracker_run_sql[] = RUN_OF(
    "r.id = (SELECT t.production_run_id FROM trackers t WHERE t.id = $1)");
#define STATUS(word)                                                                                         \
    "coalesce(sum(s.trackers) FILTER (WHERE s.status = '" word "'), 0)::bigint AS \"by_status." word "\""
static const char progress_sql[] =
    "SELECT coalesce(sum(s.trackers), 0)::bigint AS trackers, " STATUS("CREATED") ", " STATUS("IN_TRANSIT") ", " STATUS(
        "IN_STORAGE") ", " STATUS("DELIVERED") " FROM tracker_status_counts s WHERE s.client_id = $2 AND "
                                               "s.production_run_id = $1";

/* "name": the row, or null when there is none. False: answered. */
static bool put_row(struct request *req, struct json *json, const char *name, struct rows *rows)
{
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return false;
    }
    json_key(json, name);
    if (rows_count(rows) == 0)
        json_write_null(json);
    else
        rows_write_object(rows, 0, SIZE_MAX, json);
    return true;
}

static bool put_tracker(struct request *req, struct json *json, const struct link *link)
{
    return put_row(req, json, "tracker", db_query(req->db, tracker_sql, "i", link->tracker_id)) &&
           put_row(req, json, "production_run", db_query(req->db, tracker_run_sql, "i", link->tracker_id));
}

static bool put_run(struct request *req, struct json *json, const struct link *link)
{
    json_put_null(json, "tracker");
    if (!put_row(req, json, "production_run", db_query(req->db, run_sql, "i", link->run_id)) ||
        !put_row(req, json, "progress", db_query(req->db, progress_sql, "ii", link->run_id, link->client_id)))
        return false;
    struct rows *rows = db_query(req->db, run_trackers_sql, "ii", link->run_id, (int64_t)SHARED_TRACKERS_MAX);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return false;
    }
    json_key(json, "trackers");
    rows_write_array(rows, SIZE_MAX, json);
    return true;
}

/* Not to be found by search engines. (Every answer asks not to be told to the sites that a page links to.) */
static void keep_private(struct request *req)
{
    reply_header(req, "X-Robots-Tag", "noindex, nofollow");
}

/* GET /shared/{token} */
static void get_shared(struct request *req)
{
    struct link link;
    keep_private(req);
    if (!route_parameters_known(req) || !open_link(req, &link))
        return;
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_put_text(&json, "kind", link.tracker_id != 0 ? "tracker" : "production_run");
    json_put_text(&json, "name", link.name);
    if (link.expires)
        json_put_time(&json, "expires_at", link.expires_at);
    else
        json_put_null(&json, "expires_at");
    if (!(link.tracker_id != 0 ? put_tracker(req, &json, &link) : put_run(req, &json, &link))) {
        buf_free(&body);
        return;
    }
    json_end_object(&json);
    reply_reading(req, &body);
}

/* GET /shared/{token}/history - of the tracker, or of all trackers of the run. */
static void get_shared_history(struct request *req)
{
    struct link link;
    keep_private(req);
    if (open_link(req, &link))
        reply_history_of(req, link.tracker_id == 0, link.tracker_id != 0 ? link.tracker_id : link.run_id);
}

/* ---- routes and schemas ---- */

#define IF_NONE_MATCH                                                                                        \
    {                                                                                                        \
        .name = "If-None-Match", .type = VALUE_TEXT, .in = "header",                                         \
        .about = "Answer 304 while this is the ETag."                                                        \
    }
#define TOKEN                                                                                                \
    {                                                                                                        \
        .name = "token", .type = VALUE_TEXT, .in = "path", .required = true, .min = 43, .max = 43,           \
        .about = "Of the link."                                                                              \
    }

static const char *const resolutions[] = { "raw", "hour", "day", "auto", NULL };

static const struct parameter shared_parameters[] = { TOKEN, IF_NONE_MATCH };
static const struct parameter history_parameters[] = {
    TOKEN,
    { .name = "from", .type = VALUE_TIME, .about = "As for a tracker." },
    { .name = "to", .type = VALUE_TIME, .about = "As for a tracker." },
    { .name = "resolution", .type = VALUE_ENUM, .words = resolutions, .about = "As for a tracker." },
    { .name = "limit", .type = VALUE_INT, .min = 1, .max = SERIES_LIMIT_MAX, .about = "As for a tracker." },
    { .name = "cursor", .type = VALUE_TEXT, .about = "As for a tracker." },
    IF_NONE_MATCH,
};
static const struct answer shared_answers[] = {
    { 200, "Shared", "What the link shows." },
    { 304, NULL, "Not changed." },
    { 404, "Problem", "There is no such link, or it has ended.", "application/problem+json" },
    { 422, "Problem", "A parameter is not valid.", "application/problem+json" },
};
static const struct answer history_answers[] = {
    { 200, "History", "One page." },
    { 304, NULL, "Not changed." },
    { 404, "Problem", "There is no such link, or it has ended.", "application/problem+json" },
    { 422, "Problem", "A parameter is not valid.", "application/problem+json" },
};

/* The path is a secret: nothing of it is logged. */
const struct route shared_routes[] = {
    { .method = HTTP_GET,
      .path = "/api/v1/shared/{token}",
      .handle = get_shared,
      .access = ACCESS_PUBLIC,
      .flags = ROUTE_NO_BODY_LOG,
      .tag = "shared",
      .summary = "What a share link shows",
      .about = "Needs no login: the link is the right to see it.",
      .operation_id = "getShared",
      .parameters = shared_parameters,
      .parameter_count = ARRAY_LEN(shared_parameters),
      .answers = shared_answers,
      .answer_count = ARRAY_LEN(shared_answers) },
    { .method = HTTP_GET,
      .path = "/api/v1/shared/{token}/history",
      .handle = get_shared_history,
      .access = ACCESS_PUBLIC,
      .flags = ROUTE_NO_BODY_LOG,
      .tag = "shared",
      .summary = "Where what a share link shows was, over time",
      .about = "The history of the tracker, or of all trackers of the run.",
      .operation_id = "getSharedHistory",
      .parameters = history_parameters,
      .parameter_count = ARRAY_LEN(history_parameters),
      .answers = history_answers,
      .answer_count = ARRAY_LEN(history_answers) },
};
const size_t shared_route_count = ARRAY_LEN(shared_routes);

#define TIME            "{\"type\":\"string\",\"format\":\"date-time\"}"
#define TIME_OR         "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"
#define TEXT_OR         "{\"type\":[\"string\",\"null\"]}"
#define OR_NULL(schema) "{\"anyOf\":[" schema ",{\"type\":\"null\"}]}"

void share_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "SharedTracker",
        "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\",\"format\":\"int64\"},\"name\":{\"type\":"
        "\"string\"},\"status\":{\"type\":\"string\",\"enum\":[\"CREATED\",\"IN_TRANSIT\",\"IN_STORAGE\",\"DELIVERED\"]},"
        "\"status_since\":" TIME ",\"location\":" OR_NULL(
            "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":"
            "\"string\"},\"kind\":{\"type\":\"string\",\"enum\":[\"storage\",\"delivery\"]}},\"required\":[\"name\",\"kind\"]}") ",\"position\":" OR_NULL("{\"$ref\":\"#/components/schemas/Position\"}") ",\"accuracy_m\":{\"type\":[\"number\","
                                                                                                                                                                                                          "\"null\"]},\"reported_at\":" TIME_OR
                                                                                                                                                                                                          ",\"place\":" TEXT_OR
                                                                                                                                                                                                          ",\"battery\":" TEXT_OR
                                                                                                                                                                                                          "},\"required\":[\"id\","
                                                                                                                                                                                                          "\"name\",\"status\",\"status_since\",\"location\",\"position\",\"accuracy_m\",\"reported_at\",\"place\","
                                                                                                                                                                                                          "\"battery\"]}");
    add(to, "Shared",
        "{\"type\":\"object\",\"properties\":{\"kind\":{\"type\":\"string\",\"enum\":[\"tracker\",\"production_run\"]},"
        "\"name\":{\"type\":\"string\",\"description\":\"Of the link.\"},\"expires_at\":" TIME_OR
        ",\"tracker\":" OR_NULL("{\"$ref\":\"#/components/schemas/SharedTracker\"}") ",\"production_run\":" OR_NULL(
            "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"brand\":{\"type\":\"string\"},"
            "\"description\":{\"type\":\"string\"},\"starts_at\":" TIME ",\"ends_at\":" TIME_OR
            "},\"required\":[\"name\","
            "\"brand\",\"description\",\"starts_at\",\"ends_at\"]}") ",\"progress\":{\"type\":\"object\",\"description\":"
                                                                     "\"Of a run.\",\"properties\":{\"trackers\":{\"type\":\"integer\"},\"by_status\":{\"$ref\":"
                                                                     "\"#/components/schemas/StatusCounts\"}},\"required\":[\"trackers\",\"by_status\"]},\"trackers\":{\"type\":"
                                                                     "\"array\",\"description\":\"Of a run: the first 1,000 that are not archived.\",\"items\":{\"$ref\":"
                                                                     "\"#/components/schemas/SharedTracker\"}}},\"required\":[\"kind\",\"name\",\"expires_at\",\"tracker\","
                                                                     "\"production_run\"]}");
}
