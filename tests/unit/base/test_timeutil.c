/* RFC 3339 both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <string.h>
#include <time.h>

#include "base/timeutil.h"

static void test_known(void **state)
{
    (void)state;
    static const struct {
        const char *text, *utc;
    } cases[] = {
        { "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z" },
        { "2026-05-09T06:14:21Z", "2026-05-09T06:14:21Z" },
        { "2026-05-09t06:14:21.5z", "2026-05-09T06:14:21.5Z" },
        { "2026-05-09 06:14:21.1234567+02:00", "2026-05-09T04:14:21.123456Z" },
        { "2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z" },
        { "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z" },
        { "2024-02-29T00:00:00-00:00", "2024-02-29T00:00:00Z" },
        { "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z" },
        { "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z" },
        { "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t usec;
        char text[RFC3339_SIZE];
        if (!time_parse(cases[i].text, &usec))
            fail_msg("refused %s", cases[i].text);
        assert_string_equal(time_format(usec, text), cases[i].utc);
    }
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "2026-05-09",
                                       "2026-05-09T06:14:21",
                                       "2026-13-01T00:00:00Z",
                                       "2026-02-29T00:00:00Z",
                                       "2026-05-09T24:00:00Z",
                                       "2026-05-09T06:60:00Z",
                                       "2026-05-09T06:14:61Z",
                                       "2026-05-09T06:14:21.Z",
                                       "2026-05-09T06:14:21Zx",
                                       "2026-05-09T06:14:21+2:00",
                                       "2026-05-09T06:14:21+24:00",
                                       "0000-01-01T00:00:00Z",
                                       "0001-01-01T00:00:00+01:00",
                                       "9999-12-31T23:59:59-01:00",
                                       "26-05-09T06:14:21Z" };
    int64_t usec;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (time_parse(bad[i], &usec))
            fail_msg("took %s", bad[i]);
}

static void test_random_round_trips(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t random;
        randombytes_buf(&random, sizeof(random));
        int64_t usec = TIME_MIN + (int64_t)(random % (uint64_t)(TIME_MAX - TIME_MIN)), back;
        char text[RFC3339_SIZE], expected[32];
        assert_true(time_parse(time_format(usec, text), &back));
        assert_true(back == usec);
        /* The C library as an independent witness, for years it can print the same way. */
        time_t seconds = (time_t)((usec - ((usec % USEC_PER_SEC) + USEC_PER_SEC) % USEC_PER_SEC) /
                                  USEC_PER_SEC);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        if (tm.tm_year >= -900) {
            strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &tm);
            assert_memory_equal(text, expected, 19);
        }
    }
}

static int64_t slept;

static int64_t fixed_now(void *self)
{
    return *(int64_t *)self;
}

static void note_sleep(void *self, int64_t usec)
{
    (void)self;
    slept += usec;
}

static void test_clocks(void **state)
{
    (void)state;
    int64_t now = 42;
    const struct clock fake = { fixed_now, note_sleep, &now };
    assert_int_equal(clock_now(&fake), 42);
    clock_sleep(&fake, 7);
    assert_int_equal(slept, 7);
    int64_t before = time_monotonic();
    clock_sleep(&clock_system, 2000);
    clock_sleep(&clock_system, -1);
    assert_true(time_monotonic() - before >= 2000);
    assert_true(clock_now(&clock_system) > INT64_C(1700000000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_known), cmocka_unit_test(test_malformed),
                                        cmocka_unit_test(test_random_round_trips),
                                        cmocka_unit_test(test_clocks) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
