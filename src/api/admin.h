/* What only the operator's staff sees of the process itself. */
#ifndef API_ADMIN_H
#define API_ADMIN_H

#include "http/route.h"

extern const struct route admin_routes[];
extern const size_t admin_route_count;

void admin_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
