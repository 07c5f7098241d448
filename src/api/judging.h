/* What the API offers about judging: statuses set by hand, judging anew, previews. */
#ifndef API_JUDGING_H
#define API_JUDGING_H

#include "http/route.h"

extern const struct route status_override_routes[];
extern const size_t status_override_route_count;

extern const struct route replay_routes[];
extern const size_t replay_route_count;

void judging_override_schemas(void (*add)(void *to, const char *name, const char *json), void *to);
void judging_replay_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
