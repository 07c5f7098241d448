/* Answers: headers, conditions, problems with fields, and that only the first answer counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "http/request_private.h"

static struct request *req;

static size_t header_count(const char *name)
{
    size_t n = 0;
    for (const struct http_header *h = req->headers; h != NULL; h = h->next)
        n += strcasecmp(h->name, name) == 0;
    return n;
}

static const char *header(const char *name)
{
    for (const struct http_header *h = req->headers; h != NULL; h = h->next)
        if (strcasecmp(h->name, name) == 0)
            return h->value;
    return NULL;
}

static json_t *answer(void)
{
    json_t *value = json_loadb(req->out.data, req->out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(value);
    return value;
}

static void ask_if_none_match(const char *tags)
{
    pairs_add(req->arena, &req->private_->headers, "if-none-match", tags);
}

static void test_headers(void **state)
{
    (void)state;
    reply_header(req, "Cache-Control", "no-cache");
    reply_header(req, "cache-control", "no-store");
    assert_int_equal(header_count("Cache-Control"), 1);
    assert_string_equal(header("Cache-Control"), "no-store");
    reply_header(req, "Set-Cookie", "a=1");
    reply_header(req, "Set-Cookie", "b=2");
    assert_int_equal(header_count("Set-Cookie"), 2);
}

static void test_headers_with_line_breaks_are_refused(void **state)
{
    (void)state;
    reply_header(req, "X-A", "1\r\nX-B: 2");
    reply_header(req, "X-A", "1\nX-B: 2");
    reply_header(req, "X-A: 1\r\nX-B", "2");
    reply_header(req, "X A", "1");
    assert_null(req->headers);
}

static void test_json(void **state)
{
    (void)state;
    struct buf json = { 0 };
    buf_puts(&json, "{}");
    reply_json(req, 201, &json);
    assert_null(json.data);
    assert_int_equal(req->status, 201);
    assert_string_equal(req->content_type, "application/json");
    assert_string_equal(buf_text(&req->out), "{}");
}

static void test_json_that_overflowed(void **state)
{
    (void)state;
    struct buf json = { .max = 4 };
    buf_puts(&json, "[1,2,3]");
    assert_true(json.overflow);
    reply_json(req, 200, &json);
    assert_null(json.data);
    assert_int_equal(req->status, 500);
    assert_string_equal(req->error_code, "internal_error");
}

static void test_first_answer_counts(void **state)
{
    (void)state;
    struct buf json = { 0 };
    buf_puts(&json, "{}");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    reply_text(req, 200, "text/plain", "first", 5);
    reply_json(req, 201, &json);
    reply_problem(req, 404, "not_found", "second");
    reply_file(req, 200, "text/plain", fd);
    assert_int_equal(req->status, 200);
    assert_string_equal(req->content_type, "text/plain");
    assert_string_equal(buf_text(&req->out), "first");
    assert_null(req->error_code);
    assert_int_equal(req->out_fd, -1);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* was closed */
}

static void test_text_is_copied(void **state)
{
    (void)state;
    char type[] = "text/csv", text[] = "a\0b";
    reply_text(req, 200, type, text, 3);
    memset(type, 'x', sizeof(type) - 1);
    memset(text, 'x', 3);
    assert_string_equal(req->content_type, "text/csv");
    assert_int_equal(req->out.len, 3);
    assert_memory_equal(req->out.data, "a\0b", 3);
}

static void test_matching_tags(void **state)
{
    (void)state;
    static const char *const lists[] = { "\"v1\"",         "W/\"v1\"",       "*",       " \"v0\" , W/\"v1\"",
                                         "\"a,b\",\"v1\"", "\"v1\", broken", "\t\"v1\"" };
    static const char *const tags[] = { "\"v1\"", "W/\"v1\"" };
    for (size_t i = 0; i < ARRAY_LEN(lists) * ARRAY_LEN(tags); i++) {
        request_reset(req);
        req->method = i % 2 == 0 ? HTTP_GET : HTTP_HEAD;
        ask_if_none_match(lists[i / ARRAY_LEN(tags)]);
        const char *tag = tags[i % ARRAY_LEN(tags)];
        if (reply_unless_unchanged(req, tag))
            fail_msg("%s is not seen in %s", tag, lists[i / ARRAY_LEN(tags)]);
        assert_int_equal(req->status, 304);
        assert_string_equal(header("ETag"), tag);
        assert_int_equal(req->out.len, 0);
    }
}

static void test_other_tags(void **state)
{
    (void)state;
    static const char *const lists[] = { "\"v2\"", "\"v11\"",  "\"v\"",  "v1",    "\"v1",          "",
                                         ",",      "w/\"v1\"", "\"V1\"", "\"*\"", "broken, \"v1\"" };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        request_reset(req);
        req->method = HTTP_GET;
        ask_if_none_match(lists[i]);
        if (!reply_unless_unchanged(req, "\"v1\""))
            fail_msg("\"v1\" was seen in %s", lists[i]);
        assert_int_equal(req->status, 0);
        assert_string_equal(header("ETag"), "\"v1\"");
    }
}

static void test_tags_do_not_end_a_change(void **state)
{
    (void)state;
    req->method = HTTP_PATCH;
    ask_if_none_match("*");
    assert_true(reply_unless_unchanged(req, "\"v1\""));
    assert_int_equal(req->status, 0);
}

static void test_tags_in_a_second_header(void **state)
{
    (void)state;
    req->method = HTTP_GET;
    ask_if_none_match("\"v0\"");
    ask_if_none_match("\"v1\"");
    assert_false(reply_unless_unchanged(req, "\"v1\""));
}

static void test_problem(void **state)
{
    (void)state;
    reply_problem(req, 404, "not_found", "There is no %s %d.", "tracker", 5);
    assert_int_equal(req->status, 404);
    assert_string_equal(req->content_type, "application/problem+json");
    assert_string_equal(req->error_code, "not_found");
    json_t *problem = answer();
    assert_string_equal(json_string_value(json_object_get(problem, "detail")), "There is no tracker 5.");
    assert_string_equal(json_string_value(json_object_get(problem, "title")), "Not found");
    assert_null(json_object_get(problem, "errors"));
    json_decref(problem);
}

static void test_invalid_fields(void **state)
{
    (void)state;
    assert_false(problem_pending(req));
    problem_field(req, "name", "required", "is missing");
    problem_field(req, "size", "out_of_range", "must be at most %d, not \"%s\"", 5, "6");
    assert_true(problem_pending(req));
    assert_int_equal(req->status, 0);
    reply_invalid(req);
    assert_int_equal(req->status, 422);
    assert_string_equal(req->error_code, "validation_failed");
    json_t *problem = answer(), *errors = json_object_get(problem, "errors");
    assert_int_equal(json_array_size(errors), 2);
    json_t *second = json_array_get(errors, 1);
    assert_string_equal(json_string_value(json_object_get(second, "field")), "size");
    assert_string_equal(json_string_value(json_object_get(second, "code")), "out_of_range");
    assert_string_equal(json_string_value(json_object_get(second, "message")),
                        "must be at most 5, not \"6\"");
    assert_string_equal(json_string_value(json_object_get(problem, "detail")), "2 fields are not valid.");
    json_decref(problem);
}

static void test_conflict_with_fields(void **state)
{
    (void)state;
    problem_field(req, "trackers", "in_use", "3 trackers use it");
    reply_problem(req, 409, "in_use", "It is in use.");
    json_t *problem = answer();
    assert_int_equal(json_integer_value(json_object_get(problem, "status")), 409);
    assert_int_equal(json_array_size(json_object_get(problem, "errors")), 1);
    assert_false(problem_pending(req));
    json_decref(problem);
}

static void test_number_of_fields(void **state)
{
    (void)state;
    for (int i = 0; i <= HTTP_MAX_PROBLEM_FIELDS; i++)
        problem_field(req, "x", "required", "is missing");
    reply_invalid(req);
    json_t *problem = answer();
    assert_int_equal(json_array_size(json_object_get(problem, "errors")), HTTP_MAX_PROBLEM_FIELDS);
    json_decref(problem);
}

static void test_unavailable(void **state)
{
    (void)state;
    reply_unavailable(req, "overloaded", 7, "100% busy.");
    assert_int_equal(req->status, 503);
    assert_string_equal(header("Retry-After"), "7");
    json_t *problem = answer();
    assert_string_equal(json_string_value(json_object_get(problem, "detail")), "100% busy.");
    json_decref(problem);
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
        TEST(test_headers),
        TEST(test_headers_with_line_breaks_are_refused),
        TEST(test_json),
        TEST(test_json_that_overflowed),
        TEST(test_first_answer_counts),
        TEST(test_text_is_copied),
        TEST(test_matching_tags),
        TEST(test_other_tags),
        TEST(test_tags_do_not_end_a_change),
        TEST(test_tags_in_a_second_header),
        TEST(test_problem),
        TEST(test_invalid_fields),
        TEST(test_conflict_with_fields),
        TEST(test_number_of_fields),
        TEST(test_unavailable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
