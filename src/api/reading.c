/* What hand-written reads share: the end of a page, cursors of several parts, rows that must exist. */
#include "api/reading.h"

#include <string.h>
#include <xxhash.h>

#include "api/app.h"
#include "api/db_problem.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/parse.h"

/* Weak, because it is made of the rows as they are shown now. The hash need not resist anybody: who finds two
 * answers with one tag has only cheated himself. A cryptographic one took a sixth of the time of a page. */
static const char *body_etag(struct request *req, const void *data, size_t len)
{
    XXH128_canonical_t hash;
    char text[BASE64_SIZE(sizeof(hash))];
    XXH128_canonicalFromHash(&hash, XXH3_128bits(data, len));
    base64url_encode(hash.digest, sizeof(hash), text);
    return arena_printf(req->arena, "W/\"%s\"", text);
}

void reply_reading(struct request *req, struct buf *body)
{
    reply_header(req, "Cache-Control", "private, no-cache");
    if (reply_unless_unchanged(req, body_etag(req, body->data, body->len)))
        reply_json(req, 200, body);
    else
        buf_free(body);
}

void reply_content(struct request *req, const char *content_type, const void *data, size_t len)
{
    reply_header(req, "Cache-Control", "private, no-cache");
    if (reply_unless_unchanged(req, body_etag(req, data, len)))
        reply_text(req, 200, content_type, data, len);
}

bool row_exists(struct request *req, const struct resource *resource, int64_t id)
{
    struct db_param param = { .type = 'i', .value.number = id };
    const char *sql = arena_printf(req->arena, "SELECT FROM %s WHERE id = $1", resource->table);
    struct statement statement = { sql, &param, 1 };
    struct rows *rows = read_rows(req, &statement);
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    else if (rows_count(rows) == 0)
        reply_not_found(req, resource->label);
    else
        return true;
    return false;
}

bool route_parameters_known(struct request *req)
{
    const struct route *route = req->route;
    const char **names = arena_zalloc(req->arena, route->parameter_count + 1, sizeof(*names));
    size_t n = 0;
    for (size_t i = 0; i < route->parameter_count; i++)
        if (route->parameters[i].in == NULL)
            names[n++] = route->parameters[i].name;
    return query_known(req, names);
}

bool query_cursor(struct request *req, const char *scope, struct cursor *cursor)
{
    *cursor = (struct cursor){ 0 };
    const char *text = request_query(req, "cursor");
    if (text == NULL || text[0] == '\0' || cursor_read(req->arena, req->app->cursor_key, scope, text, cursor))
        return true;
    problem_field(req, "cursor", "invalid_cursor", "is not a next_cursor of this list in this order");
    reply_invalid(req);
    return false;
}

void put_next_cursor(struct request *req, struct json *json, const char *scope, const struct cursor *cursor)
{
    if (cursor->text == NULL)
        json_put_null(json, "next_cursor");
    else
        json_put_text(json, "next_cursor", cursor_write(req->arena, req->app->cursor_key, scope, cursor));
}

bool query_words(struct request *req, const char *name, const char *const *words, const char **array)
{
    const char *given, *value;
    struct buf text = { 0 };
    for (size_t i = 0; request_query_at(req, i, &given, &value); i++) {
        if (strcmp(given, name) != 0)
            continue;
        for (const char *at = value;; at++) {
            size_t len = strcspn(at, ",");
            const char *word = arena_strndup(req->arena, at, len);
            if (word_index(words, word) < 0)
                problem_field(req, name, "unknown_value", "has a value that is not one of those of %s", name);
            else if (text.len < 1024) /* more can only be repetitions */
                buf_printf(&text, "%c%s", text.len == 0 ? '{' : ',', word);
            at += len;
            if (*at == '\0' || problem_pending(req))
                break;
        }
    }
    *array = text.len > 0 ? arena_printf(req->arena, "%s}", buf_text(&text)) : NULL;
    buf_free(&text);
    if (!problem_pending(req))
        return true;
    reply_invalid(req);
    return false;
}
