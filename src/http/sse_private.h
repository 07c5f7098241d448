/* What the server does with streams. */
#ifndef HTTP_SSE_PRIVATE_H
#define HTTP_SSE_PRIVATE_H

#include <microhttpd.h>

#include "http/sse.h"

struct http_server;

/* The response that reads the stream. */
struct MHD_Response *sse_response(struct sse_stream *stream);

/* The request is over; nothing of the connection is touched any more. */
void sse_detach(struct sse_stream *stream);

/* Once a second: heartbeats. */
void sse_tick(struct http_server *server);

/* The server is stopping. */
void sse_close_all(struct http_server *server);

#endif
