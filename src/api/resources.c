/* The list of all described resources. */
#include "api/resources.h"

#include <string.h>

const struct resource *const resources[] = {
    &clients_resource,
    &brands_resource,
    &production_runs_resource,
    &storage_locations_resource,
    &delivery_locations_resource,
    &trackers_resource,
    &exclusion_areas_resource,
    &audit_log_resource,
    &positions_resource,
    &events_resource,
    &status_history_resource,
    &exceptions_resource,
    &fetch_batches_resource,
    &share_links_resource,
    &images_resource,
    &apple_accounts_resource,
    &provider_profiles_resource,
    &task_schedules_resource,
    &subscriptions_resource,
    NULL,
};

const struct resource *resource_named(const char *name)
{
    for (size_t i = 0; resources[i] != NULL; i++)
        if (strcmp(resources[i]->name, name) == 0)
            return resources[i];
    return NULL;
}
