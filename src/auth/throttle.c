/* Failed sign-ins, counted per account and per address in PostgreSQL. */
#include "auth/throttle.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* A count beyond this tells nothing more; it keeps the column from overflowing. */
#define COUNT_CAP "1000000"

const char *address_subject(struct arena *arena, const char *address)
{
    struct in6_addr six;
    char text[INET6_ADDRSTRLEN];
    if (address == NULL)
        return "unknown";
    if (inet_pton(AF_INET6, address, &six) != 1)
        return arena_strdup(arena, address);
    if (IN6_IS_ADDR_V4MAPPED(&six)) {
        inet_ntop(AF_INET, &six.s6_addr[12], text, sizeof(text));
        return arena_strdup(arena, text);
    }
    memset(&six.s6_addr[8], 0, 8);
    inet_ntop(AF_INET6, &six, text, sizeof(text));
    return arena_printf(arena, "%s/64", text);
}

/* One statement counts both. The address comes first, always, so that two sign-ins cannot wait for each
 * other; an address beyond its limit does not add to accounts, so that it can neither fill the table with
 * invented names nor keep a victim locked out. Old rows are cleared on the way. */
static const char attempt_sql[] =
    "WITH address AS (INSERT INTO login_attempts AS a (subject, failures) VALUES ($1, 1)"
    "  ON CONFLICT (subject) DO UPDATE SET"
    "   failures = CASE WHEN a.first_at <= now() - $5 * interval '1 microsecond' THEN 1"
    "    ELSE least(a.failures + 1, " COUNT_CAP ") END,"
    "   first_at = CASE WHEN a.first_at <= now() - $5 * interval '1 microsecond' THEN now() ELSE a.first_at END"
    "  RETURNING failures > $3 AS beyond, first_at),"
    " account AS (INSERT INTO login_attempts AS a (subject, failures) SELECT $2, 1 FROM address WHERE NOT beyond"
    "  ON CONFLICT (subject) DO UPDATE SET"
    "   failures = CASE WHEN a.first_at <= now() - $5 * interval '1 microsecond' THEN 1"
    "    ELSE least(a.failures + 1, " COUNT_CAP ") END,"
    "   first_at = CASE WHEN a.first_at <= now() - $5 * interval '1 microsecond' THEN now() ELSE a.first_at END"
    "  RETURNING failures > $4 AS beyond, first_at)"
    " SELECT bool_or(beyond),"
    "  ceil(extract(epoch FROM max(first_at) FILTER (WHERE beyond) - now()) + $5 / 1e6)::bigint"
    " FROM (SELECT * FROM address UNION ALL SELECT * FROM account) counted";

static const char prune_sql[] =
    "DELETE FROM login_attempts WHERE subject IN (SELECT subject FROM login_attempts"
    " WHERE first_at < now() - $1 * interval '1 microsecond' ORDER BY first_at LIMIT 100 FOR UPDATE SKIP LOCKED)";

static const char *subject(struct arena *arena, const char *purpose, const char *kind, const char *name)
{
    return arena_printf(arena, "%s:%s:%.254s", purpose, kind, name);
}

enum throttle_outcome throttle_attempt(struct db *db, struct arena *arena, const struct config *config,
                                       const char *purpose, const char *account, const char *address,
                                       int *retry_after)
{
    struct rows *rows = db_query(
        db, attempt_sql, "ssiii", subject(arena, purpose, "address", address_subject(arena, address)),
        subject(arena, purpose, "account", account), config->login_attempts * THROTTLE_ADDRESS_FACTOR,
        config->login_attempts, config->login_window);
    if (!rows_ok(rows) || rows_count(rows) != 1)
        return THROTTLE_UNAVAILABLE;
    if (!rows_bool(rows, 0, 0))
        return THROTTLE_OK;
    int64_t wait = rows_int(rows, 0, 1);
    *retry_after = wait < 1 ? 1 : (int)wait;
    (void)db_query(db, prune_sql, "i", 2 * config->login_window);
    return THROTTLE_BLOCKED;
}

void throttle_success(struct db *db, struct arena *arena, const char *purpose, const char *account,
                      const char *address)
{
    /* In the order of throttle_attempt. A count that stays because this fails only lasts for the window. */
    (void)db_query(db,
                   "WITH address AS (UPDATE login_attempts SET failures = greatest(failures - 1, 0)"
                   " WHERE subject = $1 RETURNING 1)"
                   " DELETE FROM login_attempts WHERE subject = $2 AND (SELECT count(*) FROM address) >= 0",
                   "ss", subject(arena, purpose, "address", address_subject(arena, address)),
                   subject(arena, purpose, "account", account));
}
