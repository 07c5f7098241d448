/* A growing byte buffer with an upper bound and a sticky error, so that writers check once, at the end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

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
void buf_append_growing(struct buf *buf, const void *data, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* Room for len more bytes at buf->data + buf->len, or NULL on overflow; the caller adds to len what it wrote.
 */
char *buf_reserve(struct buf *buf, size_t len);

/* Inline for the writers of documents, which append a few bytes at a time: room within what is allocated is
 * the usual case. data may be NULL when len is 0. */
static inline void buf_append(struct buf *buf, const void *data, size_t len)
{
    if (buf->overflow || len == 0 || len >= buf->size - buf->len ||
        len > (buf->max != 0 ? buf->max : BUF_DEFAULT_MAX) - buf->len) {
        buf_append_growing(buf, data, len);
        return;
    }
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

static inline void buf_putc(struct buf *buf, char c)
{
    buf_append(buf, &c, 1);
}

const char *buf_text(const struct buf *buf); /* "" while empty */

#endif
