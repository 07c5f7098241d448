/* WebSocket conversations that fail without a server of theirs; whole ones are tested against the simulator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/timeutil.h"
#include "canned_server.h"
#include "findmy/websocket.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One: 1\r\nx-one: 2\r\nSet-Cookie:  a=b \r\n\r\nhello"

static enum websocket_verdict never(void *self, const char *text, size_t len, struct buf *reply,
                                    struct error *err)
{
    (void)self, (void)text, (void)len, (void)reply, (void)err;
    fail();
    return WEBSOCKET_FAILED;
}

static void conversations_that_do_not_begin(void **state)
{
    (void)state;
    struct canned_server server;
    char url[64], ws[64];
    struct error err;
    const struct websocket_dialog dialog = { .message = never };
    struct websocket_client *client = websocket_new(&(struct httpc_options){ .proxy = "socks5://x" }, &err);
    assert_non_null(client);
    assert_false(websocket_converse(client, "ws://far.example/x", SECONDS(1), &dialog, &err));
    assert_true(error_is(&err, "ws_invalid"));
    assert_false(websocket_converse(client, "ws://127.0.0.1:1/x", SECONDS(1), &dialog, &err));
    assert_true(error_is(&err, "ws_connect"));
    websocket_close(client);
    client = websocket_new(&(struct httpc_options){ 0 }, &err);
    assert_non_null(client);
    static const char *const bad[] = { "http://127.0.0.1/", "x", "", "ftp://x/" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(websocket_converse(client, bad[i], SECONDS(1), &dialog, &err));
        assert_true(error_is(&err, "ws_invalid"));
    }
    assert_false(websocket_converse(client, "ws://127.0.0.1:1/x", SECONDS(2), &dialog, &err));
    assert_true(error_is(&err, "ws_connect"));

    canned_start(&server, OK, strlen(OK), url); /* no upgrade */
    snprintf(ws, sizeof(ws), "ws%s", url + strlen("http"));
    assert_false(websocket_converse(client, ws, SECONDS(2), &dialog, &err));
    assert_true(error_is(&err, "ws_connect") || error_is(&err, "ws_closed"));
    canned_stop(&server);

    canned_start(&server, OK, strlen(OK), url);
    server.delay = 3 * USEC_PER_SEC; /* silence */
    snprintf(ws, sizeof(ws), "ws%s", url + strlen("http"));
    int64_t before = time_monotonic();
    assert_false(websocket_converse(client, ws, 200 * 1000, &dialog, &err));
    assert_true(error_is(&err, "ws_timeout"));
    assert_true(time_monotonic() - before < SECONDS(2)); /* ten times as long as it may take */
    canned_stop(&server);
    websocket_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations_that_do_not_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
