/* COPY … FROM STDIN. */
#include <string.h>

#include "base/timeutil.h"
#include "store/db_internal.h"

/* libpq takes an int, and smaller pieces keep its buffer small */
#define COPY_CHUNK ((size_t)1 << 20)

bool db_copy_begin(struct db *db, const char *sql, struct error *err)
{
    struct rows *rows = db_execute(db, sql);
    if (!db_report(rows, err))
        return false;
    if (PQresultStatus(rows->result) != PGRES_COPY_IN)
        return error_set(err, "database_error", "the statement is no COPY FROM STDIN");
    db->copying = true;
    return true;
}

bool db_copy_data(struct db *db, const char *data, size_t len, struct error *err)
{
    if (!db->copying)
        return error_set(err, "database_error", "no copy is under way");
    while (len > 0) {
        size_t part = len < COPY_CHUNK ? len : COPY_CHUNK;
        if (PQputCopyData(db->primary.conn, data, (int)part) != 1)
            return error_set(err, "database_unavailable", "the connection to the database was lost");
        data += part;
        len -= part;
    }
    return true;
}

struct rows *db_copy_end(struct db *db, const char *abort_reason)
{
    struct link *link = &db->primary;
    if (!db->copying)
        return rows_failed(db, DB_ERROR, "no copy is under way");
    db->copying = false;
    int64_t began = time_monotonic();
    PGresult *result = PQputCopyEnd(link->conn, abort_reason) == 1 ? PQgetResult(link->conn) : NULL;
    for (PGresult *end; result != NULL && (end = PQgetResult(link->conn)) != NULL;)
        PQclear(end);
    if (result == NULL || PQstatus(link->conn) == CONNECTION_BAD) {
        PQclear(result);
        return db_lost(db, link);
    }
    struct rows *rows = rows_of(db, result);
    db_count(db, "COPY", began, rows);
    if (db->in_transaction && !rows_ok(rows))
        db->transaction_failed = true;
    return rows;
}

/* The unit of work ended in the middle of a copy. */
void db_copy_abandon(struct db *db)
{
    PGconn *conn = db->primary.conn;
    db->copying = false;
    PQputCopyEnd(conn, "abandoned");
    for (PGresult *end; (end = PQgetResult(conn)) != NULL;)
        PQclear(end);
    if (PQstatus(conn) == CONNECTION_BAD)
        link_close(db, &db->primary, true);
}
