/* Notifications: what they are as a resource, and the routes beyond it. */
#ifndef API_NOTIFICATIONS_H
#define API_NOTIFICATIONS_H

#include "api/resource.h"

extern const char *const notification_kinds[]; /* NULL-terminated */

extern const struct resource notifications_resource;

extern const struct route notification_routes[];
extern const size_t notification_route_count;

void notification_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
