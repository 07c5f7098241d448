/* Key files of every format: a file that is taken holds only keys that are right, one that is refused has a
 * reason. The first byte chooses the format; 0 lets the content decide. */
#include <stdlib.h>
#include <string.h>

#include "findmy/crypto.h"
#include "findmy/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_file(const struct keyfile *file)
{
    for (size_t i = 0; i < file->key_count && i < 4; i++) { /* derivation is slow: a few tell enough */
        struct findmy_public made;
        const struct keyfile_key *key = &file->keys[i];
        if (key->has_private && (!findmy_derive(key->private_key, &made, NULL) ||
                                 memcmp(&made, &key->public_key, sizeof(made)) != 0))
            abort();
    }
    for (size_t i = 0; i < file->accessory_count; i++)
        if (!p224_scalar_valid(file->accessories[i].master) || file->accessories[i].alignment.index < 0)
            abort();
    for (size_t i = 0; i < file->derivation_count; i++)
        if (file->derivations[i].interval <= 0)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct arena *arena = arena_new();
    struct keyfile file = { 0 };
    struct error err = { "", "" };
    enum keyfile_format format = (enum keyfile_format)(data[0] % KEYFILE_FORMATS);
    if (keyfile_parse(arena, format, data + 1, size - 1, &file, &err)) {
        if (format != KEYFILE_AUTO && file.format != format)
            abort();
        check_file(&file);
    } else if (err.code[0] == '\0' || err.message[0] == '\0') {
        abort();
    }
    arena_free(arena);
    return 0;
}
