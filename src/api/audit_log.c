/* The audit log: every write with its actor, before and after; read only. */
#include "api/resources.h"

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "at", FIELD_TIME, "When it happened.", .computed = true, .filter = true },
    { "client_id", FIELD_REF, "Whose row it was; null for rows of nobody.", .ref = "clients",
      .computed = true, .nullable = true, .filter = true },
    { "user_id", FIELD_REF, "Who did it; null for the system and the command line.", .ref = "users",
      .computed = true, .nullable = true, .filter = true },
    { "api_key_id", FIELD_REF, "The API key that was used, if any.", .ref = "api-keys", .computed = true,
      .nullable = true },
    { "action", FIELD_TEXT, "create, update, delete, archive, restore, and others.", .max = 64,
      .computed = true, .filter = true },
    { "resource", FIELD_TEXT, "Name of the resource, as in paths.", .max = 64, .computed = true,
      .filter = true },
    { "resource_id", FIELD_INT, "Id of the row that was written.", .computed = true, .nullable = true,
      .filter = true },
    { "before", FIELD_OBJECT, "The row as it was; null when it was created.", .computed = true,
      .nullable = true },
    { "after", FIELD_OBJECT, "The row as it became; null when it was deleted.", .computed = true,
      .nullable = true },
    { "request_id", FIELD_TEXT, "Finds the request in the server's log.", .max = 128, .computed = true,
      .nullable = true },
    { "address", FIELD_TEXT, "Network address of the caller.", .select = "host(t.address)", .max = 64,
      .computed = true, .nullable = true },
};

const struct resource audit_log_resource = {
    .name = "audit-log",
    .table = "audit_log",
    .singular = "AuditEntry",
    .plural = "AuditEntries",
    .label = "audit entry",
    .about = "Every write with its actor, before and after. Entries are never changed.",
    FIELDS(fields),
    .read = ROLE_MANAGER,
    .write = ROLE_ADMIN,
    .flags = RESOURCE_READ_ONLY | RESOURCE_UNVERSIONED,
    .tenant = "client_id",
    .default_sort = "-id",
};
