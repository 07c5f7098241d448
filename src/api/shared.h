/* What a share link shows to whoever has it. */
#ifndef API_SHARED_H
#define API_SHARED_H

#include "base/encode.h"
#include "http/route.h"

/* SHA-256 of a link's token in hex, by which the database knows it. */
#define SHARE_HASH_SIZE HEX_SIZE(32)
void share_token_hash(const char *token, char hex[SHARE_HASH_SIZE]);

extern const struct route shared_routes[];
extern const size_t shared_route_count;
void share_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
