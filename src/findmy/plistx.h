/* XML property lists from outside: bounded reading, typed look-up, wiping. */
#ifndef FINDMY_PLISTX_H
#define FINDMY_PLISTX_H

#include <plist/plist.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/* Apple's answers are a few kilobytes and nest five deep; libplist recurses, so depth must be bounded before
 * it sees the text. */
#define PLISTX_MAX_SIZE  (1024u * 1024)
#define PLISTX_MAX_DEPTH 32

/* Objects of a binary list: what bounds libplist's recursion there (a few hundred bytes of stack an object at
 * worst), and room for some hundred keys. */
#define PLISTX_MAX_OBJECTS 4096

/* Parse XML text, with or without the <plist> frame around the value (the decrypted `spd` of a login comes
 * bare). NULL with code "plist_invalid" when it is none. The tree is wiped and freed with the arena. */
MUST_CHECK plist_t plistx_parse(struct arena *arena, const char *text, size_t len, struct error *err);

/* The same for a file of either form: XML with its frame, or binary ("bplist00", as macOS stores records). */
MUST_CHECK plist_t plistx_parse_any(struct arena *arena, const char *data, size_t len, struct error *err);

/* Hand a tree that was built by hand to the arena, which wipes and frees it. Returns the tree. */
plist_t plistx_own(struct arena *arena, plist_t node);

/* XML text of a tree, NUL-terminated, wiped with the arena. */
char *plistx_write(struct arena *arena, plist_t node, size_t *len);

/* Look up a key of a dict; NULL when node is no dict or has no such key. */
plist_t plistx_get(plist_t dict, const char *key);

/* Values by key; the pointers live as long as the tree. NULL or false: absent or of another type. */
const char *plistx_text(plist_t dict, const char *key);
const uint8_t *plistx_data(plist_t dict, const char *key, size_t *len);
MUST_CHECK bool plistx_int(plist_t dict, const char *key, int64_t *value); /* integer, or text of digits */

/* Text, or the digits of an integer (Apple sends ids in both forms); in the arena, wiped with it. */
const char *plistx_text_or_int(struct arena *arena, plist_t dict, const char *key);

#endif
