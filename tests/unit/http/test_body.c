/* Bodies: their limits, JSON that is refused, and forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "http/body.h"

static struct request *req;

static void start(enum http_method method, const char *content_type, const char *body)
{
    request_reset(req);
    req->method = method;
    req->body = body;
    req->body_len = strlen(body);
    if (content_type != NULL)
        pairs_add(req->arena, &req->private_->headers, "Content-Type", content_type);
}

static bool read_json(const char *text)
{
    struct error err;
    json_t *value = json_read(text, strlen(text), &err);
    json_decref(value);
    if (value == NULL)
        assert_string_equal(err.code, "invalid_json");
    return value != NULL;
}

static void test_limit(void **state)
{
    (void)state;
    struct error err;
    assert_true(body_begin(req, 4, false, &err));
    assert_true(body_append(req, "abc", 3, &err));
    assert_true(body_append(req, "d", 1, &err));
    assert_true(body_append(req, "", 0, &err));
    assert_false(body_append(req, "e", 1, &err));
    assert_string_equal(err.code, "body_too_large");
    body_end(req);
    assert_int_equal(req->body_len, 4);
    assert_memory_equal(req->body, "abcd", 4);
}

static void test_no_body(void **state)
{
    (void)state;
    struct error err;
    assert_true(body_begin(req, 4, false, &err));
    body_end(req);
    assert_null(req->body);
    assert_int_equal(req->body_len, 0);
}

static void test_spool(void **state)
{
    (void)state;
    struct error err;
    char text[8];
    assert_true(body_begin(req, 4, true, &err));
    assert_true(body_append(req, "ab", 2, &err));
    assert_true(body_append(req, "cd", 2, &err));
    assert_false(body_append(req, "e", 1, &err));
    assert_string_equal(err.code, "body_too_large");
    body_end(req);
    assert_null(req->body);
    assert_int_equal(req->body_len, 4);
    assert_int_equal(read(req->body_fd, text, sizeof(text)), 4); /* from its beginning */
    assert_memory_equal(text, "abcd", 4);
}

static void test_json_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "{}x",
        "{\"a\":1,\"a\":2}",
        "{\"a\":9223372036854775808}",
        "{a:1}",
        "{\"a\":1,}",
        "nul",
        "[1e999]",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\\u0000\"}",
        "\"\\ud800\"",
        "{\"a\":NaN}",
        "// x\n{}",
        "\xef\xbb\xbf{}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (read_json(bad[i]))
            fail_msg("%s was taken", bad[i]);
    struct error err;
    assert_null(json_read("{}\0", 3, &err));
}

static void test_json_taken(void **state)
{
    (void)state;
    assert_true(read_json("{\"a\":-9223372036854775808}"));
    assert_true(read_json("{\"a\":9223372036854775807}"));
    assert_true(read_json(" {\"[[[[\\\"\":{\"a\":1}} "));
}

static void test_json_depth(void **state)
{
    (void)state;
    char text[4 * HTTP_JSON_DEPTH] = "";
    memset(text, '[', HTTP_JSON_DEPTH);
    memset(text + HTTP_JSON_DEPTH, ']', HTTP_JSON_DEPTH);
    assert_true(read_json(text));
    memset(text, '[', HTTP_JSON_DEPTH + 1);
    memset(text + HTTP_JSON_DEPTH + 1, ']', HTTP_JSON_DEPTH + 1);
    assert_false(read_json(text));
}

static void test_json_errors_do_not_quote_the_body(void **state)
{
    (void)state;
    struct error err;
    const char *text = "{\"password\": hunter2}";
    assert_null(json_read(text, strlen(text), &err));
    assert_null(strstr(err.message, "hunter2"));
    assert_non_null(strstr(err.message, "line 1"));
}

static void test_object(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body;
        enum http_method method;
        int status; /* 0: taken */
    } cases[] = {
        { "application/json", "{}", HTTP_POST, 0 },
        { "Application/JSON; charset=UTF-8", "{}", HTTP_POST, 0 },
        { "application/json", "{}", HTTP_PATCH, 0 },
        { "application/merge-patch+json", "{}", HTTP_PATCH, 0 },
        { "application/merge-patch+json", "{}", HTTP_POST, 415 },
        { NULL, "{}", HTTP_POST, 415 },
        { "text/plain", "{}", HTTP_POST, 415 },
        { "application/json; charset=latin1", "{}", HTTP_POST, 415 },
        { "application/x-www-form-urlencoded", "a=1", HTTP_POST, 415 },
        { "application/json", "", HTTP_POST, 400 },
        { "application/json", "[]", HTTP_POST, 400 },
        { "application/json", "null", HTTP_POST, 400 },
        { "application/json", "{", HTTP_POST, 400 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *object = NULL;
        start(cases[i].method, cases[i].type, cases[i].body);
        assert_int_equal(request_json(req, &object), cases[i].status == 0);
        assert_int_equal(req->status, cases[i].status);
        assert_int_equal(object != NULL, cases[i].status == 0);
    }
}

static void test_form(void **state)
{
    (void)state;
    const char *type = "application/x-www-form-urlencoded";
    start(HTTP_POST, type, "name=a+b%26&empty=&name=c");
    assert_true(request_form(req));
    assert_string_equal(form_value(req, "name"), "a b&");
    assert_string_equal(form_value(req, "empty"), "");
    assert_null(form_value(req, "other"));
    assert_true(request_form(req)); /* asking again reads nothing twice */
    start(HTTP_POST, "application/json", "{}");
    assert_false(request_form(req));
    assert_int_equal(req->status, 415);
    start(HTTP_POST, type, "name=%ff");
    assert_false(request_form(req));
    assert_int_equal(req->status, 400);
    assert_string_equal(req->error_code, "invalid_form");
}

static int set_up(void **state)
{
    (void)state;
    req = request_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    request_free(req);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_limit),
        TEST(test_no_body),
        TEST(test_spool),
        TEST(test_json_refused),
        TEST(test_json_taken),
        TEST(test_json_depth),
        TEST(test_json_errors_do_not_quote_the_body),
        TEST(test_object),
        TEST(test_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
