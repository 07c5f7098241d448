/* Passwords: forgotten, set by a link, changed. */
#include "api/access.h"
#include "api/accounts.h"
#include "auth/authenticate.h"
#include "auth/reset.h"
#include "auth/throttle.h"
#include "base/log.h"
#include "base/timeutil.h"

/* An answer to "forgot" leaves no earlier than this, so that its time does not tell whether the address is
 * known. */
#define FORGOT_ANSWER_AFTER (150 * INT64_C(1000))

static void wait_until(int64_t monotonic)
{
    clock_sleep(&clock_system, monotonic - time_monotonic());
}

/* Makes and mails a link when the address belongs to somebody; whatever happens stays between us and the log.
 */
static void mail_link(struct request *req, const char *email)
{
    struct rows *rows = db_query(req->db,
                                 "SELECT id, email, name, language FROM users WHERE lower(email) = lower($1)"
                                 " AND archived_at IS NULL",
                                 "s", email);
    if (!rows_ok(rows) || rows_count(rows) != 1)
        return;
    struct rows *made;
    struct error err = { .message = "the database refused the link" };
    const char *token = reset_create(req->app->auth, req->db, req->arena, rows_int(rows, 0, 0),
                                     RESET_FORGOTTEN, &made);
    if (token == NULL || !reset_mail(req->app->auth, req->arena, rows_text(rows, 0, 1), rows_text(rows, 0, 2),
                                     rows_text(rows, 0, 3), token, RESET_FORGOTTEN, &err))
        LOG_ERROR("link for a new password not sent", LOG_TEXT("error", err.message));
}

/* POST /auth/password/forgot - always 202, known address or not. */
static void password_forgot(struct request *req)
{
    static const char *const known[] = { "email", NULL };
    json_t *body;
    if (!request_json(req, &body))
        return;
    body_known(req, body, known);
    const char *email = body_text(req, body, "email", MAX_EMAIL);
    if (problem_pending(req)) {
        reply_invalid(req);
        return;
    }
    db_set_context(req->db, &auth_context);
    if (!attempt_allowed(req, "forgot", lower_ascii(req->arena, email)))
        return;
    mail_link(req, email);
    wait_until(req->received_at + FORGOT_ANSWER_AFTER);
    reply_empty(req, 202);
}

/* POST /auth/password/reset - the token of a mail and the new password; ends all sessions. */
static void password_reset(struct request *req)
{
    static const char *const known[] = { "token", "password", NULL };
    json_t *body;
    if (!application_known(req) || !request_json(req, &body))
        return;
    body_known(req, body, known);
    const char *token = body_text(req, body, "token", 256);
    const char *password = body_text(req, body, "password", MAX_PASSWORD);
    if (problem_pending(req)) {
        reply_invalid(req);
        return;
    }
    struct error err;
    int64_t user_id;
    db_set_context(req->db, &auth_context);
    switch (reset_use(req->app->auth, req->db, req->arena, token, password, &user_id, &err)) {
    case RESET_OK:
        auth_settle(req->app->auth);
        clear_refresh_cookie(req);
        reply_empty(req, 204);
        return;
    case RESET_INVALID:
        reply_problem(req, 400, "reset_token_invalid", "The link is unknown, was used, or has expired.");
        return;
    case RESET_WEAK:
        problem_field(req, "password", err.code, "%s", err.message);
        reply_invalid(req);
        return;
    case RESET_UNAVAILABLE:
        reply_away(req);
        return;
    }
}

/* The password and all other sessions change together. */
static const char change_sql[] =
    "WITH u AS (UPDATE users SET password_hash = $3, password_changed_at = now()"
    "  WHERE id = $1 AND password_hash = $2 AND archived_at IS NULL RETURNING id),"
    " s AS (UPDATE sessions SET revoked_at = now(), revoke_reason = 'password_change' FROM u"
    "  WHERE sessions.user_id = u.id AND sessions.id <> $4 AND sessions.revoked_at IS NULL),"
    " a AS (INSERT INTO audit_log (user_id, action, resource, resource_id, request_id, address)"
    "  SELECT id, 'password_change', 'users', id, $5, $6::inet FROM u)"
    " SELECT id FROM u";

static void change_password(struct request *req, const char *current, const char *password)
{
    const struct principal *who = req->principal;
    struct password_hasher *hasher = req->app->auth->hasher;
    db_set_context(req->db, &auth_context);
    if (!attempt_allowed(req, "change", who->email))
        return;
    struct rows *rows = db_query(req->db, "SELECT password_hash FROM users WHERE id = $1", "i", who->user_id);
    if (!rows_ok(rows) || rows_count(rows) != 1) {
        reply_away(req);
        return;
    }
    const char *hash = rows_text(rows, 0, 0);
    char fresh[PASSWORD_HASH_SIZE];
    switch (password_verify(hasher, current, hash, NULL)) {
    case PASSWORD_RIGHT:
        break;
    case PASSWORD_WRONG:
        problem_field(req, "current_password", "wrong", "is not the current password");
        reply_invalid(req);
        return;
    case PASSWORD_BUSY:
        reply_busy(req);
        return;
    }
    if (!password_hash(hasher, password, fresh)) {
        reply_busy(req);
        return;
    }
    rows = db_query(req->db, change_sql, "ississ", who->user_id, hash, fresh, who->session_id, req->id,
                    req->client_ip);
    if (!rows_ok(rows)) {
        reply_away(req);
        return;
    }
    if (rows_count(rows) == 0) {
        reply_problem(req, 409, "conflict", "The password was changed at the same moment; try again.");
        return;
    }
    throttle_success(req->db, req->arena, "change", who->email, req->client_ip);
    auth_settle(req->app->auth);
    reply_empty(req, 204);
}

/* POST /auth/password/change - of the caller; ends the other sessions. */
static void password_change(struct request *req)
{
    static const char *const known[] = { "current_password", "new_password", NULL };
    json_t *body;
    struct error err;
    if (!access_person(req) || !request_json(req, &body))
        return;
    body_known(req, body, known);
    const char *current = body_text(req, body, "current_password", MAX_PASSWORD);
    const char *password = body_text(req, body, "new_password", MAX_PASSWORD);
    if (password != NULL && !password_acceptable(password, req->principal->email, &err))
        problem_field(req, "new_password", err.code, "%s", err.message);
    if (problem_pending(req))
        reply_invalid(req);
    else
        change_password(req, current, password);
}

/* ---- routes ---- */

static const struct answer forgot_answers[] = {
    { 202, NULL, "When the address is known, a mail is on its way", NULL },
    { 429, "Problem", "Too many attempts; see Retry-After", NULL },
};
static const struct answer reset_answers[] = {
    { 204, NULL, "The password is set; all sessions have ended", NULL },
    { 400, "Problem", "The link is unknown, was used, or has expired", NULL },
};
static const struct answer change_answers[] = {
    { 204, NULL, "Changed; all other sessions have ended", NULL },
    { 403, "Problem", "API keys may not do this", NULL },
    { 409, "Problem", "Changed by somebody else at the same moment", NULL },
    { 429, "Problem", "Too many attempts; see Retry-After", NULL },
};

#define ANSWERS(array) .answers = (array), .answer_count = ARRAY_LEN(array)

const struct route password_routes[] = {
    { HTTP_POST, "/api/v1/auth/password/forgot", password_forgot, ACCESS_PUBLIC, .flags = ROUTE_NO_BODY_LOG,
      .tag = "auth", .summary = "Ask for a link to set a new password",
      .about = "The answer is the same whether the address is known or not.",
      .operation_id = "forgotPassword", .body_schema = "ForgottenPassword", ANSWERS(forgot_answers) },
    { HTTP_POST, "/api/v1/auth/password/reset", password_reset, ACCESS_PUBLIC, .flags = ROUTE_NO_BODY_LOG,
      .tag = "auth", .summary = "Set a password by a link", .about = "Works once and ends all sessions.",
      .operation_id = "resetPassword", .body_schema = "NewPassword", .parameters = &application_parameter,
      .parameter_count = 1, ANSWERS(reset_answers) },
    { HTTP_POST, "/api/v1/auth/password/change", password_change, ACCESS_USER, .flags = ROUTE_NO_BODY_LOG,
      .tag = "auth", .summary = "Change one's password", .about = "Ends all other sessions of the caller.",
      .operation_id = "changePassword", .body_schema = "PasswordChange", ANSWERS(change_answers) },
};
const size_t password_route_count = ARRAY_LEN(password_routes);
