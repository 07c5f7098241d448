/* Duties are looked at when they are due, at once when there is work, later when they fail, and never by too
 * many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/timeutil.h"
#include "tasks/board.h"

static const struct duty many = { .name = "many", .period = SECONDS(10) };
static const struct duty single = { .name = "single", .period = SECONDS(20), .parallel = 1 };

static void each_is_taken_when_due_the_longest_waiting_first(void **state)
{
    struct duty_slot slots[] = { { .duty = &many, .look_at = 5 }, { .duty = &single, .look_at = 3 } };
    (void)state;
    assert_null(board_take(slots, 2, 2));
    assert_int_equal(board_next(slots, 2), 3);
    assert_ptr_equal(board_take(slots, 2, 6), &slots[1]);
    assert_ptr_equal(board_take(slots, 2, 6), &slots[0]);
    assert_null(board_take(slots, 2, 6));
    assert_int_equal(board_next(slots, 2), 6 + SECONDS(10)); /* single is taken by as many as may */
}

static void work_done_means_looking_again_at_once(void **state)
{
    struct duty_slot slot = { .duty = &many };
    (void)state;
    assert_ptr_equal(board_take(&slot, 1, 1), &slot);
    board_done(&slot, 7, 100, 0);
    assert_int_equal(slot.look_at, 100);
    assert_int_equal(slot.done_at, 100);
    assert_ptr_equal(board_take(&slot, 1, 100), &slot);
    assert_null(board_take(&slot, 1, 100)); /* another thread joins only when there was something */
    board_done(&slot, 0, 200, 0);
    assert_int_equal(slot.look_at, 200 + SECONDS(10));
    board_done(&slot, 0, 200, 1023);
    assert_in_range(slot.look_at, 200 + SECONDS(11), 200 + SECONDS(12)); /* not in step with others */
}

static void no_more_threads_than_may(void **state)
{
    struct duty_slot slot = { .duty = &single };
    (void)state;
    assert_non_null(board_take(&slot, 1, 1));
    slot.look_at = 1;
    assert_null(board_take(&slot, 1, 2));
    assert_int_equal(board_next(&slot, 1), INT64_MAX);
    board_done(&slot, 1, 3, 0);
    assert_non_null(board_take(&slot, 1, 3));
}

static void a_hint_is_not_lost_while_it_runs(void **state)
{
    struct duty_slot slots[] = { { .duty = &single }, { .duty = &many, .look_at = 1000 } };
    (void)state;
    assert_ptr_equal(board_take(slots, 2, 1), &slots[0]);
    board_hint(slots, 2, "single", 5);
    assert_null(board_take(slots, 2, 6));
    board_done(&slots[0], 0, 7, 0); /* it may have looked before the work came */
    assert_ptr_equal(board_take(slots, 2, 7), &slots[0]);
    assert_int_equal(slots[1].look_at, 1000);
    board_hint(slots, 2, NULL, 10);
    assert_int_equal(slots[1].look_at, 10);
    board_hint(slots, 2, "unknown", 11);
}

static void failures_wait_longer_and_longer_whatever_hints_say(void **state)
{
    struct duty_slot slot = { .duty = &many };
    int64_t waits[8];
    (void)state;
    for (int i = 0; i < 8; i++) {
        int64_t now = SECONDS(1000) * (i + 1);
        assert_non_null(board_take(&slot, 1, now));
        board_done(&slot, -1, now, 0);
        waits[i] = slot.look_at - now;
        board_hint(&slot, 1, "many", now + 1);
        assert_int_equal(slot.look_at, now + waits[i]);
    }
    assert_int_equal(waits[0], DUTY_FIRST_WAIT);
    assert_int_equal(waits[1], 2 * DUTY_FIRST_WAIT);
    assert_int_equal(waits[7], DUTY_LAST_WAIT);
    assert_non_null(board_take(&slot, 1, SECONDS(100000)));
    board_done(&slot, 0, SECONDS(100000), 0);
    assert_int_equal(slot.failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_taken_when_due_the_longest_waiting_first),
        cmocka_unit_test(work_done_means_looking_again_at_once),
        cmocka_unit_test(no_more_threads_than_may),
        cmocka_unit_test(a_hint_is_not_lost_while_it_runs),
        cmocka_unit_test(failures_wait_longer_and_longer_whatever_hints_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
