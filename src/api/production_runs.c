/* Production runs: batches of goods with trackers, and the places where they belong. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/app.h"
#include "api/conditions.h"
#include "api/db_problem.h"
#include "api/resources.h"
#include "base/json.h"
#include "store/rows_json.h"

/* Places of one run; judging a report looks at all of them. */
#define RUN_MAX_LOCATIONS 1000

enum { ID, CLIENT, BRAND, NAME, DESCRIPTION, STARTS, ENDS, CONFIRM, RELEASE, LOCATIONS, TRACKERS, DELIVERED };

/* How many trackers, without counting them. */
#define COUNT(condition)                                                                                         \
    "(SELECT coalesce(sum(c.trackers), 0)::bigint FROM tracker_status_counts c WHERE c.client_id = t.client_id " \
    "AND c.production_run_id = t.id" condition ")"

static const struct field fields[] = {
    [ID] = FIELD_ROW_ID,
    [CLIENT] = FIELD_CLIENT,
    [BRAND] = { "brand_id", FIELD_REF, "A brand of the same client.", .ref = "brands", .required = true,
                .filter = true },
    [NAME] = { "name", FIELD_TEXT, "Unique among the brand's runs in use, whatever the case.", .min = 1,
               .max = 200, .required = true, .sort = true, .search = true },
    [DESCRIPTION] = { "description", FIELD_TEXT, .max = 4000, .fallback = "\"\"", .search = true },
    [STARTS] = { "starts_at", FIELD_TIME, "Reports are fetched from here on; now when left out.",
                 .write = "coalesce(%s, now())", .sort = true, .filter = true },
    [ENDS] = { "ends_at", FIELD_TIME, "Reports are fetched until then; null for no end.", .nullable = true,
               .filter = true },
    [CONFIRM] = { "confirm_reports", FIELD_INT,
                  "Judged reports in a row that a change of place needs; null for the system's setting.",
                  .min = 1, .max = 20, .nullable = true },
    [RELEASE] = { "release_at", FIELD_TIME, "Goods that leave storage earlier are an exception.",
                  .nullable = true },
    [LOCATIONS] = { "location_ids", FIELD_REFS,
                    "The storage and delivery locations that count for the run; set them at .../locations.",
                    .ref = "delivery-locations", .computed = true,
                    .select = "(SELECT coalesce(array_agg(l.location_id ORDER BY l.location_id), '{}') FROM "
                              "production_run_locations l WHERE l.production_run_id = t.id)" },
    [TRACKERS] = { "tracker_count", FIELD_INT, "Trackers that are not archived.", .computed = true,
                   .select = COUNT("") },
    [DELIVERED] = { "delivered_count", FIELD_INT, "How many of them are delivered.", .computed = true,
                    .select = COUNT(" AND c.status = 'DELIVERED'") },
    FIELD_CREATED,
    FIELD_UPDATED,
    FIELD_ARCHIVED,
};

static void check(struct field_value *values, bool create, struct problems *problems)
{
    (void)create;
    /* Both are RFC 3339 in UTC; fractions are written only when there are some, so text order is not time
     * order: the database compares (production_runs_period), and this only catches the plain case. */
    if (values[STARTS].text != NULL && values[ENDS].text != NULL &&
        strncmp(values[ENDS].text, values[STARTS].text, strlen("2025-01-31T12:00:00")) < 0)
        problem_add(problems, "ends_at", "out_of_range", "must not be before starts_at");
}

static const struct dependant dependants[] = {
    { "trackers", "FROM trackers WHERE production_run_id = $1::bigint" },
    { "former trackers", "FROM tracker_runs WHERE production_run_id = $1::bigint AND NOT period @> now()" },
    { "status-history", "FROM status_history WHERE production_run_id = $1::bigint" },
    { "events", "FROM geofence_events WHERE production_run_id = $1::bigint" },
    { "images", "FROM images WHERE production_run_id = $1::bigint" },
};

static const struct constraint constraints[] = {
    { "production_runs_name_key", "name", "already_exists", "another run of this brand has this name" },
    { "production_runs_brand_fkey", "brand_id", "not_found", "no such brand of this client" },
    { "production_runs_client_id_fkey", "client_id", "not_found", "no such client" },
    { "production_runs_period", "ends_at", "out_of_range", "must not be before starts_at" },
};

const struct resource production_runs_resource = {
    .name = "production-runs",
    .table = "production_runs",
    .singular = "ProductionRun",
    .plural = "ProductionRuns",
    .label = "production run",
    .about = "Batches of goods with trackers, and the places where they belong.",
    FIELDS(fields),
    .read = ROLE_USER,
    .write = ROLE_MANAGER,
    .flags = RESOURCE_INDEXED_SEARCH | RESOURCE_DERIVED,
    .tenant = "client_id",
    .owners = { { "brand_id", "SELECT o.client_id FROM brands o WHERE o.id = %s" } },
    .check = check,
    DEPENDANTS(dependants),
    CONSTRAINTS(constraints),
};

/* ---- their locations ---- */

static const char locations_sql[] =
    "SELECT r.version, l.id, l.kind, l.name, l.address, s.radius_m, ST_Y(s.center::geometry) AS \"center.latitude\", "
    "ST_X(s.center::geometry) AS \"center.longitude\", ST_AsGeoJSON(s.polygon)::jsonb AS polygon "
    "FROM production_runs r LEFT JOIN production_run_locations x ON x.production_run_id = r.id "
    "LEFT JOIN locations l ON l.id = x.location_id "
    "LEFT JOIN location_shapes s ON s.location_id = l.id AND s.period @> now() "
    "WHERE r.id = $1 ORDER BY l.kind, l.name, l.id";

/* Versions, in the order of the parameters: id, wanted versions, locations, then the writer. */
static const char set_locations_sql[] =
    "WITH old AS MATERIALIZED (SELECT t.id, t.client_id, t.version, (SELECT coalesce(array_agg(l.location_id ORDER BY "
    "l.location_id), '{}') FROM production_run_locations l WHERE l.production_run_id = t.id) AS location_ids "
    "FROM production_runs t WHERE t.id = $1), "
    "touched AS (UPDATE production_runs t SET name = t.name FROM old WHERE t.id = old.id AND t.version = old.version "
    "AND ($2::bigint[] IS NULL OR t.version = ANY ($2::bigint[])) "
    "AND NOT EXISTS (SELECT FROM unnest($3::bigint[]) w (id) WHERE NOT EXISTS "
    "(SELECT FROM locations l WHERE l.id = w.id AND l.client_id = old.client_id)) RETURNING t.id, t.client_id, t.version), "
    "gone AS (DELETE FROM production_run_locations l USING touched WHERE l.production_run_id = touched.id "
    "AND l.location_id <> ALL ($3::bigint[])), "
    "added AS (INSERT INTO production_run_locations (client_id, production_run_id, location_id) "
    "SELECT touched.client_id, touched.id, w.id FROM touched, unnest($3::bigint[]) w (id) ON CONFLICT DO NOTHING), "
    "log AS (INSERT INTO audit_log (client_id, user_id, api_key_id, request_id, address, action, resource, resource_id, "
    "before, after) SELECT touched.client_id, $4, $5, $6, $7::inet, 'set-locations', 'production-runs', touched.id, "
    "jsonb_build_object('location_ids', old.location_ids), jsonb_build_object('location_ids', $3::bigint[]) "
    "FROM touched, old) "
    "SELECT old.version, touched.version AS new_version, CASE WHEN touched.id IS NOT NULL THEN (SELECT max(g.generation) "
    "FROM bump_generations(ARRAY[old.client_id]) g) END AS generation, "
    "(SELECT w.id FROM unnest($3::bigint[]) w (id) WHERE NOT EXISTS (SELECT FROM locations l WHERE l.id = w.id "
    "AND l.client_id = old.client_id) LIMIT 1) AS missing FROM old LEFT JOIN touched ON true";

/* {items: […]} of the run's locations, with the run's ETag. */
static void reply_locations(struct request *req, struct rows *rows, bool conditional)
{
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    if (rows_count(rows) == 0) {
        reply_not_found(req, "production run");
        return;
    }
    const char *etag = version_etag(req->arena, rows_int(rows, 0, 0));
    if (!conditional)
        reply_header(req, "ETag", etag);
    else if (!reply_unless_unchanged(req, etag))
        return;

    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "items");
    json_start_array(&json);
    for (size_t i = 0; i < rows_count(rows); i++) {
        if (rows_null(rows, i, 1))
            continue; /* a run without places */
        json_start_object(&json);
        json_put_int(&json, "id", rows_int(rows, i, 1));
        json_put_text(&json, "kind", rows_text(rows, i, 2));
        json_put_text(&json, "name", rows_text(rows, i, 3));
        json_put_text(&json, "address", rows_text(rows, i, 4));
        json_key(&json, "center");
        if (rows_null(rows, i, 6)) {
            json_write_null(&json);
        } else {
            json_start_object(&json);
            json_put_double(&json, "latitude", rows_double(rows, i, 6));
            json_put_double(&json, "longitude", rows_double(rows, i, 7));
            json_end_object(&json);
        }
        json_key(&json, "radius_m");
        if (rows_null(rows, i, 5))
            json_write_null(&json);
        else
            json_double(&json, rows_double(rows, i, 5));
        json_key(&json, "polygon");
        if (rows_null(rows, i, 8))
            json_write_null(&json);
        else
            json_raw(&json, rows_text(rows, i, 8), rows_length(rows, i, 8));
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    reply_json(req, 200, &body);
}

/* GET /production-runs/{id}/locations */
static void get_locations(struct request *req)
{
    int64_t id;
    if (!param_id(req, "id", &id))
        return;
    struct db_param param = { .type = 'i', .value.number = id };
    struct statement statement = { locations_sql, &param, 1 };
    reply_locations(req, read_rows(req, &statement), true);
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* {"location_ids": [1, 2]} into a sorted array literal without repetitions. */
static bool take_location_ids(struct request *req, const char **array)
{
    json_t *body;
    if (!request_json(req, &body))
        return false;
    const char *name;
    json_t *value;
    json_object_foreach(body, name, value)
    {
        if (strcmp(name, "location_ids") != 0)
            problem_field(req, name, "unknown_field", "is not a field; did you mean location_ids?");
    }
    json_t *ids = json_object_get(body, "location_ids");
    size_t index;
    if (!json_is_array(ids))
        problem_field(req, "location_ids", ids == NULL ? "required" : "wrong_type",
                      "must be an array of ids");
    else if (json_array_size(ids) > RUN_MAX_LOCATIONS)
        problem_field(req, "location_ids", "too_many", "must have at most %d ids", RUN_MAX_LOCATIONS);
    size_t count = 0;
    int64_t *list = arena_zalloc(req->arena, json_array_size(ids) + 1, sizeof(*list));
    json_array_foreach(ids, index, value)
    {
        if (!json_is_integer(value) || json_integer_value(value) <= 0) {
            problem_field(req, "location_ids", "wrong_type", "every id must be a positive whole number");
            break;
        }
        list[count++] = json_integer_value(value);
    }
    qsort(list, count, sizeof(*list), compare_ids);
    struct buf text = { 0 };
    buf_putc(&text, '{');
    for (size_t i = 0; i < count; i++)
        if (i == 0 || list[i] != list[i - 1])
            buf_printf(&text, "%s%" PRId64, text.len > 1 ? "," : "", list[i]);
    buf_putc(&text, '}');
    *array = arena_strndup(req->arena, text.data, text.len);
    buf_free(&text);
    if (!problem_pending(req))
        return true;
    reply_invalid(req);
    return false;
}

/* PUT /production-runs/{id}/locations - these places count for the run, and no others. */
static void put_locations(struct request *req)
{
    int64_t id;
    const char *ids;
    if (!param_id(req, "id", &id) || !take_location_ids(req, &ids))
        return;
    struct condition condition = condition_read(req);
    struct writer writer = request_writer(req);
    const struct principal *principal = writer.principal;
    const struct db_param params[] = {
        { .type = 'i', .value.number = id },
        { .type = 's', .value.data = condition.array },
        { .type = 's', .value.data = ids },
        { .type = 'i', .value.number = principal->user_id },
        { .type = 'I', .value.data = principal->kind == PRINCIPAL_API_KEY ? &principal->api_key_id : NULL },
        { .type = 's', .value.data = writer.request_id },
        { .type = 's', .value.data = writer.address },
    };
    struct statement statement = { set_locations_sql, params, ARRAY_LEN(params) };
    struct rows *rows = write_rows(req, &statement);
    if (!rows_ok(rows)) {
        reply_write_problem(req, &production_runs_resource, rows);
    } else if (rows_count(rows) == 0) {
        reply_not_found(req, "production run");
    } else if (!rows_null(rows, 0, 1)) {
        note_write(req);
        reply_locations(req, db_query(req->db, locations_sql, "i", id), false);
    } else if (!condition_allows(&condition, rows_int(rows, 0, 0))) {
        reply_problem(req, 412, "stale", "The production run has changed since; read it again.");
    } else if (!rows_null(rows, 0, 3)) {
        problem_field(req, "location_ids", "not_found", "the client of the run has no location %" PRId64,
                      rows_int(rows, 0, 3));
        reply_invalid(req);
    } else {
        reply_header(req, "Retry-After", "1");
        reply_problem(req, 409, "write_conflict", "Others keep changing this production run; try again.");
    }
}

static const struct parameter get_parameters[] = {
    { .name = "id", .type = VALUE_ID, .in = "path", .required = true },
    { .name = "If-None-Match",
      .type = VALUE_TEXT,
      .in = "header",
      .about = "Answer 304 while this is the ETag." },
};
static const struct parameter put_parameters[] = {
    { .name = "id", .type = VALUE_ID, .in = "path", .required = true },
    { .name = "If-Match", .type = VALUE_TEXT, .in = "header", .about = "Write only this version: its ETag." },
};
static const struct answer get_answers[] = {
    { 200, "RunLocations", "The places that count for the run." },
    { 304, NULL, "Not changed." },
    { 404, "Problem", "No such run, or not yours.", "application/problem+json" },
};
static const struct answer put_answers[] = {
    { 200, "RunLocations", "The places that count for the run now." },
    { 404, "Problem", "No such run, or not yours.", "application/problem+json" },
    { 409, "Problem", "Others keep changing it.", "application/problem+json" },
    { 412, "Problem", "The run has another version.", "application/problem+json" },
    { 422, "Problem", "An id is not valid.", "application/problem+json" },
};

const struct route production_run_routes[] = {
    { .method = HTTP_GET,
      .path = "/api/v1/production-runs/{id}/locations",
      .handle = get_locations,
      .access = ACCESS_USER,
      .tag = "production-runs",
      .summary = "The places of a production run",
      .operation_id = "getProductionRunLocations",
      .parameters = get_parameters,
      .parameter_count = ARRAY_LEN(get_parameters),
      .answers = get_answers,
      .answer_count = ARRAY_LEN(get_answers) },
    { .method = HTTP_PUT,
      .path = "/api/v1/production-runs/{id}/locations",
      .handle = put_locations,
      .access = ACCESS_MANAGER,
      .tag = "production-runs",
      .summary = "Set the places of a production run",
      .about = "These places count for the run, and no others. Its trackers are judged again.",
      .operation_id = "setProductionRunLocations",
      .parameters = put_parameters,
      .parameter_count = ARRAY_LEN(put_parameters),
      .body_schema = "RunLocationsPut",
      .answers = put_answers,
      .answer_count = ARRAY_LEN(put_answers) },
};
const size_t production_run_route_count = ARRAY_LEN(production_run_routes);
