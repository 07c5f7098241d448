/* Search over all resources. */
#ifndef API_SEARCH_H
#define API_SEARCH_H

#include "http/route.h"

extern const struct route search_routes[];
extern const size_t search_route_count;

#endif
