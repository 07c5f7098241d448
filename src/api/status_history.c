/* Status history: each change of a tracker's status or place, and why. */
#include "api/resources.h"

static const char *const statuses[] = { "CREATED", "IN_TRANSIT", "IN_STORAGE", "DELIVERED", NULL };

/* The next row of the tracker begins where this one ends; one step in status_history_by_tracker. */
#define UNTIL                                                                                                \
    "(SELECT n.since FROM status_history n WHERE n.tracker_id = t.tracker_id AND (n.since, n.id) > "         \
    "(t.since, t.id) ORDER BY n.since, n.id LIMIT 1)"

#define OVERRIDE(column) "(SELECT o." column " FROM status_overrides o WHERE o.id = t.override_id)"

#define WHY                                                                                                           \
    "t.rule AS \"why.rule\", t.reported_at AS \"why.reported_at\", t.latitude AS \"why.position.latitude\", "         \
    "t.longitude AS \"why.position.longitude\", t.accuracy_m AS \"why.accuracy_m\", t.distance_m AS "                 \
    "\"why.distance_m\", t.override_id AS \"why.override.id\", " OVERRIDE("at") " AS \"why.override.at\", " OVERRIDE( \
        "user_id") " AS \"why.override.user_id\", (SELECT u.name FROM status_overrides o JOIN users u "               \
                   "ON u.id = o.user_id WHERE o.id = t.override_id) AS \"why.override.user_name\", " OVERRIDE(        \
                       "reason") " AS \"why.override.reason\""
#define WHY_COLUMNS 11

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "client_id", FIELD_REF, .ref = "clients", .computed = true, .filter = true },
    { "tracker_id", FIELD_REF, .ref = "trackers", .computed = true, .filter = true },
    { "tracker_name", FIELD_TEXT, .select = "(SELECT x.name FROM trackers x WHERE x.id = t.tracker_id)",
      .computed = true },
    { "production_run_id", FIELD_REF, "The run that the tracker belonged to at that time.",
      .ref = "production-runs", .computed = true, .nullable = true, .filter = true },
    { "status", FIELD_ENUM, .words = statuses, .cast = "tracker_status", .computed = true, .filter = true },
    { "location_id", FIELD_REF, "The place that it came to; null for none.", .ref = "delivery-locations",
      .computed = true, .nullable = true, .filter = true },
    { "location_name", FIELD_TEXT, .select = "(SELECT x.name FROM locations x WHERE x.id = t.location_id)",
      .computed = true, .nullable = true },
    { "since", FIELD_TIME, .computed = true, .sort = true, .filter = true, .range = "" },
    { "until", FIELD_TIME, "When the next row begins; null for the one that lasts.", .select = UNTIL,
      .computed = true, .nullable = true },
    { "previous_status", FIELD_ENUM, .words = statuses, .cast = "tracker_status", .computed = true },
    { "previous_location_id", FIELD_REF, .ref = "delivery-locations", .computed = true, .nullable = true },
    { "why", FIELD_OBJECT, "What decided: the report and the rule, or the person and their reason.",
      .select = WHY, .columns = WHY_COLUMNS, .schema = "StatusReason", .computed = true },
};

const struct resource status_history_resource = {
    .name = "status-history",
    .table = "status_history",
    .singular = "StatusChange",
    .plural = "StatusChanges",
    .label = "status change",
    .about =
        "Each change of a tracker's status or place, and why. Derived from reports: late reports, edited "
        "places and overrides replace it.",
    FIELDS(fields),
    .read = ROLE_USER,
    .write = ROLE_ADMIN,
    .flags = RESOURCE_READ_ONLY | RESOURCE_UNVERSIONED | RESOURCE_LIST_ONLY,
    .tenant = "client_id",
    .default_sort = "-since",
};
