/* POST /trackers/bulk: archive, restore, delete or move many trackers, each for itself, with a result for
 * each. */
#include "api/tracker_bulk.h"

#include <inttypes.h>
#include <string.h>

#include "api/app.h"
#include "api/db_problem.h"
#include "api/resources.h"
#include "base/json.h"
#include "base/parse.h"

/* A row takes about a millisecond, so that a call stays within a few seconds. */
#define BULK_MAX 1000

static const char *const actions[] = { "archive", "restore", "set_run", "delete", NULL };
enum { ARCHIVE, RESTORE, SET_RUN, DELETE };

struct bulk {
    int action;
    struct field_value values[RESOURCE_MAX_FIELDS]; /* SET_RUN: the new run, or null */
    size_t count;
    int64_t ids[BULK_MAX];
};

/* ---- the body ---- */

static void take_ids(struct request *req, json_t *list, struct bulk *bulk)
{
    size_t index;
    json_t *id;
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > BULK_MAX) {
        problem_field(req, "ids", json_is_array(list) ? "too_many" : "wrong_type",
                      "must be an array of 1 to %d ids", BULK_MAX);
        return;
    }
    json_array_foreach(list, index, id)
    {
        if (!json_is_integer(id) || json_integer_value(id) <= 0) {
            problem_field(req, "ids", "wrong_type", "every id must be a positive whole number");
            return;
        }
        bulk->ids[bulk->count++] = json_integer_value(id);
    }
}

static const char *filter_text(struct arena *arena, const json_t *value)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        return arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    return NULL;
}

/* Is it a filter of the list of trackers, and not how the list is shown? */
static bool is_filter(struct request *req, const char *name)
{
    static const char *const showing[] = { "limit", "cursor", "sort", "count", NULL };
    const struct parameter *known;
    size_t n = list_parameters(&trackers_resource, req->arena, &known);
    for (size_t i = 0; i < n; i++)
        if (strcmp(known[i].name, name) == 0)
            return word_index(showing, name) < 0;
    return false;
}

/* The members of `filter` become what the caller could have asked GET /trackers for. */
static void take_filter(struct request *req, json_t *filter)
{
    const char *name;
    json_t *value;
    if (!json_is_object(filter) || json_object_size(filter) == 0) {
        problem_field(req, "filter", "wrong_type", "must be an object with at least one filter");
        return;
    }
    json_object_foreach(filter, name, value)
    {
        const char *text = filter_text(req->arena, value);
        if (!is_filter(req, name))
            problem_field(req, arena_printf(req->arena, "filter.%s", name), "unknown_field",
                          "is not a filter of trackers");
        else if (text == NULL)
            problem_field(req, arena_printf(req->arena, "filter.%s", name), "wrong_type",
                          "must be a text, a whole number, true or false");
        else
            request_query_add(req, name, text);
    }
}

static void take_run(struct request *req, json_t *run, struct bulk *bulk)
{
    int field = resource_field(&trackers_resource, "production_run_id");
    if (run == NULL || !(json_is_null(run) || (json_is_integer(run) && json_integer_value(run) > 0))) {
        problem_field(req, "production_run_id", run == NULL ? "required" : "wrong_type",
                      "must be the id of a run, or null for none");
        return;
    }
    bulk->values[field] = (struct field_value){
        .given = true,
        .text = json_is_null(run)
                    ? NULL
                    : arena_printf(req->arena, "%" JSON_INTEGER_FORMAT, json_integer_value(run)),
    };
}

static const char *const members[] = { "ids", "filter", "action", "production_run_id", NULL };

/* False: answered. */
static bool take_body(struct request *req, struct bulk *bulk, bool *by_filter)
{
    json_t *body, *value;
    const char *name;
    if (!request_json(req, &body))
        return false;
    json_object_foreach(body, name, value)
    {
        if (word_index(members, name) < 0)
            problem_field(req, name, "unknown_field", "is not a field");
    }
    json_t *action = json_object_get(body, "action"), *run = json_object_get(body, "production_run_id");
    bulk->action = json_is_string(action) ? word_index(actions, json_string_value(action)) : -1;
    if (bulk->action < 0)
        problem_field(req, "action", action == NULL ? "required" : "unknown_value",
                      "must be archive, restore, set_run or delete");
    if (bulk->action == SET_RUN)
        take_run(req, run, bulk);
    else if (run != NULL)
        problem_field(req, "production_run_id", "conflict", "goes with the action set_run only");
    json_t *ids = json_object_get(body, "ids"), *filter = json_object_get(body, "filter");
    *by_filter = filter != NULL;
    if ((ids == NULL) == (filter == NULL))
        problem_field(req, "ids", ids == NULL ? "required" : "conflict", "either ids or filter is required");
    else if (ids != NULL)
        take_ids(req, ids, bulk);
    else
        take_filter(req, filter);
    if (!problem_pending(req) && bulk->action >= 0)
        return true;
    reply_invalid(req);
    return false;
}

/* The trackers that the filter finds. False: answered. */
static bool find_rows(struct request *req, struct bulk *bulk)
{
    struct page_request page;
    if (!list_parse_query(req, &trackers_resource, &page))
        return false;
    /* Rows to be restored are archived ones. */
    if (bulk->action == RESTORE && page.query.archived == ARCHIVED_NO)
        page.query.archived = ARCHIVED_YES;
    const struct db_param limit = { .type = 'i', .value.number = BULK_MAX + 1 };
    struct statement statement = sql_over(&page.query, "SELECT t.id", " ORDER BY t.id LIMIT $1", &limit, 1,
                                          req->arena);
    struct rows *rows = db_query_params(req->db, statement.sql, statement.params, statement.count);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return false;
    }
    if (rows_count(rows) > BULK_MAX) {
        problem_field(req, "filter", "too_many", "finds more than %d trackers; narrow it", BULK_MAX);
        reply_invalid(req);
        return false;
    }
    for (size_t i = 0; i < rows_count(rows); i++)
        bulk->ids[bulk->count++] = rows_int(rows, i, 0);
    return true;
}

/* ---- the rows ---- */

/* Why a row was not written; NULL when it was. *away: the database is, and nothing more can be done. */
static const char *outcome_of(const struct bulk *bulk, const struct rows *rows, const char **message,
                              bool *away)
{
    size_t changed = sql_column_count(&trackers_resource) + HELPER_CHANGED;
    if (strcmp(rows_constraint(rows), "archived_production_run_id") == 0) {
        *message = "the production run is archived; restore it first, or choose another";
        return "archived";
    }
    switch (rows_status(rows)) {
    case DB_OK:
        if (rows_count(rows) > 0 && rows_bool(rows, 0, changed))
            return NULL;
        *message = rows_count(rows) == 0 ? "no such tracker" : "others keep changing it";
        return rows_count(rows) == 0 ? "not_found" : "write_conflict";
    case DB_UNIQUE:
        *message = "another tracker in use has its name or address";
        return "already_exists";
    case DB_FOREIGN_KEY:
        *message = bulk->action == DELETE ? "something depends on it; archive it"
                                          : "no such production run of its client";
        return bulk->action == DELETE ? "in_use" : "not_found";
    default:
        *away = rows_status(rows) == DB_UNAVAILABLE || rows_status(rows) == DB_TIMEOUT;
        *message = "the database refused it";
        return "failed";
    }
}

static struct statement statement_for(struct request *req, const struct bulk *bulk, int64_t id)
{
    struct writer writer = request_writer(req);
    switch (bulk->action) {
    case DELETE:
        return sql_delete(&trackers_resource, id, NULL, &writer, req->arena);
    case SET_RUN:
        return sql_update(&trackers_resource, id, "update", NULL, bulk->values, &writer, req->arena);
    default:
        return sql_update(&trackers_resource, id, actions[bulk->action], NULL, NULL, &writer, req->arena);
    }
}

/* Each row is a statement of its own: what fails leaves the others done, and locks are held for a moment
 * only. */
static void write_rows_one_by_one(struct request *req, struct bulk *bulk)
{
    struct buf body = { 0 };
    struct json json;
    int64_t done = 0;
    bool away = false;
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "results");
    json_start_array(&json);
    for (size_t i = 0; i < bulk->count; i++) {
        struct statement statement = statement_for(req, bulk, bulk->ids[i]);
        const char *message = away ? "the database is away" : NULL;
        const char *code = away ? "failed" : outcome_of(bulk, write_rows(req, &statement), &message, &away);
        done += code == NULL;
        json_start_object(&json);
        json_put_int(&json, "id", bulk->ids[i]);
        json_put_bool(&json, "done", code == NULL);
        json_put_text(&json, "code", code);
        json_put_text(&json, "message", message);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_put_int(&json, "done", done);
    json_put_int(&json, "failed", (int64_t)bulk->count - done);
    json_end_object(&json);
    if (done > 0)
        note_write(req);
    reply_json(req, 200, &body);
}

/* POST /trackers/bulk */
static void post_bulk(struct request *req)
{
    struct bulk *bulk = arena_zalloc(req->arena, 1, sizeof(*bulk));
    bool by_filter;
    if (take_body(req, bulk, &by_filter) && (!by_filter || find_rows(req, bulk)))
        write_rows_one_by_one(req, bulk);
}

static const struct answer answers[] = {
    { 200, "TrackerBulkResult", "What became of each tracker." },
    { 422, "Problem", "A field is not valid, or the filter finds too many.", "application/problem+json" },
};

const struct route tracker_bulk_routes[] = {
    { .method = HTTP_POST,
      .path = "/api/v1/trackers/bulk",
      .handle = post_bulk,
      .access = ACCESS_MANAGER,
      .tag = "trackers",
      .summary = "One action on many trackers",
      .about =
          "Up to 1,000 trackers by their ids, or those that GET /trackers shows with the filters of `filter`. Each "
          "tracker is written for itself: some may be done and others not. To do it again is harmless.",
      .operation_id = "bulkTrackers",
      .body_schema = "TrackerBulk",
      .answers = answers,
      .answer_count = ARRAY_LEN(answers) },
};
const size_t tracker_bulk_route_count = ARRAY_LEN(tracker_bulk_routes);

void tracker_bulk_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "TrackerBulk",
        "{\"type\":\"object\",\"properties\":{\"ids\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":1000,\"items\":{\"type\":"
        "\"integer\",\"format\":\"int64\",\"minimum\":1}},\"filter\":{\"type\":\"object\",\"minProperties\":1,"
        "\"description\":\"Filters of GET /trackers, by their names; in place of ids.\",\"additionalProperties\":{\"type\":["
        "\"string\",\"integer\",\"boolean\"]}},\"action\":{\"type\":\"string\",\"enum\":[\"archive\",\"restore\",\"set_run\","
        "\"delete\"]},\"production_run_id\":{\"type\":[\"integer\",\"null\"],\"format\":\"int64\",\"minimum\":1,"
        "\"description\":\"With set_run: the run, or null for none.\"}},\"required\":[\"action\"],\"additionalProperties\":"
        "false}");
    add(to, "TrackerBulkResult",
        "{\"type\":\"object\",\"properties\":{\"done\":{\"type\":\"integer\"},\"failed\":{\"type\":\"integer\"},\"results\":{"
        "\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\",\"format\":\"int64\"},"
        "\"done\":{\"type\":\"boolean\"},\"code\":{\"type\":[\"string\",\"null\"],\"description\":\"not_found, already_exists, "
        "in_use, archived, write_conflict, failed; null when it is done.\"},\"message\":{\"type\":[\"string\",\"null\"]}},\"required\":["
        "\"id\",\"done\",\"code\",\"message\"]}}},\"required\":[\"done\",\"failed\",\"results\"]}");
}
