/* Life of a request, and its inputs that cannot fail: headers, cookies, query and path parameters. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "http/request_private.h"

const char *const http_method_names[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", NULL };

/* ---- lists of names and values ---- */

void pairs_add(struct arena *arena, struct pairs *pairs, const char *name, const char *value)
{
    if (pairs->count == pairs->size) {
        size_t size = pairs->size == 0 ? 16 : pairs->size * 2;
        struct pair *items = arena_alloc(arena, size * sizeof(*items));
        if (pairs->count > 0)
            memcpy(items, pairs->items, pairs->count * sizeof(*items));
        pairs->items = items;
        pairs->size = size;
    }
    pairs->items[pairs->count++] = (struct pair){ name, value };
}

const char *pairs_get(const struct pairs *pairs, const char *name)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->items[i].name, name) == 0)
            return pairs->items[i].value;
    return NULL;
}

const char *pairs_get_caseless(const struct pairs *pairs, const char *name)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (strcasecmp(pairs->items[i].name, name) == 0)
            return pairs->items[i].value;
    return NULL;
}

/* ---- life ---- */

/* One allocation; what a request holds besides is in its arena or its two buffers. */
struct whole {
    struct request req;
    struct request_private private_;
};

static void make_empty(struct request *req, struct arena *arena)
{
    struct request_private *private_ = &((struct whole *)req)->private_;
    memset(private_, 0, sizeof(*private_));
    private_->route_index = SIZE_MAX;
    *req = (struct request){ .arena = arena,
                             .method = HTTP_METHODS,
                             .path = "",
                             .id = "",
                             .client_ip = "",
                             .body_fd = -1,
                             .out_fd = -1 };
    req->private_ = private_;
}

struct request *request_new(void)
{
    struct whole *whole = malloc(sizeof(*whole));
    if (whole == NULL)
        abort();
    make_empty(&whole->req, arena_new());
    return &whole->req;
}

static void release(struct request *req)
{
    buf_wipe(&req->private_->body);
    buf_free(&req->private_->fields);
    buf_free(&req->out);
    if (req->body_fd >= 0)
        close(req->body_fd);
    if (req->out_fd >= 0)
        close(req->out_fd);
}

void request_reset(struct request *req)
{
    struct arena *arena = req->arena;
    release(req);
    arena_reset(arena);
    make_empty(req, arena);
}

void request_free(struct request *req)
{
    if (req == NULL)
        return;
    release(req);
    arena_free(req->arena);
    free(req);
}

/* ---- inputs ---- */

const char *request_header(const struct request *req, const char *name)
{
    return pairs_get_caseless(&req->private_->headers, name);
}

/* One Cookie header's value of that name; quotes around it are not part of it. */
static const char *find_cookie(struct arena *arena, const char *text, const char *name)
{
    size_t name_len = strlen(name);
    while (*text != '\0') {
        text += strspn(text, " \t;");
        size_t len = strcspn(text, ";");
        const char *equals = memchr(text, '=', len);
        if (equals != NULL && (size_t)(equals - text) == name_len && memcmp(text, name, name_len) == 0) {
            const char *value = equals + 1;
            size_t value_len = len - name_len - 1;
            while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
                value_len--;
            if (value_len >= 2 && value[0] == '"' && value[value_len - 1] == '"') {
                value++;
                value_len -= 2;
            }
            return arena_strndup(arena, value, value_len);
        }
        text += len;
    }
    return NULL;
}

const char *request_cookie(const struct request *req, const char *name)
{
    const struct pairs *headers = &req->private_->headers;
    for (size_t i = 0; i < headers->count; i++) {
        if (strcasecmp(headers->items[i].name, "Cookie") != 0)
            continue;
        const char *value = find_cookie(req->arena, headers->items[i].value, name);
        if (value != NULL)
            return value;
    }
    return NULL;
}

const char *request_query(const struct request *req, const char *name)
{
    return pairs_get(&req->private_->query, name);
}

const char *request_param(const struct request *req, const char *name)
{
    return pairs_get(&req->private_->params, name);
}

bool request_query_at(const struct request *req, size_t index, const char **name, const char **value)
{
    const struct pairs *query = &req->private_->query;
    if (index >= query->count)
        return false;
    *name = query->items[index].name;
    *value = query->items[index].value;
    return true;
}

void request_query_add(struct request *req, const char *name, const char *value)
{
    pairs_add(req->arena, &req->private_->query, arena_strdup(req->arena, name),
              arena_strdup(req->arena, value));
}

const char *form_value(const struct request *req, const char *name)
{
    return pairs_get(&req->private_->form, name);
}

void request_note(struct request *req, const char *name, const char *value)
{
    pairs_add(req->arena, &req->private_->notes, arena_strdup(req->arena, name),
              arena_strdup(req->arena, value));
}
