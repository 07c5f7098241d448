/* Tests of src/auth/ratelimit.c with a Redis that exists only here: counts within one process, and shared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/ratelimit.h"
#include "base/timeutil.h"

static struct {
    bool away;
    int64_t total;
    int asked;
} common;

bool redis_append_argv(struct redis *redis, int argc, const char **argv, const size_t *lengths)
{
    (void)redis;
    (void)argc;
    (void)lengths;
    if (common.away)
        return false;
    if (strcmp(argv[0], "INCRBY") == 0) {
        common.total += strtoll(argv[2], NULL, 10);
        common.asked++;
    }
    return true;
}

bool redis_read(struct redis *redis, struct arena *arena, struct redis_reply *reply)
{
    (void)redis;
    (void)arena;
    *reply = (struct redis_reply){ .type = REDIS_INT, .number = common.total };
    return !common.away;
}

#define WINDOW SECONDS(60)
#define NOW    (INT64_C(1800000000) * USEC_PER_SEC)
#define REDIS  ((struct redis *)&common)

static int set_up(void **state)
{
    memset(&common, 0, sizeof(common));
    *state = ratelimit_new();
    return 0;
}

static int tear_down(void **state)
{
    ratelimit_free(*state);
    return 0;
}

static void alone_the_limit_is_exact(void **state)
{
    struct ratelimit_state s;
    for (int i = 0; i < 5; i++) {
        assert_true(ratelimit_take(*state, NULL, NULL, "session:1", 5, WINDOW, NOW, &s));
        assert_int_equal(s.remaining, 4 - i);
    }
    assert_false(ratelimit_take(*state, NULL, NULL, "session:1", 5, WINDOW, NOW, &s));
    assert_int_equal(s.remaining, 0);
    assert_int_equal(s.limit, 5);
    assert_int_equal(s.reset, 60);
    assert_true(ratelimit_take(*state, NULL, NULL, "session:2", 5, WINDOW, NOW, &s));
}

static void the_next_window_starts_anew(void **state)
{
    struct ratelimit_state s;
    assert_true(ratelimit_take(*state, NULL, NULL, "session:1", 1, WINDOW, NOW, &s));
    assert_false(ratelimit_take(*state, NULL, NULL, "session:1", 1, WINDOW, NOW + WINDOW - 1, &s));
    assert_int_equal(s.reset, 1);
    assert_true(ratelimit_take(*state, NULL, NULL, "session:1", 1, WINDOW, NOW + WINDOW, &s));
}

static void others_count_too(void **state)
{
    struct ratelimit_state s;
    common.total = 98; /* what other processes counted */
    assert_true(ratelimit_take(*state, REDIS, NULL, "session:1", 100, WINDOW, NOW, &s));
    assert_int_equal(s.remaining, 1);
    assert_true(ratelimit_take(*state, REDIS, NULL, "session:1", 100, WINDOW, NOW, &s));
    assert_false(ratelimit_take(*state, REDIS, NULL, "session:1", 100, WINDOW, NOW, &s));
}

static void most_requests_ask_nobody(void **state)
{
    struct ratelimit_state s;
    for (int i = 0; i < 1000; i++)
        assert_true(ratelimit_take(*state, REDIS, NULL, "session:1", 1000, WINDOW, NOW, &s));
    assert_int_equal(s.remaining, 0);
    assert_true(common.asked <= 50);
    assert_true(common.total >= 1000 - 1000 / 50 - 1); /* and little is kept back */
}

static void a_dead_or_flushed_redis_does_not_reset_the_count(void **state)
{
    struct ratelimit_state s;
    for (int i = 0; i < 10; i++)
        assert_true(ratelimit_take(*state, REDIS, NULL, "session:1", 20, WINDOW, NOW, &s));
    common.away = true;
    for (int i = 0; i < 5; i++)
        assert_true(ratelimit_take(*state, REDIS, NULL, "session:1", 20, WINDOW, NOW, &s));
    common.away = false;
    common.total = 0;
    for (int i = 0; i < 5; i++)
        assert_true(ratelimit_take(*state, REDIS, NULL, "session:1", 20, WINDOW, NOW, &s));
    assert_false(ratelimit_take(*state, REDIS, NULL, "session:1", 20, WINDOW, NOW, &s));
}

static void many_subjects_do_not_break_it(void **state)
{
    struct ratelimit_state s;
    char subject[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(subject, sizeof(subject), "address:%d", i);
        assert_true(ratelimit_take(*state, NULL, NULL, subject, 1, WINDOW, NOW + i, &s));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(alone_the_limit_is_exact),
        TEST(the_next_window_starts_anew),
        TEST(others_count_too),
        TEST(most_requests_ask_nobody),
        TEST(many_subjects_do_not_break_it),
        TEST(a_dead_or_flushed_redis_does_not_reset_the_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
