/* Fetch batches: the log of requests to Apple, for the operator. */
#include "api/resources.h"

static const char *const kinds[] = { "cycle", "now", "history", NULL };

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "apple_account_id", FIELD_REF, "The account that asked; null when it is gone.", .ref = "apple-accounts",
      .computed = true, .nullable = true, .filter = true },
    { "kind", FIELD_ENUM, "cycle: trackers that were due; now: asked for by somebody; history: a time range.",
      .words = kinds, .computed = true, .filter = true },
    { "worker", FIELD_TEXT, .max = 100, .computed = true },
    { "started_at", FIELD_TIME, .computed = true, .sort = true, .filter = true, .range = "" },
    { "finished_at", FIELD_TIME, "Null while it runs.", .computed = true, .nullable = true },
    { "result", FIELD_TEXT,
      "ok, empty, retry_later, sign_in_again, second_factor, locked, our_fault and others; null while it runs.",
      .max = 50, .computed = true, .nullable = true, .filter = true },
    { "http_status", FIELD_INT, "Apple's answer.", .computed = true, .nullable = true },
    { "error", FIELD_TEXT, .max = 2000, .computed = true, .nullable = true },
    { "trackers", FIELD_INT, .computed = true },
    { "key_ids", FIELD_INT, "Keys that were asked for.", .computed = true },
    { "reports_received", FIELD_INT, .computed = true },
    { "reports_new", FIELD_INT, .computed = true },
    { "reports_rejected", FIELD_INT, .computed = true },
};

const struct resource fetch_batches_resource = {
    .name = "fetch-batches",
    .table = "fetch_batches",
    .singular = "FetchBatch",
    .plural = "FetchBatches",
    .label = "fetch batch",
    .about = "Requests to Apple and what came of them.",
    FIELDS(fields),
    .read = ROLE_ADMIN,
    .write = ROLE_ADMIN,
    .flags = RESOURCE_READ_ONLY | RESOURCE_UNVERSIONED | RESOURCE_LIST_ONLY,
    .default_sort = "-id",
};
