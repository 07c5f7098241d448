/* Targets of requests: what is decoded, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "http/target.h"

static struct arena *arena;

static bool parse(const char *raw, struct target *target)
{
    struct error err;
    return target_parse(arena, raw, target, &err);
}

static void test_paths(void **state)
{
    (void)state;
    struct target target;
    assert_true(parse("/api/v1/br%C3%BCcke/5", &target));
    assert_string_equal(target.path, "/api/v1/brücke/5");
    assert_int_equal(target.segment_count, 4);
    assert_string_equal(target.segments[2], "brücke");
    assert_true(parse("/", &target));
    assert_int_equal(target.segment_count, 1);
    assert_string_equal(target.segments[0], "");
    assert_true(parse("/a/", &target));
    assert_int_equal(target.segment_count, 2);
    assert_true(parse("//a", &target));
    assert_string_equal(target.segments[0], "");
    assert_true(parse("/a+b", &target));
    assert_string_equal(target.segments[0], "a+b");
    assert_true(parse("http://example.com:80/x?y=1", &target));
    assert_string_equal(target.path, "/x");
    assert_string_equal(pairs_get(&target.query, "y"), "1");
    assert_true(parse("HTTPS://example.com", &target));
    assert_string_equal(target.path, "/");
    assert_true(parse("*", &target));
    assert_true(target.too_deep);
}

static void test_refused_targets(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       "x",    "?a=1",  "ftp://x/y", "/%",      "/%4",     "/%zz",     "/%00",       "/a%2fb",
        "/a%2Fb", "/./a", "/a/..", "/%2e%2e/",  "/a/%2E",  "/\xff",   "/%ff",     "/%c0%af",    "/a%0ab",
        "/a b",   "/a#b", "/?a=%", "/?a=%0",    "/?a=%00", "/?%ff=1", "/?a=\x01", "/%ed%a0%80", "/a%7f",
    };
    struct target target;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (parse(bad[i], &target))
            fail_msg("%s was let through", bad[i]);
}

static void test_depth(void **state)
{
    (void)state;
    struct target target;
    char raw[4 * TARGET_MAX_SEGMENTS] = "";
    for (int i = 0; i < TARGET_MAX_SEGMENTS; i++)
        strcat(raw, "/a");
    assert_true(parse(raw, &target));
    assert_false(target.too_deep);
    strcat(raw, "/a");
    assert_true(parse(raw, &target));
    assert_true(target.too_deep);
}

static void test_queries(void **state)
{
    (void)state;
    struct target target;
    assert_true(parse("/x?a=1&b=%20+c&a=2&&d&=e&f=g=h&%C3%BC=%2F%26", &target));
    assert_int_equal(target.query.count, 7);
    assert_string_equal(pairs_get(&target.query, "a"), "1");
    assert_string_equal(pairs_get(&target.query, "b"), "  c");
    assert_string_equal(pairs_get(&target.query, "d"), "");
    assert_string_equal(pairs_get(&target.query, ""), "e");
    assert_string_equal(pairs_get(&target.query, "f"), "g=h");
    assert_string_equal(pairs_get(&target.query, "ü"), "/&");
    assert_null(pairs_get(&target.query, "A"));
    assert_true(parse("/x?", &target));
    assert_int_equal(target.query.count, 0);
}

static void test_number_of_parameters(void **state)
{
    (void)state;
    char raw[4 * HTTP_MAX_PARAMETERS + 8] = "/x?a";
    struct target target;
    for (int i = 1; i < HTTP_MAX_PARAMETERS; i++)
        strcat(raw, "&a");
    assert_true(parse(raw, &target));
    assert_int_equal(target.query.count, HTTP_MAX_PARAMETERS);
    strcat(raw, "&a");
    assert_false(parse(raw, &target));
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_refused_targets),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_number_of_parameters),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
