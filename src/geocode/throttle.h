/* The usage limit of a geocoder on the web, kept in the database, because it counts for all processes
 * together.
 *
 * Whoever wants to ask takes the next free moment and sleeps until it has come; so askers queue fairly, and a
 * person who types is not starved by the batch. Failures push the next moment back, for everybody. */
#ifndef GEOCODE_THROTTLE_H
#define GEOCODE_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/db.h"

enum throttle { THROTTLE_GO, THROTTLE_WAIT, THROTTLE_UNKNOWN };

/* Take a moment at most max_wait away; the caller waits *wait, then asks. WAIT: there is none; *wait is until
 * the next. UNKNOWN: the database does not tell. Outside of a transaction. */
enum throttle throttle_take(struct db *db, const char *provider, int64_t interval, int64_t max_wait,
                            int64_t *wait);

/* The provider answered as it should. */
void throttle_good(struct db *db, const char *provider);

/* It did not, or told to come later: nobody asks for at least `asked` (0: it named no time), 2, 4, 8, …
 * seconds after so many failures in a row, an hour at most. */
void throttle_bad(struct db *db, const char *provider, int64_t asked);

#endif
