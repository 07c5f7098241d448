/* One round trip to the server: a libpq pipeline that begins with the caller's context. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/timeutil.h"
#include "store/db_internal.h"

/* Server and network may take this much longer than the statement timeout; then the server hangs. */
#define ANSWER_GRACE SECONDS(5)

/* Local to the transaction, which without BEGIN lasts until the pipeline's sync (PostgreSQL manual, 34.5.1).
 */
static const char context_sql[] =
    "SELECT set_config('tracker.role',$1,true), set_config('tracker.clients',$2,true), "
    "set_config('tracker.user',$3,true)";
/* Behind a pooler the session is somebody else's a moment later, so its settings travel too. */
static const char pooled_sql[] =
    "SELECT set_config('tracker.role',$1,true), set_config('tracker.clients',$2,true), "
    "set_config('tracker.user',$3,true), set_config('statement_timeout',$4,true), "
    "set_config('timezone','UTC',true), set_config('datestyle','ISO',true), "
    "set_config('intervalstyle','postgres',true), set_config('bytea_output','hex',true), "
    "set_config('jit','off',true)";

struct trip {
    struct link *link;
    bool sent;       /* libpq took every step so far */
    int steps, done; /* results that will come; successes among them before the first failure */
    struct {
        uint64_t hash;
        int at; /* number of its result */
    } fresh[2]; /* statements prepared on the way */
    int fresh_count;
};

/* ---- sending ---- */

/* The types belong to it: one text with other types is another statement for the server. */
static uint64_t hash_of(const char *sql, const struct pg_params *params)
{
    unsigned char key[crypto_shorthash_KEYBYTES] = { 0 };
    uint64_t hash;
    if (params->count > 0)
        crypto_shorthash((unsigned char *)&hash, (const unsigned char *)params->types,
                         params->count * sizeof(*params->types), key);
    else
        hash = 0;
    memcpy(key, &hash, sizeof(hash));
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)sql, strlen(sql), key);
    return hash;
}

static void start(struct trip *trip, struct link *link)
{
    *trip = (struct trip){ .link = link, .sent = PQenterPipelineMode(link->conn) == 1 };
}

/* One more statement, by name when it may have one. */
static void send(const struct db *db, struct trip *trip, const char *sql, const struct pg_params *params)
{
    struct link *link = trip->link;
    int n = (int)params->count;
    uint64_t hash = hash_of(sql, params);
    bool known = link_remembers(link, hash);
    if (!trip->sent)
        return;
    if (db->options.transaction_pooler || link->forget || (!known && link->prepared_count >= PREPARED_MAX)) {
        trip->steps++;
        trip->sent = PQsendQueryParams(link->conn, sql, n, params->types, params->values, params->lengths,
                                       params->formats, 0) == 1;
        return;
    }
    char name[24];
    snprintf(name, sizeof(name), "s%016llx", (unsigned long long)hash);
    if (!known) {
        trip->fresh[trip->fresh_count].hash = hash;
        trip->fresh[trip->fresh_count++].at = trip->steps++;
        trip->sent = PQsendPrepare(link->conn, name, sql, n, params->types) == 1;
    }
    trip->steps++;
    trip->sent = trip->sent && PQsendQueryPrepared(link->conn, name, n, params->values, params->lengths,
                                                   params->formats, 0) == 1;
}

static void send_context(const struct db *db, struct trip *trip)
{
    bool pooled = db->options.transaction_pooler;
    if (!db->has_context && !pooled)
        return;
    char timeout[24];
    snprintf(timeout, sizeof(timeout), "%lld", (long long)(db->options.statement_timeout / 1000));
    const char *values[] = { db->has_context ? db->context.role : "",
                             db->has_context && db->context.clients != NULL ? db->context.clients : "{}",
                             db->has_context && db->context.user != NULL ? db->context.user : "", timeout };
    static const Oid types[] = { 25, 25, 25, 25 }; /* text */
    struct pg_params params = { .count = pooled ? 4 : 3, .types = types, .values = values };
    send(db, trip, pooled ? pooled_sql : context_sql, &params);
}

/* ---- receiving ---- */

static bool succeeded(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

static bool copies(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* Read results up to the sync. Gives the last one, or the first failure: one that comes after the statement's
 * own success is the commit's. NULL: the connection is of no use any more. */
static PGresult *collect(struct trip *trip, int64_t deadline, bool *late)
{
    PGresult *kept = NULL;
    bool failed = false;
    while (!*late && PQstatus(trip->link->conn) != CONNECTION_BAD) {
        PGresult *result = link_result(trip->link, deadline, late);
        if (result == NULL)
            continue; /* the end of one step's results */
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return kept;
        }
        if (copies(result)) { /* a COPY has its own functions and does not end in a pipeline */
            PQclear(result);
            break;
        }
        if (failed) {
            PQclear(result);
            continue;
        }
        PQclear(kept);
        kept = result;
        failed = !succeeded(result);
        trip->done += !failed;
    }
    PQclear(kept);
    return NULL;
}

struct rows *db_lost(struct db *db, struct link *link)
{
    LOG_WARN("database connection lost", LOG_TEXT("reason", PQerrorMessage(link->conn)));
    link_close(db, link, true);
    return rows_failed(db, DB_UNAVAILABLE, "the connection to the database was lost");
}

/* The server's words for a plan that DDL outdated have no code of their own; the place in its source does not
 * depend on its language. 26000: the server has no statement of that name. */
static bool plan_is_stale(const struct rows *rows)
{
    const char *place = PQresultErrorField(rows->result, PG_DIAG_SOURCE_FUNCTION);
    return strcmp(rows->sqlstate, "26000") == 0 || (strcmp(rows->sqlstate, "0A000") == 0 && place != NULL &&
                                                    strcmp(place, "RevalidateCachedQuery") == 0);
}

static struct rows *finish(struct db *db, struct trip *trip, bool *late)
{
    struct link *link = trip->link;
    int64_t timeout = db->options.statement_timeout;
    int64_t deadline = timeout > 0 ? time_monotonic() + timeout + ANSWER_GRACE : 0;
    bool sent = trip->sent && PQpipelineSync(link->conn) == 1;
    PGresult *result = sent ? collect(trip, deadline, late) : NULL;
    if (result == NULL || PQexitPipelineMode(link->conn) != 1) {
        PQclear(result);
        return db_lost(db, link);
    }
    /* A name exists on the server from the moment that its Parse succeeded, whatever came after. */
    for (int i = 0; i < trip->fresh_count; i++)
        if (trip->done > trip->fresh[i].at)
            link_remember(link, trip->fresh[i].hash);
    struct rows *rows = rows_of(db, result);
    link->forget = link->forget || (!rows_ok(rows) && plan_is_stale(rows));
    return rows;
}

struct rows *db_round_trip(struct db *db, struct link *link, const char *sql, const struct pg_params *params,
                           bool *late)
{
    struct trip trip;
    start(&trip, link);
    if (!db->in_transaction)
        send_context(db, &trip);
    send(db, &trip, sql, params);
    return finish(db, &trip, late);
}

struct rows *db_begin_trip(struct db *db, struct link *link)
{
    static const struct pg_params none = { 0 };
    struct trip trip;
    bool late = false;
    start(&trip, link);
    send(db, &trip, "BEGIN", &none);
    send_context(db, &trip);
    return finish(db, &trip, &late);
}

void db_forget_plans(struct link *link)
{
    PQclear(PQexec(link->conn, "DEALLOCATE ALL"));
    link->prepared_count = 0;
    link->forget = false;
}
