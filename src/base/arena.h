/* Memory that lives as long as one request or task and dies with it, so that no path can leak.
 *
 * An arena is used by one thread at a time. Running out of memory ends the process: a server that cannot
 * allocate a few kilobytes cannot answer either, and every caller is spared a path that no test reaches.
 * Sizes that come from outside are bounded before they get here. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/error.h"

struct arena;

/* create, reuse, destroy */
struct arena *arena_new(void);
void arena_reset(
    struct arena *arena);             /* runs the clean-ups, frees all but the first block, ready for reuse */
void arena_free(struct arena *arena); /* NULL is allowed */

/* allocate: 16-byte aligned; valid until reset or free; never NULL */
void *arena_alloc(struct arena *arena, size_t size); /* not initialised */
void *arena_zalloc(struct arena *arena, size_t count,
                   size_t size); /* zeroed; count * size is overflow-checked */
void *arena_memdup(struct arena *arena, const void *data, size_t len);
char *arena_strdup(struct arena *arena, const char *text);              /* NULL gives NULL */
char *arena_strndup(struct arena *arena, const char *text, size_t len); /* always NUL-terminated */
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(struct arena *arena, const char *format, va_list args);

/* Run cleanup(object) at reset or free, last registered first: register the undo where the thing is taken. */
void arena_defer(struct arena *arena, void (*cleanup)(void *object), void *object);

/* Like arena_alloc, but the bytes are wiped before they are released. For keys and passwords. */
void *arena_secret(struct arena *arena, size_t size);

/* bytes handed out since the last reset */
size_t arena_used(const struct arena *arena);

#endif
