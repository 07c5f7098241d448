/* Principals: role names, tenancy and scopes. */
#include "auth/principal.h"

#include <string.h>

const char *const role_names[] = { "", "user", "manager", "admin", NULL };

bool principal_sees_client(const struct principal *principal, int64_t client_id)
{
    if (principal->role == ROLE_ADMIN)
        return true;
    for (size_t i = 0; i < principal->client_count; i++)
        if (principal->client_ids[i] == client_id)
            return true;
    return false;
}

/* "trackers:read", "read" and "*" all let a key read trackers; a write scope lets it read as well. */
static bool scope_covers(const char *scope, const char *resource, bool write)
{
    if (strcmp(scope, "*") == 0)
        return true;
    const char *colon = strchr(scope, ':');
    if (colon != NULL) {
        size_t len = (size_t)(colon - scope);
        if (strlen(resource) != len || memcmp(scope, resource, len) != 0)
            return false;
        scope = colon + 1;
    }
    return strcmp(scope, "write") == 0 || (!write && strcmp(scope, "read") == 0);
}

bool principal_in_scope(const struct principal *principal, const char *resource, bool write)
{
    if (write && principal->read_only)
        return false;
    if (principal->scopes == NULL)
        return true;
    for (size_t i = 0; principal->scopes[i] != NULL; i++)
        if (scope_covers(principal->scopes[i], resource, write))
            return true;
    return false;
}
