/* Bounded growing byte buffer. */
#include "base/buf.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256u

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){ .max = buf->max, .secret = buf->secret };
}

void buf_wipe(struct buf *buf)
{
    if (buf->data != NULL)
        sodium_memzero(buf->data, buf->size);
    buf_free(buf);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

char *buf_reserve(struct buf *buf, size_t len)
{
    size_t max = buf->max != 0 ? buf->max : BUF_DEFAULT_MAX;
    if (buf->overflow || len > max - buf->len) {
        buf->overflow = true;
        return NULL;
    }
    size_t need = buf->len + len + 1;
    if (need > buf->size) {
        size_t size = buf->size != 0 ? buf->size : FIRST_SIZE;
        while (size < need)
            size *= 2;
        char *data = buf->secret ? malloc(size) : realloc(buf->data, size);
        if (data == NULL) {
            fputs("trackerd: out of memory\n", stderr);
            abort();
        }
        if (buf->secret && buf->data != NULL) {
            memcpy(data, buf->data, buf->len + 1);
            sodium_memzero(buf->data, buf->size);
            free(buf->data);
        }
        buf->data = data;
        buf->size = size;
    }
    return buf->data + buf->len;
}

void buf_append_growing(struct buf *buf, const void *data, size_t len)
{
    char *room = buf_reserve(buf, len);
    if (room == NULL)
        return;
    if (len > 0)
        memcpy(room, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *room = len < 0 ? NULL : buf_reserve(buf, (size_t)len);
    if (room == NULL)
        return;
    va_start(args, format);
    vsnprintf(room, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
}

const char *buf_text(const struct buf *buf)
{
    return buf->data != NULL ? buf->data : "";
}
