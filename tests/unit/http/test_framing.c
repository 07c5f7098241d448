/* Which requests are refused because it is not certain where they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "http/framing.h"

/* "Name: value" lines, each a header */
static bool check(const char *version, const char *const *lines, struct framing *framing, int *status,
                  struct error *err)
{
    static char names[HTTP_MAX_HEADERS + 2][64];
    static struct pair items[HTTP_MAX_HEADERS + 2];
    struct pairs headers = { .items = items };
    for (; lines[headers.count] != NULL; headers.count++) {
        const char *line = lines[headers.count], *colon = strchr(line, ':');
        memcpy(names[headers.count], line, (size_t)(colon - line));
        names[headers.count][colon - line] = '\0';
        items[headers.count] = (struct pair){ names[headers.count], colon + 1 };
    }
    return framing_check(version, &headers, framing, status, err);
}

#define LINES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_sound_requests(void **state)
{
    (void)state;
    struct framing framing;
    struct error err;
    int status;
    assert_true(check("HTTP/1.1", LINES("Host:x"), &framing, &status, &err));
    assert_false(framing.has_body);
    assert_true(check("HTTP/1.1", LINES("Host:x:8000", "Content-Length:0"), &framing, &status, &err));
    assert_true(framing.has_body);
    assert_int_equal(framing.length, 0);
    assert_true(check("HTTP/1.1", LINES("Host:[::1]", "content-length:0123"), &framing, &status, &err));
    assert_int_equal(framing.length, 123);
    assert_true(check("HTTP/1.1", LINES("Host:x", "Transfer-Encoding:Chunked"), &framing, &status, &err));
    assert_true(framing.chunked);
    assert_int_equal(framing.length, -1);
    assert_true(check("HTTP/1.1",
                      LINES("Host:x", "Expect:100-Continue", "Content-Length:9223372036854775807"), &framing,
                      &status, &err));
    assert_true(framing.expects_continue);
    assert_true(framing.length == INT64_MAX);
    assert_true(check("HTTP/1.0", LINES("Accept:*/*"), &framing, &status, &err));
    assert_true(check("HTTP/1.0", LINES("Expect:100-continue"), &framing, &status, &err));
    assert_false(framing.expects_continue);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *version;
        const char *lines[4];
        int status;
        const char *code;
    } cases[] = {
        { "HTTP/1.1", { "Host:x", "Content-Length:5", "Content-Length:5" }, 400, "bad_framing" },
        { "HTTP/1.1", { "Host:x", "Content-Length:5", "Transfer-Encoding:chunked" }, 400, "bad_framing" },
        { "HTTP/1.1", { "Host:x", "Transfer-Encoding:gzip, chunked" }, 400, "bad_framing" },
        { "HTTP/1.1", { "Host:x", "Transfer-Encoding:chunked, chunked" }, 400, "bad_framing" },
        { "HTTP/1.1", { "Host:x", "Transfer-Encoding:identity" }, 400, "bad_framing" },
        { "HTTP/1.1", { "Host:x", "Transfer-Encoding:" }, 400, "bad_framing" },
        { "HTTP/1.1",
          { "Host:x", "Transfer-Encoding:chunked", "Transfer-Encoding:chunked" },
          400,
          "bad_framing" },
        { "HTTP/1.0", { "Transfer-Encoding:chunked" }, 400, "bad_framing" },
        { "HTTP/1.1", { "Host:x", "Content-Length:" }, 400, "bad_framing" },
        { "HTTP/1.1", { "Host:x", "Content-Length:-1" }, 400, "bad_framing" },
        { "HTTP/1.1", { "Host:x", "Content-Length:+1" }, 400, "bad_framing" },
        { "HTTP/1.1", { "Host:x", "Content-Length:1 " }, 400, "bad_framing" },
        { "HTTP/1.1", { "Host:x", "Content-Length:0x1" }, 400, "bad_framing" },
        { "HTTP/1.1", { "Host:x", "Content-Length:1,1" }, 400, "bad_framing" },
        { "HTTP/1.1", { "Host:x", "Content-Length:9223372036854775808" }, 400, "bad_framing" },
        { "HTTP/1.1", { "Accept:x" }, 400, "bad_request" },
        { "HTTP/1.1", { "Host:x", "Host:x" }, 400, "bad_request" },
        { "HTTP/1.0", { "Host:x", "Host:y" }, 400, "bad_request" },
        { "HTTP/1.1", { "Host:a b" }, 400, "bad_request" },
        { "HTTP/1.1", { "Host:a/b" }, 400, "bad_request" },
        { "HTTP/1.1", { "Host:x", "Content-Length :5" }, 400, "bad_request" },
        { "HTTP/1.1", { "Host:x", ":5" }, 400, "bad_request" },
        { "HTTP/1.1", { "Host:x", "X:a\rb" }, 400, "bad_request" },
        { "HTTP/1.1", { "Host:x", "X:a\x7f" }, 400, "bad_request" },
        { "HTTP/1.1", { "Host:x", "Expect:200-ok" }, 417, "expectation_failed" },
        { "HTTP/2.0", { "Host:x" }, 505, "http_version_not_supported" },
        { "HTTP/1.2", { "Host:x" }, 505, "http_version_not_supported" },
        { "http/1.1", { "Host:x" }, 505, "http_version_not_supported" },
        { "", { "Host:x" }, 505, "http_version_not_supported" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct framing framing;
        struct error err = { .code = "" };
        int status = 0;
        if (check(cases[i].version, cases[i].lines, &framing, &status, &err))
            fail_msg("case %zu was let through", i);
        assert_string_equal(err.code, cases[i].code);
        assert_int_equal(status, cases[i].status);
    }
}

static void test_number_of_headers(void **state)
{
    (void)state;
    const char *lines[HTTP_MAX_HEADERS + 2] = { "Host:x" };
    struct framing framing;
    struct error err;
    int status;
    for (size_t i = 1; i < HTTP_MAX_HEADERS; i++)
        lines[i] = "X:y";
    assert_true(check("HTTP/1.1", lines, &framing, &status, &err));
    lines[HTTP_MAX_HEADERS] = "X:y";
    assert_false(check("HTTP/1.1", lines, &framing, &status, &err));
    assert_int_equal(status, 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_requests),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_number_of_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
