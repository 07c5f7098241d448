/* Brands: what a client sells under one name; owner of production runs. */
#include "api/resources.h"

static const struct field fields[] = {
    FIELD_ROW_ID,
    FIELD_CLIENT,
    { "name", FIELD_TEXT, "Unique among the client's brands in use, whatever the case.", .min = 1, .max = 200,
      .required = true, .sort = true, .search = true },
    { "description", FIELD_TEXT, .max = 4000, .fallback = "\"\"", .search = true },
    FIELD_CREATED,
    FIELD_UPDATED,
    FIELD_ARCHIVED,
};

static const struct dependant dependants[] = {
    { "production-runs", "FROM production_runs WHERE brand_id = $1::bigint" },
    { "images", "FROM images WHERE brand_id = $1::bigint" },
};

static const struct constraint constraints[] = {
    { "brands_name_key", "name", "already_exists", "another brand of this client has this name" },
    { "brands_client_id_fkey", "client_id", "not_found", "no such client" },
};

const struct resource brands_resource = {
    .name = "brands",
    .table = "brands",
    .singular = "Brand",
    .plural = "Brands",
    .label = "brand",
    .about = "What a client sells under one name; owner of production runs.",
    FIELDS(fields),
    .read = ROLE_USER,
    .write = ROLE_MANAGER,
    .flags = RESOURCE_INDEXED_SEARCH,
    .tenant = "client_id",
    DEPENDANTS(dependants),
    CONSTRAINTS(constraints),
};
