/* One request as a handler sees it, and the helpers with which it takes its inputs and answers.
 *
 * Handlers run on a pool of threads, one request at a time each, as plain blocking code. All memory is the
 * request's arena. The input helpers deliver a valid value or have answered already: `if (!param_id(req,
 * "id", &id)) return;`. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct db;
struct redis;
struct principal;
struct route;

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_METHODS
};

extern const char *const http_method_names[]; /* "GET" …, NULL */

struct http_header {
    const char *name, *value;
    struct http_header *next;
};

struct request {
    /* from the connection; valid until the answer is sent */
    struct arena *arena;
    enum http_method method;
    const char *path;          /* decoded, without the query */
    const char *id;            /* request id: taken from X-Request-Id when well-formed, else made */
    const char *client_ip;     /* behind trusted proxies the forwarded one */
    const struct route *route; /* NULL only for 404 and 405 */
    const void *body; /* whole body when it fits HTTP_MAX_BODY; NULL when there is none or it was spooled */
    size_t body_len;
    int body_fd; /* routes with ROUTE_UPLOAD: the body as an unlinked temporary file at offset 0; else -1 */
    int64_t received_at; /* monotonic microseconds */

    /* of the handler thread (http does not look inside) */
    struct db *db;
    struct redis *redis;
    const struct app *app; /* the application's shared parts */

    /* set by the application before the handler runs */
    const struct principal *principal; /* NULL: anonymous */

    /* the answer */
    int status; /* 0: not answered yet */
    struct buf out;
    const char *content_type;
    struct http_header *headers;
    int out_fd;             /* >= 0: the body is this file, closed by the server */
    const char *error_code; /* code of the problem that was answered, for the log; NULL */

    struct request_private *private_; /* the server's own */
};

/* ---- inputs that cannot fail: NULL when absent ---- */
const char *request_header(const struct request *req, const char *name); /* without case */
const char *request_cookie(const struct request *req, const char *name);
const char *request_query(const struct request *req,
                          const char *name); /* decoded; the first one when repeated */
const char *request_param(const struct request *req, const char *name); /* path parameter */

/* Walk all query parameters in order: index from 0; false at the end. */
bool request_query_at(const struct request *req, size_t index, const char **name, const char **value);

/* Add a query parameter, as though the caller had sent it: for bodies that hold the parameters of a list.
 * Copied. */
void request_query_add(struct request *req, const char *name, const char *value);

/* ---- inputs that answer 400/404/415/422 themselves and return false ---- */
MUST_CHECK bool param_id(struct request *req, const char *name,
                         int64_t *id); /* not a positive integer: 404, it names nothing */
MUST_CHECK bool query_int(struct request *req, const char *name, int64_t min, int64_t max, int64_t fallback,
                          int64_t *value);
MUST_CHECK bool query_bool(struct request *req, const char *name, bool fallback, bool *value);
MUST_CHECK bool query_time(struct request *req, const char *name, int64_t fallback, int64_t *usec);
MUST_CHECK bool query_enum(struct request *req, const char *name, const char *const *words, int fallback,
                           int *index);

/* from and to (RFC 3339): from < to, at most max apart; defaults: to = now, from = to - max */
struct period {
    int64_t from, to; /* microseconds, half-open */
};
MUST_CHECK bool query_period(struct request *req, struct period *period, int64_t max);
/* The same, but the default of from is to - usual. */
MUST_CHECK bool query_period_within(struct request *req, struct period *period, int64_t usual, int64_t max);

/* Refuse query parameters that are not in the route's description (unknown_parameter, with a suggestion). */
MUST_CHECK bool query_known(struct request *req, const char *const *names);

/* Body as a JSON object (UTF-8, no duplicate keys, depth-limited). The value is freed with the arena. */
MUST_CHECK bool request_json(struct request *req, json_t **object);

/* Body as application/x-www-form-urlencoded; then form_value. */
MUST_CHECK bool request_form(struct request *req);
const char *form_value(const struct request *req, const char *name);

/* ---- answers: the first one counts, a second is a mistake and is logged ---- */
void reply_header(struct request *req, const char *name,
                  const char *value); /* copied; may be called before or after the reply */
void reply_json(struct request *req, int status, struct buf *json); /* takes the buffer's bytes */
void reply_empty(struct request *req, int status);
void reply_text(struct request *req, int status, const char *content_type, const void *data, size_t len);
void reply_file(struct request *req, int status, const char *content_type, int fd); /* takes the descriptor */

/* A read whose caller has the representation with this tag (with quotes): its answer is 304. */
bool request_knows(const struct request *req, const char *etag);

/* ETag handling for a representation whose tag is `etag` (with quotes): false when 304 was answered. Sets the
 * header. */
MUST_CHECK bool reply_unless_unchanged(struct request *req, const char *etag);

/* RFC 9457 problem. code is stable snake_case; title comes from the table of problems; detail is a sentence
 * for a person. */
void reply_problem(struct request *req, int status, const char *code, const char *detail, ...)
    PRINTF_LIKE(4, 5);

/* One invalid field of a body or one invalid parameter; collected, then answered together. */
void problem_field(struct request *req, const char *field, const char *code, const char *message, ...)
    PRINTF_LIKE(4, 5);
bool problem_pending(const struct request *req);
void reply_invalid(struct request *req); /* 422 validation_failed with the fields collected so far */

/* 503 with Retry-After in seconds */
void reply_unavailable(struct request *req, const char *code, int retry_after, const char *detail);

/* Extra fields for this request's log line. */
void request_note(struct request *req, const char *name, const char *value);

#endif
