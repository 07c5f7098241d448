/* Latest positions: lean rows of many trackers at once, for maps and integrations. */
#include "api/resources.h"

/* A row takes some 300 bytes, a page of these at most 1.5 MB. */
#define POSITIONS_PAGE_MAX 5000
/* As many as fit into an address of 8 KiB. */
#define POSITIONS_IDS_MAX 1000

static const char *const statuses[] = { "CREATED", "IN_TRANSIT", "IN_STORAGE", "DELIVERED", NULL };
static const char *const batteries[] = { "full", "medium", "low", "very_low", NULL };

static const struct field fields[] = {
    { "tracker_id", FIELD_ID, .column = "id", .computed = true, .sort = true },
    { "ids", FIELD_REF, .ref = "trackers", .input = true, .computed = true, .filter = true,
      .filter_sql = "t.id = ANY (%s)", .values_max = POSITIONS_IDS_MAX },
    { "client_id", FIELD_REF, .ref = "clients", .computed = true, .filter = true },
    { "production_run_id", FIELD_REF, .ref = "production-runs", .computed = true, .nullable = true,
      .filter = true },
    { "name", FIELD_TEXT, .computed = true },
    { "status", FIELD_ENUM, .words = statuses, .cast = "tracker_status", .computed = true, .filter = true },
    { "location_id", FIELD_REF, .ref = "delivery-locations", .computed = true, .nullable = true,
      .filter = true },
    { "position", FIELD_POSITION, .column = "last_", .computed = true },
    { "accuracy_m", FIELD_NUMBER, .column = "last_accuracy_m", .computed = true, .nullable = true },
    { "reported_at", FIELD_TIME, .column = "last_report_at", .computed = true, .nullable = true },
    { "place", FIELD_TEXT, .column = "last_place", .computed = true, .nullable = true },
    { "battery", FIELD_ENUM, .words = batteries, .cast = "battery_level", .computed = true,
      .nullable = true },
    { "bbox", FIELD_BOX, .column = "last_", .input = true, .computed = true, .filter = true },
};

const struct resource positions_resource = {
    .name = "trackers/positions/latest",
    .table = "tracker_positions",
    .singular = "TrackerPosition",
    .plural = "TrackerPositions",
    .label = "latest position",
    .about = "The newest position of each tracker that has one and is not archived.",
    FIELDS(fields),
    .read = ROLE_USER,
    .write = ROLE_ADMIN,
    .flags = RESOURCE_READ_ONLY | RESOURCE_UNVERSIONED | RESOURCE_LIST_ONLY,
    .tenant = "client_id",
    .default_sort = "tracker_id",
    .page_max = POSITIONS_PAGE_MAX,
};
