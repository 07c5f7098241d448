/* Membership over time: changes, confirmation, stays. A script of letters stands for the reports of a
 * tracker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "made.h"
#include "tracking/judge.h"

#define STEP HOURS(1) /* between two reports */

struct tape {
    int confirm;  /* of the run; 0: by the rules */
    int64_t step; /* between two reports */
    char text[512];
    struct judge_state state;
};

/* A report in storage A, storage B, delivery D, or '.' in none of them. */
static void play(struct tape *tape, const char *script)
{
    if (tape->step == 0)
        tape->step = STEP;
    for (int i = 0; script[i] != '\0'; i++) {
        struct candidate place = made_place(script[i], script[i] == 'D' ? PLACE_DELIVERY : PLACE_STORAGE, -5);
        struct report report = made_report((i + 1) * tape->step, 20);
        struct verdict verdict;
        report.confirm = tape->confirm;
        report.places = &place;
        report.place_count = script[i] != '.';
        judge_report(&tape->state, &report, &made_rules, &verdict);
        size_t len = strlen(tape->text);
        for (size_t k = 0; k < verdict.event_count; k++, len = strlen(tape->text)) {
            const struct event *event = &verdict.events[k];
            snprintf(tape->text + len, sizeof(tape->text) - len, "%c%c%d ", "+-="[event->kind],
                     (char)event -> location, (int)(event->fact.at / tape->step));
        }
        if (verdict.changed)
            snprintf(tape->text + len, sizeof(tape->text) - len, "[%s%c>%c@%d] ",
                     verdict.change.first ? "first " : "",
                     verdict.change.from.location ? (char)verdict.change.from.location : '.',
                     verdict.change.to.location ? (char)verdict.change.to.location : '.',
                     (int)(verdict.change.fact.at / tape->step));
    }
}

static void check(int confirm, int64_t step, const char *script, const char *expected)
{
    struct tape tape = { .confirm = confirm, .step = step };
    play(&tape, script);
    assert_string_equal(tape.text, expected);
}

static void test_first_report(void **state)
{
    (void)state;
    check(0, 0, ".", "[first .>.@1] ");
    check(0, 0, "A", "+A1 [first .>A@1] ");
    check(0, 0, "D", "+D1 [first .>D@1] ");
    /* a further report without a change says nothing */
    check(0, 0, "..", "[first .>.@1] ");
    check(0, 0, "AA", "+A1 [first .>A@1] ");
}

static void test_changes(void **state)
{
    (void)state;
    check(0, 0, "A.D", "+A1 [first .>A@1] -A2 [A>.@2] +D3 [.>D@3] ");
    check(0, 0, "AB", "+A1 [first .>A@1] -A2 +B2 [A>B@2] ");
    check(0, 0, "AD", "+A1 [first .>A@1] -A2 +D2 [A>D@2] ");
}

static void test_confirmation(void **state)
{
    (void)state;
    /* nowhere counts at once at the very first report, whatever it names */
    check(2, 0, ".", "[first .>.@1] ");
    check(2, 0, "A", "[first .>.@1] ");
    check(2, 0, "AA", "[first .>.@1] +A1 [.>A@1] ");
    /* stamped with the first report that names it */
    check(2, 0, ".AA", "[first .>.@1] +A2 [.>A@2] ");
    check(3, 0, ".AAA..", "[first .>.@1] +A2 [.>A@2] ");
    check(3, 0, ".AAA...", "[first .>.@1] +A2 [.>A@2] -A5 [A>.@5] ");
    /* "in a row" is broken by the current place and by another one */
    check(2, 0, ".A.A.A", "[first .>.@1] ");
    check(2, 0, ".ABABB", "[first .>.@1] +B5 [.>B@5] ");
    check(2, 0, "AA.B.B..", "[first .>.@1] +A1 [.>A@1] -A7 [A>.@7] ");
}

static void test_twenty_confirmations(void **state)
{
    (void)state;
    check(20, 0, ".AAAAAAAAAAAAAAAAAAA", "[first .>.@1] ");
    check(20, 0, ".AAAAAAAAAAAAAAAAAAAA", "[first .>.@1] +A2 [.>A@2] ");
}

static void test_confirmation_of_the_rules(void **state)
{
    (void)state;
    struct rules rules = made_rules;
    struct judge_state judge = { .seen = true };
    struct candidate place = made_place(7, PLACE_STORAGE, 0);
    struct report report = made_report(STEP, 20);
    struct verdict verdict;
    report.places = &place;
    report.place_count = 1;
    rules.confirm_reports = 2;
    judge_report(&judge, &report, &rules, &verdict);
    assert_false(verdict.changed);
    report.at = 2 * STEP;
    report.confirm = 1; /* the tracker has come into a run that asks for one */
    judge_report(&judge, &report, &rules, &verdict);
    assert_true(verdict.changed);
    assert_true(verdict.change.fact.at == STEP);
}

static void test_dwell(void **state)
{
    (void)state;
    /* at exactly the period after entry or dwell */
    check(0, HOURS(12), "AAAAA", "+A1 [first .>A@1] =A3 =A5 ");
    check(0, HOURS(24) - 1, "AAA", "+A1 [first .>A@1] =A3 ");
    check(0, HOURS(24), "AA", "+A1 [first .>A@1] =A2 ");
    /* one dwell however long the silence, counted from itself */
    check(0, HOURS(60), "AAA", "+A1 [first .>A@1] =A2 =A3 ");
    /* not nowhere, and anew in the next place */
    check(0, HOURS(12), "....", "[first .>.@1] ");
    check(0, HOURS(12), "AABBB", "+A1 [first .>A@1] -A3 +B3 [A>B@3] =B5 ");
}

static void test_dwell_while_confirming(void **state)
{
    (void)state;
    /* the entry counts from report 2, so reports 3 and 4 were stays already */
    check(3, HOURS(24), ".AAA", "[first .>.@1] +A2 =A3 =A4 [.>A@2] ");
    check(3, HOURS(12), ".AAAA", "[first .>.@1] +A2 =A4 [.>A@2] ");
    check(
        20, HOURS(24), ".AAAAAAAAAAAAAAAAAAAA",
        "[first .>.@1] +A2 =A3 =A4 =A5 =A6 =A7 =A8 =A9 =A10 =A11 =A12 =A13 =A14 =A15 =A16 =A17 =A18 =A19 =A20 =A21 "
        "[.>A@2] ");
    /* a report that names another place is no stay, and a stay that was not confirmed is none */
    check(2, HOURS(24), "AA.AA", "[first .>.@1] +A1 =A2 [.>A@1] =A4 =A5 ");
    check(3, HOURS(24), ".AA..", "[first .>.@1] ");
}

static void test_facts(void **state)
{
    (void)state;
    struct judge_state judge = { 0 };
    struct candidate near_both[] = { made_place('A', PLACE_STORAGE, -10),
                                     made_place('D', PLACE_DELIVERY, 40) };
    struct report report = made_report(STEP, 20);
    struct verdict verdict;
    report.run = 4;
    report.places = near_both;
    report.place_count = 2;
    judge_report(&judge, &report, &made_rules, &verdict);
    assert_true(verdict.change.fact.distance == -10 && verdict.change.fact.run == 4);
    assert_true(verdict.change.fact.latitude == 52.5 && verdict.change.fact.accuracy == 20);

    /* out of it: how far, when it is still near enough to know */
    near_both[0].distance = 41;
    report.at = 2 * STEP;
    report.place_count = 1;
    judge_report(&judge, &report, &made_rules, &verdict);
    assert_true(verdict.events[0].kind == EVENT_EXIT && verdict.events[0].fact.distance == 41);
    assert_true(verdict.change.fact.distance == 41);

    report.at = 3 * STEP;
    report.place_count = 0;
    judge.membership = (struct membership){ 'A', PLACE_STORAGE };
    judge_report(&judge, &report, &made_rules, &verdict);
    assert_true(isnan(verdict.events[0].fact.distance));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_report),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_confirmation),
        cmocka_unit_test(test_twenty_confirmations),
        cmocka_unit_test(test_confirmation_of_the_rules),
        cmocka_unit_test(test_dwell),
        cmocka_unit_test(test_dwell_while_confirming),
        cmocka_unit_test(test_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
