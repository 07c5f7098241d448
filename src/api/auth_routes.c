/* Signing in and out: access tokens, the refresh cookie, the end of a session. */
#include <string.h>

#include "api/access.h"
#include "api/accounts.h"
#include "auth/authenticate.h"
#include "auth/session.h"
#include "auth/throttle.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/timeutil.h"

/* The browser sends the cookie to these routes only, so that no other route can be tricked with it. */
#define COOKIE_PATH "/api/v1/auth"

/* ---- shared ---- */

void reply_away(struct request *req)
{
    reply_unavailable(req, "database_unavailable", 2, "The database is away; try again in a moment.");
}

static struct session_client client_of(const struct request *req)
{
    return (struct session_client){ .user_agent = request_header(req, "User-Agent"),
                                    .address = req->client_ip };
}

/* Cookies do not know ports: two front ends on one host name would end each other's session with a cookie of
 * one name. The list is fixed, so that a request cannot make up names. */
static const char *const applications[] = { "admin", "app", NULL };
const struct parameter application_parameter = {
    "application", VALUE_ENUM, applications,
    "The front end that signs in or out. Each has a refresh cookie of its own (COOKIE_NAME, `_`, this word), "
    "so that a browser holds a session in each; without it the cookie is COOKIE_NAME.",
    .required = false
};

bool application_known(struct request *req)
{
    int application;
    return query_enum(req, application_parameter.name, applications, 0, &application);
}

/* Of the application that application_known() let through. */
static const char *cookie_name(struct request *req)
{
    const char *name = req->app->config->cookie_name;
    const char *application = request_query(req, application_parameter.name);
    return application == NULL ? name : arena_printf(req->arena, "%s_%s", name, application);
}

static void set_cookie(struct request *req, const char *token, int64_t max_age)
{
    reply_header(req, "Set-Cookie",
                 arena_printf(req->arena,
                              "%s=%s; Path=" COOKIE_PATH "; Max-Age=%lld; HttpOnly; SameSite=Strict%s",
                              cookie_name(req), token, (long long)max_age,
                              req->app->config->cookie_secure ? "; Secure" : ""));
}

void clear_refresh_cookie(struct request *req)
{
    set_cookie(req, "", 0);
}

void reply_busy(struct request *req)
{
    reply_unavailable(req, "busy", 1, "Too many passwords are being checked; try again in a moment.");
}

/* user: NULL, or the row to embed. with_refresh: the client keeps the refresh token itself. */
static void reply_grant(struct request *req, const struct session_grant *grant, const struct rows *user,
                        bool with_refresh)
{
    struct buf out = { .secret = true };
    struct json json;
    int64_t now = time_now();
    set_cookie(req, grant->refresh_token, (grant->session_expires_at - now) / USEC_PER_SEC);
    reply_header(req, "Cache-Control", "no-store");
    json_begin(&json, &out);
    json_start_object(&json);
    json_put_text(&json, "access_token", grant->access_token);
    json_put_text(&json, "token_type", "bearer");
    json_put_int(&json, "expires_in", (grant->access_expires_at - now + USEC_PER_SEC - 1) / USEC_PER_SEC);
    if (with_refresh)
        json_put_text(&json, "refresh_token", grant->refresh_token);
    if (user != NULL) {
        json_key(&json, "user");
        write_account(&users_resource, user, &json);
    }
    json_end_object(&json);
    reply_json(req, 200, &out);
}

/* ---- signing in ---- */

static const char login_sql[] = "SELECT id, password_hash FROM users WHERE lower(email) = lower($1)"
                                " AND archived_at IS NULL";

static void refuse_login(struct request *req)
{
    reply_problem(req, 401, "login_failed", "E-mail address or password is wrong.");
}

/* True: may go on. Counts the attempt first. */
bool attempt_allowed(struct request *req, const char *purpose, const char *account)
{
    int wait = 1;
    switch (
        throttle_attempt(req->db, req->arena, req->app->config, purpose, account, req->client_ip, &wait)) {
    case THROTTLE_OK:
        return true;
    case THROTTLE_BLOCKED:
        reply_header(req, "Retry-After", arena_printf(req->arena, "%d", wait));
        reply_problem(req, 429, "too_many_attempts", "Too many attempts; wait %d seconds.", wait);
        return false;
    default:
        reply_away(req);
        return false;
    }
}

const char *lower_ascii(struct arena *arena, const char *text)
{
    char *copy = arena_strdup(arena, text);
    for (char *p = copy; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p += 'a' - 'A';
    return copy;
}

/* The password is right: open the session, with a new hash when the old one was made with other parameters.
 */
static void open_session(struct request *req, const char *account, int64_t user_id, const char *hash,
                         const char *password, bool stale, bool with_user)
{
    struct auth *auth = req->app->auth;
    const struct session_client client = client_of(req);
    struct session_grant grant;
    char fresh[PASSWORD_HASH_SIZE];
    const char *new_hash = stale && password_hash(auth->hasher, password, fresh) ? fresh : NULL;
    switch (session_open(auth, req->db, req->arena, user_id, hash, new_hash, &client, &grant)) {
    case SESSION_OK:
        break;
    case SESSION_UNAVAILABLE:
        reply_away(req);
        return;
    default:
        refuse_login(req);
        return;
    }
    throttle_success(req->db, req->arena, "login", account, req->client_ip);
    struct rows *user = NULL;
    if (with_user) {
        user = account_row(req, &users_resource, user_id);
        if (!rows_ok(user) || rows_count(user) != 1) {
            reply_away(req);
            return;
        }
    }
    request_note(req, "session", arena_printf(req->arena, "%lld", (long long)grant.session_id));
    reply_grant(req, &grant, user, false);
}

static void sign_in(struct request *req, const char *email, const char *password, bool with_user)
{
    if (strlen(email) > MAX_EMAIL || strlen(password) > MAX_PASSWORD || !utf8_valid(email, strlen(email))) {
        refuse_login(req);
        return;
    }
    const char *account = lower_ascii(req->arena, email);
    db_set_context(req->db, &auth_context);
    if (!attempt_allowed(req, "login", account))
        return;

    struct rows *rows = db_query(req->db, login_sql, "s", email);
    if (!rows_ok(rows)) {
        reply_away(req);
        return;
    }
    bool stale, known = rows_count(rows) == 1;
    const char *hash = known ? rows_text(rows, 0, 1) : NULL;
    switch (password_verify(req->app->auth->hasher, password, hash, &stale)) {
    case PASSWORD_RIGHT:
        break;
    case PASSWORD_WRONG:
        refuse_login(req);
        return;
    case PASSWORD_BUSY:
        reply_busy(req);
        return;
    }
    open_session(req, account, rows_int(rows, 0, 0), hash, password, stale, with_user);
}

/* POST /auth/login - form with username (the e-mail address) and password. */
static void login_form(struct request *req)
{
    if (!application_known(req) || !access_same_site(req->app->config, req) || !request_form(req))
        return;
    const char *username = form_value(req, "username"), *password = form_value(req, "password");
    if (username == NULL || *username == '\0')
        problem_field(req, "username", "required", "is required");
    if (password == NULL || *password == '\0')
        problem_field(req, "password", "required", "is required");
    if (username == NULL || password == NULL || problem_pending(req))
        reply_invalid(req);
    else
        sign_in(req, username, password, false);
}

/* POST /auth/login/json - the same as JSON; the answer holds the user, too. */
static void login_json(struct request *req)
{
    static const char *const known[] = { "email", "password", NULL };
    json_t *body;
    if (!application_known(req) || !access_same_site(req->app->config, req) || !request_json(req, &body))
        return;
    body_known(req, body, known);
    const char *email = body_text(req, body, "email", MAX_EMAIL);
    const char *password = body_text(req, body, "password", MAX_PASSWORD);
    if (email == NULL || password == NULL || problem_pending(req))
        reply_invalid(req);
    else
        sign_in(req, email, password, true);
}

/* ---- refreshing ---- */

static void refresh(struct request *req, const char *token, bool from_body)
{
    const struct session_client client = client_of(req);
    struct session_grant grant;
    db_set_context(req->db, &auth_context);
    switch (session_refresh(req->app->auth, req->db, req->arena, token, &client, &grant)) {
    case SESSION_OK:
        reply_grant(req, &grant, NULL, from_body);
        return;
    case SESSION_UNAVAILABLE:
        reply_away(req);
        return;
    case SESSION_SUPERSEDED:
        /* The browser has the newer cookie already: leave it. */
        reply_problem(req, 401, "refresh_superseded",
                      "A newer refresh token was issued a moment ago; use that.");
        return;
    case SESSION_REUSED:
        auth_settle(req->app->auth);
        clear_refresh_cookie(req);
        reply_problem(req, 401, "refresh_reused",
                      "This refresh token was used before; the session has been ended. Sign in again.");
        return;
    case SESSION_REFUSED:
        clear_refresh_cookie(req);
        reply_problem(req, 401, "refresh_invalid", "The session has ended; sign in again.");
        return;
    }
}

/* False: answered. NULL in *token: the request names none. */
static bool cookie_token(struct request *req, const char **token)
{
    *token = request_cookie(req, cookie_name(req));
    if (*token != NULL && **token == '\0')
        *token = NULL;
    return *token == NULL || access_same_site(req->app->config, req);
}

static void refresh_by_cookie(struct request *req)
{
    const char *token;
    if (!application_known(req) || !cookie_token(req, &token))
        return;
    if (token == NULL)
        reply_problem(req, 401, "refresh_missing", "There is no refresh token; sign in.");
    else
        refresh(req, token, false);
}

/* The refresh token of a JSON body, NULL when there is no body or it has none; false: answered. */
static bool body_token(struct request *req, const char **token)
{
    static const char *const known[] = { "refresh_token", NULL };
    json_t *body;
    *token = NULL;
    if (req->body_len == 0)
        return true;
    if (!request_json(req, &body))
        return false;
    body_known(req, body, known);
    if (json_object_get(body, "refresh_token") != NULL)
        *token = body_text(req, body, "refresh_token", 256);
    if (problem_pending(req)) {
        reply_invalid(req);
        return false;
    }
    return true;
}

/* POST /auth/refresh - refresh token in the body, or in the cookie. */
static void refresh_by_body(struct request *req)
{
    const char *token;
    if (!application_known(req) || !body_token(req, &token))
        return;
    if (token != NULL)
        refresh(req, token, true);
    else
        refresh_by_cookie(req);
}

/* ---- signing out ---- */

/* POST /auth/logout - ends the session of the access token, and that of the refresh token when it is another.
 */
static void logout(struct request *req)
{
    const struct principal *who = req->principal;
    const char *token;
    int64_t user_id, session_id = 0;
    if (!application_known(req) || !body_token(req, &token) || (token == NULL && !cookie_token(req, &token)))
        return;
    db_set_context(req->db, &auth_context);
    if (token != NULL &&
        session_close_by_token(req->db, token, &user_id, &session_id) == SESSION_UNAVAILABLE) {
        reply_away(req);
        return;
    }
    bool ended = session_id != 0;
    if (who != NULL && who->kind == PRINCIPAL_SESSION) {
        struct rows *rows = session_close(req->db, who->user_id, who->session_id, SESSION_SIGN_OUT);
        if (!rows_ok(rows)) {
            reply_away(req);
            return;
        }
        ended |= rows_affected(rows) > 0;
    }
    clear_refresh_cookie(req);
    if (ended) /* anybody may ask for nothing; that must not cost a thread its time */
        auth_settle(req->app->auth);
    reply_empty(req, 204);
}

/* POST /auth/logout-all - ends all sessions of the caller. */
static void logout_all(struct request *req)
{
    if (!application_known(req) || !access_person(req))
        return;
    if (!rows_ok(session_close_all(req->db, req->principal->user_id, 0, SESSION_SIGN_OUT_ALL))) {
        reply_away(req);
        return;
    }
    clear_refresh_cookie(req);
    auth_settle(req->app->auth);
    reply_empty(req, 204);
}

/* ---- routes ---- */

#define COOKIE_ANSWERS                                                                                       \
    { 401, "Problem", "No session, or not any more", NULL },                                                 \
    {                                                                                                        \
        403, "Problem", "Sent from another site", NULL                                                       \
    }

static const struct answer login_answers[] = {
    { 200, "SignedIn", "Access token; the refresh token is set as a cookie", NULL },
    { 401, "Problem", "Wrong address or password", NULL },
    { 403, "Problem", "Sent from another site", NULL },
    { 429, "Problem", "Too many attempts; see Retry-After", NULL },
};
static const struct answer login_json_answers[] = {
    { 200, "SignedInUser", "Access token and user; the refresh token is set as a cookie", NULL },
    { 401, "Problem", "Wrong address or password", NULL },
    { 403, "Problem", "Sent from another site", NULL },
    { 429, "Problem", "Too many attempts; see Retry-After", NULL },
};
static const struct answer refresh_answers[] = {
    { 200, "SignedIn", "A new access token and a new refresh token", NULL },
    COOKIE_ANSWERS,
};
static const struct answer logout_answers[] = {
    { 204, NULL, "Signed out", NULL },
    COOKIE_ANSWERS,
};
#define ANSWERS(array) .answers = (array), .answer_count = ARRAY_LEN(array)
#define OF_APPLICATION .parameters = &application_parameter, .parameter_count = 1

const struct route auth_routes[] = {
    { HTTP_POST, "/api/v1/auth/login", login_form, ACCESS_PUBLIC, .flags = ROUTE_NO_BODY_LOG, .tag = "auth",
      .summary = "Sign in with a form", .about = "The user name is the e-mail address.",
      .operation_id = "login", .body_schema = "LoginForm",
      .body_content_type = "application/x-www-form-urlencoded", OF_APPLICATION, ANSWERS(login_answers) },
    { HTTP_POST, "/api/v1/auth/login/json", login_json, ACCESS_PUBLIC, .flags = ROUTE_NO_BODY_LOG,
      .tag = "auth", .summary = "Sign in", .about = "Like the form, and answers with the user.",
      .operation_id = "loginJson", .body_schema = "Login", OF_APPLICATION, ANSWERS(login_json_answers) },
    { HTTP_POST, "/api/v1/auth/refresh", refresh_by_body, ACCESS_PUBLIC, .flags = ROUTE_NO_BODY_LOG,
      .tag = "auth", .summary = "Exchange a refresh token",
      .about =
          "The token stands in the body or in the cookie. Each can be used once; one that comes back later "
          "ends its session. A token sent in the body is answered with its successor in the body.",
      .operation_id = "refresh", .body_schema = "RefreshToken", OF_APPLICATION, ANSWERS(refresh_answers) },
    { HTTP_GET, "/api/v1/auth/refresh-cookie", refresh_by_cookie, ACCESS_PUBLIC, .tag = "auth",
      .summary = "Exchange the refresh cookie", .about = "For browsers, which cannot read the cookie.",
      .operation_id = "refreshCookie", OF_APPLICATION, ANSWERS(refresh_answers) },
    { HTTP_POST, "/api/v1/auth/logout", logout, ACCESS_PUBLIC, .flags = ROUTE_NO_BODY_LOG, .tag = "auth",
      .summary = "Sign out", .about = "Ends the session of the access token or refresh token that is sent.",
      .operation_id = "logout", .body_schema = "RefreshToken", OF_APPLICATION, ANSWERS(logout_answers) },
    { HTTP_POST, "/api/v1/auth/logout-all", logout_all, ACCESS_USER, .tag = "auth",
      .summary = "Sign out everywhere", .about = "Ends all sessions of the caller.",
      .operation_id = "logoutAll", OF_APPLICATION, ANSWERS(logout_answers) },
};
const size_t auth_route_count = ARRAY_LEN(auth_routes);
