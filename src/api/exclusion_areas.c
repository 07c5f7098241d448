/* Exclusion areas: reports inside are kept, flagged and never judged, such as those of the factory. */
#include "api/resources.h"

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "client_id", FIELD_REF, "The client that the area counts for; null for all clients.", .ref = "clients",
      .fixed = true, .nullable = true, .filter = true },
    { "production_run_id", FIELD_REF, "Narrows the area to one run of the client.", .ref = "production-runs",
      .fixed = true, .nullable = true, .filter = true },
    { "name", FIELD_TEXT, .min = 1, .max = 200, .required = true, .sort = true, .search = true },
    { "description", FIELD_TEXT, .max = 4000, .fallback = "\"\"", .search = true },
    { "area", FIELD_AREA, "GeoJSON Polygon or MultiPolygon, WGS 84.", .required = true,
      .select = "ST_AsGeoJSON(t.area)::jsonb", .write = "ST_SetSRID(ST_GeomFromGeoJSON(%s), 4326)" },
    FIELD_CREATED,
    FIELD_UPDATED,
    FIELD_ARCHIVED,
};

static const struct constraint constraints[] = {
    { "exclusion_areas_name_key", "name", "already_exists", "another area of this client has this name" },
    { "exclusion_areas_client_id_fkey", "client_id", "not_found", "no such client" },
    { "exclusion_areas_run_fkey", "production_run_id", "not_found", "no such production run of this client" },
    { "exclusion_areas_run_needs_client", "client_id", "required", "is required with a production run" },
    { "exclusion_areas_area_valid", "area", "invalid_geometry",
      "must be a valid area without crossing edges, with at most 5,000 positions" },
};

const struct resource exclusion_areas_resource = {
    .name = "exclusion-areas",
    .table = "exclusion_areas",
    .singular = "ExclusionArea",
    .plural = "ExclusionAreas",
    .label = "exclusion area",
    .about = "Areas whose reports are kept with a flag, shown to admins only, and never judged.",
    FIELDS(fields),
    .read = ROLE_ADMIN,
    .write = ROLE_ADMIN,
    .tenant = "client_id",
    CONSTRAINTS(constraints),
};
