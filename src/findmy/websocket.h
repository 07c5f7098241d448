/* A conversation over WebSocket: the server's text messages come one by one, each may be answered.
 *
 * Behind a value with one function, like HTTP, so that tests need no network. The real one stands on
 * libwebsockets (Debian 12's libcurl has no WebSockets): ws:// and wss://, TLS always verified, bounded in
 * time, message size and number of messages. */
#ifndef FINDMY_WEBSOCKET_H
#define FINDMY_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/httpc.h"

/* An Anisette server's largest message is a machine state of some kilobytes. */
#define WEBSOCKET_MAX_MESSAGE  (256u * 1024)
#define WEBSOCKET_MAX_MESSAGES 32

enum websocket_verdict {
    WEBSOCKET_GO_ON, /* *reply is sent unless it is empty, then the next message is awaited */
    WEBSOCKET_DONE,  /* the conversation has reached its end */
    WEBSOCKET_FAILED /* err was filled */
};

/* Called for each whole text message (NUL-terminated). It may block for a while, but the server's patience is
 * short. */
struct websocket_dialog {
    enum websocket_verdict (*message)(void *self, const char *text, size_t len, struct buf *reply,
                                      struct error *err);
    void *self;
};

/* Talk until the dialog is done. False with "ws_timeout", "ws_connect", "ws_closed" (ended early),
 * "ws_too_large", "ws_invalid", or the dialog's own error. */
struct websocket_client {
    bool (*converse)(struct websocket_client *self, const char *url, int64_t timeout,
                     const struct websocket_dialog *dialog, struct error *err);
    void (*close)(struct websocket_client *self); /* frees the client; NULL: nothing to free */
};

/* The client on libwebsockets; proxy and ca_file of the options are used. With a proxy that is not http://
 * only this machine itself can be reached ("ws_invalid"). */
MUST_CHECK struct websocket_client *websocket_new(const struct httpc_options *options, struct error *err);

MUST_CHECK bool websocket_converse(struct websocket_client *client, const char *url, int64_t timeout,
                                   const struct websocket_dialog *dialog, struct error *err);
void websocket_close(struct websocket_client *client); /* NULL is allowed */

#endif
