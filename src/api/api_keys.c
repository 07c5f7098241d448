/* API keys: what integrators use instead of a login. Everybody manages his own; admins see all. */
#include <string.h>

#include "api/access.h"
#include "api/accounts.h"
#include "api/conditions.h"
#include "api/db_problem.h"
#include "api/idempotency.h"
#include "auth/apikey.h"
#include "auth/authenticate.h"
#include "base/encode.h"
#include "base/parse.h"
#include "base/timeutil.h"

#define MAX_SCOPES 64

static const char *const roles[] = { "admin", "manager", "user", NULL };

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "user_id", FIELD_REF, "The user for whom the key acts.", .ref = "users", .computed = true,
      .filter = true },
    { "name", FIELD_TEXT, "Unique among the user's keys in use.", .min = 1, .max = 200, .required = true,
      .sort = true, .search = true },
    { "prefix", FIELD_TEXT, "Start of the key, to tell keys apart.", .max = 24, .computed = true },
    { "role", FIELD_ENUM, "The most that the key may do; never more than its user at the moment.",
      .words = roles, .cast = "user_role", .computed = true },
    { "scopes", FIELD_STRING_LIST, "RESOURCE:read, RESOURCE:write, read, write or *.", .computed = true },
    { "client_ids", FIELD_REFS, "Narrows the user's clients; null for all of them.", .ref = "clients",
      .computed = true, .nullable = true },
    { "expires_at", FIELD_TIME, "Null: never.", .nullable = true, .sort = true },
    { "last_used_at", FIELD_TIME, "To the minute.", .computed = true, .nullable = true },
    { "revoked_at", FIELD_TIME, .computed = true, .nullable = true },
    FIELD_CREATED,
    FIELD_UPDATED,
    FIELD_ARCHIVED,
};

static const struct constraint constraints[] = {
    { "api_keys_name_key", "name", "already_exists", "another key in use has this name" },
};

const struct resource api_keys_resource = {
    .name = "api-keys",
    .table = "api_keys",
    .singular = "ApiKey",
    .plural = "ApiKeys",
    .label = "API key",
    .about = "What integrators use instead of a login.",
    FIELDS(fields),
    .read = ROLE_USER,
    .write = ROLE_USER,
    .flags = RESOURCE_READ_ONLY, /* writes are below */
    CONSTRAINTS(constraints),
};

/* ---- bodies ---- */

/* What a body says about the rights of a key. */
struct rights {
    const char *role;   /* NULL: not given */
    const char *scopes; /* separated by spaces; NULL: not given */
    bool clients_given, clients_null;
    const int64_t *clients;
    size_t client_count;
};

static void take_role(struct request *req, json_t *body, struct rights *rights)
{
    json_t *value = json_object_get(body, "role");
    const char *role = json_string_value(value);
    int index = role != NULL ? word_index(role_names, role) : -1;
    if (value != NULL && index < ROLE_USER)
        problem_field(req, "role", "invalid", "must be admin, manager or user");
    else if (index > (int)req->principal->role)
        problem_field(req, "role", "forbidden", "must not be more than your own role");
    else if (value != NULL)
        rights->role = role_names[index];
    json_object_del(body, "role");
}

static void take_scopes(struct request *req, json_t *body, struct rights *rights)
{
    json_t *list = json_object_get(body, "scopes"), *value;
    size_t i, n = json_array_size(list);
    struct buf text = { 0 };
    if (list != NULL && (!json_is_array(list) || n == 0 || n > MAX_SCOPES))
        problem_field(req, "scopes", "invalid", "must be an array of 1 to %d scopes", MAX_SCOPES);
    else
        json_array_foreach(list, i, value)
        {
            const char *scope = json_string_value(value);
            if (scope == NULL || strlen(scope) != json_string_length(value) || !apikey_scope_valid(scope)) {
                problem_field(req, "scopes", "invalid",
                              "entry %zu is not *, read, write, RESOURCE:read or RESOURCE:write", i + 1);
                break;
            }
            buf_printf(&text, "%s%s", i > 0 ? " " : "", scope);
        }
    if (list != NULL)
        rights->scopes = arena_strdup(req->arena, buf_text(&text));
    buf_free(&text);
    json_object_del(body, "scopes");
}

static void take_rights(struct request *req, json_t *body, struct rights *rights)
{
    *rights = (struct rights){ .clients_null = json_is_null(json_object_get(body, "client_ids")) };
    take_role(req, body, rights);
    take_scopes(req, body, rights);
    if (body_take_ids(req, body, "client_ids", true, &rights->clients_given, &rights->clients,
                      &rights->client_count))
        check_clients(req, "client_ids", rights->clients, rights->client_count);
    if (rights->clients_given && rights->client_count == 0)
        problem_field(req, "client_ids", "invalid", "must name at least one client, or be null for all");
}

static void check_expiry(struct request *req, const struct field_value *values)
{
    const char *text = value_of(&api_keys_resource, values, "expires_at");
    int64_t at;
    if (text != NULL && (!time_parse(text, &at) || at <= time_now()))
        problem_field(req, "expires_at", "in_the_past", "must be in the future");
}

static const char *client_array(struct request *req, const struct rights *rights)
{
    if (!rights->clients_given)
        return NULL;
    struct buf text = { 0 };
    for (size_t i = 0; i < rights->client_count; i++)
        buf_printf(&text, "%s%lld", i > 0 ? "," : "{", (long long)rights->clients[i]);
    buf_putc(&text, '}');
    const char *copy = arena_strdup(req->arena, buf_text(&text));
    buf_free(&text);
    return copy;
}

/* ---- creating ---- */

#define SHOWN(row)                                                                                           \
    "jsonb_build_object('id', " row ".id, 'user_id', " row ".user_id, 'name', " row ".name, 'prefix', " row  \
    ".prefix, 'role', " row ".role, 'scopes', " row ".scopes, 'client_ids', " row                            \
    ".client_ids, 'expires_at', " row ".expires_at, 'revoked_at', " row ".revoked_at)"

#define BUMP "(SELECT max(g.generation) FROM bump_generations(ARRAY[0]) g)"

static const char create_sql[] =
    "WITH new AS (INSERT INTO api_keys (name, prefix, key_hash, role, scopes, client_ids, expires_at)"
    "  VALUES ($1, $2, $3, $4::user_role, string_to_array($5, ' '), $6::bigint[], $7::timestamptz) RETURNING *),"
    " log AS (INSERT INTO audit_log (action, resource, resource_id, after, request_id, address)"
    "  SELECT 'create', 'api-keys', new.id, " SHOWN("new") ", $8, $9::inet FROM new)"
                                                           " SELECT new.id, " BUMP " FROM new";

/* The row as a read shows it, and the key, this once. */
static void reply_created(struct request *req, const struct rows *row, const char *secret)
{
    struct buf shown = { 0 }, out = { .secret = true };
    struct json json;
    json_begin(&json, &shown);
    write_account(&api_keys_resource, row, &json);
    json_begin(&json, &out);
    json_start_object(&json);
    json_put_text(&json, "key", secret);
    buf_putc(&out, ',');
    buf_append(&out, shown.data + 1, shown.len - 1); /* without its opening brace */
    buf_free(&shown);
    reply_header(req, "Cache-Control", "no-store");
    reply_header(req, "ETag", version_etag(req->arena, account_version(&api_keys_resource, row)));
    reply_header(req, "Location",
                 arena_printf(req->arena, "/api/v1/api-keys/%lld", (long long)rows_int(row, 0, 0)));
    reply_json(req, 201, &out);
}

static void insert_key(struct request *req, const struct field_value *values, const struct rights *rights)
{
    struct apikey key = { 0 };
    apikey_generate(&key);
    struct rows *rows = db_query(
        req->db, create_sql, "ssxssssss", value_of(&api_keys_resource, values, "name"), key.prefix, key.hash,
        sizeof(key.hash), rights->role != NULL ? rights->role : role_names[req->principal->role],
        rights->scopes != NULL ? rights->scopes : "read", client_array(req, rights),
        value_of(&api_keys_resource, values, "expires_at"), req->id, req->client_ip);
    struct rows *made = rows_ok(rows) ? account_row(req, &api_keys_resource, rows_int(rows, 0, 0)) : NULL;
    if (made == NULL) {
        reply_write_problem(req, &api_keys_resource, rows);
    } else if (account_found(req, &api_keys_resource, made)) {
        note_write(req);
        reply_created(req, made, key.secret);
    }
    wipe(&key, sizeof(key));
}

/* POST /api-keys - not repeatable by Idempotency-Key: that would keep the secret in the database. */
static void create_key(struct request *req)
{
    struct field_value values[ARRAY_LEN(fields)];
    struct rights rights;
    json_t *body;
    if (!access_person(req) || !request_json(req, &body))
        return;
    take_rights(req, body, &rights);
    body_validate(req, &api_keys_resource, body, true, values);
    check_expiry(req, values);
    /* An admin has no list of clients that such a key could fall back to. */
    if (req->principal->role == ROLE_ADMIN && rights.role != NULL && strcmp(rights.role, "admin") != 0 &&
        !rights.clients_given)
        problem_field(req, "client_ids", "required", "an admin's key with a lesser role needs clients");
    if (problem_pending(req))
        reply_invalid(req);
    else
        insert_key(req, values, &rights);
}

/* ---- changing ---- */

static const char patch_sql[] =
    "WITH old AS (SELECT * FROM api_keys WHERE id = $1 FOR UPDATE),"
    " new AS (UPDATE api_keys k SET name = coalesce($2, k.name), role = coalesce($3::user_role, k.role),"
    "  scopes = coalesce(string_to_array($4, ' '), k.scopes),"
    "  client_ids = CASE WHEN $5::boolean THEN $6::bigint[] ELSE k.client_ids END,"
    "  expires_at = CASE WHEN $7::boolean THEN $8::timestamptz ELSE k.expires_at END"
    "  FROM old WHERE k.id = old.id AND ($9::bigint[] IS NULL OR old.version = ANY ($9::bigint[])) RETURNING k.*),"
    " log AS (INSERT INTO audit_log (action, resource, resource_id, before, after, request_id, address)"
    "  SELECT 'update', 'api-keys', new.id, " SHOWN("old") ", " SHOWN("new") ", $10, $11::inet FROM new, old)"
                                                                             " SELECT new.id, " BUMP
                                                                             " FROM new";

static const char revoke_sql[] =
    "WITH old AS (SELECT * FROM api_keys WHERE id = $1 FOR UPDATE),"
    " new AS (UPDATE api_keys k SET revoked_at = coalesce(k.revoked_at, now()) FROM old"
    "  WHERE k.id = old.id AND ($2::bigint[] IS NULL OR old.version = ANY ($2::bigint[])) RETURNING k.*),"
    " log AS (INSERT INTO audit_log (action, resource, resource_id, before, after, request_id, address)"
    "  SELECT 'revoke', 'api-keys', new.id, " SHOWN("old") ", " SHOWN("new") ", $3, $4::inet FROM new, old)"
                                                                             " SELECT new.id, " BUMP
                                                                             " FROM new";

static const char delete_sql[] =
    "WITH old AS (SELECT * FROM api_keys WHERE id = $1),"
    " gone AS (DELETE FROM api_keys k USING old WHERE k.id = old.id"
    "  AND ($2::bigint[] IS NULL OR old.version = ANY ($2::bigint[])) RETURNING k.id),"
    " log AS (INSERT INTO audit_log (action, resource, resource_id, before, request_id, address)"
    "  SELECT 'delete', 'api-keys', old.id, " SHOWN("old") ", $3, $4::inet FROM old, gone)"
                                                           " SELECT gone.id, " BUMP " FROM gone";

/* After a write that named a version: the key as it is now, or what went wrong. */
static void reply_written(struct request *req, int64_t id, const struct rows *written)
{
    if (!rows_ok(written)) {
        reply_write_problem(req, &api_keys_resource, written);
        return;
    }
    struct rows *now = account_row(req, &api_keys_resource, id);
    if (!account_found(req, &api_keys_resource, now))
        return;
    if (rows_count(written) == 0) {
        reply_stale_account(req, &api_keys_resource, now);
        return;
    }
    note_write(req);
    auth_settle(req->app->auth);
    reply_account(req, &api_keys_resource, 200, now);
}

/* PATCH /api-keys/{id} */
static void patch_key(struct request *req)
{
    struct field_value values[ARRAY_LEN(fields)];
    struct rights rights;
    int64_t id;
    json_t *body;
    if (!access_person(req) || !param_id(req, "id", &id) || !request_json(req, &body))
        return;
    take_rights(req, body, &rights);
    body_validate(req, &api_keys_resource, body, false, values);
    check_expiry(req, values);
    if (problem_pending(req)) {
        reply_invalid(req);
        return;
    }
    int expiry = resource_field(&api_keys_resource, "expires_at");
    struct condition condition = condition_read(req);
    struct rows *rows = db_query(
        req->db, patch_sql, "isssbsbssss", id, value_of(&api_keys_resource, values, "name"), rights.role,
        rights.scopes, (int)(rights.clients_given || rights.clients_null), client_array(req, &rights),
        (int)values[expiry].given, values[expiry].text, condition.array, req->id, req->client_ip);
    reply_written(req, id, rows);
}

/* POST /api-keys/{id}/revoke - stops working at once, stays in the list. */
static void revoke_key(struct request *req)
{
    int64_t id;
    if (!access_person(req) || !param_id(req, "id", &id))
        return;
    struct condition condition = condition_read(req);
    reply_written(req, id,
                  db_query(req->db, revoke_sql, "isss", id, condition.array, req->id, req->client_ip));
}

/* DELETE /api-keys/{id} */
static void delete_key(struct request *req)
{
    int64_t id;
    if (!access_person(req) || !param_id(req, "id", &id))
        return;
    struct condition condition = condition_read(req);
    struct rows *rows = db_query(req->db, delete_sql, "isss", id, condition.array, req->id, req->client_ip);
    if (!rows_ok(rows)) {
        reply_write_problem(req, &api_keys_resource, rows);
    } else if (rows_count(rows) == 0) {
        struct rows *now = account_row(req, &api_keys_resource, id);
        if (account_found(req, &api_keys_resource, now))
            reply_stale_account(req, &api_keys_resource, now);
    } else {
        note_write(req);
        auth_settle(req->app->auth);
        reply_empty(req, 204);
    }
}

/* ---- routes ---- */

#define ANSWERS(array)    .answers = (array), .answer_count = ARRAY_LEN(array)
#define PARAMETERS(array) .parameters = (array), .parameter_count = ARRAY_LEN(array)

static const struct parameter id_and_match[] = {
    { "id", VALUE_ID, NULL, "Id of the key", true, "path", 0, 0 },
    { "If-Match", VALUE_TEXT, NULL, "ETag of the version that is meant", false, "header", 0, 0 },
};

static const struct answer create_answers[] = {
    { 201, "ApiKeyCreated", "Created; the key is shown this once", NULL },
    { 403, "Problem", "API keys may not do this", NULL },
    { 409, "Problem", "The name is taken", NULL },
};
static const struct answer row_answers[] = {
    { 200, "ApiKey", "The key as it is now", NULL },
    { 403, "Problem", "API keys may not do this", NULL },
    { 404, "Problem", "No such key", NULL },
    { 409, "Problem", "The name is taken", NULL },
    { 412, "Problem", "Changed since; If-Match names another version", NULL },
};
static const struct answer gone_answers[] = {
    { 204, NULL, "Deleted; it has stopped working", NULL },
    { 403, "Problem", "API keys may not do this", NULL },
    { 404, "Problem", "No such key", NULL },
    { 412, "Problem", "Changed since; If-Match names another version", NULL },
};

const struct route api_key_routes[] = {
    { HTTP_POST, "/api/v1/api-keys", create_key, ACCESS_USER, .flags = ROUTE_NO_BODY_LOG, .tag = "api-keys",
      .summary = "Create an API key", .about = "The answer holds the key, which is never shown again.",
      .operation_id = "createApiKey", .body_schema = "ApiKeyCreate", ANSWERS(create_answers) },
    { HTTP_PATCH, "/api/v1/api-keys/{id}", patch_key, ACCESS_USER, .tag = "api-keys",
      .summary = "Change an API key", .operation_id = "patchApiKey", PARAMETERS(id_and_match),
      .body_schema = "ApiKeyPatch", .body_content_type = "application/merge-patch+json",
      ANSWERS(row_answers) },
    { HTTP_POST, "/api/v1/api-keys/{id}/revoke", revoke_key, ACCESS_USER, .tag = "api-keys",
      .summary = "Revoke an API key", .about = "It stops working at the next request and stays in the list.",
      .operation_id = "revokeApiKey", PARAMETERS(id_and_match), ANSWERS(row_answers) },
    { HTTP_DELETE, "/api/v1/api-keys/{id}", delete_key, ACCESS_USER, .tag = "api-keys",
      .summary = "Delete an API key", .operation_id = "deleteApiKey", PARAMETERS(id_and_match),
      ANSWERS(gone_answers) },
};
const size_t api_key_route_count = ARRAY_LEN(api_key_routes);
