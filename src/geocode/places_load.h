/* Filling the table `places`, the offline geocoder's towns, from GeoNames files. */
#ifndef GEOCODE_PLACES_LOAD_H
#define GEOCODE_PLACES_LOAD_H

#include <stdint.h>

#include "base/arena.h"
#include "store/db.h"

struct places_files {
    const char *places;  /* a gazetteer: cities500.txt, DE.txt, allCountries.txt */
    const char *regions; /* admin1CodesASCII.txt; NULL: places get no region */
};

struct places_report {
    int64_t lines, skipped;   /* of the gazetteer */
    int64_t places;           /* in the table afterwards */
    int64_t written, removed; /* new or changed; no longer in the file */
    int64_t regions;
};

/* Makes the table hold exactly what the files say, in one transaction: readers see the old towns until it is
 * done, and a failure leaves them. Positions that had no town near get another chance. db may be the
 * worker's login or the owner's, without a time limit for statements; the files stream through.
 *
 * Errors: "file" (cannot be read), "geonames" (is no GeoNames file; the message names file and line), "empty"
 * (has no town), or those of the database. */
MUST_CHECK bool places_load(struct db *db, struct arena *arena, const struct places_files *files,
                            struct places_report *report, struct error *err);

/* Number of towns that are loaded. */
MUST_CHECK bool places_count(struct db *db, int64_t *count, struct error *err);

#endif
