/* Lists of what belongs to one row: GET /trackers/{id}/events and its like. */
#ifndef API_SUBLISTS_H
#define API_SUBLISTS_H

#include "base/arena.h"
#include "http/route.h"

/* The routes of all of them; they live in the arena. Returns their number. */
size_t sublist_routes(struct arena *arena, const struct route **routes);

#endif
