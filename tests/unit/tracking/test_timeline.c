/* Status rows from changes and overrides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "made.h"
#include "tracking/timeline.h"

static struct change to(int64_t at, enum place_kind from, enum place_kind kind)
{
    return (struct change){ .from = { from != PLACE_NONE ? 10 + (int64_t)from : 0, from },
                            .to = { kind != PLACE_NONE ? 10 + (int64_t)kind : 0, kind },
                            .fact = { .at = at } };
}

/* Rows as "since status place rule (before)". */
static void check(const struct change *changes, size_t n, const struct override *overrides, size_t m,
                  struct shown shown, const char *expected)
{
    char text[1024] = "";
    size_t change = 0, override = 0, len = 0;
    struct status_row row;
    while (timeline_next(changes, n, &change, overrides, m, &override, &shown, &row))
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%d %s %d %s (%s %d)\n", (int)row.since,
                                status_names[row.now.status], (int)row.now.location, row.rule,
                                status_names[row.before.status], (int)row.before.location);
    assert_string_equal(text, expected);
    assert_int_equal(change, n);
    assert_int_equal(override, m);
}

static void test_every_rule(void **state)
{
    (void)state;
    struct change changes[] = {
        to(1, PLACE_NONE, PLACE_NONE),        to(2, PLACE_NONE, PLACE_STORAGE),
        to(3, PLACE_STORAGE, PLACE_NONE),     to(4, PLACE_NONE, PLACE_DELIVERY),
        to(5, PLACE_DELIVERY, PLACE_STORAGE), to(6, PLACE_STORAGE, PLACE_DELIVERY),
        to(7, PLACE_DELIVERY, PLACE_NONE),
    };
    changes[0].first = true;
    check(changes, ARRAY_LEN(changes), NULL, 0, (struct shown){ 0 },
          "1 IN_TRANSIT 0 first_report (CREATED 0)\n"
          "2 IN_STORAGE 11 entered_storage (IN_TRANSIT 0)\n"
          "3 IN_TRANSIT 0 left_storage (IN_STORAGE 11)\n"
          "4 DELIVERED 12 entered_delivery (IN_TRANSIT 0)\n"
          "5 IN_STORAGE 11 entered_storage (DELIVERED 12)\n"
          "6 DELIVERED 12 entered_delivery (IN_STORAGE 11)\n"
          "7 IN_TRANSIT 0 left_delivery (DELIVERED 12)\n");
}

static void test_override_holds_until_the_next_change(void **state)
{
    (void)state;
    struct change changes[] = { to(1, PLACE_NONE, PLACE_STORAGE), to(5, PLACE_STORAGE, PLACE_NONE) };
    struct override overrides[] = { { 1, 3, STATUS_DELIVERED, 12, 0 } };
    check(changes, 2, overrides, 1, (struct shown){ 0 },
          "1 IN_STORAGE 11 entered_storage (CREATED 0)\n"
          "3 DELIVERED 12 override (IN_STORAGE 11)\n"
          "5 IN_TRANSIT 0 left_storage (DELIVERED 12)\n");
}

static void test_override_at_the_time_of_a_change_comes_after_it(void **state)
{
    (void)state;
    struct change changes[] = { to(3, PLACE_NONE, PLACE_STORAGE) };
    struct override overrides[] = { { 1, 3, STATUS_IN_TRANSIT, 0, 0 } };
    check(changes, 1, overrides, 1, (struct shown){ STATUS_CREATED, 0 },
          "3 IN_STORAGE 11 entered_storage (CREATED 0)\n"
          "3 IN_TRANSIT 0 override (IN_STORAGE 11)\n");
}

static void test_rows_only_where_something_differs(void **state)
{
    (void)state;
    /* an override that says what is so already; a change to what the override has said */
    struct change changes[] = { to(5, PLACE_NONE, PLACE_DELIVERY) };
    struct override overrides[] = { { 1, 2, STATUS_IN_TRANSIT, 0, 0 }, { 2, 3, STATUS_DELIVERED, 12, 0 } };
    check(changes, 1, overrides, 2, (struct shown){ STATUS_IN_TRANSIT, 0 },
          "3 DELIVERED 12 override (IN_TRANSIT 0)\n");
}

static void test_first_report_always_writes(void **state)
{
    (void)state;
    struct change changes[] = { to(5, PLACE_NONE, PLACE_DELIVERY) };
    struct override overrides[] = { { 1, 2, STATUS_DELIVERED, 12, 0 } };
    changes[0].first = true;
    check(changes, 1, overrides, 1, (struct shown){ 0 },
          "2 DELIVERED 12 override (CREATED 0)\n"
          "5 DELIVERED 12 entered_delivery (DELIVERED 12)\n");
}

static void test_overrides_only(void **state)
{
    (void)state;
    struct override overrides[] = { { 8, 2, STATUS_IN_STORAGE, 11, 7 } };
    struct shown shown = { 0 };
    struct status_row row;
    size_t change = 0, override = 0;
    assert_true(timeline_next(NULL, 0, &change, overrides, 1, &override, &shown, &row));
    assert_true(row.override_id == 8 && row.fact.run == 7);
    assert_false(timeline_next(NULL, 0, &change, overrides, 1, &override, &shown, &row));
    assert_true(shown.status == STATUS_IN_STORAGE && shown.location == 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rule),
        cmocka_unit_test(test_override_holds_until_the_next_change),
        cmocka_unit_test(test_override_at_the_time_of_a_change_comes_after_it),
        cmocka_unit_test(test_rows_only_where_something_differs),
        cmocka_unit_test(test_first_report_always_writes),
        cmocka_unit_test(test_overrides_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
