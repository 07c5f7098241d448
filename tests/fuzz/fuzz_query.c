/* Fuzzes request targets and forms: what is let through is UTF-8 without what the rules forbid. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pairs(const struct pairs *pairs)
{
    if (pairs->count > HTTP_MAX_PARAMETERS)
        abort();
    for (size_t i = 0; i < pairs->count; i++)
        if (!utf8_valid(pairs->items[i].name, strlen(pairs->items[i].name)) ||
            !utf8_valid(pairs->items[i].value, strlen(pairs->items[i].value)))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct error err;
    struct target target;
    const char *raw = arena_strndup(arena, (const char *)data, size);
    if (target_parse(arena, raw, &target, &err)) {
        if (!utf8_valid(target.path, strlen(target.path)) || target.segment_count > TARGET_MAX_SEGMENTS)
            abort();
        for (size_t i = 0; i < target.segment_count; i++)
            if (strchr(target.segments[i], '/') != NULL || strcmp(target.segments[i], "..") == 0)
                abort();
        check_pairs(&target.query);
    }
    struct pairs form = { 0 };
    if (pairs_decode(arena, (const char *)data, size, true, &form, &err))
        check_pairs(&form);
    arena_free(arena);
    return 0;
}
