/* Log lines: valid JSON, one write, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static int ends[2];
static char line[70000];

static json_t *last_line(void)
{
    ssize_t n = read(ends[0], line, sizeof(line) - 1);
    assert_true(n > 0);
    line[n] = '\0';
    assert_int_equal(line[n - 1], '\n');
    json_t *value = json_loads(line, 0, NULL);
    assert_non_null(value);
    return value;
}

static int set_up(void **state)
{
    (void)state;
    if (pipe(ends) != 0)
        return -1;
    log_to_fd(ends[1]);
    log_init("test", LOG_LEVEL_INFO);
    return 0;
}

static void test_fields(void **state)
{
    (void)state;
    LOG_INFO("something", LOG_TEXT("text", "a\"b\xff"), LOG_NUM("n", -5), LOG_REAL("r", 0.5),
             LOG_FLAG("f", true), LOG_RAW("raw", "[1,2]"), LOG_TEXT("absent", NULL));
    json_t *value = last_line();
    assert_string_equal(json_string_value(json_object_get(value, "level")), "info");
    assert_string_equal(json_string_value(json_object_get(value, "service")), "test");
    assert_string_equal(json_string_value(json_object_get(value, "event")), "something");
    assert_string_equal(json_string_value(json_object_get(value, "text")), "a\"b\xef\xbf\xbd");
    assert_int_equal(json_integer_value(json_object_get(value, "n")), -5);
    assert_true(json_is_true(json_object_get(value, "f")));
    assert_int_equal(json_array_size(json_object_get(value, "raw")), 2);
    assert_null(json_object_get(value, "absent"));
    json_decref(value);
}

static void test_levels(void **state)
{
    (void)state;
    LOG_DEBUG("hidden");
    assert_false(log_enabled(LOG_LEVEL_DEBUG));
    LOG_ERROR("shown");
    json_t *value = last_line();
    assert_string_equal(json_string_value(json_object_get(value, "event")), "shown");
    json_decref(value);
}

static void test_long_line(void **state)
{
    (void)state;
    char *huge = malloc(60001);
    memset(huge, 'x', 60000);
    huge[60000] = '\0';
    LOG_WARN("huge", LOG_TEXT("text", huge));
    free(huge);
    json_t *value = last_line();
    assert_true(json_is_true(json_object_get(value, "truncated")));
    assert_string_equal(json_string_value(json_object_get(value, "event")), "huge");
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_fields), cmocka_unit_test(test_levels),
                                        cmocka_unit_test(test_long_line) };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
