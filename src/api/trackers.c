/* Trackers: tags fixed to goods. Their keys come in by import or generation and never leave. */
#include "api/resources.h"

static const char *const statuses[] = { "CREATED", "IN_TRANSIT", "IN_STORAGE", "DELIVERED", NULL };
static const char *const batteries[] = { "full", "medium", "low", "very_low", NULL };

static const struct field fields[] = {
    FIELD_ROW_ID,
    FIELD_CLIENT,
    { "production_run_id", FIELD_REF,
      "The run of this moment. Setting it moves the tracker from now on; reports of earlier are still judged by "
      "the run of their time.",
      .ref = "production-runs", .nullable = true, .filter = true },
    { "brand_id", FIELD_REF, .ref = "brands", .input = true, .computed = true, .filter = true,
      .filter_sql =
          "t.production_run_id IN (SELECT r.id FROM production_runs r WHERE r.brand_id = ANY (%s))" },
    { "name", FIELD_TEXT, "Unique among the client's trackers in use, whatever the case.", .min = 1,
      .max = 200, .required = true, .sort = true, .search = true },
    { "description", FIELD_TEXT, .max = 4000, .fallback = "\"\"", .search = true },
    { "mac_address", FIELD_MAC, "Upper case with colons; other common forms are accepted.", .nullable = true,
      .filter = true, .search = true },

    { "status", FIELD_ENUM, "By the status rules; CREATED until the first judged report.", .words = statuses,
      .cast = "tracker_status", .computed = true, .filter = true },
    { "status_since", FIELD_TIME, .computed = true, .sort = true, .filter = true },
    { "location_id", FIELD_REF, "The storage or delivery location that it is in; null for none.",
      .ref = "delivery-locations", .computed = true, .nullable = true, .filter = true },
    { "last_report_at", FIELD_TIME, "Time of the newest report.", .computed = true, .nullable = true,
      .sort = true, .filter = true },
    { "last_position", FIELD_POSITION, "Position of the newest report.", .column = "last_", .computed = true,
      .nullable = true },
    { "bbox", FIELD_BOX, .column = "last_", .input = true, .computed = true, .filter = true },
    { "last_accuracy_m", FIELD_NUMBER, "Accuracy of that position in metres.", .computed = true,
      .nullable = true },
    { "last_confidence", FIELD_INT, "Confidence of that position, 0 to 3.", .computed = true,
      .nullable = true },
    { "last_place", FIELD_TEXT, "Name of that position.", .max = 300, .computed = true, .nullable = true },
    { "battery", FIELD_ENUM, .words = batteries, .cast = "battery_level", .computed = true, .nullable = true,
      .filter = true },
    { "last_fetched_at", FIELD_TIME, "When Apple was last asked successfully.", .computed = true,
      .nullable = true },
    { "next_fetch_at", FIELD_TIME, "When it is due to be fetched; null while its run is not in progress.",
      .computed = true, .nullable = true },
    { "fetch_failures", FIELD_INT, "Failed fetches in a row.", .computed = true },
    FIELD_CREATED,
    FIELD_UPDATED,
    FIELD_ARCHIVED,
};

static const struct dependant dependants[] = {
    { "reports", "FROM tracker_reports WHERE tracker_id = $1::bigint" },
    { "status-history", "FROM status_history WHERE tracker_id = $1::bigint" },
    { "images", "FROM images WHERE tracker_id = $1::bigint" },
};

static const struct constraint constraints[] = {
    { "trackers_name_key", "name", "already_exists", "another tracker of this client has this name" },
    { "trackers_mac_key", "mac_address", "already_exists",
      "another tracker of this client has this address" },
    { "trackers_client_id_fkey", "client_id", "not_found", "no such client" },
    { "trackers_run_fkey", "production_run_id", "not_found", "no such production run of this client" },
};

const struct resource trackers_resource = {
    .name = "trackers",
    .table = "trackers",
    .singular = "Tracker",
    .plural = "Trackers",
    .label = "tracker",
    .about = "Tags fixed to goods. A tag that goes to another client becomes a new tracker there.",
    FIELDS(fields),
    .read = ROLE_USER,
    .write = ROLE_MANAGER,
    .flags = RESOURCE_INDEXED_SEARCH,
    .tenant = "client_id",
    .owners = { { "production_run_id", "SELECT r.client_id FROM production_runs r WHERE r.id = %s" } },
    DEPENDANTS(dependants),
    CONSTRAINTS(constraints),
};
