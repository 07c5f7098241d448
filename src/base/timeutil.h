/* Points in time: microseconds since 1970-01-01T00:00:00Z in an int64_t, everywhere in this code base. */
#ifndef BASE_TIMEUTIL_H
#define BASE_TIMEUTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define USEC_PER_SEC INT64_C(1000000)
#define SECONDS(n)   ((int64_t)(n)*USEC_PER_SEC)
#define MINUTES(n)   SECONDS((int64_t)(n)*60)
#define HOURS(n)     MINUTES((int64_t)(n)*60)
#define DAYS(n)      HOURS((int64_t)(n)*24)

/* years 0001 to 9999, what both RFC 3339 and PostgreSQL can say */
#define TIME_MIN INT64_C(-62135596800000000)
#define TIME_MAX INT64_C(253402300799999999)

#define RFC3339_SIZE sizeof("9999-12-31T23:59:59.999999Z")

/* A clock as a value, so that tests and the simulator's fast time can stand in for the real one. */
struct clock {
    int64_t (*now)(void *self); /* microseconds since 1970 */
    void (*sleep)(void *self, int64_t usec);
    void *self;
};

extern const struct clock clock_system;

int64_t clock_now(const struct clock *clock);
void clock_sleep(const struct clock *clock, int64_t usec);

int64_t time_now(void);       /* wall clock */
int64_t time_monotonic(void); /* never goes back; only differences mean anything */

/* RFC 3339 with any offset and up to 6 fractional digits (more are cut); a leap second counts as the next
 * second. */
MUST_CHECK bool time_parse(const char *text, int64_t *usec);

/* UTC with "Z"; fractional digits only when not zero. out has RFC3339_SIZE bytes. Returns out. */
char *time_format(int64_t usec, char *out);

#endif
