/* Adds an entry to the audit log in the transaction of a hand-written write. */
#include "api/audit.h"

#include "api/app.h"
#include "api/db_problem.h"

static const char sql[] =
    "INSERT INTO audit_log (client_id, user_id, api_key_id, request_id, address, action, resource, resource_id, "
    "before, after) VALUES (nullif($1, 0), $2, $3, $4, $5::inet, $6, $7, nullif($8, 0), $9::jsonb, $10::jsonb)";

bool audit_write(struct request *req, const struct audit_entry *entry)
{
    struct writer writer = request_writer(req);
    const struct principal *principal = writer.principal;
    const int64_t *user = principal != NULL ? &principal->user_id : NULL;
    const int64_t *key = principal != NULL && principal->kind == PRINCIPAL_API_KEY ? &principal->api_key_id
                                                                                   : NULL;
    struct rows *rows = db_query(req->db, sql, "iIIssssiss", entry->client_id, user, key, writer.request_id,
                                 writer.address, entry->action, entry->resource, entry->resource_id,
                                 entry->before, entry->after);
    if (rows_ok(rows))
        return true;
    reply_db_problem(req, rows);
    return false;
}
