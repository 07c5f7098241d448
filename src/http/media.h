/* Media types: what a client accepts, and what it says it sends. */
#ifndef HTTP_MEDIA_H
#define HTTP_MEDIA_H

#include <stdbool.h>
#include <stddef.h>

/* Does an Accept header (NULL: everything) take this type ("application/json")? Malformed elements count for
 * nothing. */
bool accept_matches(const char *accept, const char *type);

/* Is a Content-Type header of one of these types (NULL-terminated)? Parameters are ignored except charset,
 * which must be utf-8. */
bool content_type_is(const char *header, const char *const *types);

#endif
