/* Taking in a request's body: into memory, or into a file for uploads. */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "http/request_private.h"

/* Deeper JSON is no document of the API. */
#define HTTP_JSON_DEPTH 32

/* Before the first byte. Uploads go to an unlinked file in folder (TMPDIR, else /tmp). */
MUST_CHECK bool body_begin(struct request *req, size_t limit, bool spool, struct error *err);

/* False: it does not fit its limit ("body_too_large") or could not be written ("internal_error"). */
MUST_CHECK bool body_append(struct request *req, const void *data, size_t len, struct error *err);

/* After the last byte: req->body or req->body_fd is ready. */
void body_end(struct request *req);

/* A JSON text of at most HTTP_JSON_DEPTH levels: UTF-8 without NUL, no duplicate keys, integers of 64 bits.
 * NULL with a sentence for the caller. */
json_t *json_read(const char *text, size_t len, struct error *err);

#endif
