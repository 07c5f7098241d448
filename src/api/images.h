/* Images: upload, and their files by size. */
#ifndef API_IMAGES_H
#define API_IMAGES_H

#include "http/route.h"

extern const struct route image_routes[];
extern const size_t image_route_count;
void image_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
