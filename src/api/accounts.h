/* What signing in, users and API keys have to share with each other and with the list of routes. */
#ifndef API_ACCOUNTS_H
#define API_ACCOUNTS_H

#include "api/app.h"
#include "api/resource.h"
#include "base/json.h"

extern const struct resource users_resource, api_keys_resource; /* lists and reads are the generic ones */

/* The routes that are written by hand. */
extern const struct route auth_routes[], password_routes[], me_routes[], user_routes[], api_key_routes[];
extern const size_t auth_route_count, password_route_count, me_route_count, user_route_count,
    api_key_route_count;

/* Component schemas of those routes. */
void account_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

/* ---- signing in ---- */

/* Longer inputs cannot be right, and are not worth hashing or storing. */
#define MAX_EMAIL    254
#define MAX_PASSWORD 1024

/* Count an attempt before it is judged; false: answered 429 or 503. db is in the context `auth`. */
MUST_CHECK bool attempt_allowed(struct request *req, const char *purpose, const char *account);
const char *lower_ascii(struct arena *arena, const char *text);

/* Query parameter of the routes that set, read or clear a refresh cookie; they ask application_known() first
 * (false: answered 422). */
extern const struct parameter application_parameter;
MUST_CHECK bool application_known(struct request *req);
void clear_refresh_cookie(struct request *req); /* that of the application */

void reply_away(struct request *req); /* 503: the database */
void reply_busy(struct request *req); /* 503: passwords of others are being hashed */

/* ---- bodies ---- */

/* A text field of a JSON body; absent, empty, longer than max bytes or of another type: noted as a problem.
 */
const char *body_text(struct request *req, json_t *body, const char *name, size_t max);

/* Notes a problem for each field that is not in the NULL-terminated list. */
void body_known(struct request *req, json_t *body, const char *const *known);

/* Takes an array of ids out of the body; *given tells whether it was there (null counts as not given when
 * nullable). False: a problem was noted. The ids come sorted, each once, at most ACCOUNT_MAX_CLIENTS. */
#define ACCOUNT_MAX_CLIENTS 1000
bool body_take_ids(struct request *req, json_t *body, const char *name, bool nullable, bool *given,
                   const int64_t **ids, size_t *count);

/* Clients that the caller may not hand out, because he does not see them: noted as problems. */
void check_clients(struct request *req, const char *field, const int64_t *ids, size_t count);

/* False: answered (the database could not be asked). An unknown time zone is noted as a problem; NULL passes.
 */
MUST_CHECK bool check_time_zone(struct request *req, const char *zone);

/* Validate what is left of a body against a resource; problems are noted. */
void body_validate(struct request *req, const struct resource *resource, json_t *body, bool create,
                   struct field_value *values);

/* The value of a field by name; NULL when it was not given. */
const char *value_of(const struct resource *resource, const struct field_value *values, const char *name);

/* ---- rows ---- */

/* One row of users or api_keys as the caller sees it. */
struct rows *account_row(struct request *req, const struct resource *resource, int64_t id);
bool account_found(struct request *req, const struct resource *resource,
                   const struct rows *rows); /* or 404 */
int64_t account_version(const struct resource *resource, const struct rows *rows);
void write_account(const struct resource *resource, const struct rows *rows, struct json *json);
void reply_account(struct request *req, const struct resource *resource, int status, const struct rows *rows);
void reply_stale_account(struct request *req, const struct resource *resource, const struct rows *rows);

/* The id of the API key that is used, as text for a statement; NULL for sessions. */
const char *caller_key(const struct request *req);

/* Sessions of a user as {items, next_cursor}, newest first. */
void reply_sessions(struct request *req, int64_t user_id);

#endif
