/* Refuses requests of which it is not certain where they end, or which two servers could read in two ways. */
#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H

#include <stdbool.h>
#include <stdint.h>

#include "http/request_private.h"

struct framing {
    bool has_body; /* a body follows, even of length 0 */
    bool chunked;
    bool expects_continue;
    int64_t length; /* of the body; -1: chunked, unknown */
};

/* Looks at all headers. Codes: "bad_request" (400), "bad_framing" (400), "too_many_headers" (431),
 * "http_version_not_supported" (505), "expectation_failed" (417); *status is set with them. */
MUST_CHECK bool framing_check(const char *version, const struct pairs *headers, struct framing *framing,
                              int *status, struct error *err);

/* RFC 9110 token: what names of headers and methods are made of. */
bool is_token(const char *text);

#endif
