/* Bounds around libplist, and wiping of what it holds. */
#include "findmy/plistx.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "base/parse.h"

/* Strings and data may be tokens: overwrite them in place, then free. libplist has no call for it, but gives
 * pointers into its own memory. */
static void wipe_node(plist_t node)
{
    uint64_t len = 0;
    switch (plist_get_node_type(node)) {
    case PLIST_STRING:
        wipe((void *)(uintptr_t)plist_get_string_ptr(node, &len), (size_t)len);
        break;
    case PLIST_DATA: {
        const char *data = plist_get_data_ptr(node, &len);
        if (data != NULL)
            wipe((void *)(uintptr_t)data, (size_t)len);
        break;
    }
    case PLIST_DICT: {
        plist_dict_iter iter = NULL;
        plist_t value = NULL;
        plist_dict_new_iter(node, &iter);
        do {
            value = NULL;
            plist_dict_next_item(node, iter, NULL, &value);
            if (value != NULL)
                wipe_node(value);
        } while (value != NULL);
        free(iter);
        break;
    }
    case PLIST_ARRAY:
        for (uint32_t i = 0; i < plist_array_get_size(node); i++)
            wipe_node(plist_array_get_item(node, i));
        break;
    default:
        break;
    }
}

static void release(void *node)
{
    wipe_node(node);
    plist_free(node);
}

plist_t plistx_own(struct arena *arena, plist_t node)
{
    arena_defer(arena, release, node);
    return node;
}

/* Deepest nesting of containers by their tags alone; a text that hides tags in comments only looks deeper. */
static bool nesting_allowed(const char *text, size_t len)
{
    int depth = 0;
    for (size_t i = 0; i + 1 < len; i++) {
        if (text[i] != '<')
            continue;
        bool closing = text[i + 1] == '/';
        const char *name = text + i + 1 + closing;
        size_t left = len - i - 1 - closing;
        bool container = (left >= 4 && strncasecmp(name, "dict", 4) == 0) ||
                         (left >= 5 && strncasecmp(name, "array", 5) == 0);
        if (!container)
            continue;
        depth += closing ? -1 : 1;
        if (depth > PLISTX_MAX_DEPTH)
            return false;
    }
    return true;
}

static bool contains(const char *text, size_t len, const char *word)
{
    return memmem(text, len, word, strlen(word)) != NULL;
}

plist_t plistx_parse(struct arena *arena, const char *text, size_t len, struct error *err)
{
    static const char head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">",
                      tail[] = "</plist>";
    plist_t node = NULL;

    if (len > PLISTX_MAX_SIZE || !nesting_allowed(text, len) || memchr(text, '\0', len) != NULL) {
        error_set(err, "plist_invalid",
                  "the property list is too large, nests too deeply or holds NUL bytes");
        return NULL;
    }
    if (contains(text, len, "<plist")) {
        (void)plist_from_xml(text, (uint32_t)len, &node);
    } else {
        size_t framed_len = sizeof(head) - 1 + len + sizeof(tail) - 1;
        char *framed = arena_secret(arena, framed_len + 1);
        memcpy(framed, head, sizeof(head) - 1);
        memcpy(framed + sizeof(head) - 1, text, len);
        memcpy(framed + sizeof(head) - 1 + len, tail, sizeof(tail));
        (void)plist_from_xml(framed, (uint32_t)framed_len, &node);
    }
    if (node == NULL) {
        error_set(err, "plist_invalid", "the text is not a property list");
        return NULL;
    }
    return plistx_own(arena, node);
}

/* Number of objects, as the trailer of a binary list tells it: 8 bytes at 24 from the end. */
static uint64_t count_objects(const char *data, size_t len)
{
    uint64_t count = 0;
    for (size_t i = 0; i < 8; i++)
        count = count << 8 | (unsigned char)data[len - 24 + i];
    return count;
}

plist_t plistx_parse_any(struct arena *arena, const char *data, size_t len, struct error *err)
{
    static const char magic[] = "bplist00";
    const size_t trailer = 32;
    plist_t node = NULL;

    if (len < strlen(magic) || memcmp(data, magic, strlen(magic)) != 0)
        return plistx_parse(arena, data, len, err);
    if (len >= strlen(magic) + trailer && len <= PLISTX_MAX_SIZE &&
        count_objects(data, len) <= PLISTX_MAX_OBJECTS)
        plist_from_bin(data, (uint32_t)len, &node);
    if (node == NULL) {
        error_set(err, "plist_invalid", "the bytes are not a binary property list");
        return NULL;
    }
    return plistx_own(arena, node);
}

char *plistx_write(struct arena *arena, plist_t node, size_t *len)
{
    char *text = NULL;
    uint32_t size = 0;
    (void)plist_to_xml(node, &text, &size);
    char *copy = arena_secret(arena, (size_t)size + 1);
    if (text != NULL)
        memcpy(copy, text, size);
    copy[size] = '\0';
    if (text != NULL)
        wipe(text, size);
    free(text);
    *len = size;
    return copy;
}

plist_t plistx_get(plist_t dict, const char *key)
{
    if (dict == NULL || plist_get_node_type(dict) != PLIST_DICT)
        return NULL;
    return plist_dict_get_item(dict, key);
}

const char *plistx_text(plist_t dict, const char *key)
{
    plist_t node = plistx_get(dict, key);
    if (node == NULL || plist_get_node_type(node) != PLIST_STRING)
        return NULL;
    return plist_get_string_ptr(node, NULL);
}

const uint8_t *plistx_data(plist_t dict, const char *key, size_t *len)
{
    plist_t node = plistx_get(dict, key);
    uint64_t size = 0;
    if (node == NULL || plist_get_node_type(node) != PLIST_DATA)
        return NULL;
    const char *data = plist_get_data_ptr(node, &size);
    *len = data != NULL ? (size_t)size : 0;
    return (const uint8_t *)(data != NULL ? data : "");
}

bool plistx_int(plist_t dict, const char *key, int64_t *value)
{
    plist_t node = plistx_get(dict, key);
    if (node == NULL)
        return false;
    if (plist_get_node_type(node) == PLIST_STRING)
        return parse_i64(plist_get_string_ptr(node, NULL), value);
    if (plist_get_node_type(node) != PLIST_UINT)
        return false;
    uint64_t bits = 0; /* negative numbers come as their two's complement */
    plist_get_uint_val(node, &bits);
    *value = (int64_t)bits;
    return true;
}

const char *plistx_text_or_int(struct arena *arena, plist_t dict, const char *key)
{
    int64_t number;
    const char *text = plistx_text(dict, key);
    if (text != NULL)
        return text;
    if (!plistx_int(dict, key, &number))
        return NULL;
    char *digits = arena_secret(arena, 24);
    snprintf(digits, 24, "%" PRId64, number);
    return digits;
}
