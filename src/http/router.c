/* The tree of path segments. Built once at start, read by all threads without a lock. */
#include "http/router.h"

#include <stdlib.h>
#include <string.h>

struct node {
    struct node *next;     /* sibling */
    struct node *children; /* literal segments */
    struct node *param;    /* any segment that ends in its suffix */
    const char *segment;   /* of a parameter: what follows it, "" or ".mvt" */
    size_t len;
    size_t routes[HTTP_METHODS]; /* index + 1; 0: none */
    unsigned allowed;
};

struct router {
    struct node *root;
    const struct route **routes;
    size_t count;
};

static void *must_zalloc(size_t count, size_t size)
{
    void *p = calloc(count, size);
    if (p == NULL)
        abort();
    return p;
}

static struct node *child(struct node *node, const char *segment, size_t len)
{
    for (struct node *c = node->children; c != NULL; c = c->next)
        if (c->len == len && memcmp(c->segment, segment, len) == 0)
            return c;
    return NULL;
}

/* "{name}" or "{name}.suffix": the length of the name, else 0 */
static size_t parameter_name(const char *segment, size_t len)
{
    const char *end = len > 2 && segment[0] == '{' ? memchr(segment, '}', len) : NULL;
    return end != NULL ? (size_t)(end - segment) - 1 : 0;
}

static bool ends_in(const char *segment, size_t len, const char *suffix, size_t suffix_len)
{
    return len > suffix_len && memcmp(segment + len - suffix_len, suffix, suffix_len) == 0;
}

static struct node *child_or_new(struct node *node, const char *segment, size_t len)
{
    size_t name = parameter_name(segment, len);
    if (name > 0) {
        const char *suffix = segment + name + 2;
        size_t suffix_len = len - name - 2;
        if (node->param == NULL) {
            node->param = must_zalloc(1, sizeof(*node->param));
            node->param->segment = suffix;
            node->param->len = suffix_len;
        }
        bool same = node->param->len == suffix_len && memcmp(node->param->segment, suffix, suffix_len) == 0;
        return same ? node->param : NULL;
    }
    struct node *found = child(node, segment, len);
    if (found != NULL)
        return found;
    found = must_zalloc(1, sizeof(*found));
    found->segment = segment;
    found->len = len;
    found->next = node->children;
    node->children = found;
    return found;
}

static bool add(struct router *router, const struct route *route, struct error *err)
{
    struct node *node = router->root;
    const char *at = route->path;
    if (at[0] != '/')
        return error_set(err, "bad_route", "the path %s does not begin with a slash", route->path);
    while (*at == '/') {
        size_t len = strcspn(at + 1, "/");
        if (len == 0 && strcmp(route->path, "/") != 0)
            return error_set(err, "bad_route", "the path %s has an empty segment", route->path);
        node = child_or_new(node, at + 1, len);
        if (node == NULL)
            return error_set(err, "bad_route", "a parameter of %s ends otherwise than that of another route",
                             route->path);
        at += 1 + len;
    }
    if (node->routes[route->method] != 0)
        return error_set(err, "bad_route", "there are two routes for %s %s", http_method_names[route->method],
                         route->path);
    router->routes[router->count++] = route;
    node->routes[route->method] = router->count;
    node->allowed |= 1u << route->method;
    if (route->method == HTTP_GET)
        node->allowed |= 1u << HTTP_HEAD;
    node->allowed |= 1u << HTTP_OPTIONS;
    return true;
}

struct router *router_new(const struct route_table *tables, size_t n, struct error *err)
{
    struct router *router = must_zalloc(1, sizeof(*router));
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += tables[i].count;
    router->root = must_zalloc(1, sizeof(*router->root));
    router->routes = must_zalloc(count + 1, sizeof(struct route *));
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < tables[i].count; j++) {
            if (!add(router, &tables[i].routes[j], err)) {
                router_free(router);
                return NULL;
            }
        }
    }
    return router;
}

/* Depth is bounded by the longest path of the tables. */
static void node_free(struct node *node)
{
    while (node != NULL) {
        struct node *next = node->next;
        node_free(node->children);
        node_free(node->param);
        free(node);
        node = next;
    }
}

void router_free(struct router *router)
{
    if (router == NULL)
        return;
    node_free(router->root);
    free(router->routes);
    free(router);
}

static void find(const struct node *node, const char *const *segments, size_t n, enum http_method method,
                 struct route_match *match)
{
    if (n == 0) {
        match->allowed |= node->allowed;
        if (method < HTTP_METHODS && node->routes[method] != 0)
            match->index = node->routes[method];
        return;
    }
    size_t len = strlen(segments[0]);
    const struct node *literal = child((struct node *)node, segments[0], len);
    if (literal != NULL)
        find(literal, segments + 1, n - 1, method, match);
    if (match->index == 0 && node->param != NULL &&
        ends_in(segments[0], len, node->param->segment, node->param->len))
        find(node->param, segments + 1, n - 1, method, match);
}

struct route_match router_find(const struct router *router, const char *const *segments, size_t n,
                               enum http_method method)
{
    struct route_match match = { .index = 0 };
    find(router->root, segments, n, method, &match);
    if (match.index == 0 && method == HTTP_HEAD && (match.allowed & 1u << HTTP_HEAD)) {
        match.allowed = 0;
        find(router->root, segments, n, HTTP_GET, &match);
    }
    if (match.index == 0) {
        match.index = SIZE_MAX;
        return match;
    }
    match.index--;
    match.route = router->routes[match.index];
    return match;
}

void route_parameters(const struct route *route, const char *const *segments, size_t n,
                      void (*add_parameter)(void *to, const char *name, size_t name_len, const char *value,
                                            size_t value_len),
                      void *to)
{
    const char *at = route->path;
    for (size_t i = 0; i < n && *at == '/'; i++) {
        size_t len = strcspn(at + 1, "/");
        size_t name = parameter_name(at + 1, len);
        if (name > 0)
            add_parameter(to, at + 2, name, segments[i], strlen(segments[i]) - (len - name - 2));
        at += 1 + len;
    }
}

size_t router_count(const struct router *router)
{
    return router->count;
}

const struct route *router_route(const struct router *router, size_t index)
{
    return router->routes[index];
}
