/* The database client: units of work, statements and transactions. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "store/db_internal.h"

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
    wipe((char *)link->url, strlen(link->url)); /* may hold a password */
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
    if (db->in_transaction && !db->transaction_lost) {
        /* The transaction would go on seeing with the eyes it began with: nothing more may run in it. */
        LOG_ERROR("database context changed within a transaction");
        db_rollback(db);
        db->in_transaction = db->transaction_lost = true;
    }
    db->has_context = context != NULL && context->role != NULL;
    db->context = db->has_context ? *context : (struct db_context){ 0 };
}

void db_use(struct db *db, struct arena *arena, const struct db_context *context)
{
    db_rollback(db);
    db->arena = arena;
    db->stats = (struct db_stats){ 0 };
    db_set_context(db, context);
}

void db_use_arena(struct db *db, struct arena *arena)
{
    db->arena = arena;
}

const struct db_stats *db_stats(const struct db *db)
{
    return &db->stats;
}

bool db_in_transaction(const struct db *db)
{
    return db->in_transaction;
}

void db_count(struct db *db, const char *sql, int64_t began, const struct rows *rows)
{
    int64_t usec = time_monotonic() - began;
    db->stats.statements++;
    db->stats.usec += usec;
    if (db->stats.listed < ARRAY_LEN(db->stats.list))
        db->stats.list[db->stats.listed++] = (struct db_statement){ sql, usec, rows_count(rows) };
}

/* ---- statements ---- */

bool db_link_ready(struct db *db, struct link *link)
{
    /* A connection that died while idle is replaced before anything is sent over it. Within a transaction the
     * next answer tells. */
    if (link->conn != NULL && !db->in_transaction && link_is_dead(link))
        link_close(db, link, true);
    if (!link_open(db, link))
        return false;
    if (link->forget && !db->in_transaction)
        db_forget_plans(link);
    return true;
}

const char *db_obstacle(const struct db *db, enum db_status *status)
{
    *status = DB_ERROR;
    if (db->copying)
        return "a copy is under way";
    if (!db->in_transaction)
        return NULL;
    if (db->transaction_failed)
        return "the transaction has failed already";
    *status = DB_UNAVAILABLE;
    return db->transaction_lost ? "the transaction was lost with its connection" : NULL;
}

/* A statement that begins with SELECT counts as a read: ours call no function that must not run twice. */
static bool is_read(const char *sql)
{
    sql += strspn(sql, " \n\t(");
    return strncmp(sql, "SELECT", strlen("SELECT")) == 0;
}

static struct rows *not_reached(struct db *db)
{
    if (!db->options.explain)
        return rows_failed(db, DB_UNAVAILABLE, "the database is not reached");
    return rows_failed(
        db, DB_UNAVAILABLE,
        arena_printf(db->arena, "the database at DATABASE_URL is not reached: %s", db->trouble));
}

static struct rows *ask(struct db *db, struct link *link, const char *sql, const struct pg_params *params)
{
    if (!db_link_ready(db, link))
        return not_reached(db);
    bool late = false;
    struct rows *rows = db_round_trip(db, link, sql, params, &late);
    if (db->in_transaction || rows_ok(rows))
        return rows;
    /* Nothing of a stale plan's pipeline was carried out. */
    if (link->conn != NULL && link->forget) {
        db_forget_plans(link);
        return db_round_trip(db, link, sql, params, &late);
    }
    if (rows->status != DB_UNAVAILABLE)
        return rows;
    if (link->conn != NULL)
        link_close(db, link, true); /* shutting down, read only, too many connections */
    else if (!late && is_read(sql) && link_open(db, link))
        return db_round_trip(db, link, sql, params, &late);
    return rows;
}

struct rows *db_run(struct db *db, struct link *link, const char *sql, const struct db_param *params,
                    size_t n)
{
    enum db_status status;
    const char *why = db_obstacle(db, &status);
    if (why != NULL)
        return rows_failed(db, status, why);
    struct pg_params wire = { 0 };
    params_to_wire(db->arena, params, n, &wire);
    int64_t began = time_monotonic();
    struct rows *rows = ask(db, link, sql, &wire);
    db_count(db, sql, began, rows);
    if (db->in_transaction && !rows_ok(rows))
        db->transaction_failed = !db->transaction_lost;
    return rows;
}

struct rows *db_query_params(struct db *db, const char *sql, const struct db_param *params, size_t n)
{
    return db_run(db, &db->primary, sql, params, n);
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
    enum db_status status;
    const char *why = db_obstacle(db, &status);
    if (why != NULL)
        return rows_failed(db, status, why);
    if (!db_link_ready(db, link))
        return not_reached(db);
    int64_t began = time_monotonic();
    PGresult *result = PQexec(link->conn, sql);
    if (result == NULL || PQstatus(link->conn) == CONNECTION_BAD) {
        PQclear(result);
        return db_lost(db, link);
    }
    struct rows *rows = rows_of(db, result);
    db_count(db, sql, began, rows);
    if (db->in_transaction && !rows_ok(rows))
        db->transaction_failed = true;
    return rows;
}

bool db_report(const struct rows *rows, struct error *err)
{
    if (rows_ok(rows))
        return true;
    return error_set(err, rows->status == DB_UNAVAILABLE ? "database_unavailable" : "database_error", "%s",
                     rows->message);
}

static void leave_transaction(struct db *db)
{
    db->in_transaction = db->transaction_failed = db->transaction_lost = false;
}

/* Ends whatever transaction the server is in. */
static void roll_back(struct db *db)
{
    struct link *link = &db->primary;
    if (link->conn == NULL || PQtransactionStatus(link->conn) == PQTRANS_IDLE)
        return;
    PQclear(PQexec(link->conn, "ROLLBACK"));
    if (PQtransactionStatus(link->conn) != PQTRANS_IDLE)
        link_close(db, link, true);
}

bool db_begin(struct db *db, struct error *err)
{
    struct link *link = &db->primary;
    if (db->in_transaction || db->copying)
        return error_set(err, "database_error", "a transaction or a copy is under way already");
    struct rows *rows = NULL;
    /* An empty transaction can be begun twice: once more when the connection turned out dead or lost a plan.
     */
    for (int tries = 0; tries < 2; tries++) {
        if (!db_link_ready(db, link)) {
            rows = not_reached(db);
            break;
        }
        int64_t began = time_monotonic();
        rows = db_begin_trip(db, link);
        db_count(db, "BEGIN", began, rows);
        if (rows_ok(rows)) {
            db->in_transaction = true;
            return true;
        }
        roll_back(db); /* BEGIN may have succeeded and the context failed */
        if (rows->status != DB_UNAVAILABLE && !link->forget)
            break;
    }
    return db_report(rows, err);
}

bool db_commit(struct db *db, struct error *err)
{
    enum db_status status;
    const char *why = db->in_transaction ? db_obstacle(db, &status) : "no transaction is under way";
    if (why != NULL) {
        bool lost = db->transaction_lost;
        db_rollback(db);
        return error_set(err, lost ? "database_unavailable" : "database_error", "nothing was committed: %s",
                         why);
    }
    struct rows *rows = db_execute(db, "COMMIT");
    leave_transaction(db);
    return db_report(rows, err);
}

void db_rollback(struct db *db)
{
    if (db->copying)
        db_copy_abandon(db);
    leave_transaction(db);
    roll_back(db);
}
