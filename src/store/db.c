/* Statements and transactions: one round trip each, through a libpq pipeline that begins with the caller's
 * context. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/log.h"
#include "base/timeutil.h"
#include "store/db_internal.h"
#include "store/db_params.h"

/* Local to the transaction, which without BEGIN lasts until the pipeline's sync (PostgreSQL manual, 34.5.1).
 */
static const char context_sql[] =
    "SELECT set_config('tracker.role',$1,true), set_config('tracker.clients',$2,true), "
    "set_config('tracker.user',$3,true)";
/* Behind a pooler the session is somebody else's a moment later, so its settings travel too. */
static const char pooled_sql[] =
    "SELECT set_config('tracker.role',$1,true), set_config('tracker.clients',$2,true), "
    "set_config('tracker.user',$3,true), set_config('statement_timeout',$4,true), "
    "set_config('timezone','UTC',true)";

static char *copy_text(const char *text)
{
    char *copy = strdup(text != NULL ? text : "");
    if (copy == NULL)
        abort();
    return copy;
}

static void link_init(struct link *link, const char *url)
{
    link->url = copy_text(url);
    link->prepared = calloc(PREPARED_MAX, sizeof(*link->prepared));
    if (link->prepared == NULL)
        abort();
}

static void link_free(struct db *db, struct link *link)
{
    link_close(db, link, false);
    free((char *)link->url);
    free(link->prepared);
}

struct db *db_new(const struct db_options *options)
{
    struct db *db = calloc(1, sizeof(*db));
    if (db == NULL)
        abort();
    db->options = *options;
    db->options.application_name = copy_text(options->application_name != NULL ? options->application_name
                                                                               : "trackerd");
    link_init(&db->primary, options->url);
    link_init(&db->replica, options->replica_url);
    db->random = randombytes_random() | 1;
    return db;
}

void db_free(struct db *db)
{
    if (db == NULL)
        return;
    link_free(db, &db->primary);
    link_free(db, &db->replica);
    free((char *)db->options.application_name);
    free(db);
}

void db_set_context(struct db *db, const struct db_context *context)
{
    db->has_context = context != NULL && context->role != NULL;
    db->context = db->has_context ? *context : (struct db_context){ 0 };
}

void db_use(struct db *db, struct arena *arena, const struct db_context *context)
{
    if (db->in_transaction)
        db_rollback(db);
    db->arena = arena;
    db->stats = (struct db_stats){ 0 };
    db_set_context(db, context);
}

const struct db_stats *db_stats(const struct db *db)
{
    return &db->stats;
}

bool db_in_transaction(const struct db *db)
{
    return db->in_transaction;
}

static void count_statement(struct db *db, const char *sql, int64_t began, const struct rows *rows)
{
    int64_t usec = time_monotonic() - began;
    db->stats.statements++;
    db->stats.usec += usec;
    if (db->stats.listed < ARRAY_LEN(db->stats.list))
        db->stats.list[db->stats.listed++] = (struct db_statement){ sql, usec, rows_count(rows) };
}

/* ---- sending ---- */

static uint64_t hash_of(const char *sql)
{
    static const unsigned char key[crypto_shorthash_KEYBYTES] = { 0 };
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)sql, strlen(sql), key);
    return hash;
}

/* One statement of a pipeline, by name when it may have one. *steps counts the results that it will bring:
 * preparing brings one. *fresh is its hash when it is prepared now, else 0. */
static bool send(struct db *db, struct link *link, const char *sql, const struct pg_params *params,
                 int *steps, uint64_t *fresh)
{
    int n = (int)params->count;
    *fresh = 0;
    uint64_t hash = hash_of(sql);
    bool known = link_remembers(link, hash);
    if (db->options.transaction_pooler || (!known && link->prepared_count >= PREPARED_MAX)) {
        *steps += 1;
        return PQsendQueryParams(link->conn, sql, n, params->types, params->values, params->lengths,
                                 params->formats, 0);
    }
    char name[24];
    snprintf(name, sizeof(name), "s%016llx", (unsigned long long)hash);
    if (!known) {
        if (!PQsendPrepare(link->conn, name, sql, n, params->types))
            return false;
        *steps += 1;
        *fresh = hash;
    }
    *steps += 1;
    return PQsendQueryPrepared(link->conn, name, n, params->values, params->lengths, params->formats, 0);
}

static bool send_context(struct db *db, struct link *link, int *steps, uint64_t *fresh)
{
    *fresh = 0;
    bool pooled = db->options.transaction_pooler;
    if (!db->has_context && !pooled)
        return true;
    char timeout[24];
    snprintf(timeout, sizeof(timeout), "%lld", (long long)(db->options.statement_timeout / 1000));
    const char *values[] = { db->has_context ? db->context.role : "",
                             db->has_context && db->context.clients != NULL ? db->context.clients : "{}",
                             db->has_context && db->context.user != NULL ? db->context.user : "", timeout };
    static const Oid types[] = { 25, 25, 25, 25 }; /* text */
    struct pg_params params = { .count = pooled ? 4 : 3, .types = types, .values = values };
    return send(db, link, pooled ? pooled_sql : context_sql, &params, steps, fresh);
}

/* ---- receiving ---- */

/* The result of one statement, NULL when the connection broke. */
static PGresult *next_result(struct link *link)
{
    PGresult *result = PQgetResult(link->conn);
    if (result == NULL)
        return NULL;
    if (PQresultStatus(result) != PGRES_PIPELINE_SYNC)
        for (PGresult *end; (end = PQgetResult(link->conn)) != NULL;)
            PQclear(end); /* the NULL that ends a statement's results */
    return result;
}

static bool succeeded(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* Read results up to the sync. Keeps the last one, or the first failure; *done counts the successes before
 * it. NULL: the connection broke. */
static PGresult *collect(struct link *link, int *done)
{
    PGresult *kept = NULL;
    bool failed = false;
    *done = 0;
    for (;;) {
        PGresult *result = next_result(link);
        if (result == NULL) {
            if (PQstatus(link->conn) == CONNECTION_BAD) {
                PQclear(kept);
                return NULL;
            }
            continue;
        }
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return kept;
        }
        if (failed) {
            PQclear(result);
            continue;
        }
        PQclear(kept);
        kept = result;
        failed = !succeeded(result);
        *done += !failed;
        if (PQstatus(link->conn) == CONNECTION_BAD)
            return kept;
    }
}

/* ---- one round trip ---- */

static struct rows *lost(struct db *db, struct link *link)
{
    LOG_WARN("database connection lost", LOG_TEXT("reason", PQerrorMessage(link->conn)));
    link_close(db, link, true);
    return rows_failed(db, DB_UNAVAILABLE, "the connection to the database was lost");
}

static struct rows *round_trip(struct db *db, struct link *link, const char *sql,
                               const struct pg_params *params)
{
    int steps = 0, done = 0, before = 0;
    uint64_t fresh_context = 0, fresh = 0;
    bool sent = PQenterPipelineMode(link->conn) == 1 &&
                (db->in_transaction || send_context(db, link, &steps, &fresh_context));
    before = steps;
    sent = sent && send(db, link, sql, params, &steps, &fresh) && PQpipelineSync(link->conn) == 1;
    PGresult *result = sent ? collect(link, &done) : NULL;
    if (result == NULL || PQstatus(link->conn) == CONNECTION_BAD) {
        PQclear(result);
        return lost(db, link);
    }
    PQexitPipelineMode(link->conn);
    /* A name exists on the server from the moment that its Parse succeeded, whatever came after. */
    if (fresh_context != 0 && done > 0)
        link_remember(link, fresh_context);
    if (fresh != 0 && done > before)
        link_remember(link, fresh);
    return rows_of(db, result);
}

/* A plan that a migration made unusable: prepared again under the same name after forgetting. */
static bool plan_is_stale(const struct rows *rows)
{
    return strcmp(rows->sqlstate, "0A000") == 0 || strcmp(rows->sqlstate, "26000") == 0;
}

static void forget_plans(struct link *link)
{
    PQclear(PQexec(link->conn, "DEALLOCATE ALL"));
    link->prepared_count = 0;
}

static bool is_read(const char *sql)
{
    sql += strspn(sql, " \n\t(");
    return strncmp(sql, "SELECT", 6) == 0;
}

static struct rows *ask(struct db *db, struct link *link, const char *sql, const struct pg_params *params)
{
    /* A connection that died while idle is replaced before anything is sent over it. */
    if (link->conn != NULL && !db->in_transaction && link_is_dead(link))
        link_close(db, link, true);
    if (!link_open(db, link))
        return rows_failed(db, DB_UNAVAILABLE, "the database is not reached");
    struct rows *rows = round_trip(db, link, sql, params);
    if (db->in_transaction || rows_ok(rows))
        return rows;
    if (rows->status == DB_UNAVAILABLE && link->conn == NULL && is_read(sql) && link_open(db, link))
        return round_trip(db, link, sql, params);
    if (plan_is_stale(rows) && link->conn != NULL) {
        forget_plans(link);
        return round_trip(db, link, sql, params);
    }
    if (rows->status == DB_UNAVAILABLE && link->conn != NULL)
        link_close(db, link, true); /* shutting down, read only, too many connections */
    return rows;
}

static struct rows *run(struct db *db, struct link *link, const char *sql, const struct db_param *params,
                        size_t n)
{
    if (db->in_transaction && db->transaction_failed)
        return rows_failed(db, DB_ERROR, "the transaction has failed already");
    struct pg_params wire = { 0 };
    params_to_wire(db->arena, params, n, &wire);
    int64_t began = time_monotonic();
    struct rows *rows = ask(db, link, sql, &wire);
    count_statement(db, sql, began, rows);
    if (db->in_transaction && !rows_ok(rows))
        db->transaction_failed = true;
    return rows;
}

struct rows *db_query_params(struct db *db, const char *sql, const struct db_param *params, size_t n)
{
    return run(db, &db->primary, sql, params, n);
}

/* ---- replica ---- */

#define LAG_CHECK_INTERVAL SECONDS(1)
#define MAX_LAG            SECONDS(10)

/* An idle primary sends nothing to replay, which is no lag: then received and replayed positions are equal.
 */
static const char lag_sql[] =
    "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 0 WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 "
    "ELSE coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()) * 1000000, 0) END::bigint, "
    "NOT pg_is_in_recovery() OR EXISTS (SELECT FROM pg_stat_wal_receiver)";

static bool replica_is_fresh(struct db *db)
{
    struct link *link = &db->replica;
    if (link->url[0] == '\0' || db->in_transaction)
        return false;
    if (link->conn != NULL && link_is_dead(link))
        link_close(db, link, true);
    if (!link_open(db, link))
        return false;
    int64_t now = time_monotonic();
    if (link->lag_checked_at != 0 && now - link->lag_checked_at < LAG_CHECK_INTERVAL)
        return link->lag_ok;
    struct pg_params none = { 0 };
    struct rows *rows = round_trip(db, link, lag_sql, &none);
    int64_t limit = db->options.replica_max_lag > 0 ? db->options.replica_max_lag : MAX_LAG;
    link->lag_checked_at = now;
    link->lag_ok = rows_ok(rows) && rows_count(rows) == 1 && rows_int(rows, 0, 0) <= limit &&
                   rows_bool(rows, 0, 1);
    return link->lag_ok;
}

struct rows *db_read_params(struct db *db, const char *sql, const struct db_param *params, size_t n)
{
    if (replica_is_fresh(db)) {
        struct rows *rows = run(db, &db->replica, sql, params, n);
        /* 40001 and 40P01 on a replica are conflicts with replay. */
        if (rows->status != DB_UNAVAILABLE && rows->status != DB_CONFLICT)
            return rows;
    }
    return run(db, &db->primary, sql, params, n);
}

/* ---- varargs ---- */

struct rows *db_query(struct db *db, const char *sql, const char *types, ...)
{
    struct db_param params[DB_MAX_ARGUMENTS];
    va_list args;
    va_start(args, types);
    size_t n = params_from_arguments(types, args, params);
    va_end(args);
    return db_query_params(db, sql, params, n);
}

struct rows *db_read(struct db *db, const char *sql, const char *types, ...)
{
    struct db_param params[DB_MAX_ARGUMENTS];
    va_list args;
    va_start(args, types);
    size_t n = params_from_arguments(types, args, params);
    va_end(args);
    return db_read_params(db, sql, params, n);
}

/* ---- several statements, transactions ---- */

struct rows *db_execute(struct db *db, const char *sql)
{
    struct link *link = &db->primary;
    if (link->conn != NULL && !db->in_transaction && link_is_dead(link))
        link_close(db, link, true);
    if (!link_open(db, link))
        return rows_failed(db, DB_UNAVAILABLE, "the database is not reached");
    int64_t began = time_monotonic();
    PGresult *result = PQexec(link->conn, sql);
    if (result == NULL || PQstatus(link->conn) == CONNECTION_BAD) {
        PQclear(result);
        return lost(db, link);
    }
    struct rows *rows = rows_of(db, result);
    count_statement(db, sql, began, rows);
    if (db->in_transaction && !rows_ok(rows))
        db->transaction_failed = true;
    return rows;
}

static bool report(const struct rows *rows, struct error *err)
{
    if (rows_ok(rows))
        return true;
    return error_set(err, rows->status == DB_UNAVAILABLE ? "database_unavailable" : "database_error", "%s",
                     rows->message);
}

bool db_begin(struct db *db, struct error *err)
{
    struct rows *rows = db_execute(db, "BEGIN");
    if (!report(rows, err))
        return false;
    db->in_transaction = true;
    db->transaction_failed = false;
    if (!db->has_context && !db->options.transaction_pooler)
        return true;
    struct link *link = &db->primary;
    int steps = 0, done = 0;
    uint64_t fresh = 0;
    bool sent = PQenterPipelineMode(link->conn) == 1 && send_context(db, link, &steps, &fresh) &&
                PQpipelineSync(link->conn) == 1;
    PGresult *result = sent ? collect(link, &done) : NULL;
    if (result == NULL || PQstatus(link->conn) == CONNECTION_BAD) {
        PQclear(result);
        return report(lost(db, link), err);
    }
    PQexitPipelineMode(link->conn);
    if (fresh != 0 && done > 0)
        link_remember(link, fresh);
    rows = rows_of(db, result);
    if (rows_ok(rows))
        return true;
    db_rollback(db);
    return report(rows, err);
}

bool db_commit(struct db *db, struct error *err)
{
    if (!db->in_transaction)
        return error_set(err, "database_unavailable", "the transaction was lost with its connection");
    if (db->transaction_failed) {
        db_rollback(db);
        return error_set(err, "database_error", "a statement of the transaction failed");
    }
    struct rows *rows = db_execute(db, "COMMIT");
    db->in_transaction = false;
    return report(rows, err);
}

void db_rollback(struct db *db)
{
    if (!db->in_transaction)
        return;
    db->in_transaction = false;
    db->transaction_failed = false;
    if (db->primary.conn == NULL)
        return;
    PGresult *result = PQexec(db->primary.conn, "ROLLBACK");
    bool ok = succeeded(result);
    PQclear(result);
    if (!ok)
        link_close(db, &db->primary, true);
}

/* ---- COPY ---- */

bool db_copy_begin(struct db *db, const char *sql, struct error *err)
{
    struct rows *rows = db_execute(db, sql);
    if (!report(rows, err))
        return false;
    if (PQresultStatus(rows->result) != PGRES_COPY_IN)
        return error_set(err, "database_error", "the statement is no COPY FROM STDIN");
    return true;
}

bool db_copy_data(struct db *db, const char *data, size_t len, struct error *err)
{
    /* libpq takes an int */
    while (len > 0) {
        int part = len > (1 << 20) ? 1 << 20 : (int)len;
        if (db->primary.conn == NULL || PQputCopyData(db->primary.conn, data, part) != 1)
            return error_set(err, "database_unavailable", "the connection to the database was lost");
        data += part;
        len -= (size_t)part;
    }
    return true;
}

struct rows *db_copy_end(struct db *db, const char *abort_reason)
{
    struct link *link = &db->primary;
    if (link->conn == NULL)
        return rows_failed(db, DB_UNAVAILABLE, "the connection to the database was lost");
    PGresult *result = PQputCopyEnd(link->conn, abort_reason) == 1 ? PQgetResult(link->conn) : NULL;
    if (result == NULL || PQstatus(link->conn) == CONNECTION_BAD) {
        PQclear(result);
        return lost(db, link);
    }
    for (PGresult *end; (end = PQgetResult(link->conn)) != NULL;)
        PQclear(end);
    struct rows *rows = rows_of(db, result);
    if (db->in_transaction && !rows_ok(rows))
        db->transaction_failed = true;
    return rows;
}

/* ---- checks ---- */

bool db_ping(struct db *db)
{
    struct link *link = &db->primary;
    if (db->in_transaction)
        return link->conn != NULL;
    struct pg_params none = { 0 };
    return rows_ok(ask(db, link, "SELECT 1", &none));
}

bool db_check_confined(struct db *db, struct error *err)
{
    struct rows *rows = db_query(
        db,
        "SELECT rolname, rolsuper, rolbypassrls, EXISTS (SELECT FROM pg_class WHERE relname = 'clients' "
        "AND pg_has_role(current_user, relowner, 'USAGE')) FROM pg_roles WHERE rolname = current_user",
        "");
    if (!report(rows, err))
        return false;
    if (rows_count(rows) == 1 && !rows_bool(rows, 0, 1) && !rows_bool(rows, 0, 2) && !rows_bool(rows, 0, 3))
        return true;
    return error_set(
        err, "database_login_unconfined",
        "DATABASE_URL signs in as %s, which row-level security does not bind; use a login that is only a member of tracker_api",
        rows_count(rows) == 1 ? rows_text(rows, 0, 0) : "an unknown role");
}
