/* Connections to PostgreSQL: opening with a bound on time, back-off, session settings. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "store/db_internal.h"

#define FIRST_DELAY        (50 * 1000) /* of the back-off, doubled at every failure */
#define LAST_DELAY         SECONDS(3)  /* so that the API is back within seconds of the server */
#define CONNECT_TIMEOUT    SECONDS(5)
#define REPLICA_TIMEOUT    SECONDS(1)
#define REPLICA_LAST_DELAY SECONDS(15) /* an attempt holds up a read that the primary could answer */

/* Messages of a dying server that an idle connection may hold: a warning, the reason, the end */
#define FAREWELL_READS 8

/* xorshift; jitter needs no better */
static unsigned next_random(struct db *db)
{
    db->random ^= db->random << 13;
    db->random ^= db->random >> 17;
    db->random ^= db->random << 5;
    return db->random;
}

static void back_off(struct db *db, struct link *link)
{
    if (link->delay == 0) {
        /* The first retry is at once: most often the server only closed this connection. */
        link->delay = FIRST_DELAY;
        link->retry_at = time_monotonic();
        return;
    }
    link->retry_at = time_monotonic() + link->delay / 2 +
                     (int64_t)(next_random(db) % (unsigned)link->delay) / 2;
    int64_t last = link == &db->replica ? REPLICA_LAST_DELAY : LAST_DELAY;
    link->delay = link->delay * 2 > last ? last : link->delay * 2;
}

void link_close(struct db *db, struct link *link, bool failed)
{
    if (link->conn != NULL)
        PQfinish(link->conn);
    link->conn = NULL;
    link->prepared_count = 0;
    link->forget = false;
    if (link == &db->primary && db->in_transaction)
        db->transaction_lost = true; /* what follows must not run outside it on the next connection */
    if (failed)
        back_off(db, link);
}

/* PQconnectStart driven by poll, since connect_timeout knows whole seconds only and no less than two. */
static bool wait_connected(PGconn *conn, int64_t deadline)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        struct pollfd ready = { .fd = PQsocket(conn),
                                .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT };
        int64_t left = deadline - time_monotonic();
        if (left <= 0 || poll(&ready, 1, (int)(left / 1000) + 1) <= 0)
            return false;
        state = PQconnectPoll(conn);
    }
    return state == PGRES_POLLING_OK;
}

/* What may be set there: the address's own options, then ours. False: the address cannot be read. */
static bool session_options(const struct db *db, const char *url, struct buf *options)
{
    PQconninfoOption *parsed = PQconninfoParse(url, NULL);
    if (parsed == NULL)
        return false;
    for (const PQconninfoOption *o = parsed; o->keyword != NULL; o++)
        if (strcmp(o->keyword, "options") == 0 && o->val != NULL)
            buf_puts(options, o->val);
    PQconninfoFree(parsed);
    /* Compiling takes longer than any of our statements, and costs of geometry make the planner want it. A
     * host that is cut off says no good-bye: the server has to notice by itself, or its session would hold
     * rows that others wait for or pass over (system default: two hours). */
    if (!db->options.transaction_pooler)
        buf_printf(
            options,
            " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=2"
            " -c tcp_user_timeout=20s -c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c bytea_output=hex"
            " -c jit=off -c statement_timeout=%lld",
            (long long)(db->options.statement_timeout / 1000));
    return true;
}

static PGconn *start_connection(const struct db *db, const struct link *link)
{
    struct buf options = { 0 };
    if (!session_options(db, link->url, &options))
        return NULL;
    const char *names[] = { "dbname",           "application_name",
                            "options",          "client_encoding",
                            "keepalives",       "keepalives_idle",
                            "keepalives_count", "keepalives_interval",
                            "tcp_user_timeout", NULL };
    const char *values[] = { link->url,
                             db->options.application_name,
                             options.len > 0 ? options.data : NULL,
                             "UTF8",
                             "1",
                             "30",
                             "3",
                             "10",
                             "10000",
                             NULL };
    PGconn *conn = PQconnectStartParams(names, values, 1);
    buf_free(&options);
    return conn;
}

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

/* libpq's message names host and user, never the password. */
static void note_trouble(struct db *db, const struct link *link, const PGconn *conn)
{
    const char *reason = conn != NULL ? PQerrorMessage(conn) : "the address cannot be read";
    const char *silent = "it does not answer in time"; /* then libpq has no words */
    int line = (int)strcspn(reason, "\n");
    snprintf(db->trouble, sizeof(db->trouble), "%.*s", line > 0 ? line : (int)strlen(silent),
             line > 0 ? reason : silent);
    if (!db->options.explain)
        LOG_WARN("database not reached", LOG_TEXT("server", link == &db->replica ? "replica" : "primary"),
                 LOG_TEXT("reason", line > 0 ? reason : silent));
}

bool link_open(struct db *db, struct link *link)
{
    if (link->conn != NULL)
        return true;
    if (link->url == NULL || link->url[0] == '\0' || time_monotonic() < link->retry_at)
        return false;
    PGconn *conn = start_connection(db, link);
    int64_t timeout = db->options.connect_timeout > 0 ? db->options.connect_timeout : CONNECT_TIMEOUT;
    /* Reads need not wait long for a replica: the primary can answer. */
    if (link == &db->replica && timeout > REPLICA_TIMEOUT)
        timeout = REPLICA_TIMEOUT;
    if (conn == NULL || PQstatus(conn) == CONNECTION_BAD ||
        !wait_connected(conn, time_monotonic() + timeout)) {
        note_trouble(db, link, conn);
        PQfinish(conn);
        back_off(db, link);
        return false;
    }
    PQsetNoticeReceiver(conn, ignore_notice, NULL);
    link->conn = conn;
    link->delay = 0;
    link->prepared_count = 0;
    return true;
}

bool link_is_dead(const struct link *link)
{
    /* Between statements the server sends nothing but notices and its farewell, of which the end of the
     * stream is seen only by a further read. */
    for (int i = 0; i < FAREWELL_READS; i++) {
        struct pollfd ready = { .fd = PQsocket(link->conn), .events = POLLIN };
        if (poll(&ready, 1, 0) == 0)
            return false;
        if (PQconsumeInput(link->conn) == 0 || PQisBusy(link->conn) || PQstatus(link->conn) == CONNECTION_BAD)
            return true;
    }
    return false;
}

/* False when the deadline passes before there is something to read. */
static bool wait_readable(PGconn *conn, int64_t deadline)
{
    struct pollfd ready = { .fd = PQsocket(conn), .events = POLLIN };
    for (;;) {
        int64_t left = deadline != 0 ? deadline - time_monotonic() : 0;
        if (deadline != 0 && left <= 0)
            return false;
        if (poll(&ready, 1, deadline != 0 ? (int)(left / 1000) + 1 : -1) > 0)
            return true;
    }
}

PGresult *link_result(const struct link *link, int64_t deadline, bool *late)
{
    while (PQisBusy(link->conn)) {
        if (!wait_readable(link->conn, deadline)) {
            *late = true;
            return NULL;
        }
        if (PQconsumeInput(link->conn) == 0)
            break; /* PQgetResult makes a result of the loss */
    }
    return PQgetResult(link->conn);
}

bool link_remembers(const struct link *link, uint64_t hash)
{
    for (size_t i = 0; i < link->prepared_count; i++)
        if (link->prepared[i] == hash)
            return true;
    return false;
}

void link_remember(struct link *link, uint64_t hash)
{
    if (link->prepared_count < PREPARED_MAX)
        link->prepared[link->prepared_count++] = hash;
}
