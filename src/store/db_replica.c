/* Reads that may be a little stale: from the replica while it is close behind, else from the primary. */
#include "base/timeutil.h"
#include "store/db_internal.h"

#define LAG_CHECK_INTERVAL SECONDS(1)
#define MAX_LAG            SECONDS(10)

/* An idle primary sends nothing to replay, which is no lag: then received and replayed positions are equal,
 * and a receiver is there that would know of more. Null: the replica cannot tell. */
static const char lag_sql[] =
    "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 0 "
    "WHEN NOT EXISTS (SELECT FROM pg_stat_wal_receiver) THEN NULL "
    "WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 "
    "ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000000 END::bigint";

static bool replica_is_fresh(struct db *db)
{
    struct link *link = &db->replica;
    if (link->url[0] == '\0' || db->in_transaction || db->copying || !db_link_ready(db, link))
        return false;
    int64_t now = time_monotonic();
    if (link->lag_checked_at != 0 && now - link->lag_checked_at < LAG_CHECK_INTERVAL)
        return link->lag_ok;
    static const struct pg_params none = { 0 };
    bool late = false;
    struct rows *rows = db_round_trip(db, link, lag_sql, &none, &late);
    int64_t limit = db->options.replica_max_lag > 0 ? db->options.replica_max_lag : MAX_LAG;
    link->lag_checked_at = now;
    link->lag_ok = rows_count(rows) == 1 && !rows_null(rows, 0, 0) && rows_int(rows, 0, 0) <= limit;
    return link->lag_ok;
}

/* The replica's answer counts unless the replica may be the cause: away, cancelling in favour of replay, or
 * without the newest tables and rights yet. */
static bool settled(const struct rows *rows)
{
    return rows->status == DB_OK || rows->status == DB_CHECK || rows->status == DB_TIMEOUT;
}

struct rows *db_read_params(struct db *db, const char *sql, const struct db_param *params, size_t n)
{
    if (replica_is_fresh(db)) {
        struct rows *rows = db_run(db, &db->replica, sql, params, n);
        if (settled(rows))
            return rows;
    }
    return db_run(db, &db->primary, sql, params, n);
}
