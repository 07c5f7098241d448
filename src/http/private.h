/* What the parts of src/http share about a request and handlers never see. Nothing here knows libmicrohttpd:
 * the server fills in the pairs, so that everything but server.c can be tested without a socket. */
#ifndef HTTP_PRIVATE_H
#define HTTP_PRIVATE_H

#include "base/log.h"
#include "http/request.h"

/* Decoded name and value, in the order they were sent; memory of the request's arena. */
struct http_pair {
    const char *name, *value;
};

struct http_pairs {
    const struct http_pair *items;
    size_t count;
};

/* an invalid field waiting for reply_invalid, in the order found */
struct field_problem {
    const char *field, *code, *message;
    struct field_problem *next;
};

#define REQUEST_MAX_NOTES 16 /* extra fields of a request's log line; more are dropped */

struct request_private {
    struct http_pairs headers, query, params, cookies, form;
    struct field_problem *problems, **problems_end;
    struct log_field notes[REQUEST_MAX_NOTES];
    size_t note_count;
    int64_t body_max; /* bytes a route of this kind may send, for messages */
};

/* An empty request in its arena, not answered yet. For the server and for unit tests. */
struct request *request_new(struct arena *arena, enum http_method method, const char *path);

/* The value of the first pair with this name, NULL when there is none. Header names are compared without
 * case. */
const char *pairs_get(const struct http_pairs *pairs, const char *name);
const char *pairs_get_nocase(const struct http_pairs *pairs, const char *name);

/* Parse "a=1&b=%20" (application/x-www-form-urlencoded). False: malformed escapes, NUL, invalid UTF-8, or
 * more than HTTP_MAX_PAIRS pairs. */
#define HTTP_MAX_PAIRS 256
MUST_CHECK bool pairs_parse_form(struct arena *arena, const char *text, size_t len, struct http_pairs *pairs);

/* The Cookie header; malformed parts are passed over. */
void pairs_parse_cookies(struct arena *arena, const char *text, struct http_pairs *pairs);

/* Percent-decode a request path: false for malformed escapes, NUL, control characters, invalid UTF-8, an
 * encoded slash, and segments "." and "..". */
MUST_CHECK bool path_decode(struct arena *arena, const char *raw, const char **path);

/* A request id from outside is kept when it is 1 to 64 characters of [A-Za-z0-9._-]; otherwise one is made.
 */
const char *request_id_or_new(struct arena *arena, const char *given);

#endif
