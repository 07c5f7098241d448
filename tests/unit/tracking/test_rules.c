/* Which reports count, and which place a report names: every threshold from both sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "made.h"

static struct report at_degrees(int64_t at, double latitude, double longitude, double accuracy)
{
    struct report report = made_report(at, accuracy);
    report.latitude = latitude;
    report.longitude = longitude;
    return report;
}

/* ---- order ---- */

static void test_order(void **state)
{
    (void)state;
    const struct report in_order[] = {
        at_degrees(1, 9, 9, 9), at_degrees(2, 9, 9, 1), at_degrees(2, 1, 9, 2),
        at_degrees(2, 2, 1, 2), at_degrees(2, 2, 2, 2), at_degrees(3, -9, -9, 0),
    };
    for (size_t i = 0; i < ARRAY_LEN(in_order); i++)
        for (size_t k = 0; k < ARRAY_LEN(in_order); k++) {
            int order = report_compare(&in_order[i], &in_order[k]);
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
}

/* ---- usable ---- */

static void test_usability(void **state)
{
    (void)state;
    struct report report = made_report(1, 200);
    assert_int_equal(report_usability(&report, &made_rules), FLAG_NONE);
    report.accuracy = 201;
    assert_int_equal(report_usability(&report, &made_rules), FLAG_INACCURATE);
    report.confidence = 1;
    assert_int_equal(report_usability(&report, &made_rules), FLAG_LOW_CONFIDENCE);
    report.accuracy = 200;
    assert_int_equal(report_usability(&report, &made_rules), FLAG_LOW_CONFIDENCE);
    assert_string_equal(report_flag_names[FLAG_LOW_CONFIDENCE], "low_confidence");
    assert_string_equal(report_flag_names[FLAG_INACCURATE], "inaccurate");
    assert_string_equal(report_flag_names[FLAG_JUMP], "jump");
    assert_null(report_flag_names[FLAG_NONE]);
}

/* ---- jumps ---- */

/* One degree of longitude on the equator is 111,319.49 m, which 1,200 km/h takes 333.958 s for. */
#define DEGREE_USEC INT64_C(333958473)

static void test_speed_at_the_limit(void **state)
{
    (void)state;
    struct report a = at_degrees(0, 0, 0, 0), b = at_degrees(DEGREE_USEC + 100, 0, 1, 0);
    assert_false(report_too_fast(&a, &b, &made_rules));
    b.at = DEGREE_USEC - 100;
    assert_true(report_too_fast(&a, &b, &made_rules));
    /* what both may be off by is taken from the distance */
    a.accuracy = 1;
    b.accuracy = 1;
    assert_false(report_too_fast(&a, &b, &made_rules));
}

static void test_speed_without_time(void **state)
{
    (void)state;
    struct report a = at_degrees(5, 0, 0, 50), b = at_degrees(5, 0, 0, 50);
    assert_false(report_too_fast(&a, &b, &made_rules));
    b.longitude = 0.00089; /* 99 m */
    assert_false(report_too_fast(&a, &b, &made_rules));
    b.longitude = 0.00091; /* 101 m */
    assert_true(report_too_fast(&a, &b, &made_rules));
}

static void test_speed_across_the_antimeridian(void **state)
{
    (void)state;
    struct report a = at_degrees(0, 10, 179.999, 10), b = at_degrees(SECONDS(60), 10, -179.999, 10);
    assert_false(report_too_fast(&a, &b, &made_rules));
}

/* Longitudes of reports one minute apart, where 0 and 1 are too far from each other; the flags expected. */
static void check_jumps(const double *longitudes, const char *expected)
{
    struct report reports[16] = { 0 };
    enum report_flag flags[16];
    size_t n = strlen(expected);
    for (size_t i = 0; i < n; i++) {
        reports[i] = at_degrees(MINUTES((int64_t)i), 0, longitudes[i], 10);
        if (expected[i] == 'c')
            reports[i].confidence = 1;
        if (expected[i] == 'a')
            reports[i].accuracy = 201;
    }
    report_flag_all(reports, n, NULL, &made_rules, flags);
    for (size_t i = 0; i < n; i++)
        if ("-caj"[flags[i]] != expected[i])
            fail_msg("report %zu of %s: flag %d", i, expected, flags[i]);
}

static void test_jumps(void **state)
{
    (void)state;
    check_jumps((double[]){ 0, 1, 0 }, "-j-");
    check_jumps((double[]){ 0, 1, 1 }, "---");         /* reached too fast, not left too fast */
    check_jumps((double[]){ 0, 0, 1 }, "---");         /* the last one has no neighbour after it */
    check_jumps((double[]){ 1, 0, 0 }, "---");         /* the first one has none before it */
    check_jumps((double[]){ 0, 1, 0, 1, 0 }, "-jjj-"); /* neighbours are usable ones, jumps or not */
    check_jumps((double[]){ 0, 1, 1, 0 }, "----");
    check_jumps((double[]){ 0, 0, 1, 0 }, "-cj-"); /* unusable reports are nobody's neighbours */
    check_jumps((double[]){ 0, 1, 1, 0 }, "-ja-");
    check_jumps((double[]){ 0 }, "-");
}

static void test_jump_after_the_reports_before(void **state)
{
    (void)state;
    struct report before = at_degrees(0, 0, 0, 10);
    struct report reports[] = { at_degrees(MINUTES(1), 0, 1, 10), at_degrees(MINUTES(2), 0, 0, 10) };
    enum report_flag flags[2];
    report_flag_all(reports, 2, &before, &made_rules, flags);
    assert_int_equal(flags[0], FLAG_JUMP);
    assert_int_equal(flags[1], FLAG_NONE);
    report_flag_all(reports, 2, NULL, &made_rules, flags);
    assert_int_equal(flags[0], FLAG_NONE);
}

/* ---- inside, outside, unsure ---- */

static void test_inside(void **state)
{
    (void)state;
    struct report report = made_report(1, 30);
    struct candidate place = made_place(1, PLACE_STORAGE, 30);
    assert_true(candidate_inside(&place, &report, &made_rules));
    place.distance = nextafter(30, 31);
    assert_false(candidate_inside(&place, &report, &made_rules));
    report.accuracy = 150; /* an inaccurate report must still be within the slack */
    place.distance = 100;
    assert_true(candidate_inside(&place, &report, &made_rules));
    place.distance = nextafter(100, 101);
    assert_false(candidate_inside(&place, &report, &made_rules));
}

static void test_outside(void **state)
{
    (void)state;
    struct report report = made_report(1, 30);
    struct candidate place = made_place(1, PLACE_STORAGE, 50);
    assert_false(candidate_outside(&place, &report)); /* 30 + 20: still unsure */
    place.distance = nextafter(50, 51);
    assert_true(candidate_outside(&place, &report));
    place.distance = -1;
    assert_false(candidate_outside(&place, &report));
}

/* ---- the place that a report names ---- */

#define DELIVERY PLACE_DELIVERY
#define STORAGE  PLACE_STORAGE

/* The report has an accuracy of 30 m: inside up to 30, outside beyond 50. */
static int64_t named(int64_t current, const struct candidate *places, size_t n)
{
    struct report report = made_report(1, 30);
    report.places = places;
    report.place_count = n;
    const struct candidate *place = report_names(&report, current, &made_rules);
    return place != NULL ? place->location : 0;
}
#define NAMED(current, ...)                                                                                  \
    named(current, (const struct candidate[]){ __VA_ARGS__ },                                                \
          ARRAY_LEN(((const struct candidate[]){ __VA_ARGS__ })))

static void test_named_from_nowhere(void **state)
{
    (void)state;
    assert_int_equal(named(0, NULL, 0), 0);
    assert_int_equal(NAMED(0, made_place(1, STORAGE, 31)), 0);
    assert_int_equal(NAMED(0, made_place(1, STORAGE, 30)), 1);
    assert_int_equal(NAMED(0, made_place(1, STORAGE, -50), made_place(2, DELIVERY, 29)), 2);
    assert_int_equal(NAMED(0, made_place(1, STORAGE, 20), made_place(2, STORAGE, 10)), 2);
    assert_int_equal(NAMED(0, made_place(2, DELIVERY, 10), made_place(1, DELIVERY, 10)), 1);
}

static void test_named_while_current_holds(void **state)
{
    (void)state;
    /* unsure holds */
    assert_int_equal(NAMED(1, made_place(1, STORAGE, 50)), 1);
    assert_int_equal(NAMED(1, made_place(1, DELIVERY, 50)), 1);
    /* a delivery location that holds is kept whatever else is inside */
    assert_int_equal(NAMED(1, made_place(1, DELIVERY, 50), made_place(2, DELIVERY, -90)), 1);
    assert_int_equal(NAMED(1, made_place(1, DELIVERY, 50), made_place(2, STORAGE, -90)), 1);
    /* a storage location that holds gives way to a delivery location and to nothing else */
    assert_int_equal(NAMED(1, made_place(1, STORAGE, -90), made_place(2, STORAGE, -99)), 1);
    assert_int_equal(NAMED(1, made_place(1, STORAGE, -90), made_place(2, DELIVERY, 30)), 2);
    assert_int_equal(NAMED(1, made_place(1, STORAGE, -90), made_place(2, DELIVERY, 31)), 1);
}

static void test_named_when_current_is_left(void **state)
{
    (void)state;
    assert_int_equal(NAMED(1, made_place(1, STORAGE, 51)), 0);
    assert_int_equal(NAMED(1, made_place(1, DELIVERY, 51), made_place(2, STORAGE, 10)), 2);
    /* the place no longer belongs to the run, or is far away */
    assert_int_equal(named(1, NULL, 0), 0);
    assert_int_equal(NAMED(1, made_place(2, STORAGE, 10)), 2);
}

static void test_places_of_other_runs_are_never_named(void **state)
{
    (void)state;
    struct candidate other = made_place(3, DELIVERY, -10);
    other.foreign = true;
    assert_int_equal(NAMED(0, other), 0);
    assert_int_equal(NAMED(3, other), 0);
    assert_int_equal(NAMED(1, other, made_place(1, STORAGE, 0)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_usability),
        cmocka_unit_test(test_speed_at_the_limit),
        cmocka_unit_test(test_speed_without_time),
        cmocka_unit_test(test_speed_across_the_antimeridian),
        cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_jump_after_the_reports_before),
        cmocka_unit_test(test_inside),
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_named_from_nowhere),
        cmocka_unit_test(test_named_while_current_holds),
        cmocka_unit_test(test_named_when_current_is_left),
        cmocka_unit_test(test_places_of_other_runs_are_never_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
