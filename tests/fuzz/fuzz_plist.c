/* Property lists, XML and binary, through the bounds around libplist and the readers of key records. */
#include <stdlib.h>
#include <string.h>

#include "findmy/keyfile.h"
#include "findmy/plistx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t record_key[KEYFILE_RECORD_KEY_SIZE];

/* Ask a tree for everything that the readers may ask it for. */
static void look(struct arena *arena, plist_t root)
{
    static const char *const keys[] = { "privateKey", "identifier", "lastIndexObserved", "Response",
                                        "Status" };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        size_t len = 0;
        int64_t number;
        const uint8_t *bytes = plistx_data(root, keys[i], &len);
        const char *text = plistx_text(root, keys[i]);
        if ((bytes != NULL && text != NULL) || (text != NULL && strlen(text) > PLISTX_MAX_SIZE))
            abort();
        (void)plistx_text_or_int(arena, root, keys[i]);
        (void)!plistx_int(root, keys[i], &number);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct keyfile file;
    struct error err;
    plist_t root = plistx_parse_any(arena, (const char *)data, size, &err);
    if (root != NULL)
        look(arena, root);
    (void)!keyfile_parse(arena, KEYFILE_ACCESSORY_PLIST, data, size, &file, NULL);
    if (keyfile_parse_record(arena, record_key, data, size, &file, NULL) && file.alignment_count == 0)
        abort(); /* only the corpus' own record opens, without a forger */
    arena_free(arena);
    return 0;
}
