/* Finds the route of a path: a tree of segments, literal ones before parameters. */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "http/route.h"

struct router;

struct route_table {
    const struct route *routes; /* outlive the router */
    size_t count;
};

/* Fails on two routes for one method and path, and on a malformed path. */
MUST_CHECK struct router *router_new(const struct route_table *tables, size_t n, struct error *err);
void router_free(struct router *router); /* NULL is allowed */

struct route_match {
    const struct route *route; /* NULL: none for this method */
    size_t index;              /* counts the routes of all tables, from 0 */
    unsigned allowed;          /* methods that the path has, bits 1 << enum http_method; 0: unknown path */
};

/* A literal segment wins over a parameter, unless only the parameter's path has the method. HEAD finds GET's
 * route. An empty segment matches nothing. */
struct route_match router_find(const struct router *router, const char *const *segments, size_t n,
                               enum http_method method);

/* Names of the parameters in order: calls add(name, segment) for each of a matched route. */
void route_parameters(const struct route *route, const char *const *segments, size_t n,
                      void (*add_parameter)(void *to, const char *name, size_t name_len, const char *value,
                                            size_t value_len),
                      void *to);

size_t router_count(const struct router *router);
const struct route *router_route(const struct router *router, size_t index);

#endif
