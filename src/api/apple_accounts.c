/* Apple accounts: the operator's own, by which reports are fetched. Signing in takes seconds and a person's
 * second factor, so its steps are tasks. Passwords and codes go in, sealed, and never come out. */
#include "api/apple_accounts.h"

#include <string.h>

#include "api/accounts.h"
#include "api/app.h"
#include "api/conditions.h"
#include "api/db_problem.h"
#include "api/idempotency.h"
#include "api/resources.h"
#include "api/task_start.h"
#include "base/encode.h"
#include "base/parse.h"
#include "base/timeutil.h"
#include "findmy/account_row.h"

static const char *const states[] = { "signed_out", "signing_in", "second_factor", "ready",
                                      "locked",     "parked",     "disabled",      NULL };

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "name", FIELD_TEXT, "Unique among the accounts in use; for people, not Apple's.", .min = 1, .max = 100,
      .required = true, .sort = true, .search = true },
    { "state", FIELD_ENUM,
      "ready: is used; second_factor: waits for a code; locked and parked: need a person, state_reason says why.",
      .words = states, .computed = true, .filter = true },
    { "state_reason", FIELD_TEXT, "Why the last use or sign-in failed; null after a good one.", .max = 500,
      .computed = true, .nullable = true },
    { "state_since", FIELD_TIME, .computed = true },
    { "second_factor", FIELD_OBJECT, "While a code is due: how it can be had.", .computed = true,
      .nullable = true },
    { "next_allowed_at", FIELD_TIME, "Not used for reports before: FETCH_INTERVAL after the last request.",
      .computed = true, .sort = true },
    { "last_used_at", FIELD_TIME, .computed = true, .nullable = true },
    { "last_success_at", FIELD_TIME, "When Apple last answered a request for reports well.", .computed = true,
      .nullable = true },
    { "failures", FIELD_INT, "Uses that failed in a row.", .min = 0, .computed = true },
    FIELD_CREATED,
    FIELD_UPDATED,
    FIELD_ARCHIVED,
};

static const struct constraint constraints[] = {
    { "apple_accounts_name_key", "name", "already_exists", "another account in use has this name" },
};

const struct resource apple_accounts_resource = {
    .name = "apple-accounts",
    .table = "apple_accounts",
    .singular = "AppleAccount",
    .plural = "AppleAccounts",
    .label = "Apple account",
    .about = "Accounts by which Apple is asked for reports.",
    FIELDS(fields),
    .read = ROLE_ADMIN,
    .write = ROLE_ADMIN,
    .flags = RESOURCE_NO_CREATE, /* below: secrets are sealed with the row's id */
    CONSTRAINTS(constraints),
};

/* ---- credentials ---- */

struct credentials {
    const char *username, *password;
};

/* Checked by the library's own rules, so that the worker cannot refuse what was accepted here. */
static bool take_credentials(struct request *req, json_t *body, struct credentials *credentials)
{
    struct error err;
    struct account *account = arena_secret(req->arena, sizeof(*account));
    credentials->username = body_text(req, body, "username", ACCOUNT_MAX_USERNAME);
    credentials->password = body_text(req, body, "password", ACCOUNT_MAX_PASSWORD);
    if (problem_pending(req))
        return false;
    if (!account_init(account, "check", credentials->username, credentials->password, time_now(), &err)) {
        problem_field(req, strstr(err.message, "password") != NULL ? "password" : "username", "invalid", "%s",
                      err.message);
        return false;
    }
    return true;
}

/* Seal and store. False: answered. */
static bool store_credentials(struct request *req, int64_t id, const struct credentials *credentials)
{
    static const char sql[] =
        "UPDATE apple_accounts SET credentials_sealed = $2, master_key_id = $3, state = "
        "'signed_out', state_reason = NULL, state_since = now(), second_factor = NULL, "
        "lease_owner = NULL, lease_until = NULL WHERE id = $1";
    const struct sealer *sealer = &req->app->sealer;
    char context[ACCOUNT_CONTEXT_SIZE], key_id[HEX_SIZE(4)];
    struct buf plain = { .secret = true };
    account_credentials_write(credentials->username, credentials->password, &plain);
    uint8_t *sealed = arena_alloc(req->arena, plain.len + SEAL_OVERHEAD);
    size_t len = plain.len + SEAL_OVERHEAD;
    bool ok = seal(sealer, account_context(id, "credentials", context), plain.data, plain.len, sealed);
    buf_wipe(&plain);
    if (!ok) {
        reply_problem(req, 503, "master_key_missing", "Secrets are stored sealed: set MASTER_KEY.");
        return false;
    }
    hex_encode(sealer->key_ids[0], 4, key_id);
    struct rows *rows = db_query(req->db, sql, "ixs", id, sealed, len, key_id);
    if (rows_ok(rows))
        return true;
    reply_db_problem(req, rows);
    return false;
}

static void reply_row(struct request *req, int64_t id, int status)
{
    struct rows *row = account_row(req, &apple_accounts_resource, id);
    if (!account_found(req, &apple_accounts_resource, row))
        return;
    if (status == 201)
        reply_header(req, "Location", arena_printf(req->arena, "/api/v1/apple-accounts/%lld", (long long)id));
    reply_account(req, &apple_accounts_resource, status, row);
}

static void undo(struct request *req, bool own)
{
    if (own)
        db_rollback(req->db);
}

/* POST /apple-accounts */
static void create_once(struct request *req)
{
    static const char *const known[] = { "name", "username", "password", NULL };
    struct credentials credentials;
    json_t *body;
    bool own;
    if (!request_json(req, &body))
        return;
    body_known(req, body, known);
    const char *name = body_text(req, body, "name", 100);
    if (!take_credentials(req, body, &credentials)) {
        reply_invalid(req);
        return;
    }
    if (!start_begin(req, &own))
        return;
    struct rows *rows = db_query(req->db, "INSERT INTO apple_accounts (name) VALUES ($1) RETURNING id", "s",
                                 name);
    if (!rows_ok(rows)) {
        undo(req, own);
        reply_write_problem(req, &apple_accounts_resource, rows);
        return;
    }
    int64_t id = rows_int(rows, 0, 0);
    const struct audit_entry entry = { .action = "create", .resource = "apple-accounts", .resource_id = id };
    if (!store_credentials(req, id, &credentials)) {
        undo(req, own);
        return;
    }
    if (start_finish(req, own, &entry))
        reply_row(req, id, 201);
}

static void create(struct request *req)
{
    idempotent(req, create_once);
}

/* ---- changes of state ---- */

/* What may be done when. Clearing the lease makes a worker that uses the account stop at its next step. */
struct action {
    const char *name;
    const char *when; /* states, as array literal */
    const char *sql;  /* $1: id */
    const char *task; /* NULL: none */
    const char *refusal;
};

#define TURN(state) "UPDATE apple_accounts SET state = '" state "', state_reason = NULL, state_since = now()"
#define FREED       ", lease_owner = NULL, lease_until = NULL WHERE id = $1"

static const struct action sign_in_action = {
    "sign-in",
    "{signed_out,signing_in,second_factor,ready,locked,parked}",
    TURN("signing_in") " WHERE id = $1",
    "account.sign_in",
    "The account is disabled; enable it first.",
};
static const struct action request_code_action = {
    "request-code",
    "{second_factor}",
    NULL,
    "account.request_code",
    "No second-factor code is due; sign in first.",
};
static const struct action submit_code_action = {
    "submit-code",
    "{second_factor}",
    NULL,
    "account.submit_code",
    "No second-factor code is due; sign in first.",
};
static const struct action enable_action = {
    "enable",
    "{disabled}",
    TURN("signing_in") " WHERE id = $1",
    "account.sign_in",
    "The account is not disabled.",
};
static const struct action disable_action = {
    "disable",
    "{signed_out,signing_in,second_factor,ready,locked,parked,disabled}",
    TURN("disabled") FREED,
    NULL,
    "",
};
/* The machine stays, so that the next sign-in needs no code. */
static const struct action sign_out_action = {
    "sign-out",
    "{signed_out,signing_in,second_factor,ready,locked,parked}",
    TURN("signed_out") ", session_sealed = NULL, second_factor = NULL" FREED,
    NULL,
    "The account is disabled.",
};
static const struct action credentials_action = {
    "set-credentials", "{signed_out,signing_in,second_factor,ready,locked,parked,disabled}", NULL, NULL, "",
};

/* Within the transaction. False: answered. */
static bool act(struct request *req, const struct action *action, int64_t id)
{
    static const char sql[] =
        "SELECT state = ANY ($2::text[]) FROM apple_accounts WHERE id = $1 AND archived_at IS NULL FOR UPDATE";
    struct rows *rows = db_query(req->db, sql, "is", id, action->when);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return false;
    }
    if (rows_count(rows) == 0) {
        reply_not_found(req, "Apple account in use");
        return false;
    }
    if (!rows_bool(rows, 0, 0)) {
        reply_problem(req, 409, "wrong_state", "%s", action->refusal);
        return false;
    }
    rows = action->sql != NULL ? db_query(req->db, action->sql, "i", id) : rows;
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    return rows_ok(rows);
}

/* The end of every action: with a task 202, else the account. */
static void conclude(struct request *req, bool own, const struct action *action, int64_t id, json_t *args)
{
    const struct audit_entry entry = { .action = action->name,
                                       .resource = "apple-accounts",
                                       .resource_id = id };
    const struct task_request task = { .name = action->task, .queue = "fetch", .args = args };
    if (action->task != NULL)
        start_task(req, own, &task, &entry);
    else if (start_finish(req, own, &entry))
        reply_row(req, id, 200);
    json_decref(args);
}

static void run_action(struct request *req, const struct action *action, int64_t id, json_t *args)
{
    bool own;
    if (!start_begin(req, &own)) {
        json_decref(args);
    } else if (!act(req, action, id)) {
        undo(req, own);
        json_decref(args);
    } else {
        conclude(req, own, action, id, args);
    }
}

#define PLAIN_ACTION(function, action)                                                                       \
    static void function(struct request *req)                                                                \
    {                                                                                                        \
        int64_t id;                                                                                          \
        if (param_id(req, "id", &id))                                                                        \
            run_action(req, &(action), id, json_pack("[I]", (json_int_t)id));                                \
    }

PLAIN_ACTION(sign_in, sign_in_action)
PLAIN_ACTION(sign_out, sign_out_action)
PLAIN_ACTION(enable, enable_action)
PLAIN_ACTION(disable, disable_action)

/* PUT /apple-accounts/{id}/credentials */
static void put_credentials(struct request *req)
{
    static const char *const known[] = { "username", "password", NULL };
    struct credentials credentials;
    int64_t id;
    json_t *body;
    bool own;
    if (!param_id(req, "id", &id) || !request_json(req, &body))
        return;
    body_known(req, body, known);
    if (!take_credentials(req, body, &credentials))
        reply_invalid(req);
    else if (!start_begin(req, &own))
        return;
    else if (!act(req, &credentials_action, id) || !store_credentials(req, id, &credentials))
        undo(req, own);
    else
        conclude(req, own, &credentials_action, id, NULL);
}

/* POST /apple-accounts/{id}/second-factor/request {method, phone_id} */
static void request_code(struct request *req)
{
    static const char *const known[] = { "method", "phone_id", NULL }, *const methods[] = { "trusted_device",
                                                                                            "sms", "phones",
                                                                                            NULL };
    int64_t id;
    json_t *body;
    if (!param_id(req, "id", &id) || !request_json(req, &body))
        return;
    body_known(req, body, known);
    const char *method = body_text(req, body, "method", 20);
    if (method != NULL && word_index(methods, method) < 0)
        problem_field(req, "method", "invalid", "must be trusted_device, sms or phones");
    const json_t *phone = json_object_get(body, "phone_id");
    if (phone != NULL && !json_is_null(phone) && (!json_is_integer(phone) || json_integer_value(phone) < 1))
        problem_field(req, "phone_id", "invalid", "must be the id of a phone");
    if (problem_pending(req))
        reply_invalid(req);
    else
        run_action(req, &request_code_action, id,
                   json_pack("[I, s, O?]", (json_int_t)id, method, json_is_null(phone) ? NULL : phone));
}

/* The code as it may stand in a task: sealed. NULL: answered. */
static const char *sealed_code(struct request *req, int64_t id, const char *code)
{
    char context[ACCOUNT_CONTEXT_SIZE];
    size_t len = strlen(code);
    uint8_t *sealed = arena_alloc(req->arena, len + SEAL_OVERHEAD);
    char *text = arena_alloc(req->arena, BASE64_SIZE(len + SEAL_OVERHEAD));
    if (!seal(&req->app->sealer, account_context(id, "code", context), code, len, sealed)) {
        reply_problem(req, 503, "master_key_missing", "Secrets are stored sealed: set MASTER_KEY.");
        return NULL;
    }
    base64_encode(sealed, len + SEAL_OVERHEAD, text);
    return text;
}

/* POST /apple-accounts/{id}/second-factor {code} */
static void submit_code(struct request *req)
{
    static const char *const known[] = { "code", NULL };
    int64_t id;
    json_t *body;
    if (!param_id(req, "id", &id) || !request_json(req, &body))
        return;
    body_known(req, body, known);
    const char *code = body_text(req, body, "code", TWOFACTOR_CODE_SIZE - 1);
    if (code != NULL && !twofactor_code_valid(code))
        problem_field(req, "code", "invalid", "must have six digits");
    /* A missing code is a pending problem as well; said again for the analyser. */
    if (problem_pending(req) || code == NULL) {
        reply_invalid(req);
        return;
    }
    const char *sealed = sealed_code(req, id, code);
    if (sealed != NULL)
        run_action(req, &submit_code_action, id, json_pack("[I, s]", (json_int_t)id, sealed));
}

/* ---- routes ---- */

#define OBJECT(required, properties)                                                                         \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required                            \
    "],\"properties\":{" properties "}}"
#define NAME "\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":100}"
#define USERNAME                                                                                             \
    "\"username\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":254,\"description\":\"Apple ID.\"}"
#define PASSWORD                                                                                             \
    "\"password\":{\"type\":\"string\",\"format\":\"password\",\"minLength\":1,\"maxLength\":512}"

void apple_account_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "AppleAccountCreate",
        OBJECT("\"name\",\"username\",\"password\"", NAME "," USERNAME "," PASSWORD));
    add(to, "AppleCredentials", OBJECT("\"username\",\"password\"", USERNAME "," PASSWORD));
    add(to, "AppleCodeRequest",
        OBJECT(
            "\"method\"",
            "\"method\":{\"type\":\"string\",\"enum\":[\"trusted_device\",\"sms\",\"phones\"],\"description\":"
            "\"phones only asks which there are.\"},\"phone_id\":{\"type\":[\"integer\",\"null\"],\"minimum\":1,"
            "\"format\":\"int64\",\"description\":\"For sms; the first phone when left out.\"}"));
    add(to, "AppleCode", OBJECT("\"code\"", "\"code\":{\"type\":\"string\",\"pattern\":\"^[0-9]{6}$\"}"));
}

#define ANSWERS(array)    .answers = (array), .answer_count = ARRAY_LEN(array)
#define PARAMETERS(array) .parameters = (array), .parameter_count = ARRAY_LEN(array)
#define ROUTE(verb, where, handler)                                                                          \
    .method = (verb), .path = "/api/v1/apple-accounts" where, .handle = (handler), .access = ACCESS_ADMIN,   \
    .tag = "apple-accounts"

static const struct parameter id_parameter[] = {
    { "id", VALUE_ID, NULL, "Id of the Apple account", true, "path", 0, 0 },
};
static const struct answer created[] = {
    { 201, "AppleAccount", "Created, signed out", NULL },
    { 409, "Problem", "The name is taken", NULL },
};
static const struct answer started[] = {
    { 202, "TaskStarted", "Started; the task's result says where the account stands", NULL },
    { 404, "Problem", "No such account in use", NULL },
    { 409, "Problem", "Not possible in the account's state", NULL },
};
static const struct answer changed[] = {
    { 200, "AppleAccount", "The account as it is now", NULL },
    { 404, "Problem", "No such account in use", NULL },
    { 409, "Problem", "Not possible in the account's state", NULL },
};

const struct route apple_account_routes[] = {
    { ROUTE(HTTP_POST, "", create), .flags = ROUTE_NO_BODY_LOG, .summary = "Add an Apple account",
      .about = "User name and password are stored sealed and never shown.",
      .operation_id = "createAppleAccount", .body_schema = "AppleAccountCreate", ANSWERS(created) },
    { ROUTE(HTTP_PUT, "/{id}/credentials", put_credentials), .flags = ROUTE_NO_BODY_LOG,
      .summary = "Set user name and password", .about = "The account is signed out by that.",
      .operation_id = "setAppleAccountCredentials", PARAMETERS(id_parameter),
      .body_schema = "AppleCredentials", ANSWERS(changed) },
    { ROUTE(HTTP_POST, "/{id}/sign-in", sign_in), .summary = "Sign in",
      .about = "As far as that goes without a second-factor code.", .operation_id = "signInAppleAccount",
      PARAMETERS(id_parameter), ANSWERS(started) },
    { ROUTE(HTTP_POST, "/{id}/second-factor/request", request_code),
      .summary = "Have a second-factor code sent",
      .about = "To a trusted device or by text message. Apple counts the codes that it sends.",
      .operation_id = "requestAppleAccountCode", PARAMETERS(id_parameter), .body_schema = "AppleCodeRequest",
      ANSWERS(started) },
    { ROUTE(HTTP_POST, "/{id}/second-factor", submit_code), .flags = ROUTE_NO_BODY_LOG,
      .summary = "Hand the second-factor code in", .operation_id = "submitAppleAccountCode",
      PARAMETERS(id_parameter), .body_schema = "AppleCode", ANSWERS(started) },
    { ROUTE(HTTP_POST, "/{id}/sign-out", sign_out), .summary = "Sign out",
      .about = "Forgets the tokens. The machine that Apple knows stays, so the next sign-in needs no code.",
      .operation_id = "signOutAppleAccount", PARAMETERS(id_parameter), ANSWERS(changed) },
    { ROUTE(HTTP_POST, "/{id}/enable", enable), .summary = "Enable", .about = "Signs in again where needed.",
      .operation_id = "enableAppleAccount", PARAMETERS(id_parameter), ANSWERS(started) },
    { ROUTE(HTTP_POST, "/{id}/disable", disable), .summary = "Disable",
      .about = "The account is used for nothing until it is enabled.", .operation_id = "disableAppleAccount",
      PARAMETERS(id_parameter), ANSWERS(changed) },
};
const size_t apple_account_route_count = ARRAY_LEN(apple_account_routes);
