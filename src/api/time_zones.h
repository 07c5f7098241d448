/* The names of time zones that the database knows, read once a process: PostgreSQL walks a folder of files
 * for them, which takes it a fifth of a second. */
#ifndef API_TIME_ZONES_H
#define API_TIME_ZONES_H

#include <stdbool.h>

#include "base/error.h"
#include "store/db.h"

struct time_zones; /* thread-safe */

struct time_zones *time_zones_new(void);
void time_zones_free(struct time_zones *zones); /* NULL is allowed */

/* *known: PostgreSQL has a zone of exactly this name. A name that is not among them has the list read again
 * when it is older than an hour, since tzdata is updated under a running server. Returns NULL, or the rows of
 * a query that failed. */
MUST_CHECK const struct rows *time_zones_look_up(struct time_zones *zones, struct db *db, const char *name,
                                                 bool *known);

#endif
