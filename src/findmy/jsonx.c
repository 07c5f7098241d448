/* Bounds and wiping around jansson. */
#include "findmy/jsonx.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"

/* jansson bounds nesting itself (JSON_PARSER_MAX_DEPTH, 2048). */
json_t *jsonx_parse(const char *text, size_t len, size_t max)
{
    return len > 0 && len <= max ? json_loadb(text, len, 0, NULL) : NULL;
}

static void wipe_texts(json_t *node)
{
    if (json_is_string(node)) {
        wipe((void *)(uintptr_t)json_string_value(node), json_string_length(node));
    } else if (json_is_object(node)) {
        for (void *at = json_object_iter(node); at != NULL; at = json_object_iter_next(node, at))
            wipe_texts(json_object_iter_value(at));
    } else if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node); i++)
            wipe_texts(json_array_get(node, i));
    }
}

void jsonx_free(json_t *root)
{
    if (root == NULL)
        return;
    wipe_texts(root);
    json_decref(root);
}

const char *jsonx_text(const json_t *root, const char *name)
{
    return json_string_value(json_object_get(root, name));
}

const json_t *jsonx_member_nocase(const json_t *root, const char *name)
{
    for (void *at = json_object_iter((json_t *)(uintptr_t)root); at != NULL;
         at = json_object_iter_next((json_t *)(uintptr_t)root, at))
        if (strcasecmp(json_object_iter_key(at), name) == 0)
            return json_object_iter_value(at);
    return NULL;
}

const char *jsonx_text_nocase(const json_t *root, const char *name)
{
    return json_string_value(jsonx_member_nocase(root, name));
}
