/* Whether the process lives and whether it can serve. */
#ifndef API_HEALTH_H
#define API_HEALTH_H

#include "http/route.h"

extern const struct route health_routes[];
extern const size_t health_route_count;

#endif
