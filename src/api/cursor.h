/* Opaque page cursors: where the last page ended, signed, so that what comes back is what was given out. */
#ifndef API_CURSOR_H
#define API_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

#define CURSOR_KEY_SIZE 32
/* The longest sort value is a name of 200 characters, at most 4 bytes each. */
#define CURSOR_MAX_TEXT 800

struct cursor {
    const char *text; /* sort column of the last row in PostgreSQL's text form; NULL: null */
    int64_t id;
};

/* scope ("brands|-name") is signed too: a cursor of another list or order is refused. */
const char *cursor_write(struct arena *arena, const uint8_t key[CURSOR_KEY_SIZE], const char *scope,
                         const struct cursor *cursor);
MUST_CHECK bool cursor_read(struct arena *arena, const uint8_t key[CURSOR_KEY_SIZE], const char *scope,
                            const char *text, struct cursor *cursor);

#endif
