/* Provider profiles: what is particular to Apple's side, as versioned documents that can be changed without a
 * release. A document is checked whole before it is stored, and never changed: a correction is a new profile.
 */
#include <stdlib.h>
#include <string.h>

#include "api/accounts.h"
#include "api/app.h"
#include "api/apple_accounts.h"
#include "api/db_problem.h"
#include "api/idempotency.h"
#include "api/resources.h"
#include "api/task_start.h"
#include "findmy/profile.h"

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "name", FIELD_TEXT, .min = 1, .max = 100, .required = true, .sort = true, .search = true },
    { "note", FIELD_TEXT, "Why it was made.", .max = 2000, .fallback = "\"\"", .search = true },
    { "document", FIELD_OBJECT,
      "What differs from the built-in profile; `trackerd account profile` prints that.", .computed = true },
    { "active", FIELD_BOOL, "In force. The built-in profile counts while none is.", .computed = true,
      .filter = true },
    { "created_by", FIELD_REF, .ref = "users", .computed = true, .nullable = true },
    FIELD_CREATED,
    FIELD_UPDATED,
};

const struct resource provider_profiles_resource = {
    .name = "provider-profiles",
    .table = "provider_profiles",
    .singular = "ProviderProfile",
    .plural = "ProviderProfiles",
    .label = "provider profile",
    .about = "End points, headers, limits and retry rules of Apple's side.",
    FIELDS(fields),
    .read = ROLE_ADMIN,
    .write = ROLE_ADMIN,
    .flags = RESOURCE_NO_CREATE | RESOURCE_NO_ARCHIVE,
};

static void reply_row(struct request *req, int64_t id, int status)
{
    struct rows *row = account_row(req, &provider_profiles_resource, id);
    if (!account_found(req, &provider_profiles_resource, row))
        return;
    if (status == 201)
        reply_header(req, "Location",
                     arena_printf(req->arena, "/api/v1/provider-profiles/%lld", (long long)id));
    reply_account(req, &provider_profiles_resource, status, row);
}

/* The document as text; NULL: a problem was noted. */
static const char *take_document(struct request *req, json_t *body)
{
    struct error err;
    const json_t *document = json_object_get(body, "document");
    char *dumped = json_is_object(document) ? json_dumps(document, JSON_COMPACT) : NULL;
    if (dumped == NULL) {
        problem_field(req, "document", "invalid", "must be an object");
        return NULL;
    }
    const char *text = arena_strdup(req->arena, dumped);
    free(dumped);
    if (profile_parse(req->arena, text, strlen(text), &err) != NULL)
        return text;
    problem_field(req, "document", "invalid", "%s", err.message);
    return NULL;
}

/* POST /provider-profiles */
static void create_once(struct request *req)
{
    static const char sql[] =
        "INSERT INTO provider_profiles (name, note, document) VALUES ($1, coalesce($2, ''), $3::jsonb) RETURNING id";
    static const char *const known[] = { "name", "note", "document", NULL };
    json_t *body;
    bool own;
    if (!request_json(req, &body))
        return;
    body_known(req, body, known);
    const char *name = body_text(req, body, "name", 100), *document = take_document(req, body);
    const char *note = json_object_get(body, "note") != NULL ? body_text(req, body, "note", 2000) : NULL;
    if (problem_pending(req)) {
        reply_invalid(req);
        return;
    }
    if (!start_begin(req, &own))
        return;
    struct rows *rows = db_query(req->db, sql, "sss", name, note, document);
    if (!rows_ok(rows)) {
        if (own)
            db_rollback(req->db);
        reply_write_problem(req, &provider_profiles_resource, rows);
        return;
    }
    int64_t id = rows_int(rows, 0, 0);
    const struct audit_entry entry = { .action = "create",
                                       .resource = "provider-profiles",
                                       .resource_id = id };
    if (start_finish(req, own, &entry))
        reply_row(req, id, 201);
}

static void create(struct request *req)
{
    idempotent(req, create_once);
}

/* One profile is in force, or none: the next request of every worker reads which. */
static void turn(struct request *req, bool active)
{
    static const char off_sql[] =
        "UPDATE provider_profiles SET active = false WHERE active AND ($2 OR id = $1)",
                      on_sql[] =
                          "UPDATE provider_profiles SET active = active OR $2 WHERE id = $1 RETURNING id";
    int64_t id;
    bool own;
    if (!param_id(req, "id", &id) || !start_begin(req, &own))
        return;
    struct rows *rows = db_query(req->db, off_sql, "ib", id, active);
    if (rows_ok(rows))
        rows = db_query(req->db, on_sql, "ib", id, active);
    const struct audit_entry entry = { .action = active ? "activate" : "deactivate",
                                       .resource = "provider-profiles",
                                       .resource_id = id };
    if (!rows_ok(rows) || rows_count(rows) == 0) {
        if (own)
            db_rollback(req->db);
        if (rows_ok(rows))
            reply_not_found(req, provider_profiles_resource.label);
        else
            reply_write_problem(req, &provider_profiles_resource, rows);
        return;
    }
    if (start_finish(req, own, &entry))
        reply_row(req, id, 200);
}

static void activate(struct request *req)
{
    turn(req, true);
}

static void deactivate(struct request *req)
{
    turn(req, false);
}

void provider_profile_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "ProviderProfileCreate",
        "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"name\",\"document\"],\"properties\":{"
        "\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":100},\"note\":{\"type\":\"string\",\"minLength\":"
        "1,\"maxLength\":2000},\"document\":{\"type\":\"object\"}}}");
}

#define ANSWERS(array)    .answers = (array), .answer_count = ARRAY_LEN(array)
#define PARAMETERS(array) .parameters = (array), .parameter_count = ARRAY_LEN(array)
#define ROUTE(where, handler)                                                                                \
    .method = HTTP_POST, .path = "/api/v1/provider-profiles" where, .handle = (handler),                     \
    .access = ACCESS_ADMIN, .tag = "provider-profiles"

static const struct parameter id_parameter[] = {
    { "id", VALUE_ID, NULL, "Id of the provider profile", true, "path", 0, 0 },
};
static const struct answer created[] = {
    { 201, "ProviderProfile", "Created, not in force", NULL },
};
static const struct answer turned[] = {
    { 200, "ProviderProfile", "The profile as it is now", NULL },
    { 404, "Problem", "No such profile", NULL },
    { 409, "Problem", "Another profile was activated at the same moment", NULL },
};

const struct route provider_profile_routes[] = {
    { ROUTE("", create), .summary = "Add a provider profile", .about = "The document is checked whole.",
      .operation_id = "createProviderProfile", .body_schema = "ProviderProfileCreate", ANSWERS(created) },
    { ROUTE("/{id}/activate", activate), .summary = "Put a provider profile in force",
      .about = "In place of the one before. The next request to Apple uses it.",
      .operation_id = "activateProviderProfile", PARAMETERS(id_parameter), ANSWERS(turned) },
    { ROUTE("/{id}/deactivate", deactivate), .summary = "Take a provider profile out of force",
      .operation_id = "deactivateProviderProfile", PARAMETERS(id_parameter), ANSWERS(turned) },
};
const size_t provider_profile_route_count = ARRAY_LEN(provider_profile_routes);
