/* Geocoding as the rest sees it: which place is at a position, which position has an address.
 *
 * Behind it stands the provider that the settings name: the towns in our own database, or a server on the
 * web, whose usage limit is kept for all processes together (geocode/throttle.h). A geocoder belongs to one
 * thread at a time; it opens no connection before the first question. */
#ifndef GEOCODE_GEOCODER_H
#define GEOCODE_GEOCODER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "geocode/place.h"
#include "store/db.h"

struct geocoder;

/* config outlives the geocoder. NULL: a setting cannot be used. */
MUST_CHECK struct geocoder *geocoder_new(const struct config *config, struct error *err);
void geocoder_free(struct geocoder *geocoder); /* NULL is allowed */

const char *geocoder_name(const struct geocoder *geocoder); /* "offline", "nominatim", "photon", "none" */
const char *geocoder_attribution(const struct geocoder *geocoder); /* to be shown with answers; "" for none */
bool geocoder_on_web(const struct geocoder *geocoder);

enum geocode_outcome {
    GEOCODE_DONE,    /* places holds what it knows, perhaps nothing */
    GEOCODE_WAIT,    /* not now: the limit is used up, or the server wants a pause; *wait says how long */
    GEOCODE_REFUSED, /* it will not answer this question, or not readably; another one may do */
    GEOCODE_DOWN,    /* it cannot be reached or is out of order; a pause for all has been noted */
    GEOCODE_OFF,     /* there is no geocoder, or no towns are loaded */
};

/* How to ask. */
struct geocode_manner {
    bool town;        /* reverse: only the town is of interest */
    bool remember;    /* look into geocoding_addresses first and keep the answer there */
    size_t limit;     /* search: places; 0 means 1 */
    int64_t max_wait; /* for the next moment that the limit allows, microseconds */
};

/* Ask, in the calling thread: takes at most max_wait plus GEOCODER_TIMEOUT. Unless DONE, *wait is a sensible
 * time until another try and err says why, for the log. Outside of a transaction. */
enum geocode_outcome geocoder_reverse(struct geocoder *geocoder, struct db *db, struct arena *arena,
                                      double latitude, double longitude, const struct geocode_manner *manner,
                                      struct geo_places *places, int64_t *wait, struct error *err);
enum geocode_outcome geocoder_search(struct geocoder *geocoder, struct db *db, struct arena *arena,
                                     const char *query, const struct geocode_manner *manner,
                                     struct geo_places *places, int64_t *wait, struct error *err);

#endif
