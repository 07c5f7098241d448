/* The handlers that every described resource has: list, read, create, patch, delete, archive, restore; and
 * the routes that lead to them. */
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "api/app.h"
#include "api/conditions.h"
#include "api/db_problem.h"
#include "api/geocoding.h"
#include "api/idempotency.h"
#include "store/rows_json.h"

/* A write that meets another one on the same row starts again with what that one left. */
#define WRITE_ATTEMPTS 4

static const struct resource *resource_of(const struct request *req)
{
    return req->route->data;
}

/* ---- answers ---- */

static size_t helper(const struct resource *resource, enum write_helper which)
{
    return sql_column_count(resource) + (size_t)which;
}

void resource_write_row(struct request *req, const struct resource *resource, const struct rows *rows,
                        size_t row, struct json *json)
{
    rows_write_object(rows, row, sql_column_count(resource), json);
    if (resource->more == NULL)
        return;
    json_reopen_object(json);
    json_key(json, resource->more_name);
    resource->more(req, rows, row, json);
    json_end_object(json);
}

static struct buf row_body(struct request *req, const struct resource *resource, const struct rows *rows)
{
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    resource_write_row(req, resource, rows, 0, &json);
    return body;
}

static const char *row_etag(struct request *req, const struct resource *resource, const struct rows *rows,
                            const struct buf *body)
{
    int64_t version = rows_int(rows, 0, helper(resource, HELPER_VERSION));
    if (!(resource->flags & RESOURCE_DERIVED))
        return version_etag(req->arena, version);
    return arena_printf(req->arena, "\"%" PRId64 "-%016" PRIx64 "\"", version,
                        (uint64_t)XXH3_64bits(body->data, body->len));
}

/* One row with its ETag. */
static void reply_row(struct request *req, const struct resource *resource, int status,
                      const struct rows *rows)
{
    struct buf body = row_body(req, resource, rows);
    reply_header(req, "ETag", row_etag(req, resource, rows, &body));
    reply_json(req, status, &body);
}

void resource_reply(struct request *req, const struct resource *resource, int status, int64_t id)
{
    struct statement statement = sql_get(resource, id, req->arena);
    struct rows *rows = db_query_params(req->db, statement.sql, statement.params, statement.count);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
    } else if (rows_count(rows) == 0) {
        reply_not_found(req, resource->label);
    } else {
        if (status == 201)
            reply_header(req, "Location",
                         arena_printf(req->arena, "/api/v1/%s/%" PRId64, resource->name, id));
        reply_row(req, resource, status, rows);
    }
}

/* A new row with its secret, which is in no other answer. */
static void reply_with_secret(struct request *req, const struct resource *resource, const struct rows *rows,
                              const char *secret)
{
    struct buf row = row_body(req, resource, rows), body = { .secret = true };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_put_text(&json, "token", secret);
    buf_putc(&body, ',');
    buf_append(&body, row.data + 1, row.len - 1); /* without its opening brace */
    buf_free(&row);
    reply_header(req, "Cache-Control", "no-store");
    reply_header(req, "ETag", version_etag(req->arena, rows_int(rows, 0, helper(resource, HELPER_VERSION))));
    reply_json(req, 201, &body);
}

static void reply_stale(struct request *req, const struct resource *resource, const struct rows *rows)
{
    reply_header(req, "ETag", version_etag(req->arena, rows_int(rows, 0, helper(resource, HELPER_VERSION))));
    reply_problem(req, 412, "stale", "The %s has changed since; read it again.", resource->label);
}

static void reply_contended(struct request *req, const struct resource *resource)
{
    reply_header(req, "Retry-After", "1");
    reply_problem(req, 409, "write_conflict", "Others keep changing this %s; try again.", resource->label);
}

/* ---- reading ---- */

static void list_rows(struct request *req)
{
    const struct resource *resource = resource_of(req);
    struct page_request page;
    if (!list_parse(req, resource, &page))
        return;

    struct statement statement = sql_list(&page.query, req->arena);
    struct rows *rows = read_rows(req, &statement);
    int64_t total = -1;
    if (rows_ok(rows) && page.count) {
        struct statement count = sql_count(&page.query, req->arena);
        struct rows *counted = read_rows(req, &count);
        if (!rows_ok(counted))
            rows = counted;
        else
            total = rows_int(counted, 0, 0);
    }
    if (rows_ok(rows))
        reply_page(req, &page, rows, total);
    else
        reply_db_problem(req, rows);
}

static void read_row(struct request *req)
{
    const struct resource *resource = resource_of(req);
    static const char *const no_parameters[] = { NULL };
    int64_t id;
    if (!param_id(req, "id", &id) || !query_known(req, no_parameters))
        return;

    struct statement statement = sql_get(resource, id, req->arena);
    struct rows *rows = read_rows(req, &statement);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
    } else if (rows_count(rows) == 0) {
        reply_not_found(req, resource->label);
    } else {
        struct buf body = row_body(req, resource, rows);
        reply_header(req, "Cache-Control", "private, no-cache");
        if (reply_unless_unchanged(req, row_etag(req, resource, rows, &body)))
            reply_json(req, 200, &body);
        else
            buf_free(&body);
    }
}

bool resource_reads(const struct route *route)
{
    return route->handle == list_rows || route->handle == read_row;
}

/* ---- creating ---- */

/* A validated body in values, or answered. */
static bool take_body(struct request *req, const struct resource *resource, bool create,
                      struct field_value *values)
{
    json_t *body;
    if (!request_json(req, &body))
        return false;
    if ((resource->flags & RESOURCE_GEOCODED) && !geocode_body(req, body, create))
        return false;
    struct problems problems = { .arena = req->arena };
    if (resource_validate(resource, body, create, values, &problems) && !problem_pending(req))
        return true;
    for (size_t i = 0; i < problems.count; i++)
        problem_field(req, problems.list[i].field, problems.list[i].code, "%s", problems.list[i].message);
    reply_invalid(req);
    return false;
}

/* The client that a new row belongs to: as given, or the caller's only one, or left to the statement. */
static bool take_client(struct request *req, const struct resource *resource, struct field_value *values)
{
    int index = resource_field(resource, "client_id");
    if (index < 0 || resource->fields[index].nullable)
        return true;
    const struct principal *principal = req->principal;
    struct field_value *client = &values[index];
    bool owned = false;
    for (size_t i = 0; i < ARRAY_LEN(resource->owners) && resource->owners[i].field != NULL; i++)
        owned = owned || values[resource_field(resource, resource->owners[i].field)].text != NULL;
    if (client->text == NULL && !owned) {
        if (principal->role == ROLE_ADMIN || principal->client_count != 1) {
            problem_field(req, "client_id", "required", "is required");
            reply_invalid(req);
            return false;
        }
        client->text = arena_printf(req->arena, "%" PRId64, principal->client_ids[0]);
    }
    if (client->text != NULL && !principal_sees_client(principal, strtoll(client->text, NULL, 10))) {
        problem_field(req, "client_id", "not_found", "no such client");
        reply_invalid(req);
        return false;
    }
    return true;
}

static void create(struct request *req)
{
    const struct resource *resource = resource_of(req);
    struct field_value values[RESOURCE_MAX_FIELDS];
    if (!take_body(req, resource, true, values) || !take_client(req, resource, values))
        return;

    const char *secret = resource->make_secret != NULL ? resource->make_secret(req->arena, values) : NULL;
    struct writer writer = request_writer(req);
    struct statement statement = sql_insert(resource, values, &writer, req->arena);
    struct rows *rows = write_rows(req, &statement);
    if (!rows_ok(rows)) {
        reply_write_problem(req, resource, rows);
        return;
    }
    int64_t id = rows_int(rows, 0, 0);
    note_write(req);
    if (resource->flags & RESOURCE_REREAD) {
        struct statement again = sql_get(resource, id, req->arena);
        rows = db_query_params(req->db, again.sql, again.params, again.count);
        if (!rows_ok(rows)) {
            reply_db_problem(req, rows);
            return;
        }
    }
    reply_header(req, "Location", arena_printf(req->arena, "/api/v1/%s/%" PRId64, resource->name, id));
    if (secret != NULL)
        reply_with_secret(req, resource, rows, secret);
    else
        reply_row(req, resource, 201, rows);
}

/* A secret is not repeatable: that would keep it in the database. */
static void create_row(struct request *req)
{
    if (resource_of(req)->make_secret != NULL)
        create(req);
    else
        idempotent(req, create);
}

/* ---- changing ---- */

/* How a write to one row ended; ROW_FAILED has been answered. */
enum row_outcome { ROW_WRITTEN, ROW_FAILED };

/* Run a statement that answers with the row and whether it was written, until it is or there is a reason why
 * not. build makes the statement. */
static enum row_outcome write_one(struct request *req, const struct statement *statement,
                                  const struct condition *condition, struct rows **result)
{
    const struct resource *resource = resource_of(req);
    for (int i = 0; i < WRITE_ATTEMPTS; i++) {
        struct rows *rows = write_rows(req, statement);
        if (!rows_ok(rows)) {
            *result = rows;
            return ROW_FAILED;
        }
        if (rows_count(rows) == 0) {
            reply_not_found(req, resource->label);
            return ROW_FAILED;
        }
        if (rows_bool(rows, 0, helper(resource, HELPER_CHANGED))) {
            note_write(req);
            *result = rows;
            return ROW_WRITTEN;
        }
        if (!condition_allows(condition, rows_int(rows, 0, helper(resource, HELPER_VERSION)))) {
            reply_stale(req, resource, rows);
            return ROW_FAILED;
        }
    }
    reply_contended(req, resource);
    return ROW_FAILED;
}

static void change(struct request *req, const char *action, int64_t id, const struct field_value *values)
{
    const struct resource *resource = resource_of(req);
    struct condition condition = condition_read(req);
    struct writer writer = request_writer(req);
    struct statement statement = sql_update(resource, id, action, condition.array, values, &writer,
                                            req->arena);
    struct rows *rows = NULL;
    if (write_one(req, &statement, &condition, &rows) == ROW_FAILED) {
        if (rows != NULL)
            reply_write_problem(req, resource, rows);
        return;
    }
    if (resource->flags & RESOURCE_REREAD) {
        struct statement again = sql_get(resource, id, req->arena);
        rows = db_query_params(req->db, again.sql, again.params, again.count);
        if (!rows_ok(rows)) {
            reply_db_problem(req, rows);
            return;
        }
        if (rows_count(rows) == 0) {
            reply_not_found(req, resource->label);
            return;
        }
    }
    reply_row(req, resource, 200, rows);
}

static void patch_row(struct request *req)
{
    int64_t id;
    struct field_value values[RESOURCE_MAX_FIELDS];
    if (param_id(req, "id", &id) && take_body(req, resource_of(req), false, values))
        change(req, "update", id, values);
}

static void archive_row(struct request *req)
{
    int64_t id;
    if (param_id(req, "id", &id))
        change(req, "archive", id, NULL);
}

static void restore_row(struct request *req)
{
    int64_t id;
    if (param_id(req, "id", &id))
        change(req, "restore", id, NULL);
}

/* ---- deleting ---- */

/* 409 that names what depends on the row. */
static void reply_in_use(struct request *req, const struct resource *resource, int64_t id)
{
    struct buf list = { 0 };
    if (resource->dependant_count > 0) {
        struct statement statement = sql_dependants(resource, id, req->arena);
        struct rows *rows = db_query_params(req->db, statement.sql, statement.params, statement.count);
        for (size_t i = 0; rows_ok(rows) && i < rows_columns(rows); i++) {
            int64_t n = rows_int(rows, 0, i);
            if (n == 0)
                continue;
            const char *count = arena_printf(req->arena,
                                             n == DEPENDANTS_COUNTED ? "at least %" PRId64 : "%" PRId64, n);
            buf_printf(&list, "%s%s %s", list.len > 0 ? ", " : "", count, rows_name(rows, i));
            problem_field(req, rows_name(rows, i), "in_use", "%s depend on it", count);
        }
    }
    reply_problem(req, 409, "in_use", "The %s is in use%s%s. Delete what depends on it first, or archive it.",
                  resource->label, list.len > 0 ? " by " : "", buf_text(&list));
    buf_free(&list);
}

static void delete_row(struct request *req)
{
    const struct resource *resource = resource_of(req);
    int64_t id;
    if (!param_id(req, "id", &id))
        return;
    struct condition condition = condition_read(req);
    struct writer writer = request_writer(req);
    struct statement statement = sql_delete(resource, id, condition.array, &writer, req->arena);
    struct rows *rows = NULL;
    if (write_one(req, &statement, &condition, &rows) == ROW_WRITTEN)
        reply_empty(req, 204);
    else if (rows != NULL && rows_status(rows) == DB_FOREIGN_KEY)
        reply_in_use(req, resource, id);
    else if (rows != NULL)
        reply_write_problem(req, resource, rows);
}

/* ---- routes ---- */

static const struct parameter id_parameter = {
    .name = "id", .type = VALUE_ID, .in = "path", .required = true
};
static const struct parameter if_match = {
    .name = "If-Match", .type = VALUE_TEXT, .in = "header", .about = "Write only this version: its ETag."
};
static const struct parameter if_none_match = {
    .name = "If-None-Match", .type = VALUE_TEXT, .in = "header", .about = "Answer 304 while this is the ETag."
};
static const struct parameter idempotency_key = {
    .name = "Idempotency-Key",
    .type = VALUE_TEXT,
    .in = "header",
    .about = "Makes repetitions harmless: they get the first answer, for 24 hours.",
};

static enum access access_for(enum role role)
{
    return role >= ROLE_ADMIN ? ACCESS_ADMIN : role == ROLE_MANAGER ? ACCESS_MANAGER : ACCESS_USER;
}

/* Collects routes; everything they point to is in the arena. */
struct route_list {
    struct arena *arena;
    const struct resource *resource;
    struct route routes[8];
    size_t count;
};

static const char *text_of(struct route_list *list, const char *format, const char *word)
{
    return arena_printf(list->arena, format, word); /* NOLINT: every format is a literal of this file */
}

static struct route *add(struct route_list *list, enum http_method method, const char *suffix,
                         void (*handle)(struct request *), enum role role)
{
    const struct resource *resource = list->resource;
    struct route *route = &list->routes[list->count++];
    *route = (struct route){
        .method = method,
        .path = arena_printf(list->arena, "/api/v1/%s%s", resource->name, suffix),
        .handle = handle,
        .access = access_for(role),
        .tag = arena_strndup(list->arena, resource->name, strcspn(resource->name, "/")),
        .about = resource->about,
        .data = resource,
    };
    return route;
}

static void name_route(struct route_list *list, struct route *route, const char *verb, const char *noun,
                       const char *summary)
{
    route->operation_id = arena_printf(list->arena, "%s%s", verb, noun);
    route->summary = summary;
}

static void parameters(struct route_list *list, struct route *route, size_t n, const struct parameter *first,
                       const struct parameter *second)
{
    struct parameter *all = arena_zalloc(list->arena, 2, sizeof(*all));
    all[0] = *first;
    if (second != NULL)
        all[1] = *second;
    route->parameters = all;
    route->parameter_count = n;
}

#define ANSWERS(list, route, ...)                                                                            \
    do {                                                                                                     \
        const struct answer given[] = { __VA_ARGS__ };                                                       \
        (route)->answers = arena_memdup((list)->arena, given, sizeof(given));                                \
        (route)->answer_count = ARRAY_LEN(given);                                                            \
    } while (0)

#define PROBLEM(code, text)                                                                                  \
    {                                                                                                        \
        (code), "Problem", (text), "application/problem+json"                                                \
    }

static void read_routes(struct route_list *list)
{
    const struct resource *resource = list->resource;
    struct route *route = add(list, HTTP_GET, "", list_rows, resource->read);
    name_route(list, route, "list", resource->plural,
               strchr(resource->name, '/') != NULL ? text_of(list, "List %ss", resource->label)
                                                   : text_of(list, "List %s", resource->name));
    const struct parameter *known;
    size_t n = list_parameters(resource, list->arena, &known);
    struct parameter *all = arena_zalloc(list->arena, n + 1, sizeof(*all));
    memcpy(all, known, n * sizeof(*all));
    all[n] = if_none_match;
    route->parameters = all;
    route->parameter_count = n + 1;
    ANSWERS(list, route, { 200, text_of(list, "%sPage", resource->singular), "One page." },
            { 304, NULL, "Not changed." }, PROBLEM(422, "A parameter is not valid."));

    if (resource->flags & RESOURCE_LIST_ONLY)
        return;
    route = add(list, HTTP_GET, "/{id}", read_row, resource->read);
    name_route(list, route, "get", resource->singular, text_of(list, "Read one: %s", resource->label));
    parameters(list, route, 2, &id_parameter, &if_none_match);
    ANSWERS(list, route, { 200, resource->singular, "The row." }, { 304, NULL, "Not changed." },
            PROBLEM(404, "No such row, or not yours."), PROBLEM(422, "A parameter is not valid."));
}

static void create_route(struct route_list *list)
{
    const struct resource *resource = list->resource;
    enum role role = resource->create_role != ROLE_NONE ? resource->create_role : resource->write;
    struct route *route = add(list, HTTP_POST, "", create_row, role);
    name_route(list, route, "create", resource->singular, text_of(list, "Create: %s", resource->label));
    if (resource->make_secret != NULL)
        route->about = "The answer holds the token, which is never shown again.";
    else
        parameters(list, route, 1, &idempotency_key, NULL);
    route->body_schema = text_of(list, "%sCreate", resource->singular);
    const char *answer = resource->make_secret != NULL ? text_of(list, "%sCreated", resource->singular)
                                                       : resource->singular;
    ANSWERS(list, route, { 201, answer, "Created." },
            PROBLEM(409, "It exists already, or the first request with this key still runs."),
            PROBLEM(422, "A field is not valid."));
}

static void patch_route(struct route_list *list)
{
    const struct resource *resource = list->resource;
    struct route *route = add(list, HTTP_PATCH, "/{id}", patch_row, resource->write);
    name_route(list, route, "update", resource->singular, text_of(list, "Change: %s", resource->label));
    parameters(list, route, 2, &id_parameter, &if_match);
    route->body_schema = text_of(list, "%sPatch", resource->singular);
    route->body_content_type = "application/merge-patch+json";
    ANSWERS(list, route, { 200, resource->singular, "As it is now." },
            PROBLEM(404, "No such row, or not yours."),
            PROBLEM(409, "Another row has this name, or others keep changing it."),
            PROBLEM(412, "It has another version."), PROBLEM(422, "A field is not valid."));
}

static void archive_routes(struct route_list *list)
{
    const struct resource *resource = list->resource;
    enum role role = resource->del_role != ROLE_NONE ? resource->del_role : resource->write;
    struct route *route = add(list, HTTP_POST, "/{id}/archive", archive_row, role);
    name_route(list, route, "archive", resource->singular,
               text_of(list, "Archive (hide from lists): %s", resource->label));
    parameters(list, route, 2, &id_parameter, &if_match);
    ANSWERS(list, route, { 200, resource->singular, "As it is now." },
            PROBLEM(404, "No such row, or not yours."), PROBLEM(409, "Others keep changing it."),
            PROBLEM(412, "It has another version."));

    route = add(list, HTTP_POST, "/{id}/restore", restore_row, role);
    name_route(list, route, "restore", resource->singular,
               text_of(list, "Restore (undo archive): %s", resource->label));
    parameters(list, route, 2, &id_parameter, &if_match);
    ANSWERS(list, route, { 200, resource->singular, "As it is now." },
            PROBLEM(404, "No such row, or not yours."), PROBLEM(409, "Another row in use has its name."),
            PROBLEM(412, "It has another version."));
}

static void delete_route(struct route_list *list)
{
    const struct resource *resource = list->resource;
    enum role role = resource->del_role != ROLE_NONE ? resource->del_role : resource->write;
    struct route *route = add(list, HTTP_DELETE, "/{id}", delete_row, role);
    name_route(list, route, "delete", resource->singular,
               text_of(list, "Delete, unless something depends on it: %s", resource->label));
    parameters(list, route, 2, &id_parameter, &if_match);
    ANSWERS(list, route, { 204, NULL, "Deleted." }, PROBLEM(404, "No such row, or not yours."),
            PROBLEM(409, "It is in use; the errors name by what."), PROBLEM(412, "It has another version."));
}

size_t resource_routes(const struct resource *resource, struct arena *arena, const struct route **routes)
{
    struct route_list list = { .arena = arena, .resource = resource };
    read_routes(&list);
    if (!(resource->flags & RESOURCE_NO_CREATE))
        create_route(&list);
    if (!(resource->flags & RESOURCE_NO_PATCH))
        patch_route(&list);
    if (!(resource->flags & RESOURCE_NO_ARCHIVE))
        archive_routes(&list);
    if (!(resource->flags & RESOURCE_NO_DELETE))
        delete_route(&list);
    *routes = arena_memdup(arena, list.routes, list.count * sizeof(list.routes[0]));
    return list.count;
}
