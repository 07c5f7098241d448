/* Answers of web geocoders that are kept in the table geocoding_addresses, so that typing and clicking the
 * same thing twice does not burden a server that others share. */
#ifndef GEOCODE_ANSWERS_H
#define GEOCODE_ANSWERS_H

#include "base/arena.h"
#include "base/buf.h"
#include "geocode/place.h"
#include "store/db.h"

/* Addresses do not move, but maps get better. */
#define ANSWERS_KEPT_DAYS 30

/* The key of a question: case, space and punctuation at the ends do not matter. NULL: too long to be kept. */
const char *answers_query_key(struct arena *arena, const char *query);
const char *answers_position_key(struct arena *arena, double latitude, double longitude);

/* True: the answer is known. */
bool answers_find(struct db *db, struct arena *arena, const char *key, const char *provider,
                  struct geo_places *places);

/* Best effort. */
void answers_keep(struct db *db, const char *key, const char *provider, const struct geo_places *places);

#endif
