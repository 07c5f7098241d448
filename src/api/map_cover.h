/* Boxes and tiles on the map as ranges of map keys, by which the database finds trackers (see map_key() in
 * db/migrations/0004_trackers.sql). */
#ifndef API_MAP_COVER_H
#define API_MAP_COVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define MAP_ZOOM 24 /* a map key is a web-mercator tile of this zoom, in Morton order */

/* Keys from low on, below high. */
struct map_range {
    int64_t low, high;
};

/* The keys within tile z/x/y; 0 <= z <= MAP_ZOOM, x and y below 1 << z. */
struct map_range map_tile(int z, uint32_t x, uint32_t y);

/* Degrees. A box with west > east crosses the antimeridian. */
struct map_box {
    double west, south, east, north;
};

/* "west,south,east,north", the order of GeoJSON; false when it is anything else, or south > north. */
MUST_CHECK bool map_box_parse(const char *text, struct map_box *box);

/* Two tiles in each direction cover a box when a tile is as large as the box. */
#define MAP_COVER_MAX 4

/* Ranges that together hold every key of the box, and of a little more around it; those not needed are empty
 * (low = high = 0). */
void map_cover(const struct map_box *box, struct map_range ranges[MAP_COVER_MAX]);

#endif
