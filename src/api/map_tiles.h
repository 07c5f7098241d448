/* Map tiles of trackers. */
#ifndef API_MAP_TILES_H
#define API_MAP_TILES_H

#include "base/arena.h"
#include "http/route.h"

/* The route; it lives in the arena. Returns 1. */
size_t map_tile_routes(struct arena *arena, const struct route **routes);
void map_tile_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
