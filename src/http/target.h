/* The target of a request line, taken apart strictly: one reading only, nothing repaired. */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "http/request_private.h"

/* Deeper paths exist nowhere in the API. */
#define TARGET_MAX_SEGMENTS 16

struct target {
    const char *path;                          /* decoded; "*" for OPTIONS * */
    const char *segments[TARGET_MAX_SEGMENTS]; /* decoded, without slashes */
    size_t segment_count;
    bool too_deep; /* more segments: no route can match */
    struct pairs query;
};

/* raw as it stands in the request line: origin form, or absolute form of which only the path counts.
 * Refused (error "bad_target"): malformed escapes, NUL and control characters, text that is not UTF-8, "."
 * and ".." segments, escaped slashes (they would be separators to some and not to others), fragments, more
 * than HTTP_MAX_PARAMETERS parameters. All texts are in the arena. */
MUST_CHECK bool target_parse(struct arena *arena, const char *raw, struct target *target, struct error *err);

/* name=value&… of a query or a form: plus is a space, %XX a byte, the result UTF-8 without NUL. secret: what
 * is decoded is wiped with the arena. */
MUST_CHECK bool pairs_decode(struct arena *arena, const char *text, size_t len, bool secret,
                             struct pairs *pairs, struct error *err);

#endif
