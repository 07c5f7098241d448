/* Cursors come back only as they were given out; If-Match is read strictly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/conditions.h"
#include "api/cursor.h"

static struct arena *arena;
static const uint8_t key[CURSOR_KEY_SIZE] = "a key of thirty-two bytes length",
                     other_key[CURSOR_KEY_SIZE] = "b";

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

static void round_trip(const char *text, int64_t id)
{
    struct cursor in = { text, id }, out;
    const char *cursor = cursor_write(arena, key, "brands|name", &in);
    assert_true(cursor_read(arena, key, "brands|name", cursor, &out));
    assert_int_equal(out.id, id);
    if (text == NULL)
        assert_null(out.text);
    else
        assert_string_equal(out.text, text);
}

static void test_cursor_round_trip(void **state)
{
    (void)state;
    round_trip(NULL, 1);
    round_trip("", INT64_MAX);
    round_trip("Ünïcode", 42);
    char longest[CURSOR_MAX_TEXT + 1];
    memset(longest, 'x', CURSOR_MAX_TEXT);
    longest[CURSOR_MAX_TEXT] = '\0';
    round_trip(longest, 7);
}

static void test_cursor_forged(void **state)
{
    (void)state;
    struct cursor in = { "name", 17 }, out;
    const char *cursor = cursor_write(arena, key, "brands|name", &in);
    assert_false(cursor_read(arena, key, "brands|-name", cursor, &out));
    assert_false(cursor_read(arena, key, "clients|name", cursor, &out));
    assert_false(cursor_read(arena, other_key, "brands|name", cursor, &out));
    size_t len = strlen(cursor);
    for (size_t i = 0; i < len; i++) {
        char *changed = arena_strdup(arena, cursor);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_false(cursor_read(arena, key, "brands|name", changed, &out));
        assert_false(cursor_read(arena, key, "brands|name", arena_strndup(arena, cursor, i), &out));
    }
    assert_false(cursor_read(arena, key, "brands|name", arena_printf(arena, "%sAAAA", cursor), &out));
    assert_false(cursor_read(arena, key, "brands|name", "not base64!", &out));
}

static struct condition parse(const char *header)
{
    return condition_parse(arena, header);
}

static void test_if_match(void **state)
{
    (void)state;
    struct condition c = parse(NULL);
    assert_true(condition_allows(&c, 1));
    assert_null(c.array);
    c = parse("*");
    assert_true(condition_allows(&c, 1));
    c = parse("\"3\"");
    assert_true(condition_allows(&c, 3));
    assert_false(condition_allows(&c, 4));
    assert_string_equal(c.array, "{3}");
    c = parse("\"3\" ,\t\"5\"");
    assert_true(condition_allows(&c, 5));
    assert_string_equal(c.array, "{3,5}");
    assert_string_equal(version_etag(arena, 12), "\"12\"");
    /* A row that shows more than its own columns: the version counts. */
    c = parse("\"3-5f1c2a\", \"-4\", \"-\", \"x-5\"");
    assert_true(condition_allows(&c, 3));
    assert_string_equal(c.array, "{3,-4}");
}

/* What cannot match matches nothing, rather than everything. */
static void test_if_match_refused(void **state)
{
    (void)state;
    static const char *const headers[] = { "W/\"3\"", "3",      "\"3",           "",      "\"x\"",
                                           "\"\"",    "\"03\"", "\"3\" garbage", "\"3;\"" };
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct condition c = parse(headers[i]);
        assert_true(c.given);
        assert_false(condition_allows(&c, 3));
        assert_string_equal(c.array, "{}");
    }
}

static void test_if_match_many(void **state)
{
    (void)state;
    struct buf header = { 0 };
    for (int i = 1; i <= CONDITION_MAX_VERSIONS + 1; i++)
        buf_printf(&header, "\"%d\",", i);
    struct condition c = parse(buf_text(&header));
    assert_true(condition_allows(&c, CONDITION_MAX_VERSIONS));
    assert_false(condition_allows(&c, CONDITION_MAX_VERSIONS + 1));
    buf_free(&header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cursor_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cursor_forged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_if_match, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_if_match_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_if_match_many, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
