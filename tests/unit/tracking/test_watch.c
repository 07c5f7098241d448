/* Exceptions that follow from reports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "made.h"
#include "tracking/watch.h"

struct tape {
    int64_t release_at, now;
    char text[512];
    struct judge_state state;
    struct watch watch;
};

static void print(struct tape *tape, const struct exception *ended, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(tape->text);
        snprintf(tape->text + len, sizeof(tape->text) - len, "%s %d %d-%d\n",
                 exception_kind_names[ended[i].kind], (int)ended[i].location, (int)ended[i].since,
                 (int)ended[i].ended_at);
    }
}

static void report(struct tape *tape, const struct candidate *places, size_t n)
{
    struct report report = made_report(++tape->now, 20);
    struct exception ended[EXCEPTION_KINDS];
    struct verdict verdict;
    report.release_at = tape->release_at;
    report.places = places;
    report.place_count = n;
    judge_report(&tape->state, &report, &made_rules, &verdict);
    print(tape, ended, watch_report(&tape->watch, &report, &tape->state, &verdict, &made_rules, ended));
}

static struct candidate foreign(int64_t location, double distance)
{
    struct candidate place = made_place(location, PLACE_DELIVERY, distance);
    place.foreign = true;
    return place;
}
#define REPORT(tape, ...)                                                                                    \
    report(tape, (const struct candidate[]){ __VA_ARGS__ },                                                  \
           ARRAY_LEN(((const struct candidate[]){ __VA_ARGS__ })))

static void test_wrong_place(void **state)
{
    (void)state;
    struct tape tape = { 0 };
    report(&tape, NULL, 0);
    REPORT(&tape, foreign(7, 21)); /* unsure is not inside */
    assert_true(tape.watch.open[EXCEPTION_WRONG_PLACE].since == 0);
    REPORT(&tape, foreign(7, 20));
    assert_true(tape.watch.open[EXCEPTION_WRONG_PLACE].since == 3);
    REPORT(&tape, foreign(7, 40), foreign(6, -5)); /* unsure holds, also against a nearer one */
    assert_true(tape.watch.open[EXCEPTION_WRONG_PLACE].location == 7);
    REPORT(&tape, foreign(7, 41), foreign(6, -5), foreign(5, -5));
    REPORT(&tape, foreign(5, 41));
    assert_string_equal(tape.text, "wrong_place 7 3-5\nwrong_place 5 5-6\n");
    assert_true(tape.watch.open[EXCEPTION_WRONG_PLACE].since == 0);
}

static void test_own_place_is_never_wrong(void **state)
{
    (void)state;
    struct tape tape = { 0 };
    REPORT(&tape, foreign(7, -9), made_place(1, PLACE_STORAGE, 20));
    assert_true(tape.watch.open[EXCEPTION_WRONG_PLACE].since == 0);
    REPORT(&tape, foreign(7, -9));
    REPORT(&tape, foreign(7, -9), made_place(1, PLACE_STORAGE, 20));
    assert_string_equal(tape.text, "wrong_place 7 2-3\n");
}

static void test_left_early(void **state)
{
    (void)state;
    struct tape tape = { .release_at = 6 };
    struct candidate storage = made_place(1, PLACE_STORAGE, 0);
    REPORT(&tape, storage);
    report(&tape, NULL, 0); /* left at 2, before 6 */
    assert_true(tape.watch.open[EXCEPTION_LEFT_EARLY].since == 2);
    REPORT(&tape, storage);                          /* brought back */
    REPORT(&tape, made_place(9, PLACE_DELIVERY, 0)); /* delivered too early is left too early */
    assert_true(tape.watch.open[EXCEPTION_LEFT_EARLY].since == 4);
    report(&tape, NULL, 0);
    report(&tape, NULL, 0); /* at 6: released */
    assert_string_equal(tape.text, "left_early 1 2-3\nleft_early 1 4-6\n");
}

static void test_leaving_at_the_release_is_not_early(void **state)
{
    (void)state;
    struct tape tape = { .release_at = 2 };
    REPORT(&tape, made_place(1, PLACE_STORAGE, 0));
    report(&tape, NULL, 0);
    assert_true(tape.watch.open[EXCEPTION_LEFT_EARLY].since == 0);
    struct tape none = { .release_at = 0 };
    REPORT(&none, made_place(1, PLACE_STORAGE, 0));
    report(&none, NULL, 0);
    assert_true(none.watch.open[EXCEPTION_LEFT_EARLY].since == 0);
}

static void test_another_storage_is_not_leaving(void **state)
{
    (void)state;
    struct tape tape = { .release_at = 9 };
    REPORT(&tape, made_place(1, PLACE_STORAGE, 0));
    REPORT(&tape, made_place(2, PLACE_STORAGE, 0));
    assert_true(tape.watch.open[EXCEPTION_LEFT_EARLY].since == 0);
}

static void test_a_run_without_release_ends_it(void **state)
{
    (void)state;
    struct tape tape = { .release_at = 9 };
    REPORT(&tape, made_place(1, PLACE_STORAGE, 0));
    report(&tape, NULL, 0);
    tape.release_at = 0;
    report(&tape, NULL, 0);
    assert_string_equal(tape.text, "left_early 1 2-3\n");
}

static void test_no_exception_lasts_no_time(void **state)
{
    (void)state;
    struct tape tape = { 0 };
    REPORT(&tape, foreign(7, 0));
    tape.now--; /* the next report has the same time */
    report(&tape, NULL, 0);
    assert_true(tape.watch.open[EXCEPTION_WRONG_PLACE].since == 0);
    assert_string_equal(tape.text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_place),
        cmocka_unit_test(test_own_place_is_never_wrong),
        cmocka_unit_test(test_left_early),
        cmocka_unit_test(test_leaving_at_the_release_is_not_early),
        cmocka_unit_test(test_another_storage_is_not_leaving),
        cmocka_unit_test(test_a_run_without_release_ends_it),
        cmocka_unit_test(test_no_exception_lasts_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
