/* The geocoders on the web, Nominatim and Photon: how they are asked and how their answers read. No I/O.
 *
 * Sources: nominatim.org/release-docs/latest/api (Search, Reverse, Output) and the README of komoot/photon.
 */
#ifndef GEOCODE_WEB_H
#define GEOCODE_WEB_H

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "geocode/place.h"

/* What goes with every question. Empty texts are left out. */
struct web_manner {
    const char *base;     /* "https://nominatim.openstreetmap.org", a slash at the end does not matter */
    const char *language; /* "en" */
    const char *email;
};

struct web_provider {
    const char *name;        /* as in GEOCODER */
    const char *public_url;  /* the public server */
    const char *attribution; /* to be shown with what it answers */

    /* Append the address that asks. town: only the town is of interest, which costs the server less. */
    void (*reverse_url)(struct buf *url, const struct web_manner *manner, double latitude, double longitude,
                        bool town);
    void (*search_url)(struct buf *url, const struct web_manner *manner, const char *query, size_t limit);

    /* Read the answer to either question. False with "geocoder_answer" when it is none of this provider's. */
    bool (*read)(const json_t *answer, struct arena *arena, struct geo_places *places, struct error *err);
};

/* NULL: no web provider has this name. */
const struct web_provider *web_provider(const char *name);

#endif
