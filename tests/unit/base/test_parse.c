/* Strict number and word parsers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/parse.h"
#include "base/timeutil.h"

static void test_integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        { "0", 0 }, { "-1", -1 }, { "9223372036854775807", INT64_MAX }, { "-9223372036854775808", INT64_MIN }
    };
    static const char *const bad[] = { "",
                                       "-",
                                       "+1",
                                       " 1",
                                       "1 ",
                                       "01",
                                       "-0",
                                       "1.0",
                                       "0x1",
                                       "9223372036854775808",
                                       "-9223372036854775809",
                                       "99999999999999999999" };
    int64_t value;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(parse_i64(good[i].text, &value));
        assert_true(value == good[i].value);
    }
    value = 42;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(parse_i64(bad[i], &value));
    assert_int_equal(value, 42);
    assert_true(parse_i64_range("5", 5, 5, &value));
    assert_false(parse_i64_range("6", 5, 5, &value));
    assert_false(parse_i64_range("4", 5, 5, &value));
}

static void test_doubles(void **state)
{
    (void)state;
    static const char *const bad[] = { "",    "-",   ".5",  "1.",    "01", "1e", "1e+",
                                       "nan", "inf", "0x1", "1e999", " 1", "1 " };
    double value;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (parse_double(bad[i], &value))
            fail_msg("took %s", bad[i]);
    assert_true(parse_double("-12.5e-1", &value) && value == -1.25);
    assert_true(parse_double("0", &value) && value == 0);
}

static void test_durations_and_sizes(void **state)
{
    (void)state;
    int64_t value;
    assert_true(parse_duration("15m", &value) && value == MINUTES(15));
    assert_true(parse_duration("500ms", &value) && value == 500000);
    assert_true(parse_duration("30", &value) && value == SECONDS(30));
    assert_true(parse_duration("7D", &value) && value == DAYS(7));
    assert_true(parse_size("64M", &value) && value == 64 * 1024 * 1024);
    static const char *const bad[] = {
        "", "m", "-1s", "1.5h", "1 s", "99999999999999d", "123456789012345678901234567890s"
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(parse_duration(bad[i], &value));
    assert_false(parse_size("1T", &value));
    assert_false(parse_size("9999999999999G", &value));
}

static void test_words(void **state)
{
    (void)state;
    bool flag;
    assert_true(parse_bool("YES", &flag) && flag);
    assert_true(parse_bool("off", &flag) && !flag);
    assert_false(parse_bool("maybe", &flag));
    static const char *const words[] = { "a", "b", NULL };
    assert_int_equal(word_index(words, "b"), 1);
    assert_int_equal(word_index(words, "c"), -1);
}

static void test_edit_distance(void **state)
{
    (void)state;
    assert_int_equal(edit_distance("HTTP_PORT", "HTTP_PORT", 2), 0);
    assert_int_equal(edit_distance("HTTP_PROT", "HTTP_PORT", 2), 2);
    assert_int_equal(edit_distance("HTTP_POR", "HTTP_PORT", 2), 1);
    assert_int_equal(edit_distance("abc", "xyz", 2), 3);
    assert_int_equal(edit_distance("", "abcdef", 2), 3);
    char long_text[100];
    memset(long_text, 'a', 99);
    long_text[99] = '\0';
    assert_int_equal(edit_distance(long_text, long_text, 2), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_integers), cmocka_unit_test(test_doubles),
                                        cmocka_unit_test(test_durations_and_sizes),
                                        cmocka_unit_test(test_words), cmocka_unit_test(test_edit_distance) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
