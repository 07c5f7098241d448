/* What the parts of the database client share. */
#ifndef STORE_DB_INTERNAL_H
#define STORE_DB_INTERNAL_H

#include <libpq-fe.h>

#include "store/db.h"
#include "store/db_params.h"

/* Statements kept prepared on one connection; lists with many filters have many texts, and the server pays
 * memory for each. */
#define PREPARED_MAX 512

/* One connection, primary or replica. */
struct link {
    const char *url;
    PGconn *conn;       /* NULL: not connected */
    int64_t retry_at;   /* monotonic; no attempt before */
    int64_t delay;      /* the next back-off, microseconds */
    uint64_t *prepared; /* hashes of statements prepared on this connection, sorted by arrival */
    size_t prepared_count;
    bool forget;            /* a prepared statement is stale: drop all before the next transaction */
    int64_t lag_checked_at; /* replica: monotonic time of the last check */
    bool lag_ok;
};

struct db {
    struct db_options options;
    struct link primary, replica;
    struct arena *arena; /* of the current unit of work */
    struct db_context context;
    bool has_context, in_transaction, transaction_failed;
    bool transaction_lost; /* its connection broke: nothing runs until it is rolled back */
    bool copying;
    struct db_stats stats;
    unsigned random;   /* state of the jitter */
    char trouble[256]; /* why the primary was not reached last, one line */
};

struct rows {
    PGresult *result; /* NULL when there was no answer */
    enum db_status status;
    struct arena *arena;
    const char *message, *sqlstate, *constraint;
};

/* ---- connections (db_connect.c) ---- */

/* True when the link is connected; tries to connect when the back-off allows it. */
MUST_CHECK bool link_open(struct db *db, struct link *link);
void link_close(struct db *db, struct link *link, bool failed);
/* True when the server closed an idle connection meanwhile. Reads what is pending, does not block. */
bool link_is_dead(const struct link *link);
bool link_remembers(const struct link *link, uint64_t hash);
void link_remember(struct link *link, uint64_t hash);
/* PQgetResult that gives up at deadline (monotonic; 0: never): NULL with *late set. */
PGresult *link_result(const struct link *link, int64_t deadline, bool *late);

/* ---- one round trip (db_trip.c) ---- */

/* Context (outside a transaction) and statement. A lost connection is closed; *late: because the server did
 * not answer in time. A stale plan sets link->forget. */
struct rows *db_round_trip(struct db *db, struct link *link, const char *sql, const struct pg_params *params,
                           bool *late);
struct rows *db_begin_trip(struct db *db, struct link *link); /* BEGIN and context */
void db_forget_plans(struct link *link);
struct rows *db_lost(struct db *db, struct link *link); /* closes it, says why */

/* ---- statements (db.c) ---- */
MUST_CHECK bool db_link_ready(struct db *db, struct link *link);
struct rows *db_run(struct db *db, struct link *link, const char *sql, const struct db_param *params,
                    size_t n);
/* Why no statement may be sent now and the status that says so, or NULL. */
const char *db_obstacle(const struct db *db, enum db_status *status);
void db_count(struct db *db, const char *sql, int64_t began, const struct rows *rows);
MUST_CHECK bool db_report(const struct rows *rows, struct error *err); /* false: err holds what failed */

void db_copy_abandon(struct db *db);

/* ---- results (rows.c) ---- */
struct rows *rows_of(struct db *db, PGresult *result); /* takes the result */
struct rows *rows_failed(struct db *db, enum db_status status, const char *message);

#endif
