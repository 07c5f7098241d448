/* Cron expressions of people: what would never match, or not what it seems to, is refused. Against pycron
 * itself: tests/tasks/test_schedules.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tasks/cron.h"

static bool parses(const char *text)
{
    struct cron cron;
    struct error err = { .code = "" };
    bool ok = cron_parse(text, &cron, &err);
    assert_string_equal(ok ? "cron_invalid" : err.code, "cron_invalid");
    return ok;
}

static void people_are_told_what_is_wrong(void **state)
{
    static const char *const good[] = { "* * * * *", "0-59/7 */2 1,15 12 sun", "5 4 31 1-12 Monday,fri",
                                        "*/5 0 29 2 0-6" };
    static const char *const bad[] = {
        "",
        "* * * *",
        "* * * * * *",
        "*  * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * 0 *",
        "* * * * 7",
        "* * * * 5-7",
        "* * * * fri-sun",
        "* * * jan *",
        "5/15 * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "1,, x * * *",
        "a * * * *",
        "@daily",
        "1-2-3 * * * *",
        ", * * * *",
        "* * * * sundays",
        "99999999999999999999 * * * *",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!parses(good[i]))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (parses(bad[i]))
            fail_msg("accepted: %s", bad[i]);
}

static void weekdays_are_right(void **state)
{
    (void)state;
    assert_int_equal(cron_weekday(2026, 11, 24), 2);
    assert_int_equal(cron_weekday(2000, 2, 29), 2);
    assert_int_equal(cron_weekday(2100, 3, 1), 1);
    assert_int_equal(cron_weekday(2024, 1, 7), 0);
}

static void the_next_time_crosses_every_border(void **state)
{
    static const struct {
        const char *text;
        struct cron_time from, next;
    } cases[] = {
        { "* * * * *", { 2025, 12, 31, 23, 59 }, { 2026, 1, 1, 0, 0 } },
        { "0 0 29 2 *", { 2026, 3, 1, 0, 0 }, { 2028, 2, 29, 0, 0 } },
        { "30 4 * * *", { 2026, 2, 28, 4, 30 }, { 2026, 3, 1, 4, 30 } },
        { "30 4 * * *", { 2026, 2, 28, 4, 29 }, { 2026, 2, 28, 4, 30 } },
        { "0 12 13 * 5", { 2026, 11, 12, 13, 0 }, { 2026, 11, 13, 12, 0 } }, /* the 13th, a Friday; */
        { "0 12 13 * 5", { 2026, 11, 13, 12, 0 }, { 2026, 11, 20, 12, 0 } }, /* then any Friday */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cron cron;
        struct cron_time next;
        struct error err;
        assert_true(cron_parse(cases[i].text, &cron, &err));
        assert_true(cron_next(&cron, &cases[i].from, &next));
        assert_memory_equal(&next, &cases[i].next, sizeof(next));
        assert_true(cron_matches(&cron, &next));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_are_told_what_is_wrong),
        cmocka_unit_test(weekdays_are_right),
        cmocka_unit_test(the_next_time_crosses_every_border),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
