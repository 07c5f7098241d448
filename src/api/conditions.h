/* If-Match on writes: which versions of a row the caller means to change. */
#ifndef API_CONDITIONS_H
#define API_CONDITIONS_H

#include "http/request.h"

/* A client that lists more tags than this is answered 412. */
#define CONDITION_MAX_VERSIONS 16

struct condition {
    bool given;
    size_t count; /* none: no version matches (weak or foreign tags) */
    int64_t versions[CONDITION_MAX_VERSIONS];
    const char *array; /* the versions as PostgreSQL array literal; NULL when not given */
};

/* "*" counts as not given, since a row that does not exist is answered 404 anyway. */
struct condition condition_parse(struct arena *arena, const char *header);
static inline struct condition condition_read(struct request *req)
{
    return condition_parse(req->arena, request_header(req, "If-Match"));
}

bool condition_allows(const struct condition *condition, int64_t version);

/* The ETag of a version, with quotes. */
const char *version_etag(struct arena *arena, int64_t version);

#endif
