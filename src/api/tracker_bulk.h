/* One action on many trackers. */
#ifndef API_TRACKER_BULK_H
#define API_TRACKER_BULK_H

#include "http/route.h"

extern const struct route tracker_bulk_routes[];
extern const size_t tracker_bulk_route_count;
void tracker_bulk_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
