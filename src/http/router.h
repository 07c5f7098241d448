/* Finds the route of a method and path among all routes. */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "http/private.h"
#include "http/route.h"

struct router;

/* The routes must outlive the router. NULL and err when two routes collide or a path is malformed. */
struct router *router_new(const struct route *routes, size_t count, struct error *err);
void router_free(struct router *router);

enum route_match { ROUTE_FOUND, ROUTE_NOT_FOUND, ROUTE_METHOD_NOT_ALLOWED };

/* HEAD finds GET's route. Literal segments win over parameters. Parameters are allocated in the arena. */
enum route_match router_match(const struct router *router, enum http_method method, const char *path,
                              struct arena *arena, const struct route **route, struct http_pairs *params);

/* "GET, HEAD, POST, OPTIONS" for a path, or NULL when no route has it. */
const char *router_allow(const struct router *router, const char *path, struct arena *arena);

/* Position of a route in the table, for statistics by route. */
size_t router_index(const struct router *router, const struct route *route);
size_t router_count(const struct router *router);

#endif
