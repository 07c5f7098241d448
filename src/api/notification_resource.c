/* Notifications as a resource: facts told to the caller, with names as they were at the time. */
#include "api/notifications.h"
#include "api/resources.h"

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "client_id", FIELD_REF, .ref = "clients", .computed = true, .filter = true },
    { "kind", FIELD_ENUM, .words = notification_kinds, .cast = "notification_kind", .computed = true,
      .filter = true },
    { "tracker_id", FIELD_REF, .ref = "trackers", .computed = true, .filter = true },
    { "tracker_name", FIELD_TEXT, .select = "t.data ->> 'tracker'", .computed = true },
    { "production_run_id", FIELD_REF, "The run that the tracker belonged to.", .ref = "production-runs",
      .select = "(t.data ->> 'run_id')::bigint", .computed = true, .nullable = true },
    { "production_run_name", FIELD_TEXT, .select = "t.data ->> 'run'", .computed = true, .nullable = true },
    { "location_id", FIELD_REF, "The place that it came to or left.", .ref = "delivery-locations",
      .select = "(t.data ->> 'place_id')::bigint", .computed = true, .nullable = true },
    { "location_name", FIELD_TEXT, .select = "t.data ->> 'place'", .computed = true, .nullable = true },
    { "happened_at", FIELD_TIME,
      "When it happened; of silent: since when there was no report. A late report may shift it.",
      .select = "(t.data ->> 'happened_at')::timestamptz", .computed = true },
    { "withdrawn", FIELD_BOOL, "Later reports showed that it did not happen.",
      .select = "coalesce((t.data ->> 'withdrawn')::boolean, false)", .computed = true },
    { "read", FIELD_BOOL, .select = "t.read_at IS NOT NULL", .computed = true, .filter = true,
      .filter_sql = "(t.read_at IS NOT NULL) = ANY (%s)" },
    { "read_at", FIELD_TIME, "Null while unread.", .computed = true, .nullable = true },
    FIELD_CREATED,
};

const struct resource notifications_resource = {
    .name = "notifications",
    .table = "notifications",
    .singular = "Notification",
    .plural = "Notifications",
    .label = "notification",
    .about =
        "What the caller was told, by their subscriptions. Once for each fact, whatever is judged again.",
    FIELDS(fields),
    .read = ROLE_USER,
    .write = ROLE_USER,
    .flags = RESOURCE_READ_ONLY | RESOURCE_OWN,
    .tenant = "client_id",
    .default_sort = "-id",
};
