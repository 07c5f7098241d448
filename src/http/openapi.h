/* The OpenAPI 3.1 document, written from the same routes that are served. */
#ifndef HTTP_OPENAPI_H
#define HTTP_OPENAPI_H

#include "base/buf.h"
#include "http/route.h"

struct openapi_info {
    const char *title, *version, *description, *server_url;
    const char *refresh_cookie; /* its name */
    const struct route *routes;
    size_t route_count;
    /* calls add(to, name, JSON text) for each component schema */
    void (*schemas)(void (*add)(void *to, const char *name, const char *json), void *to);
};

/* Deterministic. Adds to each route the errors that any route of its kind can answer (400, 401, 403, 404 with
 * path parameters, 413, 415, 422, 429, 500, 503, 504 …), the Problem schema, and the security schemes bearer,
 * X-API-Key and refresh cookie. */
void openapi_write(struct buf *out, const struct openapi_info *info);

#endif
