/* The HTTP client against a server of canned bytes, recordings, and the helpers around requests. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/timeutil.h"
#include "findmy/httpc.h"
#include "findmy/record.h"
#include "findmy/websocket.h"

/* ---- a server that reads one request and writes what it was told ---- */

struct server {
    int listener;
    pthread_t thread;
    const char *answer;
    size_t answer_len;
    int64_t delay;
    int connections;
    char seen[8192];
};

static void *serve(void *self)
{
    struct server *server = self;
    int fd;
    while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
        size_t len = 0;
        ssize_t got;
        server->connections++;
        while (len < sizeof(server->seen) - 1 &&
               (got = recv(fd, server->seen + len, sizeof(server->seen) - 1 - len, 0)) > 0) {
            len += (size_t)got;
            server->seen[len] = '\0';
            if (strstr(server->seen, "\r\n\r\n") != NULL)
                break;
        }
        if (server->delay > 0)
            usleep((useconds_t)server->delay);
        for (size_t at = 0; at < server->answer_len;) {
            got = send(fd, server->answer + at, server->answer_len - at, MSG_NOSIGNAL);
            if (got <= 0)
                break;
            at += (size_t)got;
        }
        shutdown(fd, SHUT_RDWR);
        close(fd);
    }
    return NULL;
}

static const char *start(struct server *server, const char *answer, size_t len, char url[64])
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    memset(server, 0, sizeof(*server));
    server->answer = answer;
    server->answer_len = len;
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    snprintf(url, 64, "http://127.0.0.1:%d/path", ntohs(address.sin_port));
    return url;
}

static void stop(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    close(server->listener);
    pthread_join(server->thread, NULL);
}

static struct http_client *client(void)
{
    struct error err;
    struct http_client *made = httpc_curl_new(&(struct httpc_options){ 0 }, &err);
    assert_non_null(made);
    return made;
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One: 1\r\nx-one: 2\r\nSet-Cookie:  a=b \r\n\r\nhello"

static void a_request_goes_out_whole(void **state)
{
    (void)state;
    struct server server;
    char url[64];
    struct error err;
    struct http_in resp;
    struct arena *arena = arena_new();
    struct http_client *http = client();
    const struct httpc_header headers[] = { { "Authorization", "Basic eA==" }, { "X-Empty-Not", "v w" } };
    start(&server, OK, strlen(OK), url);
    struct http_out req = {
        .method = "PUT", .url = url, .headers = headers, .header_count = 2, .body = "abc", .body_len = 3
    };
    assert_true(httpc_request(http, &req, &resp, arena, &err));
    assert_int_equal(resp.status, 200);
    assert_string_equal(resp.body, "hello");
    assert_string_equal(httpc_header(&resp, "X-ONE"), "1");
    assert_string_equal(httpc_header(&resp, "set-cookie"), "a=b");
    assert_null(httpc_header(&resp, "absent"));
    assert_non_null(strstr(server.seen, "PUT /path HTTP/1.1\r\n"));
    assert_non_null(strstr(server.seen, "Authorization: Basic eA==\r\n"));
    assert_non_null(strstr(server.seen, "Content-Length: 3\r\n"));
    assert_non_null(strstr(server.seen, "User-Agent: trackerd/"));
    assert_null(strstr(server.seen, "Expect:"));
    assert_null(strstr(server.seen, "Content-Type: application/x-www-form-urlencoded"));
    stop(&server);
    httpc_close(http);
    arena_free(arena);
}

static void failures_have_their_codes(void **state)
{
    (void)state;
    static char many_headers[8192], long_header[80000];
    char *at = many_headers + sprintf(many_headers, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < HTTPC_MAX_HEADERS + 1; i++)
        at += sprintf(at, "X-%d: y\r\n", i);
    strcpy(at, "\r\n");
    at = long_header + sprintf(long_header, "HTTP/1.1 200 OK\r\nX: ");
    memset(at, 'a', 70000);
    strcpy(at + 70000, "\r\n\r\n");
    static const char cut[] = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello";
    static const char large[] = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhello";
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n28\r\n"
                                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n0\r\n\r\n";
    const struct {
        const char *answer, *code;
        int64_t delay;
    } cases[] = {
        { cut, "http_too_large", 0 }, /* 50 is more than is allowed below */
        { large, "http_too_large", 0 },
        { chunked, "http_too_large", 0 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nhello", "http_broken", 0 },
        { many_headers, "http_too_large", 0 },
        { long_header, "http_too_large", 0 },
        { "SSH-2.0-nothing\r\n", "http_broken", 0 },
        { "", "http_broken", 0 },
        { OK, "http_timeout", 600 * 1000 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct server server;
        char url[64];
        struct error err = { .code = "" };
        struct http_in resp;
        struct arena *arena = arena_new();
        struct http_client *http = client();
        start(&server, cases[i].answer, strlen(cases[i].answer), url);
        server.delay = cases[i].delay;
        struct http_out req = { .url = url, .max_body = 32, .timeout = 300 * 1000 };
        if (httpc_request(http, &req, &resp, arena, &err) || !error_is(&err, cases[i].code))
            fail_msg("case %zu: %s: %s", i, err.code, err.message);
        stop(&server);
        httpc_close(http);
        arena_free(arena);
    }
}

static void the_limit_of_a_body_is_exact(void **state)
{
    (void)state;
    for (size_t max = 4; max <= 6; max++) {
        struct server server;
        char url[64];
        struct error err;
        struct http_in resp;
        struct arena *arena = arena_new();
        struct http_client *http = client();
        start(&server, OK, strlen(OK), url);
        struct http_out req = { .url = url, .max_body = max };
        assert_int_equal(httpc_request(http, &req, &resp, arena, &err), max >= 5);
        stop(&server);
        httpc_close(http);
        arena_free(arena);
    }
}

static void redirects_are_answers(void **state)
{
    (void)state;
    static const char moved[] =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    struct server server;
    char url[64];
    struct error err;
    struct http_in resp;
    struct arena *arena = arena_new();
    struct http_client *http = client();
    start(&server, moved, strlen(moved), url);
    struct http_out req = { .url = url };
    assert_true(httpc_request(http, &req, &resp, arena, &err));
    assert_int_equal(resp.status, 302);
    req.follow_redirects = true; /* even then never from TLS or plain to plain */
    assert_false(httpc_request(http, &req, &resp, arena, &err));
    assert_int_equal(server.connections, 2);
    stop(&server);
    httpc_close(http);
    arena_free(arena);
}

static void requests_that_are_not_sent(void **state)
{
    (void)state;
    static const struct httpc_header bad[] = {
        { "X", "a\r\nY: b" }, { "X", "\x7f" }, { "X: y", "a" }, { "X", "\xc3\xa4" }
    };
    static const char *const urls[] = { "ftp://x", "file:///etc/passwd", "", "x", "gopher://x" };
    struct error err;
    struct http_in resp;
    struct arena *arena = arena_new();
    struct http_client *http = client();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct http_out req = { .url = "http://127.0.0.1:1/", .headers = &bad[i], .header_count = 1 };
        assert_false(httpc_request(http, &req, &resp, arena, &err));
        assert_true(error_is(&err, "http_invalid"));
    }
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct http_out req = { .url = urls[i] };
        assert_false(httpc_request(http, &req, &resp, arena, &err));
        assert_true(error_is(&err, "http_invalid"));
    }
    struct http_out refused = { .url = "http://127.0.0.1:1/" };
    assert_false(httpc_request(http, &refused, &resp, arena, &err));
    assert_true(error_is(&err, "http_connect"));
    httpc_close(http);
    arena_free(arena);
}

static void environment_proxies_are_not_used(void **state)
{
    (void)state;
    struct server server;
    char url[64];
    struct error err;
    struct http_in resp;
    struct arena *arena = arena_new();
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    struct http_client *http = client();
    start(&server, OK, strlen(OK), url);
    struct http_out req = { .url = url };
    assert_true(httpc_request(http, &req, &resp, arena, &err));
    unsetenv("http_proxy");
    stop(&server);
    httpc_close(http);
    arena_free(arena);
}

static void a_proxy_of_ours_is_used(void **state)
{
    (void)state;
    struct server server;
    char url[64];
    struct error err;
    struct http_in resp;
    struct arena *arena = arena_new();
    start(&server, OK, strlen(OK), url);
    struct http_client *http = httpc_curl_new(&(struct httpc_options){ .proxy = url }, &err);
    assert_non_null(http);
    struct http_out req = { .url = "http://far.example/x" };
    assert_true(httpc_request(http, &req, &resp, arena, &err));
    assert_non_null(strstr(server.seen, "GET http://far.example/x HTTP/1.1"));
    stop(&server);
    httpc_close(http);
    arena_free(arena);
}

/* ---- helpers ---- */

static void retry_after(void **state)
{
    (void)state;
    const int64_t now = SECONDS(1778307200); /* 2026-05-09T06:13:20Z */
    static const struct {
        const char *value;
        int64_t seconds;
    } cases[] = {
        { "0", 0 },
        { "1", 1 },
        { "3600", 3600 },
        { "2147483647", 2147483647 },
        { "2147483648", 0 },
        { "-1", 0 },
        { "1.5", 0 },
        { "", 0 },
        { "later", 0 },
        { "Sat, 09 May 2026 06:14:20 GMT", 60 },
        { "Sat, 09 May 2026 06:13:20 GMT", 0 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct httpc_header header = { "RETRY-AFTER", cases[i].value };
        struct http_in resp = { .headers = &header, .header_count = 1 };
        if (httpc_retry_after(&resp, now) != SECONDS(cases[i].seconds))
            fail_msg("%s: %lld", cases[i].value, (long long)httpc_retry_after(&resp, now));
    }
    struct http_in none = { 0 };
    assert_int_equal(httpc_retry_after(&none, now), 0);
}

static void exposed_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool exposed;
    } cases[] = {
        { "https://x", false },
        { "wss://x", false },
        { "http://x", true },
        { "ws://x", true },
        { "http://localhost", false },
        { "http://localhost:1/a", false },
        { "http://127.0.0.1", false },
        { "http://[::1]:8/", false },
        { "http://localhost.example", true },
        { "http://127.0.0.1.example/", true },
        { "http://localhost@x", true },
        { "", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (httpc_url_exposed(cases[i].url) != cases[i].exposed)
            fail_msg("%s", cases[i].url);
}

/* ---- recordings ---- */

static bool canned(struct http_client *self, const struct http_out *req, struct http_in *resp,
                   struct arena *arena, struct error *err)
{
    (void)self;
    if (strstr(req->url, "fail") != NULL)
        return error_set(err, "http_timeout", "too slow");
    struct httpc_header *headers = arena_zalloc(arena, 1, sizeof(*headers));
    *headers = (struct httpc_header){ "Retry-After", "5" };
    char *body = arena_printf(arena, "answer to %s", req->url);
    *resp = (struct http_in){
        .status = 429, .body = body, .body_len = strlen(body), .headers = headers, .header_count = 1
    };
    return true;
}

static void recordings_replay(void **state)
{
    (void)state;
    char path[] = "/tmp/tape-XXXXXX";
    close(mkstemp(path));
    struct http_client inner = { .request = canned };
    struct sealer sealer, none = { 0 }, other;
    struct error err;
    struct http_in resp;
    struct arena *arena = arena_new();
    assert_true(sealer_init(&sealer, "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", &err));
    assert_true(sealer_init(&other, "b2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", &err));
    assert_null(record_new(&inner, path, &none, &clock_system, &err)); /* never in the clear */
    struct http_client *tape = record_new(&inner, path, &sealer, &clock_system, &err);
    assert_non_null(tape);
    struct http_out a = { .url = "http://h/a" }, b = { .url = "http://h/b", .body = "x", .body_len = 1 },
                    bad = { .url = "http://h/fail" };
    assert_true(httpc_request(tape, &a, &resp, arena, &err));
    assert_false(httpc_request(tape, &bad, &resp, arena, &err));
    assert_true(httpc_request(tape, &b, &resp, arena, &err));
    assert_true(httpc_request(tape, &a, &resp, arena, &err));
    httpc_close(tape);

    tape = replay_new(path, &sealer, &err);
    assert_non_null(tape);
    assert_true(httpc_request(tape, &a, &resp, arena, &err));
    assert_int_equal(resp.status, 429);
    assert_string_equal(resp.body, "answer to http://h/a");
    assert_string_equal(httpc_header(&resp, "retry-after"), "5");
    assert_false(httpc_request(tape, &bad, &resp, arena, &err));
    assert_true(error_is(&err, "http_timeout"));
    assert_true(httpc_request(tape, &a, &resp, arena, &err)); /* passes over the answer to b */
    assert_false(httpc_request(tape, &a, &resp, arena, &err));
    assert_true(error_is(&err, "record_end"));
    httpc_close(tape);

    tape = replay_new(path, &other, &err);
    assert_non_null(tape);
    assert_false(httpc_request(tape, &a, &resp, arena, &err));
    assert_true(error_is(&err, "record_damaged"));
    httpc_close(tape);
    assert_int_equal(truncate(path, 60), 0);
    tape = replay_new(path, &sealer, &err);
    assert_false(httpc_request(tape, &a, &resp, arena, &err));
    assert_true(error_is(&err, "record_damaged"));
    httpc_close(tape);
    unlink(path);
    assert_null(replay_new(path, &sealer, &err));
    arena_free(arena);
}

/* ---- WebSocket: what fails without a server; conversations are tested against the simulator ---- */

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
    struct server server;
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

    start(&server, OK, strlen(OK), url); /* no upgrade */
    snprintf(ws, sizeof(ws), "ws%s", url + strlen("http"));
    assert_false(websocket_converse(client, ws, SECONDS(2), &dialog, &err));
    assert_true(error_is(&err, "ws_connect") || error_is(&err, "ws_closed"));
    stop(&server);

    start(&server, OK, strlen(OK), url);
    server.delay = 900 * 1000; /* silence */
    snprintf(ws, sizeof(ws), "ws%s", url + strlen("http"));
    int64_t before = time_monotonic();
    assert_false(websocket_converse(client, ws, 200 * 1000, &dialog, &err));
    assert_true(error_is(&err, "ws_timeout"));
    assert_true(time_monotonic() - before < SECONDS(1));
    stop(&server);
    websocket_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_out_whole),
        cmocka_unit_test(failures_have_their_codes),
        cmocka_unit_test(the_limit_of_a_body_is_exact),
        cmocka_unit_test(redirects_are_answers),
        cmocka_unit_test(requests_that_are_not_sent),
        cmocka_unit_test(environment_proxies_are_not_used),
        cmocka_unit_test(a_proxy_of_ours_is_used),
        cmocka_unit_test(retry_after),
        cmocka_unit_test(exposed_addresses),
        cmocka_unit_test(recordings_replay),
        cmocka_unit_test(conversations_that_do_not_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
