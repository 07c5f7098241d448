/* The caller's own account: /users/me, its profile and its sessions. */
#include "api/access.h"
#include "api/accounts.h"
#include "api/conditions.h"
#include "api/db_problem.h"
#include "auth/authenticate.h"
#include "auth/session.h"

/* GET /users/me */
static void get_me(struct request *req)
{
    struct rows *rows = account_row(req, &users_resource, req->principal->user_id);
    if (account_found(req, &users_resource, rows))
        reply_account(req, &users_resource, 200, rows);
}

/* A flag of the settings: -1 not given, 0 false, 1 true. */
static int take_flag(struct request *req, json_t *settings, const char *name)
{
    json_t *value = json_object_get(settings, name);
    if (value == NULL)
        return -1;
    if (!json_is_boolean(value))
        problem_field(req, arena_printf(req->arena, "notification_preferences.%s", name), "invalid_type",
                      "must be true or false");
    return json_is_true(value);
}

struct preferences {
    int email, ui;
};

static void take_preferences(struct request *req, json_t *body, struct preferences *preferences)
{
    static const char *const known[] = { "email", "ui", NULL };
    json_t *settings = json_object_get(body, "notification_preferences");
    *preferences = (struct preferences){ -1, -1 };
    if (settings == NULL)
        return;
    if (!json_is_object(settings)) {
        problem_field(req, "notification_preferences", "invalid_type", "must be an object");
    } else {
        body_known(req, settings, known);
        preferences->email = take_flag(req, settings, "email");
        preferences->ui = take_flag(req, settings, "ui");
    }
    json_object_del(body, "notification_preferences");
}

/* Flags of -1 leave what is stored. */
static const char patch_me_sql[] =
    "WITH old AS (SELECT * FROM users WHERE id = $1 FOR UPDATE),"
    " new AS (UPDATE users u SET name = coalesce($2, u.name), language = coalesce($3, u.language),"
    "  time_zone = coalesce($4, u.time_zone), preferences = u.preferences || jsonb_build_object('notifications',"
    "   coalesce(u.preferences -> 'notifications', '{}')"
    "   || CASE WHEN $5 < 0 THEN '{}' ELSE jsonb_build_object('email', $5 > 0) END"
    "   || CASE WHEN $6 < 0 THEN '{}' ELSE jsonb_build_object('ui', $6 > 0) END)"
    "  FROM old WHERE u.id = old.id AND ($7::bigint[] IS NULL OR old.version = ANY ($7::bigint[])) RETURNING u.*),"
    " log AS (INSERT INTO audit_log (action, resource, resource_id, before, after, api_key_id, request_id, address)"
    "  SELECT 'update', 'users', new.id, jsonb_build_object('name', old.name, 'language', old.language,"
    "   'time_zone', old.time_zone, 'preferences', old.preferences), jsonb_build_object('name', new.name,"
    "   'language', new.language, 'time_zone', new.time_zone, 'preferences', new.preferences),"
    "   $8::bigint, $9, $10::inet FROM new, old)"
    " SELECT (SELECT max(g.generation) FROM bump_generations(ARRAY[0]) g) FROM new";

/* PATCH /users/me - name, language, time zone, notification preferences. */
static void patch_me(struct request *req)
{
    const struct principal *who = req->principal;
    struct field_value values[RESOURCE_MAX_FIELDS];
    static const char *const own[] = { "name", "language", "time_zone", NULL };
    struct preferences preferences;
    json_t *body;
    if (!request_json(req, &body))
        return;
    take_preferences(req, body, &preferences);
    body_known(req, body, own);
    body_validate(req, &users_resource, body, false, values);
    if (!check_time_zone(req, value_of(&users_resource, values, "time_zone")))
        return;
    if (problem_pending(req)) {
        reply_invalid(req);
        return;
    }
    struct condition condition = condition_read(req);
    struct rows *rows = db_query(
        req->db, patch_me_sql, "isssiissss", who->user_id, value_of(&users_resource, values, "name"),
        value_of(&users_resource, values, "language"), value_of(&users_resource, values, "time_zone"),
        (int64_t)preferences.email, (int64_t)preferences.ui, condition.array, caller_key(req), req->id,
        req->client_ip);
    if (!rows_ok(rows)) {
        reply_write_problem(req, &users_resource, rows);
        return;
    }
    struct rows *now = account_row(req, &users_resource, who->user_id);
    if (!account_found(req, &users_resource, now))
        return;
    if (rows_count(rows) == 0)
        reply_stale_account(req, &users_resource, now);
    else
        reply_account(req, &users_resource, 200, now);
}

/* GET /users/me/sessions */
static void list_own_sessions(struct request *req)
{
    if (access_person(req))
        reply_sessions(req, req->principal->user_id);
}

/* DELETE /users/me/sessions/{id} */
static void end_own_session(struct request *req)
{
    int64_t id;
    if (!access_person(req) || !param_id(req, "id", &id))
        return;
    struct rows *rows = session_close(req->db, req->principal->user_id, id, SESSION_SIGN_OUT);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
    } else if (rows_affected(rows) == 0) {
        reply_not_found(req, "session");
    } else {
        auth_settle(req->app->auth);
        reply_empty(req, 204);
    }
}

/* ---- routes ---- */

static const struct answer me_answers[] = {
    { 200, "User", "The caller", NULL },
};
static const struct answer patch_me_answers[] = {
    { 200, "User", "The caller, changed", NULL },
    { 412, "Problem", "Changed since; If-Match names another version", NULL },
};
static const struct answer sessions_answers[] = {
    { 200, "SessionPage", "Sessions, newest first", NULL },
    { 403, "Problem", "API keys may not do this", NULL },
};
static const struct answer session_end_answers[] = {
    { 204, NULL, "The session has ended", NULL },
    { 403, "Problem", "API keys may not do this", NULL },
    { 404, "Problem", "No such session", NULL },
};
static const struct parameter session_parameters[] = {
    { "id", VALUE_ID, NULL, "Id of the session", true, "path", 0, 0 },
};
static const struct parameter if_match[] = {
    { "If-Match", VALUE_TEXT, NULL, "ETag of the version that is meant", false, "header", 0, 0 },
};

#define ANSWERS(array)    .answers = (array), .answer_count = ARRAY_LEN(array)
#define PARAMETERS(array) .parameters = (array), .parameter_count = ARRAY_LEN(array)

const struct route me_routes[] = {
    { HTTP_GET, "/api/v1/users/me", get_me, ACCESS_USER, .tag = "auth", .summary = "The caller",
      .operation_id = "getMe", ANSWERS(me_answers) },
    { HTTP_PATCH, "/api/v1/users/me", patch_me, ACCESS_USER, .tag = "auth",
      .summary = "Change one's own profile", .operation_id = "patchMe", PARAMETERS(if_match),
      .body_schema = "MePatch", .body_content_type = "application/merge-patch+json",
      ANSWERS(patch_me_answers) },
    { HTTP_GET, "/api/v1/users/me/sessions", list_own_sessions, ACCESS_USER, .tag = "auth",
      .summary = "One's own sessions", .operation_id = "listOwnSessions", ANSWERS(sessions_answers) },
    { HTTP_DELETE, "/api/v1/users/me/sessions/{id}", end_own_session, ACCESS_USER, .tag = "auth",
      .summary = "End one of one's own sessions", .operation_id = "endOwnSession",
      PARAMETERS(session_parameters), ANSWERS(session_end_answers) },
};
const size_t me_route_count = ARRAY_LEN(me_routes);
