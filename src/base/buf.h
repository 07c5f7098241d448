/* A growing byte buffer with an upper bound and a sticky error, so that writers check once, at the end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Enough for the largest page of the API; a buffer that needs more is a mistake or an attack. */
#define BUF_DEFAULT_MAX (64u * 1024 * 1024)

struct buf {
    char *data;    /* NUL-terminated after every append; NULL while empty */
    size_t len;    /* bytes written, without the NUL */
    size_t size;   /* bytes allocated */
    size_t max;    /* bound on len; 0 means BUF_DEFAULT_MAX */
    bool overflow; /* an append did not fit in max: contents are incomplete */
    bool secret;   /* growing wipes the bytes it leaves behind; end with buf_wipe */
};

/* A struct buf of zeros is a valid empty buffer. */
void buf_free(struct buf *buf);  /* releases the bytes, buf is empty and usable again */
void buf_wipe(struct buf *buf);  /* the same, zeroing the bytes first */
void buf_clear(struct buf *buf); /* keeps the allocation */

/* Appends do nothing once overflow is set. */
void buf_append(struct buf *buf, const void *data, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* Room for len more bytes at buf->data + buf->len, or NULL on overflow; the caller adds to len what it wrote.
 */
char *buf_reserve(struct buf *buf, size_t len);

const char *buf_text(const struct buf *buf); /* "" while empty */

#endif
