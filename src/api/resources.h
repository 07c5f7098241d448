/* Every resource that is described in tables, one file each. */
#ifndef API_RESOURCES_H
#define API_RESOURCES_H

#include "api/resource.h"

extern const struct resource clients_resource;
extern const struct resource brands_resource;
extern const struct resource production_runs_resource;
extern const struct resource storage_locations_resource;
extern const struct resource delivery_locations_resource;
extern const struct resource exclusion_areas_resource;
extern const struct resource trackers_resource;
extern const struct resource audit_log_resource;
extern const struct resource events_resource;
extern const struct resource status_history_resource;
extern const struct resource exceptions_resource;
extern const struct resource positions_resource;
extern const struct resource fetch_batches_resource;
extern const struct resource share_links_resource;
extern const struct resource images_resource;
extern const struct resource apple_accounts_resource;
extern const struct resource provider_profiles_resource;
extern const struct resource task_schedules_resource;
extern const struct resource subscriptions_resource;

/* All of them, in the order of the documentation; NULL-terminated. */
extern const struct resource *const resources[];

/* Routes that some of them have beyond the generated ones. */
extern const struct route production_run_routes[];
extern const size_t production_run_route_count;

/* By the name in its path, or NULL. */
const struct resource *resource_named(const char *name);

#endif
