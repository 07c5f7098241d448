/* A route is data: from this one description come dispatch, access, limits and its entry in the OpenAPI
 * document. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "http/request.h"

enum route_flags {
    ROUTE_FAST = 1 << 0,   /* answered on the network thread: must not block, gets no db */
    ROUTE_UPLOAD = 1 << 1, /* body up to HTTP_MAX_UPLOAD, spooled to a file */
    ROUTE_NO_BODY_LOG =
        1 << 2, /* reserved for routes that carry credentials: nothing of them is logged but the status */
    ROUTE_KEPT =
        1 << 4, /* its answers may be kept by the application until a tenant whose rows they show writes */
    ROUTE_HIDDEN = 1 << 3, /* not in the OpenAPI document (documentation pages themselves) */
};

/* Who may call. The http layer only carries it; the application's `before` hook enforces it. */
enum access { ACCESS_PUBLIC, ACCESS_USER, ACCESS_MANAGER, ACCESS_ADMIN };

enum value_type { VALUE_TEXT, VALUE_INT, VALUE_NUMBER, VALUE_BOOL, VALUE_TIME, VALUE_ENUM, VALUE_ID };

/* a query, path or header parameter */
struct parameter {
    const char *name;
    enum value_type type;
    const char *const *words; /* ENUM, NULL-terminated */
    const char *about;
    bool required;
    const char *in;   /* NULL: query; "path", "header" */
    int64_t min, max; /* INT, NUMBER, TEXT (length); both 0: none */
};

/* what one status answers with */
struct answer {
    int status;
    const char *schema; /* name of a component schema, or NULL for no body */
    const char *about;
    const char *content_type; /* NULL: application/json */
};

struct route {
    enum http_method method;
    const char *path; /* "/api/v1/trackers/{id}"; a parameter may have a suffix: "{y}.mvt" */
    void (*handle)(struct request *req);
    enum access access;
    unsigned flags;
    const char *tag, *summary, *about, *operation_id; /* operation_id is unique */
    const struct parameter *parameters;
    size_t parameter_count;
    const char *body_schema;       /* name of a component schema; NULL: no body */
    const char *body_content_type; /* NULL: application/json */
    const struct answer
        *answers; /* successes and errors particular to the route; common errors are added by openapi.c */
    size_t answer_count;
    const void *data; /* the handler's own, e.g. the resource it serves */
};

#endif
