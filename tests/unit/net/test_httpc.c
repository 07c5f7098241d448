/* The HTTP client against a server of canned bytes, and the helpers around requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/timeutil.h"
#include "canned_server.h"
#include "net/httpc.h"

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
    struct canned_server server;
    char url[64];
    struct error err;
    struct http_in resp;
    struct arena *arena = arena_new();
    struct http_client *http = client();
    const struct httpc_header headers[] = { { "Authorization", "Basic eA==" }, { "X-Empty-Not", "v w" } };
    canned_start(&server, OK, strlen(OK), url);
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
    canned_stop(&server);
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
        struct canned_server server;
        char url[64];
        struct error err = { .code = "" };
        struct http_in resp;
        struct arena *arena = arena_new();
        struct http_client *http = client();
        canned_start(&server, cases[i].answer, strlen(cases[i].answer), url);
        server.delay = cases[i].delay;
        struct http_out req = { .url = url, .max_body = 32, .timeout = 300 * 1000 };
        if (httpc_request(http, &req, &resp, arena, &err) || !error_is(&err, cases[i].code))
            fail_msg("case %zu: %s: %s", i, err.code, err.message);
        canned_stop(&server);
        httpc_close(http);
        arena_free(arena);
    }
}

static void the_limit_of_a_body_is_exact(void **state)
{
    (void)state;
    for (size_t max = 4; max <= 6; max++) {
        struct canned_server server;
        char url[64];
        struct error err;
        struct http_in resp;
        struct arena *arena = arena_new();
        struct http_client *http = client();
        canned_start(&server, OK, strlen(OK), url);
        struct http_out req = { .url = url, .max_body = max };
        assert_int_equal(httpc_request(http, &req, &resp, arena, &err), max >= 5);
        canned_stop(&server);
        httpc_close(http);
        arena_free(arena);
    }
}

static void redirects_are_answers(void **state)
{
    (void)state;
    static const char moved[] =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    struct canned_server server;
    char url[64];
    struct error err;
    struct http_in resp;
    struct arena *arena = arena_new();
    struct http_client *http = client();
    canned_start(&server, moved, strlen(moved), url);
    struct http_out req = { .url = url };
    assert_true(httpc_request(http, &req, &resp, arena, &err));
    assert_int_equal(resp.status, 302);
    req.follow_redirects = true; /* even then never from TLS or plain to plain */
    assert_false(httpc_request(http, &req, &resp, arena, &err));
    assert_int_equal(server.connections, 2);
    canned_stop(&server);
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
    struct canned_server server;
    char url[64];
    struct error err;
    struct http_in resp;
    struct arena *arena = arena_new();
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    struct http_client *http = client();
    canned_start(&server, OK, strlen(OK), url);
    struct http_out req = { .url = url };
    assert_true(httpc_request(http, &req, &resp, arena, &err));
    unsetenv("http_proxy");
    canned_stop(&server);
    httpc_close(http);
    arena_free(arena);
}

static void a_proxy_of_ours_is_used(void **state)
{
    (void)state;
    struct canned_server server;
    char url[64];
    struct error err;
    struct http_in resp;
    struct arena *arena = arena_new();
    canned_start(&server, OK, strlen(OK), url);
    struct http_client *http = httpc_curl_new(&(struct httpc_options){ .proxy = url }, &err);
    assert_non_null(http);
    struct http_out req = { .url = "http://far.example/x" };
    assert_true(httpc_request(http, &req, &resp, arena, &err));
    assert_non_null(strstr(server.seen, "GET http://far.example/x HTTP/1.1"));
    canned_stop(&server);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
