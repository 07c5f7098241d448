/* Subscriptions: what a user wants to be told of a tracker, of a production run, or of a whole client. */
#include "api/notifications.h"
#include "api/resources.h"

/* As the type notification_kind. */
const char *const notification_kinds[] = {
    "delivered", "left_delivery", "arrived_in_storage", "left_storage", "silent", "battery_low", NULL
};

static const struct field fields[] = {
    FIELD_ROW_ID,
    FIELD_CLIENT,
    { "production_run_id", FIELD_REF, "Only trackers of this run.", .ref = "production-runs",
      .nullable = true, .fixed = true, .filter = true },
    { "tracker_id", FIELD_REF, "Only this tracker.", .ref = "trackers", .nullable = true, .fixed = true,
      .filter = true },
    { "kinds", FIELD_WORDS, "What is told.", .words = notification_kinds, .cast = "notification_kind[]",
      .select = "t.kinds::text[]", .required = true },
    { "silent_days", FIELD_INT, "For the kind silent: days without a report.", .min = 1, .max = 365,
      .fallback = "7" },
    { "by_mail", FIELD_BOOL, "Also by mail, to the user's address.", .fallback = "false" },
    FIELD_CREATED,
    FIELD_UPDATED,
};

static const struct constraint constraints[] = {
    { "subscriptions_subject_key", "", "already_exists", "you have a subscription to this already" },
    { "subscriptions_one_subject", "tracker_id", "conflict", "name a tracker or a production run, not both" },
    { "subscriptions_client_id_fkey", "client_id", "not_found", "no such client" },
    { "subscriptions_run_fkey", "production_run_id", "not_found", "no such production run of this client" },
    { "subscriptions_tracker_fkey", "tracker_id", "not_found", "no such tracker of this client" },
};

const struct resource subscriptions_resource = {
    .name = "subscriptions",
    .table = "subscriptions",
    .singular = "Subscription",
    .plural = "Subscriptions",
    .label = "subscription",
    .about = "What the caller wants to be told, in the application and by mail. Everybody has their own.",
    FIELDS(fields),
    .read = ROLE_USER,
    .write = ROLE_USER,
    .flags = RESOURCE_NO_ARCHIVE | RESOURCE_OWN,
    .tenant = "client_id",
    .owners = { { "tracker_id", "SELECT o.client_id FROM trackers o WHERE o.id = %s" },
                { "production_run_id", "SELECT o.client_id FROM production_runs o WHERE o.id = %s" } },
    CONSTRAINTS(constraints),
};
