/* Outgoing HTTP as a value with one function, so that every caller can be tested without a network.
 *
 * The real one stands on libcurl: TLS always verified, time-outs, size limits, no redirects unless asked for.
 * A client belongs to one thread at a time. Nothing here knows what is being asked. */
#ifndef NET_HTTPC_H
#define NET_HTTPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

/* Limits with their reasons: the largest answer that any caller expects is a full report answer of some
 * megabytes; a header block beyond 64 lines is no use to anybody here. */
#define HTTPC_MAX_BODY        (16u * 1024 * 1024)
#define HTTPC_MAX_HEADERS     64
#define HTTPC_MAX_REDIRECTS   5
#define HTTPC_DEFAULT_TIMEOUT SECONDS(30)
#define HTTPC_CONNECT_TIMEOUT SECONDS(10)

struct httpc_header {
    const char *name, *value;
};

/* What to send. Zero means the default. All pointers stay the caller's. */
struct http_out {
    const char *method; /* NULL: GET, or POST when there is a body */
    const char *url;    /* http or https */
    const struct httpc_header *headers;
    size_t header_count;
    const void *body;
    size_t body_len;
    int64_t timeout;       /* of the whole exchange in microseconds; default HTTPC_DEFAULT_TIMEOUT */
    size_t max_body;       /* of the answer in bytes; default HTTPC_MAX_BODY */
    const char *aws_sigv4; /* sign the request like this ("aws:amz:REGION:s3", libcurl's form) with key and
                              secret; default: not signed */
    const char *aws_key, *aws_secret;
    bool follow_redirects; /* up to HTTPC_MAX_REDIRECTS; default: a redirect is an answer like any other */
};

/* What came back; everything is in the arena that was passed, bodies and headers are wiped with it. */
struct http_in {
    int status;
    const char *body; /* NUL-terminated, never NULL */
    size_t body_len;
    const struct httpc_header *headers;
    size_t header_count;
};

/* Ask. True: an answer of any status came whole. False: err->code says why: "http_timeout", "http_resolve",
 * "http_connect", "http_tls", "http_proxy", "http_too_large", "http_broken" (cut off, not HTTP),
 * "http_invalid" (our request). resp is untouched then. */
struct http_client {
    bool (*request)(struct http_client *self, const struct http_out *req, struct http_in *resp,
                    struct arena *arena, struct error *err);
    void (*close)(struct http_client *self); /* frees the client; NULL: nothing to free */
};

struct httpc_options {
    const char *proxy;      /* http://, https:// or socks5://; default none. The environment's is not used.
                               Loopback      is always reached directly. */
    const char *ca_file;    /* PEM file with authorities besides the system's; default none */
    const char *user_agent; /* where a request names none; default "trackerd/VERSION" */
};

/* The client on libcurl; NULL with "http_invalid" when libcurl or an option does not work. */
MUST_CHECK struct http_client *httpc_curl_new(const struct httpc_options *options, struct error *err);

/* Shorthands that also work for fakes. */
MUST_CHECK bool httpc_request(struct http_client *client, const struct http_out *req, struct http_in *resp,
                              struct arena *arena, struct error *err);
void httpc_close(struct http_client *client); /* NULL is allowed */

/* First header of that name, without case; NULL when absent. */
const char *httpc_header(const struct http_in *resp, const char *name);

/* Retry-After in microseconds from now (seconds or an HTTP date), 0 when absent, unreadable or past. */
int64_t httpc_retry_after(const struct http_in *resp, int64_t now);

/* "Basic ..." for an Authorization header; wiped with the arena. */
const char *httpc_basic(struct arena *arena, const char *user, const char *password);

/* Headers being put together: later entries of the same name replace earlier ones. */
#define HTTPC_MAX_SENT 48
struct httpc_header_list {
    struct httpc_header items[HTTPC_MAX_SENT];
    size_t count;
};
void httpc_put(struct httpc_header_list *list, const char *name,
               const char *value); /* NULL or "": left out */

/* Append a query parameter, percent-encoded, with the "?" or "&" that it needs; an empty value is left out.
 */
void httpc_put_query(struct buf *url, const char *name, const char *value);

/* A value that cannot break out of its header line: visible ASCII, spaces, no line breaks. */
bool httpc_value_safe(const char *value);

/* Copy a text from outside that is to go into headers: not empty, fits, safe. text may be NULL. */
MUST_CHECK bool httpc_take_value(char *out, size_t size, const char *text);

/* True for "http://" to anything but this machine: what is sent there can be read on the way. */
bool httpc_url_exposed(const char *url);

#endif
