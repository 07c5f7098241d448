/* What signing in, users and API keys share: reading bodies, rows with their ETag, lists of sessions. */
#include "api/accounts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/conditions.h"
#include "api/db_problem.h"
#include "api/time_zones.h"
#include "store/rows_json.h"

/* ---- bodies ---- */

const char *body_text(struct request *req, json_t *body, const char *name, size_t max)
{
    json_t *value = json_object_get(body, name);
    if (value == NULL) {
        problem_field(req, name, "required", "is required");
        return NULL;
    }
    if (!json_is_string(value)) {
        problem_field(req, name, "invalid_type", "must be a text");
        return NULL;
    }
    if (json_string_length(value) == 0 || json_string_length(value) > max) {
        problem_field(req, name, "invalid_length", "must have 1 to %zu bytes", max);
        return NULL;
    }
    return json_string_value(value);
}

void body_known(struct request *req, json_t *body, const char *const *known)
{
    const char *name;
    json_t *value;
    json_object_foreach(body, name, value)
    {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], name) != 0)
            i++;
        if (known[i] == NULL)
            problem_field(req, name, "unknown_field", "is not a field of this request");
    }
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static size_t without_doubles(int64_t *ids, size_t n)
{
    size_t kept = 0;
    qsort(ids, n, sizeof(*ids), compare_ids);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || ids[kept - 1] != ids[i])
            ids[kept++] = ids[i];
    return kept;
}

bool body_take_ids(struct request *req, json_t *body, const char *name, bool nullable, bool *given,
                   const int64_t **ids, size_t *count)
{
    json_t *list = json_object_get(body, name), *value;
    *given = false;
    *count = 0;
    if (list == NULL || (nullable && json_is_null(list))) {
        json_object_del(body, name);
        return true;
    }
    size_t n = json_array_size(list), i;
    bool good = json_is_array(list) && n <= ACCOUNT_MAX_CLIENTS;
    int64_t *found = arena_zalloc(req->arena, n + 1, sizeof(*found));
    if (good)
        json_array_foreach(list, i, value)
        {
            found[i] = json_integer_value(value); /* 0 for what is no integer */
            good = good && found[i] > 0;
        }
    json_object_del(body, name);
    if (!good) {
        problem_field(req, name, "invalid_type", "must be an array of at most %d ids", ACCOUNT_MAX_CLIENTS);
        return false;
    }
    *given = true;
    *ids = found;
    *count = without_doubles(found, n);
    return true;
}

void check_clients(struct request *req, const char *field, const int64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!principal_sees_client(req->principal, ids[i])) {
            problem_field(req, field, "not_found", "there is no client %" PRId64, ids[i]);
            return;
        }
}

void body_validate(struct request *req, const struct resource *resource, json_t *body, bool create,
                   struct field_value *values)
{
    struct problems problems = { .arena = req->arena };
    if (resource_validate(resource, body, create, values, &problems))
        return;
    for (size_t i = 0; i < problems.count; i++)
        problem_field(req, problems.list[i].field, problems.list[i].code, "%s", problems.list[i].message);
}

const char *value_of(const struct resource *resource, const struct field_value *values, const char *name)
{
    int index = resource_field(resource, name);
    return index >= 0 && values[index].given ? values[index].text : NULL;
}

/* PostgreSQL's list of time zones is the one that counts when times are shown. */
bool check_time_zone(struct request *req, const char *zone)
{
    if (zone == NULL)
        return true;
    bool known;
    const struct rows *failed = time_zones_look_up(req->app->zones, req->db, zone, &known);
    if (failed != NULL) {
        reply_db_problem(req, failed);
        return false;
    }
    if (!known)
        problem_field(req, "time_zone", "invalid", "is not a time zone of the IANA database");
    return true;
}

/* ---- rows ---- */

struct rows *account_row(struct request *req, const struct resource *resource, int64_t id)
{
    struct statement statement = sql_get(resource, id, req->arena);
    return db_query_params(req->db, statement.sql, statement.params, statement.count);
}

bool account_found(struct request *req, const struct resource *resource, const struct rows *rows)
{
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    else if (rows_count(rows) == 0)
        reply_not_found(req, resource->label);
    else
        return true;
    return false;
}

int64_t account_version(const struct resource *resource, const struct rows *rows)
{
    return rows_int(rows, 0, sql_column_count(resource));
}

void write_account(const struct resource *resource, const struct rows *rows, struct json *json)
{
    rows_write_object(rows, 0, sql_column_count(resource), json);
}

void reply_account(struct request *req, const struct resource *resource, int status, const struct rows *rows)
{
    struct buf body = { 0 };
    struct json json;
    const char *etag = version_etag(req->arena, account_version(resource, rows));
    if (status == 200 && (req->method == HTTP_GET || req->method == HTTP_HEAD)) {
        if (!reply_unless_unchanged(req, etag))
            return;
    } else {
        reply_header(req, "ETag", etag);
    }
    json_begin(&json, &body);
    write_account(resource, rows, &json);
    reply_json(req, status, &body);
}

void reply_stale_account(struct request *req, const struct resource *resource, const struct rows *rows)
{
    reply_header(req, "ETag", version_etag(req->arena, account_version(resource, rows)));
    reply_problem(req, 412, "stale", "The %s has changed since; read it again.", resource->label);
}

const char *caller_key(const struct request *req)
{
    const struct principal *who = req->principal;
    return who != NULL && who->kind == PRINCIPAL_API_KEY
               ? arena_printf(req->arena, "%" PRId64, who->api_key_id)
               : NULL;
}

/* ---- sessions ---- */

/* One person has a handful; the bound is against a broken client that signs in for every request. */
#define MAX_LISTED "200"

static const char sessions_sql[] =
    "SELECT id, created_at, last_used_at, expires_at, user_agent, host(address) AS address, id = $2 AS current"
    " FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now()"
    " ORDER BY id DESC LIMIT " MAX_LISTED;

void reply_sessions(struct request *req, int64_t user_id)
{
    struct rows *rows = db_query(req->db, sessions_sql, "ii", user_id, req->principal->session_id);
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
    json_put_null(&json, "next_cursor");
    json_end_object(&json);
    reply_json(req, 200, &body);
}
