/* Values keep what C's own numbers would lose, and nothing can be mistaken for a big integer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tasks/value.h"

static void texts_stay_as_they_are(void **state)
{
    static const char *const texts[] = {
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "-9223372036854775809",
        "[18446744073709551616,1]",
        "{\"a\":123456789012345678901234567890}",
        "2",
        "2.0",
        "-0.0",
        "1e+22",
        "0.1",
        "\"12345678901234567890123\"",
        "\"\\\\\"",
        "[\"\\\\\",99999999999999999999]",
        "[\"\\\"99999999999999999999\",true,null]",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena *arena = arena_new();
        struct error err;
        assert_string_equal(value_text(arena, value_read_arena(arena, texts[i], strlen(texts[i]), &err)),
                            texts[i]);
        arena_free(arena);
    }
}

static void reals_with_many_digits_are_no_integers(void **state)
{
    static const char text[] = "[1e2,99999999999999999999.5,1E+25]", large[] = "1e400";
    struct arena *arena = arena_new();
    struct error err;
    const json_t *value = value_read_arena(arena, text, sizeof(text) - 1, &err);
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_true(json_is_real(json_array_get(value, i)));
    assert_null(value_read(large, sizeof(large) - 1, &err)); /* no double holds it */
    arena_free(arena);
}

/* What comes from Redis has a length and no end mark; the sanitizers look. */
static void nothing_behind_the_text_is_read(void **state)
{
    static const char *const texts[] = { "123", "-", "12345678901234567890", "[1", "\"\\", "\"" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        size_t len = strlen(texts[i]);
        struct error err;
        char *exact = malloc(len);
        memcpy(exact, texts[i], len);
        json_decref(value_read(exact, len, &err));
        free(exact);
    }
}

static void only_digits_are_a_big_integer(void **state)
{
    static const char *const none[] = {
        "{\"$int\":\"x\"}",
        "{\"$int\":\"\"}",
        "{\"$int\":\"-\"}",
        "{\"$int\":5}",
        "{\"$int\":\"1\",\"b\":2}",
        "{}",
        "1",
    };
    struct arena *arena = arena_new();
    struct error err;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_null(value_big_integer(value_read_arena(arena, none[i], strlen(none[i]), &err)));
    json_t *big = value_defer(arena, value_from_big_integer("-123", 4));
    assert_string_equal(value_big_integer(big), "-123");
    assert_string_equal(value_text(arena, big), "-123");
    arena_free(arena);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    for (int depth = VALUE_MAX_DEPTH - 1; depth <= VALUE_MAX_DEPTH + 1; depth++) {
        char text[2 * VALUE_MAX_DEPTH + 8] = "";
        struct error err;
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        json_t *value = value_read(text, strlen(text), &err);
        assert_int_equal(value != NULL, depth <= VALUE_MAX_DEPTH);
        json_decref(value);
    }
}

static void what_is_no_json_is_refused(void **state)
{
    static const char *const texts[] = { "",    "{",    "01",          "+1",
                                         "NaN", "[1,]", "\"\\ud800\"", "\"\xff\"",
                                         "1 2", "--1",  "-",           "99999999999999999999999x" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct error err = { .code = "" };
        assert_null(value_read(texts[i], strlen(texts[i]), &err));
        assert_string_equal(err.code, "invalid_json");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_stay_as_they_are),
        cmocka_unit_test(reals_with_many_digits_are_no_integers),
        cmocka_unit_test(nothing_behind_the_text_is_read),
        cmocka_unit_test(only_digits_are_a_big_integer),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(what_is_no_json_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
