/* Storage and delivery locations: the geofences, one description for both kinds. */
#include <string.h>

#include "api/resources.h"

static const char *const effects[] = { "correction", "from", NULL };

enum {
    ID,
    CLIENT,
    NAME,
    DESCRIPTION,
    ADDRESS,
    CENTER,
    RADIUS,
    POLYGON,
    HYSTERESIS,
    VALID_FROM,
    EFFECTIVE,
    EFFECTIVE_FROM
};

static const struct field fields[] = {
    [ID] = FIELD_ROW_ID,
    [CLIENT] = FIELD_CLIENT,
    [NAME] = { "name", FIELD_TEXT, "Unique among the client's locations of this kind, whatever the case.",
               .min = 1, .max = 200, .required = true, .sort = true, .search = true },
    [DESCRIPTION] = { "description", FIELD_TEXT, .max = 4000, .fallback = "\"\"", .search = true },
    [ADDRESS] = { "address", FIELD_TEXT, .max = 500, .fallback = "\"\"", .search = true },
    [CENTER] = { "center", FIELD_POSITION,
                 "Centre of the circle; null for a polygon. Replaced as a whole. Left out of a new location, or "
                 "null in a patch without a polygon: it is found from the address, when the geocoder can.",
                 .column = "", .nullable = true },
    [RADIUS] = { "radius_m", FIELD_NUMBER, "Radius of the circle in metres; 200 when left out.", .min = 50,
                 .max = 50000, .nullable = true },
    [POLYGON] = { "polygon", FIELD_POLYGON, "GeoJSON Polygon instead of a circle; null for a circle.",
                  .nullable = true },
    [HYSTERESIS] = { "hysteresis_m", FIELD_NUMBER,
                     "Metres beyond the edge before the place is left; null for the rule: the smaller of 25 m "
                     "and a tenth of the radius.",
                     .min = 0, .max = 1000, .nullable = true },
    [VALID_FROM] = { "valid_from", FIELD_TIME, "Since when this shape holds; null for always.",
                     .computed = true, .nullable = true, .write = "%s" },
    [EFFECTIVE] = { "effective", FIELD_ENUM,
                    "What a changed shape means: `correction` (the default) corrects the past, `from` starts a "
                    "new shape at effective_from and leaves the past as it was judged.",
                    .words = effects, .input = true },
    [EFFECTIVE_FROM] = { "effective_from", FIELD_TIME, "With `from`: when the new shape starts.",
                         .input = true },
    FIELD_CREATED,
    FIELD_UPDATED,
    FIELD_ARCHIVED,
};

static bool has(const struct field_value *value)
{
    return value->given && value->text != NULL;
}

static void set_null(struct field_value *value)
{
    *value = (struct field_value){ .given = true };
}

/* A circle or a polygon, never both; a new form takes the place of the other one. */
static void check_shape(struct field_value *values, bool create, struct problems *problems)
{
    if (has(&values[CENTER]) && has(&values[POLYGON]))
        problem_add(problems, "polygon", "conflict", "a location is a circle or a polygon, not both");
    else if (has(&values[POLYGON]) && has(&values[RADIUS]))
        problem_add(problems, "radius_m", "conflict", "a polygon has no radius");
    else if (create && !has(&values[CENTER]) && !has(&values[POLYGON]))
        problem_add(problems, "center", "required", "is required unless there is a polygon");
    else if (has(&values[POLYGON])) {
        set_null(&values[CENTER]);
        set_null(&values[RADIUS]);
    } else if (has(&values[CENTER])) {
        set_null(&values[POLYGON]);
    }
}

static void check_period(struct field_value *values, bool create, struct problems *problems)
{
    bool from = has(&values[EFFECTIVE]) && strcmp(values[EFFECTIVE].text, "from") == 0;
    if (from && !has(&values[EFFECTIVE_FROM]))
        problem_add(problems, "effective_from", "required", "is required when effective is `from`");
    if (!from && !create && has(&values[EFFECTIVE_FROM]))
        problem_add(problems, "effective", "required", "must be `from` for effective_from to count");
    if (has(&values[EFFECTIVE_FROM]))
        values[VALID_FROM] = values[EFFECTIVE_FROM];
}

static void check(struct field_value *values, bool create, struct problems *problems)
{
    check_shape(values, create, problems);
    check_period(values, create, problems);
}

static const struct dependant dependants[] = {
    { "production-runs", "FROM production_run_locations WHERE location_id = $1::bigint" },
    { "trackers", "FROM trackers WHERE location_id = $1::bigint" },
    { "status-history",
      "FROM status_history WHERE location_id = $1::bigint OR previous_location_id = $1::bigint" },
    { "status-overrides", "FROM status_overrides WHERE location_id = $1::bigint" },
    { "events", "FROM geofence_events WHERE location_id = $1::bigint" },
    { "exceptions", "FROM tracker_exceptions WHERE location_id = $1::bigint" },
    { "images", "FROM images WHERE location_id = $1::bigint" },
};

static const struct constraint constraints[] = {
    { "locations_name_key", "name", "already_exists", "another location of this kind has this name" },
    { "locations_client_id_fkey", "client_id", "not_found", "no such client" },
    { "location_shapes_circle_or_polygon", "center", "required", "a location needs a circle or a polygon" },
    { "location_shapes_center_range", "center", "out_of_range", "is not on the globe" },
    { "location_shapes_radius_range", "radius_m", "out_of_range", "must be between 50 and 50000" },
    { "location_shapes_polygon_valid", "polygon", "invalid_geometry",
      "must not cross itself and have at most 1,000 positions" },
    { "location_shapes_polygon_within_bounds", "polygon", "out_of_range",
      "must cover between 100 m² and 8,000 km² and less than half the globe" },
};

#define LOCATIONS(kind, path, view, type, types, text)                                                       \
    const struct resource kind##_locations_resource = {                                                      \
        .name = (path),                                                                                      \
        .table = (view),                                                                                     \
        .singular = (type),                                                                                  \
        .plural = (types),                                                                                   \
        .label = #kind " location",                                                                          \
        .about = (text),                                                                                     \
        FIELDS(fields),                                                                                      \
        .read = ROLE_USER,                                                                                   \
        .write = ROLE_MANAGER,                                                                               \
        .flags = RESOURCE_INDEXED_SEARCH | RESOURCE_REREAD | RESOURCE_GEOCODED,                              \
        .tenant = "client_id",                                                                               \
        .check = check,                                                                                      \
        DEPENDANTS(dependants),                                                                              \
        CONSTRAINTS(constraints),                                                                            \
    }

LOCATIONS(storage, "storage-locations", "storage_locations", "StorageLocation", "StorageLocations",
          "Warehouses. A tracker inside one has the status IN_STORAGE.");
LOCATIONS(delivery, "delivery-locations", "delivery_locations", "DeliveryLocation", "DeliveryLocations",
          "Where goods are delivered to. A tracker inside one has the status DELIVERED.");
