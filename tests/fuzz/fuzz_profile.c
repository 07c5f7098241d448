/* Provider profiles: what is taken prints, and the print reads back to the same. */
#include <stdlib.h>
#include <string.h>

#include "findmy/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct error err = { .code = "" };
    const struct profile *profile = profile_parse(arena, (const char *)data, size, &err);
    if (profile == NULL && strcmp(err.code, "profile_invalid") != 0)
        abort();
    if (profile != NULL) {
        struct buf first = { 0 }, second = { 0 };
        profile_print(profile, &first);
        const struct profile *again = profile_parse(arena, first.data, first.len, &err);
        if (again == NULL)
            abort();
        profile_print(again, &second);
        if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
            abort();
        buf_free(&first);
        buf_free(&second);
    }
    arena_free(arena);
    return 0;
}
