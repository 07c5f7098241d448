/* Answers: what a handler says is kept in the request until the server sends it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "http/problem.h"

/* ---- headers ---- */

static bool may_repeat(const char *name)
{
    return strcasecmp(name, "Set-Cookie") == 0 || strcasecmp(name, "Vary") == 0 ||
           strcasecmp(name, "Link") == 0 || strcasecmp(name, "WWW-Authenticate") == 0;
}

void reply_header(struct request *req, const char *name, const char *value)
{
    /* A line break would let a value write headers of its own. */
    if (strpbrk(name, "\r\n: ") != NULL || strpbrk(value, "\r\n") != NULL) {
        LOG_ERROR("answer header refused", LOG_TEXT("request_id", req->id), LOG_TEXT("header", name));
        return;
    }
    if (!may_repeat(name)) {
        for (struct http_header *h = req->headers; h != NULL; h = h->next) {
            if (strcasecmp(h->name, name) == 0) {
                h->value = arena_strdup(req->arena, value);
                return;
            }
        }
    }
    struct http_header *header = arena_alloc(req->arena, sizeof(*header));
    *header = (struct http_header){ arena_strdup(req->arena, name), arena_strdup(req->arena, value),
                                    req->headers };
    req->headers = header;
}

/* ---- bodies ---- */

/* False: there is an answer already. */
static bool begin_answer(struct request *req, int status, const char *content_type)
{
    if (req->status != 0) {
        LOG_ERROR("second answer to a request", LOG_TEXT("request_id", req->id), LOG_TEXT("path", req->path),
                  LOG_NUM("first", req->status), LOG_NUM("second", status));
        return false;
    }
    req->status = status;
    req->content_type = content_type;
    return true;
}

void reply_json(struct request *req, int status, struct buf *json)
{
    if (json->overflow) {
        LOG_ERROR("answer too large", LOG_TEXT("request_id", req->id), LOG_TEXT("path", req->path));
        buf_free(json);
        reply_problem(req, 500, "internal_error", "The answer is too large.");
        return;
    }
    if (!begin_answer(req, status, "application/json")) {
        buf_free(json);
        return;
    }
    req->out = *json;
    *json = (struct buf){ 0 };
}

void reply_empty(struct request *req, int status)
{
    begin_answer(req, status, NULL);
}

void reply_text(struct request *req, int status, const char *content_type, const void *data, size_t len)
{
    if (begin_answer(req, status, arena_strdup(req->arena, content_type)))
        buf_append(&req->out, data, len);
}

void reply_file(struct request *req, int status, const char *content_type, int fd)
{
    if (begin_answer(req, status, arena_strdup(req->arena, content_type)))
        req->out_fd = fd;
    else
        close(fd);
}

/* ---- conditions ---- */

/* The opaque part of an entity tag, without W/: weak comparison is what If-None-Match asks for. */
static const char *opaque(const char *tag)
{
    return tag[0] == 'W' && tag[1] == '/' ? tag + 2 : tag;
}

/* Is etag in a list like `"a", W/"b"`, or is the list `*`? Anything malformed ends the list. */
static bool tag_listed(const char *list, const char *etag)
{
    const char *wanted = opaque(etag);
    size_t wanted_len = strlen(wanted);
    list += strspn(list, " \t");
    if (strcmp(list, "*") == 0)
        return true;
    while (*list != '\0') {
        list += strspn(list, " \t,");
        list = opaque(list);
        if (*list != '"')
            return false;
        const char *end = strchr(list + 1, '"');
        if (end == NULL)
            return false;
        size_t len = (size_t)(end + 1 - list);
        if (len == wanted_len && memcmp(list, wanted, len) == 0)
            return true;
        list = end + 1;
    }
    return false;
}

bool request_knows(const struct request *req, const char *etag)
{
    if (req->method != HTTP_GET && req->method != HTTP_HEAD)
        return false;
    const struct pairs *headers = &req->private_->headers;
    for (size_t i = 0; i < headers->count; i++)
        if (strcasecmp(headers->items[i].name, "If-None-Match") == 0 &&
            tag_listed(headers->items[i].value, etag))
            return true;
    return false;
}

bool reply_unless_unchanged(struct request *req, const char *etag)
{
    reply_header(req, "ETag", etag);
    if (!request_knows(req, etag))
        return true;
    reply_empty(req, 304);
    return false;
}

/* ---- problems ---- */

static void answer_problem(struct request *req, int status, const char *code, const char *detail,
                           const char *errors)
{
    if (!begin_answer(req, status, PROBLEM_CONTENT_TYPE))
        return;
    req->error_code = arena_strdup(req->arena, code);
    problem_write(&req->out, status, code, problem_title(req->arena, code), detail, req->id, errors);
}

void reply_problem(struct request *req, int status, const char *code, const char *detail, ...)
{
    va_list args;
    va_start(args, detail);
    const char *text = arena_vprintf(req->arena, detail, args);
    va_end(args);
    /* Fields that were noted tell more about it ("in_use" names what depends on the row). */
    struct request_private *p = req->private_;
    if (p->field_count > 0)
        json_end_array(&p->fields_json);
    answer_problem(req, status, code, text, p->field_count > 0 ? buf_text(&p->fields) : NULL);
    p->field_count = 0;
}

void problem_field(struct request *req, const char *field, const char *code, const char *message, ...)
{
    struct request_private *p = req->private_;
    if (p->field_count == HTTP_MAX_PROBLEM_FIELDS)
        return;
    if (p->field_count++ == 0) {
        json_begin(&p->fields_json, &p->fields);
        json_start_array(&p->fields_json);
    }
    va_list args;
    va_start(args, message);
    const char *text = arena_vprintf(req->arena, message, args);
    va_end(args);
    json_start_object(&p->fields_json);
    json_put_text(&p->fields_json, "field", field);
    json_put_text(&p->fields_json, "code", code);
    json_put_text(&p->fields_json, "message", text);
    json_end_object(&p->fields_json);
}

bool problem_pending(const struct request *req)
{
    return req->private_->field_count > 0;
}

void reply_invalid(struct request *req)
{
    size_t n = req->private_->field_count;
    reply_problem(req, 422, "validation_failed",
                  n == 1 ? "%zu field is not valid." : "%zu fields are not valid.", n);
}

void reply_unavailable(struct request *req, const char *code, int retry_after, const char *detail)
{
    char seconds[16];
    snprintf(seconds, sizeof(seconds), "%d", retry_after);
    reply_header(req, "Retry-After", seconds);
    reply_problem(req, 503, code, "%s", detail);
}
