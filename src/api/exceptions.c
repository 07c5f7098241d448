/* Exceptions: trackers that need a look, because they are in a wrong place, left early, silent or stuck. */
#include "api/resources.h"

static const char *const kinds[] = { "wrong_place", "left_early", "silent", "stuck", NULL };

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "client_id", FIELD_REF, .ref = "clients", .computed = true, .filter = true },
    { "tracker_id", FIELD_REF, .ref = "trackers", .computed = true, .filter = true },
    { "tracker_name", FIELD_TEXT, .select = "(SELECT x.name FROM trackers x WHERE x.id = t.tracker_id)",
      .computed = true },
    { "production_run_id", FIELD_REF, "The run that the tracker belongs to now.", .ref = "production-runs",
      .select = "(SELECT x.production_run_id FROM trackers x WHERE x.id = t.tracker_id)", .computed = true,
      .nullable = true, .filter = true },
    { "kind", FIELD_ENUM,
      "wrong_place: in a delivery location of another run; left_early: out of storage before release_at of its "
      "run; silent: no report for long; stuck: in transit and not moving.",
      .words = kinds, .computed = true, .filter = true },
    { "location_id", FIELD_REF, "The place that it is about, if any.", .ref = "delivery-locations",
      .computed = true, .nullable = true, .filter = true },
    { "location_name", FIELD_TEXT, .select = "(SELECT x.name FROM locations x WHERE x.id = t.location_id)",
      .computed = true, .nullable = true },
    { "since", FIELD_TIME, .computed = true, .sort = true, .filter = true, .range = "" },
    { "ended_at", FIELD_TIME, "Null while it lasts.", .computed = true, .nullable = true },
    { "detail", FIELD_OBJECT, "What else is known of it.", .computed = true },
};

const struct resource exceptions_resource = {
    .name = "exceptions",
    .table = "tracker_exceptions",
    .singular = "Exception",
    .plural = "Exceptions",
    .label = "exception",
    .about = "Trackers that need a look. Lists hold those that last; ask for ended=all to see past ones too.",
    FIELDS(fields),
    .read = ROLE_USER,
    .write = ROLE_ADMIN,
    .flags = RESOURCE_READ_ONLY | RESOURCE_UNVERSIONED | RESOURCE_LIST_ONLY,
    .tenant = "client_id",
    .default_sort = "-since",
    .hidden = "ended",
};
