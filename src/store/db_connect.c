/* Connections to PostgreSQL: opening with a bound on time, back-off, session settings. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/timeutil.h"
#include "store/db_internal.h"

#define FIRST_DELAY     (50 * 1000) /* of the back-off, doubled at every failure */
#define LAST_DELAY      SECONDS(3)  /* so that the API is back within seconds of the server */
#define CONNECT_TIMEOUT SECONDS(5)

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
    link->delay = link->delay * 2 > LAST_DELAY ? LAST_DELAY : link->delay * 2;
}

void link_close(struct db *db, struct link *link, bool failed)
{
    if (link->conn != NULL)
        PQfinish(link->conn);
    link->conn = NULL;
    link->prepared_count = 0;
    if (link == &db->primary)
        db->in_transaction = false;
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

static PGconn *start_connection(const struct db *db, const struct link *link)
{
    char options[128] = "";
    if (!db->options.transaction_pooler)
        snprintf(options, sizeof(options),
                 "-c timezone=UTC -c datestyle=ISO -c bytea_output=hex -c statement_timeout=%lld",
                 (long long)(db->options.statement_timeout / 1000));
    const char *names[] = { "dbname",     "application_name", "options",          "client_encoding",
                            "keepalives", "keepalives_idle",  "tcp_user_timeout", NULL };
    const char *values[] = { link->url,
                             db->options.application_name,
                             options[0] != '\0' ? options : NULL,
                             "UTF8",
                             "1",
                             "30",
                             "10000",
                             NULL };
    return PQconnectStartParams(names, values, 1);
}

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

bool link_open(struct db *db, struct link *link)
{
    if (link->conn != NULL)
        return true;
    if (link->url == NULL || link->url[0] == '\0' || time_monotonic() < link->retry_at)
        return false;
    PGconn *conn = start_connection(db, link);
    int64_t timeout = db->options.connect_timeout > 0 ? db->options.connect_timeout : CONNECT_TIMEOUT;
    if (conn == NULL || PQstatus(conn) == CONNECTION_BAD ||
        !wait_connected(conn, time_monotonic() + timeout)) {
        /* libpq's message names host and user, never the password. */
        LOG_WARN("database not reached", LOG_TEXT("server", link == &db->replica ? "replica" : "primary"),
                 LOG_TEXT("reason", conn != NULL ? PQerrorMessage(conn) : "out of memory"));
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
    /* Between statements the server sends nothing but its farewell. */
    struct pollfd ready = { .fd = PQsocket(link->conn), .events = POLLIN };
    if (poll(&ready, 1, 0) == 0)
        return false;
    return PQconsumeInput(link->conn) == 0 || PQstatus(link->conn) == CONNECTION_BAD;
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
