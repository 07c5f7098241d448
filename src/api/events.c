/* Geofence events: entries into, exits from and stays in places, as the judge derived them. */
#include "api/resources.h"

static const char *const kinds[] = { "entry", "exit", "dwell", NULL };
static const char *const location_kinds[] = { "storage", "delivery", NULL };

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "client_id", FIELD_REF, .ref = "clients", .computed = true, .filter = true },
    { "tracker_id", FIELD_REF, .ref = "trackers", .computed = true, .filter = true },
    { "tracker_name", FIELD_TEXT, .select = "(SELECT x.name FROM trackers x WHERE x.id = t.tracker_id)",
      .computed = true },
    { "production_run_id", FIELD_REF, "The run that the tracker belonged to at that time.",
      .ref = "production-runs", .computed = true, .nullable = true, .filter = true },
    { "location_id", FIELD_REF, .ref = "delivery-locations", .computed = true, .filter = true },
    { "location_name", FIELD_TEXT, .select = "(SELECT x.name FROM locations x WHERE x.id = t.location_id)",
      .computed = true },
    { "location_kind", FIELD_ENUM, .words = location_kinds,
      .select = "(SELECT x.kind FROM locations x WHERE x.id = t.location_id)", .computed = true },
    { "kind", FIELD_ENUM, .words = kinds, .computed = true, .filter = true },
    { "occurred_at", FIELD_TIME, "Time of the report that shows it.", .computed = true, .sort = true,
      .filter = true, .range = "" },
    { "position", FIELD_POSITION, .computed = true },
    { "accuracy_m", FIELD_NUMBER, "Accuracy of that position in metres.", .computed = true },
    { "distance_m", FIELD_NUMBER, "From the position to the edge of the place in metres, negative inside.",
      .computed = true, .nullable = true },
};

const struct resource events_resource = {
    .name = "events",
    .table = "geofence_events",
    .singular = "Event",
    .plural = "Events",
    .label = "event",
    .about =
        "Entries into, exits from and stays in places. Derived from reports: late reports and edited places "
        "replace them.",
    FIELDS(fields),
    .read = ROLE_USER,
    .write = ROLE_ADMIN,
    .flags = RESOURCE_READ_ONLY | RESOURCE_UNVERSIONED | RESOURCE_LIST_ONLY,
    .tenant = "client_id",
    .default_sort = "-occurred_at",
};
