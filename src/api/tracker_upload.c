/* Uploaded files: a raw body, or one part of a form (RFC 7578). The body is mapped, so only the pages at hand
 * are in memory. */
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#include "api/tracker_import.h"
#include "base/encode.h"

#define MAX_BOUNDARY 70  /* RFC 2046 */
#define MAX_FIELD    256 /* bytes of an option in a form */

struct mapping {
    void *data;
    size_t len;
};

static void unmap(void *object)
{
    struct mapping *mapping = object;
    munmap(mapping->data, mapping->len);
}

static struct upload_part rest_of(struct upload_part part, size_t at)
{
    return (struct upload_part){ part.data + at, part.len - at };
}

static const char *find(struct upload_part in, const char *text, size_t len)
{
    return in.len == 0 ? NULL : memmem(in.data, in.len, text, len);
}

/* ---- parameters of headers ---- */

/* The value of ;name=value or ;name="value" in a header, without escapes; NULL when it is not there. */
static const char *parameter(struct arena *arena, const char *header, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = strchr(header, ';'); p != NULL; p = strchr(p, ';')) {
        p += 1 + strspn(p + 1, " \t");
        if (strncasecmp(p, name, len) != 0 || p[len] != '=')
            continue;
        p += len + 1;
        return *p == '"' ? arena_strndup(arena, p + 1, strcspn(p + 1, "\""))
                         : arena_strndup(arena, p, strcspn(p, "; \t"));
    }
    return NULL;
}

/* "Text/CSV; charset=utf-8" is "text/csv". */
static const char *media_type(struct arena *arena, const char *header)
{
    if (header == NULL)
        return "";
    char *type = arena_strndup(arena, header, strcspn(header, "; \t"));
    for (char *c = type; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 'a' - 'A');
    return type;
}

/* ---- forms ---- */

/* One header among the lines of a part. */
static const char *part_header(struct arena *arena, struct upload_part head, const char *name)
{
    size_t len = strlen(name);
    while (head.len > 0) {
        const char *end = find(head, "\r\n", 2);
        size_t line = end != NULL ? (size_t)(end - head.data) : head.len;
        if (line > len && strncasecmp(head.data, name, len) == 0 && head.data[len] == ':') {
            size_t at = len + 1;
            while (at < line && (head.data[at] == ' ' || head.data[at] == '\t'))
                at++;
            return arena_strndup(arena, head.data + at, line - at);
        }
        head = rest_of(head, end != NULL ? line + 2 : line);
    }
    return NULL;
}

static void take_part(struct request *req, struct upload *upload, struct upload_part head,
                      struct upload_part content)
{
    const char *disposition = part_header(req->arena, head, "Content-Disposition");
    const char *name = disposition != NULL ? parameter(req->arena, disposition, "name") : NULL;
    if (name == NULL)
        return;
    if (strcmp(name, "file") == 0) {
        upload->file = content;
        upload->type = media_type(req->arena, part_header(req->arena, head, "Content-Type"));
    } else if (upload->field_count < sizeof(upload->fields) / sizeof(upload->fields[0]) &&
               content.len <= MAX_FIELD) {
        upload->field_names[upload->field_count] = name;
        upload->fields[upload->field_count++] = content;
    }
}

/* Parts stand between delimiters; each has head lines, an empty line and its content. */
static bool read_form(struct request *req, struct upload *upload, struct upload_part body,
                      const char *boundary)
{
    const char *delimiter = arena_printf(req->arena, "\r\n--%s", boundary);
    size_t len = strlen(delimiter);
    size_t at = len - 2; /* the first delimiter may stand at the very beginning, without a line break */
    if (body.len < at || memcmp(body.data, delimiter + 2, at) != 0) {
        const char *first = find(body, delimiter, len);
        if (first == NULL)
            return false;
        at = (size_t)(first - body.data) + len;
    }
    body = rest_of(body, at);
    while (body.len >= 2 && memcmp(body.data, "--", 2) != 0) {
        const char *line = find(body, "\r\n", 2);
        if (line == NULL)
            return false;
        struct upload_part part = rest_of(body, (size_t)(line - body.data));
        const char *empty = find(part, "\r\n\r\n", 4), *end = NULL;
        if (empty != NULL)
            end = find(rest_of(part, (size_t)(empty - part.data) + 2), delimiter, len);
        if (end == NULL)
            return false;
        struct upload_part head = { part.data + 2, empty > part.data ? (size_t)(empty - part.data) - 2 : 0 };
        /* The content of an empty part begins where its delimiter's line break stands. */
        const char *content = empty + 4 <= end ? empty + 4 : end;
        take_part(req, upload, head, (struct upload_part){ content, (size_t)(end - content) });
        body = rest_of(part, (size_t)(end + len - part.data));
    }
    return body.len >= 2;
}

static bool open_form(struct request *req, struct upload *upload, const char *header)
{
    const char *boundary = parameter(req->arena, header, "boundary");
    if (boundary == NULL || boundary[0] == '\0' || strlen(boundary) > MAX_BOUNDARY) {
        reply_problem(req, 400, "invalid_form", "The Content-Type names no boundary.");
        return false;
    }
    struct upload_part body = upload->file;
    upload->file = (struct upload_part){ NULL, 0 };
    if (!read_form(req, upload, body, boundary)) {
        reply_problem(req, 400, "invalid_form", "The form is not whole.");
        return false;
    }
    if (upload->file.data == NULL) {
        problem_field(req, "file", "required", "is a part of the form");
        reply_invalid(req);
        return false;
    }
    return true;
}

/* ---- the upload ---- */

bool upload_open(struct request *req, struct upload *upload)
{
    const char *header = request_header(req, "Content-Type");
    memset(upload, 0, sizeof(*upload));
    upload->type = media_type(req->arena, header);
    if (req->body_len == 0 || req->body_fd < 0) {
        reply_problem(req, 400, "empty_body", "The body must be the file.");
        return false;
    }
    void *data = mmap(NULL, req->body_len, PROT_READ, MAP_PRIVATE, req->body_fd, 0);
    if (data == MAP_FAILED) {
        reply_problem(req, 500, "internal_error", "The upload cannot be read.");
        return false;
    }
    struct mapping *mapping = arena_zalloc(req->arena, 1, sizeof(*mapping));
    *mapping = (struct mapping){ data, req->body_len };
    arena_defer(req->arena, unmap, mapping);
    upload->file = (struct upload_part){ data, req->body_len };
    return strcmp(upload->type, "multipart/form-data") != 0 || open_form(req, upload, header);
}

const char *upload_option(struct request *req, const struct upload *upload, const char *name)
{
    const char *value = request_query(req, name);
    for (size_t i = 0; value == NULL && i < upload->field_count; i++)
        if (strcmp(upload->field_names[i], name) == 0)
            value = arena_strndup(req->arena, upload->fields[i].data, upload->fields[i].len);
    return value;
}
