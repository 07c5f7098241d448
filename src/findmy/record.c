/* Frames of a recording: length (4 bytes, big-endian), then a sealed JSON object. */
#include "findmy/record.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/json.h"
#include "findmy/jsonx.h"

#define CONTEXT "apple_answers"

struct client {
    struct http_client base;
    struct http_client *inner; /* NULL: replaying */
    const struct sealer *sealer;
    const struct clock *clock;
    struct buf *lines; /* NULL: into the file */
    int fd;
};

static const char *method_of(const struct http_out *req)
{
    return req->method != NULL ? req->method : req->body != NULL ? "POST" : "GET";
}

/* ---- recording ---- */

static void write_answer(struct json *json, const struct http_in *resp, struct arena *arena)
{
    char *body = arena_secret(arena, BASE64_SIZE(resp->body_len));
    base64_encode(resp->body, resp->body_len, body);
    json_put_int(json, "status", resp->status);
    json_key(json, "headers");
    json_start_array(json);
    for (size_t i = 0; i < resp->header_count; i++) {
        json_start_array(json);
        json_text(json, resp->headers[i].name);
        json_text(json, resp->headers[i].value);
        json_end_array(json);
    }
    json_end_array(json);
    json_put_text(json, "body", body);
}

static bool write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool write_frame(int fd, const struct sealer *sealer, const char *plain, size_t plain_len,
                        struct arena *arena)
{
    size_t len = plain_len + SEAL_OVERHEAD;
    uint8_t *frame = arena_alloc(arena, 4 + len);
    for (int i = 0; i < 4; i++)
        frame[i] = (uint8_t)(len >> (24 - 8 * i));
    return seal(sealer, CONTEXT, plain, plain_len, frame + 4) && write_all(fd, frame, 4 + len);
}

static bool keep(struct client *client, const struct buf *plain, struct arena *arena)
{
    if (client->lines == NULL)
        return !plain->overflow && write_frame(client->fd, client->sealer, plain->data, plain->len, arena);
    buf_append(client->lines, plain->data, plain->len);
    buf_putc(client->lines, '\n');
    client->lines->overflow |= plain->overflow;
    return true;
}

static bool record_request(struct http_client *self, const struct http_out *req, struct http_in *resp,
                           struct arena *arena, struct error *err)
{
    struct client *client = (struct client *)self;
    struct error local = { .code = "" };
    struct buf plain = { .max = RECORD_MAX_FRAME, .secret = true };
    struct json json;
    bool ok = httpc_request(client->inner, req, resp, arena, &local);

    json_begin(&json, &plain);
    json_start_object(&json);
    json_put_time(&json, "at", clock_now(client->clock));
    json_put_text(&json, "method", method_of(req));
    json_put_text(&json, "url", req->url);
    if (ok) {
        write_answer(&json, resp, arena);
    } else {
        json_put_text(&json, "error", local.code);
        json_put_text(&json, "message", local.message);
    }
    json_end_object(&json);
    bool written = keep(client, &plain, arena);
    buf_wipe(&plain);
    if (!written)
        return error_set(err, "record_write", "the answer could not be recorded");
    return ok || error_set(err, local.code, "%s", local.message);
}

/* ---- replaying ---- */

/* The codes a recorded failure may have; error codes are static texts. */
static const char *known_code(const char *code)
{
    static const char *const codes[] = { "http_timeout", "http_resolve",   "http_connect", "http_tls",
                                         "http_proxy",   "http_too_large", "http_broken",  "http_invalid" };
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (code != NULL && strcmp(code, codes[i]) == 0)
            return codes[i];
    return "http_broken";
}

static bool read_all(int fd, void *data, size_t len)
{
    char *at = data;
    while (len > 0) {
        ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* The next frame's object; NULL at the end ("record_end") or when it is damaged. */
static json_t *next_frame(struct client *client, struct arena *arena, struct error *err)
{
    uint8_t head[4];
    if (!read_all(client->fd, head, sizeof(head))) {
        error_set(err, "record_end", "the recording holds no further answer to this request");
        return NULL;
    }
    size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    json_t *root = NULL;
    if (len > SEAL_OVERHEAD && len <= RECORD_MAX_FRAME + SEAL_OVERHEAD) {
        uint8_t *sealed = arena_alloc(arena, len);
        char *plain = arena_secret(arena, len);
        if (read_all(client->fd, sealed, len) && unseal(client->sealer, CONTEXT, sealed, len, plain, NULL))
            root = jsonx_parse(plain, len - SEAL_OVERHEAD, RECORD_MAX_FRAME);
    }
    if (root == NULL)
        error_set(err, "record_damaged", "the recording is damaged, or sealed with another key");
    return root;
}

static const struct httpc_header *take_headers(const json_t *list, struct arena *arena, size_t *count)
{
    size_t n = json_array_size(list);
    struct httpc_header *headers = arena_zalloc(arena, n + 1, sizeof(*headers));
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(json_array_get(list, i), 0));
        const char *value = json_string_value(json_array_get(json_array_get(list, i), 1));
        headers[i] = (struct httpc_header){ arena_strdup(arena, name != NULL ? name : ""),
                                            arena_strdup(arena, value != NULL ? value : "") };
    }
    *count = n;
    return headers;
}

static bool take_answer(const json_t *root, struct http_in *resp, struct arena *arena, struct error *err)
{
    const char *body = jsonx_text(root, "body"), *message = jsonx_text(root, "message");
    struct http_in read = { .status = (int)json_integer_value(json_object_get(root, "status")) };
    if (body == NULL)
        return error_set(err, known_code(jsonx_text(root, "error")), "%s",
                         message != NULL ? message : "failed");
    char *bytes = arena_secret(arena, strlen(body) + 1);
    if (!base64_decode(body, strlen(body), bytes, strlen(body), &read.body_len))
        return error_set(err, "record_damaged", "the recording is damaged");
    bytes[read.body_len] = '\0';
    read.body = bytes;
    read.headers = take_headers(json_object_get(root, "headers"), arena, &read.header_count);
    *resp = read;
    return true;
}

static bool matches(const json_t *root, const struct http_out *req)
{
    const char *method = jsonx_text(root, "method"), *url = jsonx_text(root, "url");
    return method != NULL && url != NULL && strcmp(method, method_of(req)) == 0 && strcmp(url, req->url) == 0;
}

static bool replay_request(struct http_client *self, const struct http_out *req, struct http_in *resp,
                           struct arena *arena, struct error *err)
{
    struct client *client = (struct client *)self;
    for (;;) {
        json_t *root = next_frame(client, arena, err);
        if (root == NULL)
            return false;
        bool found = matches(root, req), ok = found && take_answer(root, resp, arena, err);
        jsonx_free(root);
        if (found)
            return ok;
    }
}

/* ---- life ---- */

static void close_client(struct http_client *self)
{
    struct client *client = (struct client *)self;
    close(client->fd);
    free(client);
}

static struct http_client *open_client(const char *path, int flags, struct error *err)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    struct client *client = fd >= 0 ? calloc(1, sizeof(*client)) : NULL;
    if (client == NULL) {
        error_set(err, "record_open", "cannot open %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    client->fd = fd;
    client->base.close = close_client;
    return &client->base;
}

static bool has_key(const struct sealer *sealer, struct error *err)
{
    return sealer->count > 0 || error_set(err, "record_open", "recordings are sealed: set MASTER_KEY");
}

struct http_client *record_new(struct http_client *inner, const char *path, const struct sealer *sealer,
                               const struct clock *clock, struct error *err)
{
    struct http_client *base = has_key(sealer, err) ? open_client(path, O_WRONLY | O_CREAT | O_APPEND, err)
                                                    : NULL;
    struct client *client = (struct client *)base;
    if (client != NULL) {
        client->base.request = record_request;
        client->inner = inner;
        client->sealer = sealer;
        client->clock = clock;
    }
    return base;
}

struct http_client *replay_new(const char *path, const struct sealer *sealer, struct error *err)
{
    struct http_client *base = has_key(sealer, err) ? open_client(path, O_RDONLY, err) : NULL;
    struct client *client = (struct client *)base;
    if (client != NULL) {
        client->base.request = replay_request;
        client->sealer = sealer;
    }
    return base;
}

struct http_client *record_lines_new(struct arena *arena, struct http_client *inner, struct buf *lines,
                                     const struct clock *clock)
{
    struct client *client = arena_zalloc(arena, 1, sizeof(*client));
    client->base.request = record_request;
    client->inner = inner;
    client->clock = clock;
    client->lines = lines;
    return &client->base;
}

bool record_write_file(const char *path, const char *lines, size_t len, const struct sealer *sealer,
                       struct error *err)
{
    if (!has_key(sealer, err))
        return false;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, "record_open", "cannot create %s: %s", path, strerror(errno));
    struct arena *arena = arena_new();
    bool ok = true;
    while (ok && len > 0) {
        const char *end = memchr(lines, '\n', len);
        size_t line = end != NULL ? (size_t)(end - lines) : len, step = end != NULL ? line + 1 : line;
        ok = write_frame(fd, sealer, lines, line, arena);
        arena_reset(arena);
        lines += step;
        len -= step;
    }
    arena_free(arena);
    ok = close(fd) == 0 && ok;
    return ok || error_set(err, "record_write", "cannot write %s", path);
}
