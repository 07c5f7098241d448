/* One row per provider: when it may be asked next. */
#include "geocode/throttle.h"

#include "base/timeutil.h"

/* A server that says "tomorrow" is asked again after this all the same: most such answers are mistakes. */
#define LONGEST_PAUSE HOURS(1)

static double seconds(int64_t usec)
{
    return (double)usec / 1e6;
}

enum throttle throttle_take(struct db *db, const char *provider, int64_t interval, int64_t max_wait,
                            int64_t *wait)
{
    struct rows *taken = db_query(
        db,
        "INSERT INTO geocoding_providers AS p (name, next_allowed_at) "
        "VALUES ($1, clock_timestamp() + make_interval(secs => $2)) ON CONFLICT (name) DO UPDATE "
        "SET next_allowed_at = greatest(p.next_allowed_at, clock_timestamp()) + make_interval(secs => $2) "
        "WHERE p.next_allowed_at <= clock_timestamp() + make_interval(secs => $3) "
        "RETURNING extract(epoch FROM p.next_allowed_at - make_interval(secs => $2) - clock_timestamp())::float8",
        "sdd", provider, seconds(interval), seconds(max_wait));
    bool granted = rows_ok(taken) && rows_count(taken) == 1;
    if (rows_ok(taken) && !granted)
        taken = db_query(db,
                         "SELECT extract(epoch FROM next_allowed_at - clock_timestamp())::float8 "
                         "FROM geocoding_providers WHERE name = $1",
                         "s", provider);
    if (!rows_ok(taken) || rows_count(taken) == 0)
        return THROTTLE_UNKNOWN;
    double left = rows_double(taken, 0, 0);
    *wait = left > 0 ? (int64_t)(left * 1e6) : 0;
    return granted ? THROTTLE_GO : THROTTLE_WAIT;
}

/* Both are advice for the next asker; when they are lost, the plain limit still holds. */
void throttle_good(struct db *db, const char *provider)
{
    (void)db_query(db, "UPDATE geocoding_providers SET failures = 0 WHERE name = $1 AND failures > 0", "s",
                   provider);
}

void throttle_bad(struct db *db, const char *provider, int64_t asked)
{
    (void)db_query(db,
                   "UPDATE geocoding_providers SET failures = least(failures + 1, 20), "
                   "next_allowed_at = greatest(next_allowed_at, clock_timestamp() + make_interval(secs => "
                   "least($3, greatest($2, 2.0 ^ least(failures + 1, 20))))) WHERE name = $1",
                   "sdd", provider, seconds(asked), seconds(LONGEST_PAUSE));
}
