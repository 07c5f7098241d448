/* Streams of events over suspended and resumed connections. */
#include "http/sse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/timeutil.h"
#include "http/server_private.h"
#include "http/sse_private.h"

#define DEFAULT_QUEUE   (64u * 1024)
#define HEARTBEAT_USEC  SECONDS(15)
#define HEARTBEAT       ":\n\n"
#define READ_BLOCK_SIZE 1024u

/* Lock order: the server's list, then a stream, then libmicrohttpd's own. */
struct sse_stream {
    struct sse_stream *prev, *next; /* of the server's list; guarded by its lock */
    struct http_server *server;
    struct sse_options options;
    _Atomic int references; /* the caller's, the request's */

    pthread_mutex_t lock;
    struct request *req; /* NULL once detached; guarded by lock, as are all below */
    struct buf waiting;
    size_t sent;    /* bytes at the front of waiting that were taken */
    bool suspended; /* the connection waits for more */
    bool closed, dropped;
    int64_t last; /* monotonic µs of the last bytes put in */
};

static void unreference(struct sse_stream *stream)
{
    if (atomic_fetch_sub(&stream->references, 1) != 1)
        return;
    buf_free(&stream->waiting);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

void sse_release(struct sse_stream *stream)
{
    if (stream != NULL)
        unreference(stream);
}

static void list_add(struct sse_stream *stream)
{
    struct http_server *server = stream->server;
    pthread_mutex_lock(&server->lock);
    stream->next = server->streams;
    if (stream->next != NULL)
        stream->next->prev = stream;
    server->streams = stream;
    pthread_mutex_unlock(&server->lock);
}

static void list_remove(struct sse_stream *stream)
{
    struct http_server *server = stream->server;
    pthread_mutex_lock(&server->lock);
    if (stream->prev != NULL)
        stream->prev->next = stream->next;
    else
        server->streams = stream->next;
    if (stream->next != NULL)
        stream->next->prev = stream->prev;
    pthread_mutex_unlock(&server->lock);
}

struct sse_stream *reply_stream(struct request *req, const struct sse_options *options)
{
    struct sse_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL)
        abort();
    if (options != NULL)
        stream->options = *options;
    if (stream->options.queue == 0)
        stream->options.queue = DEFAULT_QUEUE;
    stream->server = req->private_->server;
    atomic_init(&stream->references, 2);
    pthread_mutex_init(&stream->lock, NULL);
    stream->req = req;
    stream->last = time_monotonic();
    stream->closed = atomic_load(&stream->server->draining);
    reply_header(req, "X-Accel-Buffering", "no"); /* nginx must not collect events */
    reply_text(req, 200, "text/event-stream", "", 0);
    req->private_->stream = stream;
    list_add(stream);
    return stream;
}

const char *sse_last_event_id(const struct request *req)
{
    return request_header(req, "Last-Event-ID");
}

/* ---- the network's side ---- */

static ssize_t read_stream(void *cls, uint64_t position, char *out, size_t max)
{
    struct sse_stream *stream = cls;
    ssize_t result = 0;
    (void)position;
    pthread_mutex_lock(&stream->lock);
    size_t left = stream->waiting.len - stream->sent;
    if (stream->dropped) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (left > 0) {
        size_t n = left < max ? left : max;
        memcpy(out, stream->waiting.data + stream->sent, n);
        stream->sent += n;
        if (stream->sent == stream->waiting.len) {
            buf_free(&stream->waiting); /* thousands of streams are idle most of the time */
            stream->sent = 0;
        }
        result = (ssize_t)n;
    } else if (stream->closed) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        stream->suspended = true;
        MHD_suspend_connection(stream->req->private_->mhd);
    }
    pthread_mutex_unlock(&stream->lock);
    return result;
}

struct MHD_Response *sse_response(struct sse_stream *stream)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, READ_BLOCK_SIZE, read_stream, stream, NULL);
}

void sse_detach(struct sse_stream *stream)
{
    list_remove(stream);
    pthread_mutex_lock(&stream->lock);
    stream->req = NULL;
    stream->closed = true;
    buf_free(&stream->waiting);
    stream->sent = 0;
    pthread_mutex_unlock(&stream->lock);
    if (stream->options.closed != NULL)
        stream->options.closed(stream->options.self, stream);
    unreference(stream);
}

/* ---- the application's side; the lock is held ---- */

static void wake(struct sse_stream *stream)
{
    if (!stream->suspended)
        return;
    stream->suspended = false;
    MHD_resume_connection(stream->req->private_->mhd);
}

static void drop(struct sse_stream *stream)
{
    struct http_connection *connection = stream->req->private_->connection;
    stream->dropped = stream->closed = true;
    buf_free(&stream->waiting);
    stream->sent = 0;
    /* Its socket is full, so nothing asks for more: the sweeper cuts it off. */
    atomic_store(&connection->deadline, time_monotonic());
    atomic_store(&connection->phase, (int)PHASE_SENDING);
    wake(stream);
}

static bool put(struct sse_stream *stream, const char *text, size_t len)
{
    if (stream->closed)
        return false;
    if (stream->waiting.len - stream->sent + len > stream->options.queue) {
        drop(stream);
        return false;
    }
    if (stream->sent > 0 && stream->sent == stream->waiting.len)
        buf_clear(&stream->waiting), stream->sent = 0;
    if (stream->sent > stream->options.queue) {
        stream->waiting.len -= stream->sent;
        memmove(stream->waiting.data, stream->waiting.data + stream->sent, stream->waiting.len);
        stream->sent = 0;
    }
    buf_append(&stream->waiting, text, len);
    stream->last = time_monotonic();
    wake(stream);
    return true;
}

/* "name: line" for each line of the text */
static void put_lines(struct buf *out, const char *name, const char *text)
{
    for (;;) {
        size_t len = strcspn(text, "\r\n");
        buf_puts(out, name);
        buf_puts(out, ": ");
        buf_append(out, text, len);
        buf_putc(out, '\n');
        text += len;
        if (*text == '\0')
            return;
        text += text[0] == '\r' && text[1] == '\n' ? 2 : 1;
    }
}

void sse_format(struct buf *out, const char *id, const char *event, const char *data)
{
    if (id != NULL)
        put_lines(out, "id", id);
    if (event != NULL)
        put_lines(out, "event", event);
    if (data != NULL)
        put_lines(out, "data", data);
    buf_putc(out, '\n');
}

bool sse_put(struct sse_stream *stream, const struct buf *formatted)
{
    pthread_mutex_lock(&stream->lock);
    bool sent = put(stream, formatted->data, formatted->len);
    pthread_mutex_unlock(&stream->lock);
    return sent;
}

bool sse_send(struct sse_stream *stream, const char *id, const char *event, const char *data)
{
    struct buf text = { 0 };
    sse_format(&text, id, event, data);
    bool sent = sse_put(stream, &text);
    buf_free(&text);
    return sent;
}

static void close_locked(struct sse_stream *stream)
{
    if (!stream->closed) {
        stream->closed = true;
        wake(stream);
    }
}

void sse_close(struct sse_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    close_locked(stream);
    pthread_mutex_unlock(&stream->lock);
}

/* ---- the server's side ---- */

/* Nobody asks a suspended connection's socket whether its peer is still there. Readers of a stream send
 * nothing any more, so an end is one even when it is only of their side. */
static bool peer_left(const struct sse_stream *stream)
{
    char byte;
    if (stream->req == NULL || !stream->suspended)
        return false;
    ssize_t n = recv(stream->req->private_->connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void sse_tick(struct http_server *server)
{
    int64_t now = time_monotonic();
    pthread_mutex_lock(&server->lock);
    for (struct sse_stream *stream = server->streams; stream != NULL; stream = stream->next) {
        pthread_mutex_lock(&stream->lock);
        if (peer_left(stream))
            drop(stream);
        else if (now - stream->last >= HEARTBEAT_USEC)
            put(stream, HEARTBEAT, sizeof(HEARTBEAT) - 1);
        pthread_mutex_unlock(&stream->lock);
    }
    pthread_mutex_unlock(&server->lock);
}

void sse_close_all(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    for (struct sse_stream *stream = server->streams; stream != NULL; stream = stream->next) {
        pthread_mutex_lock(&stream->lock);
        close_locked(stream);
        pthread_mutex_unlock(&stream->lock);
    }
    pthread_mutex_unlock(&server->lock);
}
