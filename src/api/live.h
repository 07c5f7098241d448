/* Routes around live updates: the stream, notifications and subscriptions to them. */
#ifndef API_LIVE_H
#define API_LIVE_H

#include "http/route.h"

extern const struct route stream_routes[];
extern const size_t stream_route_count;

/* Component schemas of the above. */
void live_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
