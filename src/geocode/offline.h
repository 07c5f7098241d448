/* The geocoder without the internet: towns of GeoNames in the table `places`.
 *
 * It knows no streets. An address is found by the town in it, which is then not exact. */
#ifndef GEOCODE_OFFLINE_H
#define GEOCODE_OFFLINE_H

#include "base/arena.h"
#include "geocode/place.h"
#include "store/db.h"

#define OFFLINE_NAME        "offline"
#define OFFLINE_ATTRIBUTION "GeoNames (CC BY 4.0)"

/* Is anything loaded? */
MUST_CHECK bool offline_loaded(struct db *db, bool *loaded, struct error *err);

/* The nearest town within 50 km, or none. Its position is the one that was asked for. */
MUST_CHECK bool offline_reverse(struct db *db, struct arena *arena, double latitude, double longitude,
                                struct geo_places *places, struct error *err);

/* Towns named in the query, the best first: "Ham", "München", "Lange Reihe 5, 20099 Hamburg", "Paris, Texas".
 */
MUST_CHECK bool offline_search(struct db *db, struct arena *arena, const char *query, size_t limit,
                               struct geo_places *places, struct error *err);

/* The parts of an address that may name a town, each on a line of its own: what stands between commas,
 * without words that have digits in them (house numbers, postcodes). "" when there are none. */
const char *offline_parts(struct arena *arena, const char *query);

#endif
