/* What a request holds beyond what handlers see. Only src/http includes this. */
#ifndef HTTP_REQUEST_PRIVATE_H
#define HTTP_REQUEST_PRIVATE_H

#include "base/json.h"
#include "http/request.h"

struct http_server;
struct http_connection;
struct MHD_Connection;
struct MHD_Response;
struct sse_stream;

/* More headers than any client of ours sends; each costs a walk of the list. */
#define HTTP_MAX_HEADERS 100
/* Filters with many values are one parameter each; forms are sign-in forms. */
#define HTTP_MAX_PARAMETERS 256
/* Beyond this a problem lists no more fields: nobody reads them. */
#define HTTP_MAX_PROBLEM_FIELDS 100

struct pair {
    const char *name, *value;
};

/* Grows in the request's arena. */
struct pairs {
    struct pair *items;
    size_t count, size;
};

void pairs_add(struct arena *arena, struct pairs *pairs, const char *name, const char *value);
const char *pairs_get(const struct pairs *pairs, const char *name);          /* first one, or NULL */
const char *pairs_get_caseless(const struct pairs *pairs, const char *name); /* the same for headers */

/* Where a request stands; it moves only forward. */
enum request_stage {
    STAGE_LINE,     /* request line is here, headers are still coming */
    STAGE_BODY,     /* headers were accepted, the body is coming */
    STAGE_WAITING,  /* with the handlers; the connection is suspended */
    STAGE_ANSWERED, /* the answer is complete and may be sent */
    STAGE_SENDING,  /* libmicrohttpd has the answer */
};

struct request_private {
    struct pairs headers, query, form, params, notes;
    bool form_read;
    struct buf body;   /* bytes of req->body */
    struct buf fields; /* JSON array of invalid fields; empty until the first */
    struct json fields_json;
    size_t field_count;

    /* of the server */
    struct http_server *server;
    struct http_connection *connection;
    struct MHD_Connection *mhd;
    struct request *next; /* in the handlers' queue or the list of spares */
    enum request_stage stage;
    const char *target;     /* as it came, for errors in it; in the arena */
    const char *target_raw; /* the same in libmicrohttpd's memory, to check what stands around it */
    size_t route_index;     /* of the router; SIZE_MAX: no route */
    unsigned allowed;       /* methods of the path, bits 1 << enum http_method */
    size_t body_limit;      /* bytes */
    size_t body_received;   /* bytes */
    bool close;             /* the connection ends after this answer */
    bool logged;
    bool counted;              /* in the server's in_flight */
    bool handed;               /* in the server's handed */
    int64_t handled_usec;      /* time in the handler */
    int64_t queued_usec;       /* time waiting for one */
    struct sse_stream *stream; /* the answer is a stream of events */
    const char *user;          /* for the log */
    int64_t db_usec;
    size_t db_statements;
};

/* An empty request with an arena of its own. */
struct request *request_new(void);
void request_reset(struct request *req); /* wipes and releases what it held; ready for the next */
void request_free(struct request *req);  /* NULL is allowed */

#endif
