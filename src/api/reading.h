/* What hand-written reads share: the end of a page, cursors of several parts, rows that must exist. */
#ifndef API_READING_H
#define API_READING_H

#include "api/cursor.h"
#include "api/resource.h"
#include "base/json.h"
#include "http/request.h"

/* Pages of the time series: rows are small and charts want many. */
#define SERIES_LIMIT_DEFAULT 1000
#define SERIES_LIMIT_MAX     5000

/* Answer 200 with this JSON and a weak ETag made of it, or 304. Takes the buffer's bytes. */
void reply_reading(struct request *req, struct buf *body);

/* The same for other content. */
void reply_content(struct request *req, const char *content_type, const void *data, size_t len);

/* True when the row exists for the caller; else answered. */
MUST_CHECK bool row_exists(struct request *req, const struct resource *resource, int64_t id);

/* Refuse parameters that the route does not name. False: answered. */
MUST_CHECK bool route_parameters_known(struct request *req);

/* The cursor parameter: absent (text of *cursor NULL, id 0), or valid for this scope. False: answered. */
MUST_CHECK bool query_cursor(struct request *req, const char *scope, struct cursor *cursor);

/* "next_cursor": the cursor, or null when there is none. */
void put_next_cursor(struct request *req, struct json *json, const char *scope, const struct cursor *cursor);

/* The words of a parameter that may be repeated and separated by commas, as PostgreSQL array literal; NULL
 * when absent. False: answered (a word that is not one of words). */
MUST_CHECK bool query_words(struct request *req, const char *name, const char *const *words,
                            const char **array);

#endif
