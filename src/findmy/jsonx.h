/* JSON from outside: bounded reading, typed look-up, wiping of texts. */
#ifndef FINDMY_JSONX_H
#define FINDMY_JSONX_H

#include <jansson.h>
#include <stddef.h>

/* NULL when the text is larger than max, empty or no JSON. Free with jsonx_free. */
json_t *jsonx_parse(const char *text, size_t len, size_t max);

/* Wipes all texts (they may be tokens), then frees. NULL is allowed. */
void jsonx_free(json_t *root);

/* Text of a member; NULL when root is no object, has no such member, or it is no text. NULL root is allowed.
 */
const char *jsonx_text(const json_t *root, const char *name);

/* The same without regard to case: header names in Anisette answers are spelt in several ways. */
const json_t *jsonx_member_nocase(const json_t *root, const char *name);
const char *jsonx_text_nocase(const json_t *root, const char *name);

#endif
