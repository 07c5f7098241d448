/* Lengths of time as Python writes them, and the waits between attempts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/timeutil.h"
#include "tasks/duration.h"
#include "tasks/retry.h"

static void pythons_lengths_of_time_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t usec;
    } good[] = {
        { "PT5M", MINUTES(5) },     { "P1DT2.000003S", DAYS(1) + SECONDS(2) + 3 },
        { "-PT5S", -SECONDS(5) },   { "P1W", DAYS(7) },
        { "PT1H30M", MINUTES(90) }, { "PT0S", 0 },
        { "P2D", DAYS(2) },         { "PT0.5S", SECONDS(1) / 2 },
        { "+PT1S", SECONDS(1) },
    };
    static const char *const bad[] = { "",       "P",      "PT",       "5M",    "PT5",          "P5M",
                                       "PT5D",   "PT1S1M", "P1Y",      "PT-5S", "PT5MX",        "PTT5M",
                                       "P1DT1D", "PT5M5M", "PT1.2.3S", "PTxS",  "P99999999999D" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t usec = 77;
        if (!duration_parse(good[i].text, &usec) || usec != good[i].usec)
            fail_msg("%s: %lld", good[i].text, (long long)usec);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t usec = 77;
        if (duration_parse(bad[i], &usec) || usec != 77)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void waits_double_up_to_the_longest(void **state)
{
    (void)state;
    assert_int_equal(retry_wait(1, 0), RETRY_FIRST);
    assert_int_equal(retry_wait(2, 0), 2 * RETRY_FIRST);
    assert_int_equal(retry_wait(4, 0), 8 * RETRY_FIRST);
    assert_int_equal(retry_wait(1000, 0), RETRY_LAST);
    for (uint32_t random = 0; random < 5000; random += 7)
        assert_in_range(retry_wait(2, random), 2 * RETRY_FIRST, 3 * RETRY_FIRST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pythons_lengths_of_time_are_read),
        cmocka_unit_test(waits_double_up_to_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
