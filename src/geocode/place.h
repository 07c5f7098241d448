/* What geocoders answer with: places. */
#ifndef GEOCODE_PLACE_H
#define GEOCODE_PLACE_H

#include <stdbool.h>
#include <stddef.h>

/* Of one answer: more than a person looks through while typing. */
#define GEO_MAX_PLACES 10

/* How closely a place is known, from a door to a country. */
enum geo_kind { GEO_ADDRESS, GEO_STREET, GEO_TOWN, GEO_AREA };
extern const char *const geo_kind_names[]; /* "address", "street", "town", "area", NULL */

/* Texts live in the arena of the question; NULL when unknown. */
struct geo_place {
    double latitude, longitude; /* WGS 84 degrees */
    enum geo_kind kind;
    bool exact;               /* it is what was asked for as a whole, not only a part of it */
    const char *name;         /* the town, village or, where there is none, what else the place is called */
    const char *region;       /* state, province, canton */
    const char *country_code; /* ISO 3166-1, two capital letters */
    const char *label;        /* one line for a person; never NULL */
};

struct geo_places {
    struct geo_place list[GEO_MAX_PLACES];
    size_t count; /* 0: the geocoder knows none */
};

#endif
