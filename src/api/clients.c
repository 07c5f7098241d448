/* Clients: the tenants, customers of the operator. */
#include "api/resources.h"

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "name", FIELD_TEXT, "Unique among the clients in use, whatever the case.", .min = 1, .max = 200,
      .required = true, .sort = true, .search = true },
    { "description", FIELD_TEXT, .max = 4000, .fallback = "\"\"", .search = true },
    FIELD_CREATED,
    FIELD_UPDATED,
    FIELD_ARCHIVED,
};

static const struct dependant dependants[] = {
    { "brands", "FROM brands WHERE client_id = $1::bigint" },
    { "production-runs", "FROM production_runs WHERE client_id = $1::bigint" },
    { "storage-locations", "FROM locations WHERE kind = 'storage' AND client_id = $1::bigint" },
    { "delivery-locations", "FROM locations WHERE kind = 'delivery' AND client_id = $1::bigint" },
    { "trackers", "FROM trackers WHERE client_id = $1::bigint" },
    { "users", "FROM user_clients WHERE client_id = $1::bigint" },
    { "exclusion-areas", "FROM exclusion_areas WHERE client_id = $1::bigint" },
    { "images", "FROM images WHERE client_id = $1::bigint" },
    { "share-links", "FROM share_links WHERE client_id = $1::bigint" },
    { "subscriptions", "FROM subscriptions WHERE client_id = $1::bigint" },
    { "webhooks", "FROM webhooks WHERE client_id = $1::bigint" },
};

static const struct constraint constraints[] = {
    { "clients_name_key", "name", "already_exists", "another client in use has this name" },
};

/* Managers edit their client's data; that it exists is the operator's decision. */
const struct resource clients_resource = {
    .name = "clients",
    .table = "clients",
    .singular = "Client",
    .plural = "Clients",
    .label = "client",
    .about = "Tenants: the customers of the operator. Every other row belongs to one of them.",
    FIELDS(fields),
    .read = ROLE_USER,
    .write = ROLE_MANAGER,
    .create_role = ROLE_ADMIN,
    .del_role = ROLE_ADMIN,
    .flags = RESOURCE_INDEXED_SEARCH,
    .tenant = "id",
    DEPENDANTS(dependants),
    CONSTRAINTS(constraints),
};
