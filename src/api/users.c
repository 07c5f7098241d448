/* Users: people who sign in, which clients they see, and ending their sessions.
 *
 * Admins manage everybody. A manager sees the users of his clients, and edits those who have no others;
 * nobody hands out a role or a client that he has not. Row security says the same; here it is said in
 * sentences. */
#include <string.h>

#include "api/access.h"
#include "api/accounts.h"
#include "api/conditions.h"
#include "api/db_problem.h"
#include "api/idempotency.h"
#include "auth/authenticate.h"
#include "auth/mail.h"
#include "auth/reset.h"
#include "auth/session.h"
#include "base/encode.h"
#include "base/log.h"

static const char *const roles[] = { "admin", "manager", "user", NULL };

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "email", FIELD_TEXT, "Name for signing in; unique, whatever the case.", .min = 3, .max = 254,
      .required = true, .sort = true, .filter = true, .search = true },
    { "name", FIELD_TEXT, .min = 1, .max = 200, .required = true, .sort = true, .search = true },
    { "role", FIELD_ENUM, "admin: everything; manager: edits the data of the clients; user: reads it.",
      .words = roles, .cast = "user_role", .fallback = "\"user\"", .filter = true },
    { "client_ids", FIELD_REFS, "Clients that the user sees; an admin sees all.",
      .select = "ARRAY(SELECT uc.client_id FROM user_clients uc WHERE uc.user_id = t.id ORDER BY 1)",
      .ref = "clients", .computed = true },
    { "client_id", FIELD_REF, .ref = "clients", .input = true, .computed = true, .filter = true,
      .filter_sql = "t.id IN (SELECT uc.user_id FROM user_clients uc WHERE uc.client_id = ANY (%s))" },
    { "language", FIELD_TEXT, "Of mails and notifications: en, de, or with a country, de-AT.", .min = 2,
      .max = 5, .fallback = "\"en\"" },
    { "time_zone", FIELD_TEXT, "As in the IANA database: Europe/Berlin.", .min = 1, .max = 64,
      .fallback = "\"UTC\"" },
    { "notification_preferences", FIELD_OBJECT, "Which notifications come by mail and in the user interface.",
      .select =
          "jsonb_build_object('email', coalesce((t.preferences #>> '{notifications,email}')::boolean, true),"
          " 'ui', coalesce((t.preferences #>> '{notifications,ui}')::boolean, true))",
      .computed = true },
    { "has_password", FIELD_BOOL, "False until an invited user has chosen one.",
      .select = "t.password_hash IS NOT NULL", .computed = true },
    { "password", FIELD_TEXT, "Without one the user gets an invitation by mail.", .min = 1,
      .max = PASSWORD_MAX, .fixed = true, .input = true },
    { "last_login_at", FIELD_TIME, .computed = true, .nullable = true },
    FIELD_CREATED,
    FIELD_UPDATED,
    { "archived_at", FIELD_TIME, "May not sign in since; null while active.", .computed = true,
      .nullable = true },
};

static const struct constraint constraints[] = {
    { "users_email_key", "email", "already_exists", "another user has this address" },
    { "users_email_form", "email", "invalid", "is not an e-mail address" },
    { "users_language_form", "language", "invalid", "must be like en or de-AT" },
    { "user_clients_client_id_fkey", "client_ids", "not_found", "there is no such client" },
};

const struct resource users_resource = {
    .name = "users",
    .table = "users",
    .singular = "User",
    .plural = "Users",
    .label = "user",
    .about = "People who sign in.",
    FIELDS(fields),
    .read = ROLE_MANAGER,
    .write = ROLE_MANAGER,
    .flags = RESOURCE_READ_ONLY, /* writes are below */
    CONSTRAINTS(constraints),
};

static const char *value(const struct field_value *values, const char *name)
{
    return value_of(&users_resource, values, name);
}

/* ---- checks ---- */

static void check_role(struct request *req, const char *role)
{
    if (role != NULL && strcmp(role, "admin") == 0 && req->principal->role != ROLE_ADMIN)
        problem_field(req, "role", "forbidden", "only admins make admins");
}

static void check_email(struct request *req, const char *email)
{
    if (email != NULL && !mail_address_valid(email))
        problem_field(req, "email", "invalid", "is not an e-mail address");
}

/* May the caller edit this user? Else answered: 404 when he does not see him, 403 when he does. *user: id,
 * email, name, language. */
static bool editable_user(struct request *req, int64_t id, struct rows **user)
{
    *user = db_query(
        req->db,
        "SELECT id, email, name, language, app_is_admin() OR (app_role() = 'manager' AND role <> 'admin'"
        " AND id <> app_user() AND user_within_clients(id, app_editable())) FROM users WHERE id = $1",
        "i", id);
    if (!account_found(req, &users_resource, *user))
        return false;
    if (rows_bool(*user, 0, 4))
        return true;
    reply_problem(req, 403, "forbidden",
                  "A manager edits neither admins, nor himself, nor users who see clients of others.");
    return false;
}

/* Nobody locks himself out; a colleague can. */
static bool not_oneself(struct request *req, int64_t id)
{
    if (id != req->principal->user_id)
        return true;
    reply_problem(req, 409, "own_account", "This cannot be done to one's own account.");
    return false;
}

static void reply_user_problem(struct request *req, const struct rows *rows)
{
    if (strcmp(rows_constraint(rows), "users_last_admin") == 0)
        reply_problem(req, 409, "last_admin", "This is the last active admin; make another one first.");
    else
        reply_write_problem(req, &users_resource, rows);
}

/* ---- creating ---- */

#define SHOWN(row, clients)                                                                                  \
    "jsonb_build_object('id', " row ".id, 'email', " row ".email, 'name', " row ".name, 'role', " row        \
    ".role, 'language', " row ".language, 'time_zone', " row ".time_zone, 'archived_at', " row               \
    ".archived_at, 'client_ids', " clients ")"

#define BUMP "(SELECT max(g.generation) FROM bump_generations(ARRAY[0]) g)"

static const char create_sql[] =
    "WITH new AS (INSERT INTO users (email, name, role, language, time_zone, password_hash, password_changed_at)"
    "  VALUES ($1, $2, $3::user_role, $4, $5, $6, CASE WHEN $6::text IS NOT NULL THEN now() END) RETURNING *),"
    " clients AS (INSERT INTO user_clients (user_id, client_id) SELECT new.id, c FROM new, unnest($7::bigint[]) c"
    "  RETURNING client_id),"
    " log AS (INSERT INTO audit_log (action, resource, resource_id, after, api_key_id, request_id, address)"
    "  SELECT 'create', 'users', new.id, " SHOWN("new",
                                                 "$7::bigint[]") ", $8::bigint, $9, $10::inet FROM new)"
                                                                 " SELECT new.id, " BUMP " FROM new";

/* A new user without a password is invited to choose one. The account stands even when the mail fails: it can
 * be sent again. */
static void invite(struct request *req, const struct field_value *values, int64_t id)
{
    struct rows *rows;
    struct error err = { .message = "the database refused the link" };
    const char *token = reset_create(req->app->auth, req->db, req->arena, id, RESET_INVITE, &rows);
    if (token == NULL ||
        !reset_mail(req->app->auth, req->arena, value(values, "email"), value(values, "name"),
                    value(values, "language"), token, RESET_INVITE, &err))
        LOG_ERROR("invitation not sent", LOG_NUM("user", id), LOG_TEXT("error", err.message));
}

static void insert_user(struct request *req, const struct field_value *values, const int64_t *clients,
                        size_t n)
{
    const char *password = value(values, "password");
    char hash[PASSWORD_HASH_SIZE];
    if (password != NULL && !password_hash(req->app->auth->hasher, password, hash)) {
        reply_busy(req);
        return;
    }
    struct rows *rows = db_query(req->db, create_sql, "ssssssasss", value(values, "email"),
                                 value(values, "name"), value(values, "role"), value(values, "language"),
                                 value(values, "time_zone"), password != NULL ? hash : NULL, clients, n,
                                 caller_key(req), req->id, req->client_ip);
    if (!rows_ok(rows)) {
        reply_user_problem(req, rows);
        return;
    }
    int64_t id = rows_int(rows, 0, 0);
    if (password == NULL)
        invite(req, values, id);
    struct rows *made = account_row(req, &users_resource, id);
    if (!account_found(req, &users_resource, made))
        return;
    note_write(req);
    reply_header(req, "Location", arena_printf(req->arena, "/api/v1/users/%lld", (long long)id));
    reply_account(req, &users_resource, 201, made);
}

static void create(struct request *req)
{
    struct field_value values[ARRAY_LEN(fields)];
    const int64_t *clients = NULL;
    size_t n;
    bool given;
    json_t *body;
    struct error err;
    if (!request_json(req, &body))
        return;
    if (body_take_ids(req, body, "client_ids", false, &given, &clients, &n))
        check_clients(req, "client_ids", clients, n);
    body_validate(req, &users_resource, body, true, values);
    check_email(req, value(values, "email"));
    check_role(req, value(values, "role"));
    const char *password = value(values, "password");
    if (password != NULL && !password_acceptable(password, value(values, "email"), &err))
        problem_field(req, "password", err.code, "%s", err.message);
    if (req->principal->role == ROLE_MANAGER && n == 0)
        problem_field(req, "client_ids", "required", "a manager's users need a client");
    if (!check_time_zone(req, value(values, "time_zone")))
        return;
    if (problem_pending(req))
        reply_invalid(req);
    else
        insert_user(req, values, clients, n);
}

/* POST /users */
static void create_user(struct request *req)
{
    idempotent(req, create);
}

/* ---- changing ---- */

/* Clients out of the caller's sight stay as they are: a manager's list replaces only what he sees. */
static const char patch_sql[] =
    "WITH old AS (SELECT t.*, ARRAY(SELECT uc.client_id FROM user_clients uc WHERE uc.user_id = t.id ORDER BY 1) AS clients"
    "  FROM users t WHERE id = $1 FOR UPDATE),"
    " new AS (UPDATE users u SET email = coalesce($2, u.email), name = coalesce($3, u.name),"
    "  role = coalesce($4::user_role, u.role), language = coalesce($5, u.language),"
    "  time_zone = coalesce($6, u.time_zone) FROM old"
    "  WHERE u.id = old.id AND ($8::bigint[] IS NULL OR old.version = ANY ($8::bigint[])) RETURNING u.*),"
    " gone AS (DELETE FROM user_clients uc USING new WHERE uc.user_id = new.id AND uc.client_id <> ALL ($7::bigint[])),"
    " added AS (INSERT INTO user_clients (user_id, client_id) SELECT new.id, c FROM new, unnest($7::bigint[]) c"
    "  ON CONFLICT DO NOTHING),"
    " log AS (INSERT INTO audit_log (action, resource, resource_id, before, after, api_key_id, request_id, address)"
    "  SELECT 'update', 'users', new.id, " SHOWN("old", "old.clients") ", " SHOWN(
        "new", "coalesce($7::bigint[], old.clients)") ", $9::bigint, $10, $11::inet FROM new, old)"
                                                      " SELECT new.id, " BUMP " FROM new";

static void update_user(struct request *req, int64_t id, const struct field_value *values,
                        const char *clients)
{
    struct condition condition = condition_read(req);
    struct rows *rows = db_query(req->db, patch_sql, "issssssssss", id, value(values, "email"),
                                 value(values, "name"), value(values, "role"), value(values, "language"),
                                 value(values, "time_zone"), clients, condition.array, caller_key(req),
                                 req->id, req->client_ip);
    if (!rows_ok(rows)) {
        reply_user_problem(req, rows);
        return;
    }
    struct rows *now = account_row(req, &users_resource, id);
    if (!account_found(req, &users_resource, now))
        return;
    if (rows_count(rows) == 0) {
        reply_stale_account(req, &users_resource, now);
        return;
    }
    note_write(req);
    auth_settle(req->app->auth);
    reply_account(req, &users_resource, 200, now);
}

static const char *array_text(struct request *req, const int64_t *ids, size_t n)
{
    struct buf text = { 0 };
    buf_putc(&text, '{');
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s%lld", i > 0 ? "," : "", (long long)ids[i]);
    buf_putc(&text, '}');
    const char *copy = arena_strdup(req->arena, buf_text(&text));
    buf_free(&text);
    return copy;
}

/* PATCH /users/{id} */
static void patch_user(struct request *req)
{
    struct field_value values[ARRAY_LEN(fields)];
    const int64_t *clients = NULL;
    size_t n;
    bool given;
    int64_t id;
    json_t *body;
    struct rows *user;
    if (!param_id(req, "id", &id) || !request_json(req, &body) || !editable_user(req, id, &user))
        return;
    if (body_take_ids(req, body, "client_ids", false, &given, &clients, &n))
        check_clients(req, "client_ids", clients, n);
    body_validate(req, &users_resource, body, false, values);
    check_email(req, value(values, "email"));
    check_role(req, value(values, "role"));
    if (given && n == 0 && req->principal->role == ROLE_MANAGER)
        problem_field(req, "client_ids", "required", "a manager's users need a client");
    if (!check_time_zone(req, value(values, "time_zone")))
        return;
    if (problem_pending(req)) {
        reply_invalid(req);
        return;
    }
    if (value(values, "role") != NULL && strcmp(value(values, "role"), "admin") != 0 &&
        req->principal->role == ROLE_ADMIN && !not_oneself(req, id))
        return;
    update_user(req, id, values, given ? array_text(req, clients, n) : NULL);
}

/* ---- disabling, enabling, deleting ---- */

static const char archive_sql[] =
    "WITH old AS (SELECT * FROM users WHERE id = $1 FOR UPDATE),"
    " new AS (UPDATE users u SET archived_at = CASE WHEN $2::boolean THEN coalesce(u.archived_at, now()) END FROM old"
    "  WHERE u.id = old.id AND ($3::bigint[] IS NULL OR old.version = ANY ($3::bigint[])) RETURNING u.*),"
    " log AS (INSERT INTO audit_log (action, resource, resource_id, before, after, api_key_id, request_id, address)"
    "  SELECT CASE WHEN $2::boolean THEN 'archive' ELSE 'restore' END, 'users', new.id,"
    "   jsonb_build_object('archived_at', old.archived_at), jsonb_build_object('archived_at', new.archived_at),"
    "   $4::bigint, $5, $6::inet FROM new, old)"
    " SELECT new.id, " BUMP " FROM new";

/* Ends all sessions of a user whom the caller may edit, in the API's own eyes: others' sessions are not for a
 * manager to see in the database. */
static struct rows *end_sessions(struct request *req, int64_t user_id, int64_t session_id)
{
    const struct db_context mine = req->principal->context;
    db_set_context(req->db, &auth_context);
    struct rows *rows = session_id != 0 ? session_close(req->db, user_id, session_id, SESSION_BY_ADMIN)
                                        : session_close_all(req->db, user_id, 0, SESSION_BY_ADMIN);
    if (rows_ok(rows) && rows_affected(rows) > 0)
        (void)db_query(
            req->db,
            "INSERT INTO audit_log (user_id, action, resource, resource_id, api_key_id, request_id, address)"
            " VALUES ($1, 'sign_out', 'users', $2, $3::bigint, $4, $5::inet)",
            "iisss", req->principal->user_id, user_id, caller_key(req), req->id, req->client_ip);
    db_set_context(req->db, arena_memdup(req->arena, &mine, sizeof(mine)));
    return rows;
}

static void set_archived(struct request *req, bool archived)
{
    int64_t id;
    struct rows *user;
    if (!param_id(req, "id", &id) || !editable_user(req, id, &user) || (archived && !not_oneself(req, id)))
        return;
    /* Sessions must not come back to life: they end before the account does, and before it comes back. */
    struct rows *ended = end_sessions(req, id, 0);
    if (!rows_ok(ended)) {
        reply_db_problem(req, ended);
        return;
    }
    struct condition condition = condition_read(req);
    struct rows *rows = db_query(req->db, archive_sql, "ibssss", id, (int)archived, condition.array,
                                 caller_key(req), req->id, req->client_ip);
    if (!rows_ok(rows)) {
        reply_user_problem(req, rows);
        return;
    }
    struct rows *now = account_row(req, &users_resource, id);
    if (!account_found(req, &users_resource, now))
        return;
    if (rows_count(rows) == 0) {
        reply_stale_account(req, &users_resource, now);
        return;
    }
    note_write(req);
    auth_settle(req->app->auth);
    reply_account(req, &users_resource, 200, now);
}

/* POST /users/{id}/archive */
static void archive_user(struct request *req)
{
    set_archived(req, true);
}

/* POST /users/{id}/restore */
static void restore_user(struct request *req)
{
    set_archived(req, false);
}

static const char delete_sql[] =
    "WITH old AS (SELECT t.*, ARRAY(SELECT uc.client_id FROM user_clients uc WHERE uc.user_id = t.id ORDER BY 1) AS clients"
    "  FROM users t WHERE id = $1),"
    " gone AS (DELETE FROM users u USING old WHERE u.id = old.id"
    "  AND ($2::bigint[] IS NULL OR old.version = ANY ($2::bigint[])) RETURNING u.id),"
    " log AS (INSERT INTO audit_log (action, resource, resource_id, before, api_key_id, request_id, address)"
    "  SELECT 'delete', 'users', old.id, " SHOWN("old",
                                                 "old.clients") ", $3::bigint, $4, $5::inet FROM old, gone)"
                                                                " SELECT gone.id, " BUMP " FROM gone";

/* Keys in use would stop working without a word: they are to be revoked first. */
static bool without_keys(struct request *req, int64_t id)
{
    db_set_context(req->db, &auth_context);
    struct rows *rows = db_query(req->db,
                                 "SELECT count(*) FROM api_keys WHERE user_id = $1 AND revoked_at IS NULL"
                                 " AND archived_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
                                 "i", id);
    db_set_context(req->db, &req->principal->context);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return false;
    }
    if (rows_int(rows, 0, 0) == 0)
        return true;
    reply_problem(req, 409, "in_use",
                  "The user has %lld API keys in use (api-keys); revoke them first, or archive the user.",
                  (long long)rows_int(rows, 0, 0));
    return false;
}

/* DELETE /users/{id} */
static void delete_user(struct request *req)
{
    int64_t id;
    struct rows *user;
    if (!param_id(req, "id", &id) || !editable_user(req, id, &user) || !not_oneself(req, id) ||
        !without_keys(req, id))
        return;
    struct condition condition = condition_read(req);
    struct rows *rows = db_query(req->db, delete_sql, "issss", id, condition.array, caller_key(req), req->id,
                                 req->client_ip);
    if (!rows_ok(rows)) {
        reply_user_problem(req, rows);
    } else if (rows_count(rows) == 0) {
        struct rows *now = account_row(req, &users_resource, id);
        if (account_found(req, &users_resource, now))
            reply_stale_account(req, &users_resource, now);
    } else {
        note_write(req);
        auth_settle(req->app->auth);
        reply_empty(req, 204);
    }
}

/* ---- sessions and links ---- */

/* GET /users/{id}/sessions */
static void list_sessions(struct request *req)
{
    int64_t id;
    struct rows *user;
    if (!param_id(req, "id", &id) || !editable_user(req, id, &user))
        return;
    db_set_context(req->db, &auth_context);
    reply_sessions(req, id);
}

/* DELETE /users/{id}/sessions - sign out everywhere. */
static void end_all_sessions(struct request *req)
{
    int64_t id;
    struct rows *user;
    if (!param_id(req, "id", &id) || !editable_user(req, id, &user))
        return;
    struct rows *rows = end_sessions(req, id, 0);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    auth_settle(req->app->auth);
    reply_empty(req, 204);
}

/* DELETE /users/{id}/sessions/{session_id} */
static void end_session(struct request *req)
{
    int64_t id, session_id;
    struct rows *user;
    if (!param_id(req, "id", &id) || !param_id(req, "session_id", &session_id) ||
        !editable_user(req, id, &user))
        return;
    struct rows *rows = end_sessions(req, id, session_id);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
    } else if (rows_affected(rows) == 0) {
        reply_not_found(req, "session");
    } else {
        auth_settle(req->app->auth);
        reply_empty(req, 204);
    }
}

/* POST /users/{id}/password-link - mail the user a link to choose a password: an invitation as long as there
 * is none. */
static void send_link(struct request *req)
{
    int64_t id;
    struct rows *user, *made;
    struct error err;
    if (!param_id(req, "id", &id) || !editable_user(req, id, &user))
        return;
    db_set_context(req->db, &auth_context);
    struct rows *state = db_query(
        req->db, "SELECT password_hash IS NULL, archived_at IS NOT NULL FROM users WHERE id = $1", "i", id);
    if (!account_found(req, &users_resource, state))
        return;
    if (rows_bool(state, 0, 1)) {
        reply_problem(req, 409, "archived", "The user may not sign in; restore the account first.");
        return;
    }
    enum reset_purpose purpose = rows_bool(state, 0, 0) ? RESET_INVITE : RESET_FORGOTTEN;
    const char *token = reset_create(req->app->auth, req->db, req->arena, id, purpose, &made);
    if (token == NULL) {
        reply_db_problem(req, made);
        return;
    }
    if (!reset_mail(req->app->auth, req->arena, rows_text(user, 0, 1), rows_text(user, 0, 2),
                    rows_text(user, 0, 3), token, purpose, &err)) {
        LOG_ERROR("password link not sent", LOG_NUM("user", id), LOG_TEXT("error", err.message));
        reply_unavailable(req, "mail_unavailable", 60, "The mail could not be queued; try again later.");
        return;
    }
    reply_empty(req, 202);
}

/* ---- routes ---- */

#define ANSWERS(array)    .answers = (array), .answer_count = ARRAY_LEN(array)
#define PARAMETERS(array) .parameters = (array), .parameter_count = ARRAY_LEN(array)

static const struct parameter id_only[] = {
    { "id", VALUE_ID, NULL, "Id of the user", true, "path", 0, 0 },
};
static const struct parameter id_and_match[] = {
    { "id", VALUE_ID, NULL, "Id of the user", true, "path", 0, 0 },
    { "If-Match", VALUE_TEXT, NULL, "ETag of the version that is meant", false, "header", 0, 0 },
};
static const struct parameter id_and_session[] = {
    { "id", VALUE_ID, NULL, "Id of the user", true, "path", 0, 0 },
    { "session_id", VALUE_ID, NULL, "Id of the session", true, "path", 0, 0 },
};
static const struct parameter idempotency_key[] = {
    { "Idempotency-Key", VALUE_TEXT, NULL, "Makes the effect happen once, however often the request is sent",
      false, "header", 0, 0 },
};

static const struct answer create_answers[] = {
    { 201, "User", "Created; without a password, an invitation is on its way", NULL },
    { 403, "Problem", "The caller's role does not suffice", NULL },
    { 409, "Problem", "The address is taken", NULL },
};
static const struct answer row_answers[] = {
    { 200, "User", "The user as he is now", NULL },
    { 403, "Problem", "Not for the caller to edit", NULL },
    { 404, "Problem", "No such user", NULL },
    { 409, "Problem", "The last admin, oneself, or a taken address", NULL },
    { 412, "Problem", "Changed since; If-Match names another version", NULL },
};
static const struct answer gone_answers[] = {
    { 204, NULL, "Deleted", NULL },
    { 403, "Problem", "Not for the caller to edit", NULL },
    { 404, "Problem", "No such user", NULL },
    { 409, "Problem", "The last admin, oneself, or a user with API keys", NULL },
    { 412, "Problem", "Changed since; If-Match names another version", NULL },
};
static const struct answer sessions_answers[] = {
    { 200, "SessionPage", "Sessions, newest first", NULL },
    { 403, "Problem", "Not for the caller to edit", NULL },
    { 404, "Problem", "No such user", NULL },
};
static const struct answer ended_answers[] = {
    { 204, NULL, "Ended; they stop working at once", NULL },
    { 403, "Problem", "Not for the caller to edit", NULL },
    { 404, "Problem", "No such user or session", NULL },
};
static const struct answer link_answers[] = {
    { 202, NULL, "The mail is on its way", NULL },
    { 403, "Problem", "Not for the caller to edit", NULL },
    { 404, "Problem", "No such user", NULL },
    { 409, "Problem", "The user is archived", NULL },
};

const struct route user_routes[] = {
    { HTTP_POST, "/api/v1/users", create_user, ACCESS_MANAGER, .flags = ROUTE_NO_BODY_LOG, .tag = "users",
      .summary = "Create a user", .operation_id = "createUser", PARAMETERS(idempotency_key),
      .body_schema = "UserCreate", ANSWERS(create_answers) },
    { HTTP_PATCH, "/api/v1/users/{id}", patch_user, ACCESS_MANAGER, .tag = "users",
      .summary = "Change a user", .operation_id = "patchUser", PARAMETERS(id_and_match),
      .body_schema = "UserPatch", .body_content_type = "application/merge-patch+json", ANSWERS(row_answers) },
    { HTTP_DELETE, "/api/v1/users/{id}", delete_user, ACCESS_MANAGER, .tag = "users",
      .summary = "Delete a user", .operation_id = "deleteUser", PARAMETERS(id_and_match),
      ANSWERS(gone_answers) },
    { HTTP_POST, "/api/v1/users/{id}/archive", archive_user, ACCESS_MANAGER, .tag = "users",
      .summary = "Disable a user", .about = "Ends all sessions and API keys at once.",
      .operation_id = "archiveUser", PARAMETERS(id_and_match), ANSWERS(row_answers) },
    { HTTP_POST, "/api/v1/users/{id}/restore", restore_user, ACCESS_MANAGER, .tag = "users",
      .summary = "Enable a user again", .operation_id = "restoreUser", PARAMETERS(id_and_match),
      ANSWERS(row_answers) },
    { HTTP_GET, "/api/v1/users/{id}/sessions", list_sessions, ACCESS_MANAGER, .tag = "users",
      .summary = "Sessions of a user", .operation_id = "listUserSessions", PARAMETERS(id_only),
      ANSWERS(sessions_answers) },
    { HTTP_DELETE, "/api/v1/users/{id}/sessions", end_all_sessions, ACCESS_MANAGER, .tag = "users",
      .summary = "Sign a user out everywhere", .operation_id = "endUserSessions", PARAMETERS(id_only),
      ANSWERS(ended_answers) },
    { HTTP_DELETE, "/api/v1/users/{id}/sessions/{session_id}", end_session, ACCESS_MANAGER, .tag = "users",
      .summary = "End one session of a user", .operation_id = "endUserSession", PARAMETERS(id_and_session),
      ANSWERS(ended_answers) },
    { HTTP_POST, "/api/v1/users/{id}/password-link", send_link, ACCESS_MANAGER, .tag = "users",
      .summary = "Mail a user a link to choose a password", .operation_id = "sendPasswordLink",
      PARAMETERS(id_only), ANSWERS(link_answers) },
};
const size_t user_route_count = ARRAY_LEN(user_routes);
