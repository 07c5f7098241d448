/* Server-sent events: answers without an end, written to from any thread.
 *
 * A stream holds what its reader has not taken yet, up to a bound; a reader that falls further behind is
 * dropped, not waited for: it reconnects with Last-Event-ID and is told what it missed. Idle streams get a
 * comment now and then, so that proxies keep them open and dead peers are noticed. */
#ifndef HTTP_SSE_H
#define HTTP_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "http/request.h"

struct sse_stream;

struct sse_options {
    size_t queue; /* bytes that may wait for the reader; 0: 64 KiB */
    void (*closed)(void *self,
                   struct sse_stream *stream); /* the reader is gone; on a network thread; may be NULL */
    void *self;
};

/* Answer with a stream. The caller holds a reference until sse_release, and may send at once. */
struct sse_stream *reply_stream(struct request *req, const struct sse_options *options);

/* Number of the last event the reader saw before it reconnected, or NULL. */
const char *sse_last_event_id(const struct request *req);

/* id and event may be NULL; data may have several lines. Without data (NULL) nothing happens at the reader,
 * who only remembers the id. False: the reader is gone or was dropped. */
bool sse_send(struct sse_stream *stream, const char *id, const char *event, const char *data);

/* The same in two steps, for one event to many streams. */
void sse_format(struct buf *out, const char *id, const char *event, const char *data);
bool sse_put(struct sse_stream *stream, const struct buf *formatted);

void sse_close(struct sse_stream *stream);   /* what waits is still sent */
void sse_release(struct sse_stream *stream); /* NULL is allowed */

#endif
