/* Geocoding through the API: GET /geocoding/…, and addresses typed for a location. */
#ifndef API_GEOCODING_H
#define API_GEOCODING_H

#include <jansson.h>

#include "http/route.h"

extern const struct route geocoding_routes[];
extern const size_t geocoding_route_count;

void geocoding_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

/* Puts a centre into the body of a location that has an address and leaves the position to us: a new one
 * without centre and polygon, or a patch that sets the centre to null and names no polygon. An address that
 * is not found is added to the request's problems. False: the geocoder cannot be asked now, and that was
 * answered.
 */
MUST_CHECK bool geocode_body(struct request *req, json_t *body, bool create);

#endif
