/* Questions about the database itself: is it there, and does row-level security bind our login? */
#include "store/db_internal.h"

bool db_ping(struct db *db)
{
    if (db->in_transaction || db->copying)
        return db->primary.conn != NULL;
    return rows_ok(db_query(db, "SELECT 1", ""));
}

/* Why row-level security would not bind the login, or null. session_user and MEMBER: what the login can make
 * of itself with SET ROLE counts. The named roles see all tenants by their policies (db/README.md). */
static const char confined_sql[] =
    "SELECT session_user, CASE WHEN r.rolsuper THEN 'is a superuser' WHEN r.rolbypassrls THEN 'has BYPASSRLS' "
    "ELSE coalesce("
    "(SELECT 'is a member of ' || m.rolname FROM pg_roles m WHERE pg_has_role(session_user, m.oid, 'MEMBER') "
    "AND (m.rolsuper OR m.rolbypassrls OR m.rolname IN ('tracker_owner', 'tracker_worker', 'tracker_reader')) "
    "ORDER BY m.rolname LIMIT 1), "
    "(SELECT 'owns the table ' || c.relname FROM pg_class c WHERE c.relrowsecurity "
    "AND pg_has_role(session_user, c.relowner, 'MEMBER') ORDER BY c.relname LIMIT 1)) END "
    "FROM pg_roles r WHERE r.rolname = session_user";

bool db_check_confined(struct db *db, struct error *err)
{
    struct rows *rows = db_query(db, confined_sql, "");
    if (!db_report(rows, err))
        return false;
    if (rows_count(rows) == 1 && rows_null(rows, 0, 1))
        return true;
    return error_set(
        err, "database_login_unconfined",
        "DATABASE_URL signs in as %s, which %s: row-level security does not bind it; use a login that is "
        "only a member of tracker_api",
        rows_count(rows) == 1 ? rows_text(rows, 0, 0) : "an unknown role",
        rows_count(rows) == 1 ? rows_text(rows, 0, 1) : "is not listed");
}
