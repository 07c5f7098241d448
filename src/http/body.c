/* Bodies: collecting, JSON, forms. */
#include "http/body.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/log.h"
#include "http/media.h"
#include "http/route.h"
#include "http/target.h"

/* ---- collecting ---- */

static int open_spool(void)
{
    const char *folder = getenv("TMPDIR");
    if (folder == NULL || folder[0] == '\0')
        folder = "/tmp";
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    /* File systems without O_TMPFILE (overlayfs of older kernels) */
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/trackerd-XXXXXX", folder) >= (int)sizeof(path))
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

bool body_begin(struct request *req, size_t limit, bool spool, struct error *err)
{
    struct request_private *p = req->private_;
    p->body_limit = limit;
    p->body.max = limit;
    p->body.secret = req->route != NULL && (req->route->flags & ROUTE_NO_BODY_LOG);
    if (!spool)
        return true;
    req->body_fd = open_spool();
    if (req->body_fd >= 0)
        return true;
    LOG_ERROR("no room for an upload", LOG_TEXT("error", strerror(errno)));
    return error_set(err, "internal_error", "The upload cannot be stored.");
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

bool body_append(struct request *req, const void *data, size_t len, struct error *err)
{
    struct request_private *p = req->private_;
    if (len > p->body_limit - p->body_received)
        return error_set(err, "body_too_large", "The body has more than %zu bytes.", p->body_limit);
    p->body_received += len;
    if (req->body_fd < 0) {
        buf_append(&p->body, data, len);
        return true;
    }
    if (write_all(req->body_fd, data, len))
        return true;
    LOG_ERROR("no room for an upload", LOG_TEXT("error", strerror(errno)));
    return error_set(err, "internal_error", "The upload cannot be stored.");
}

void body_end(struct request *req)
{
    struct request_private *p = req->private_;
    req->body_len = p->body_received;
    if (req->body_fd >= 0)
        lseek(req->body_fd, 0, SEEK_SET);
    else if (p->body_received > 0)
        req->body = p->body.data;
}

/* ---- JSON ---- */

/* Depth of nesting, without reading the rest: a parser that recurses must not see more than it can take. */
static bool depth_within(const char *text, size_t len, int limit)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > limit)
                return false;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return true;
}

json_t *json_read(const char *text, size_t len, struct error *err)
{
    json_error_t why;
    if (!utf8_valid(text, len)) {
        error_set(err, "invalid_json", "The body is not UTF-8 without NUL.");
        return NULL;
    }
    if (!depth_within(text, len, HTTP_JSON_DEPTH)) {
        error_set(err, "invalid_json", "The body is nested more than %d levels deep.", HTTP_JSON_DEPTH);
        return NULL;
    }
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (value == NULL) {
        /* jansson's own words may quote the body; its position does not. */
        const char *reason = json_error_code(&why) == json_error_duplicate_key ? "has a duplicate key"
                             : json_error_code(&why) == json_error_numeric_overflow
                                 ? "has a number out of range"
                                 : "is not valid JSON";
        error_set(err, "invalid_json", "The body %s (line %d, column %d).", reason, why.line, why.column);
    }
    return value;
}

static void free_json(void *value)
{
    json_decref(value);
}

static void reply_unsupported(struct request *req, const char *wanted)
{
    reply_header(req, req->method == HTTP_PATCH ? "Accept-Patch" : "Accept-Post", wanted);
    reply_problem(req, 415, "unsupported_media_type", "The Content-Type must be %s, in UTF-8.", wanted);
}

bool request_json(struct request *req, json_t **object)
{
    static const char *const plain[] = { "application/json", NULL };
    static const char *const patch[] = { "application/merge-patch+json", "application/json", NULL };
    bool is_patch = req->method == HTTP_PATCH;
    if (!content_type_is(request_header(req, "Content-Type"), is_patch ? patch : plain)) {
        reply_unsupported(req,
                          is_patch ? "application/merge-patch+json, application/json" : "application/json");
        return false;
    }
    struct error err;
    json_t *value = json_read(req->body != NULL ? req->body : "", req->body_len, &err);
    if (value == NULL) {
        reply_problem(req, 400, err.code, "%s", err.message);
        return false;
    }
    arena_defer(req->arena, free_json, value);
    if (!json_is_object(value)) {
        reply_problem(req, 400, "invalid_json", "The body must be a JSON object.");
        return false;
    }
    *object = value;
    return true;
}

/* ---- forms ---- */

bool request_form(struct request *req)
{
    static const char *const types[] = { "application/x-www-form-urlencoded", NULL };
    struct request_private *p = req->private_;
    struct error err;
    if (p->form_read)
        return true;
    if (!content_type_is(request_header(req, "Content-Type"), types)) {
        reply_unsupported(req, types[0]);
        return false;
    }
    if (!pairs_decode(req->arena, req->body != NULL ? req->body : "", req->body_len, true, &p->form, &err)) {
        reply_problem(req, 400, "invalid_form", "%s", err.message);
        return false;
    }
    p->form_read = true;
    return true;
}
