/* What must hold for any reports whatever: made-up trackers, with a seed that is printed when one fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "made.h"
#include "tracking/timeline.h"

#define REPORTS  40
#define PLACES   3
#define TRACKERS 3000

struct tracker {
    struct report reports[REPORTS];
    struct candidate places[REPORTS][PLACES];
    enum report_flag flags[REPORTS];
};

struct outcome {
    struct change changes[REPORTS + 1];
    struct event events[REPORTS + JUDGE_MAX_EVENTS];
    size_t change_count, event_count;
    struct judge_state state;
};

static unsigned seed;

static int roll(int sides)
{
    return rand_r(&seed) % sides;
}

static int by_order(const void *a, const void *b)
{
    return report_compare(a, b);
}

/* Around three places, with equal times, jumps, bad reports and runs that ask for one to three confirmations.
 */
static void make(struct tracker *tracker)
{
    int confirm = 1 + roll(3);
    for (int i = 0; i < REPORTS; i++) {
        struct report *report = &tracker->reports[i];
        *report = made_report(HOURS((int64_t)roll(REPORTS * 2)) + MINUTES((int64_t)roll(2)), 1 + roll(255));
        report->longitude += roll(6) == 0 ? 30 : roll(100) / 1e5;
        report->latitude += i / 1e6; /* so that no two are the same */
        report->confidence = roll(5);
        report->confirm = confirm;
    }
    qsort(tracker->reports, REPORTS, sizeof(struct report), by_order);
    for (int i = 0; i < REPORTS; i++) {
        struct report *report = &tracker->reports[i];
        report->places = tracker->places[i];
        report->place_count = PLACES;
        for (int k = 0; k < PLACES; k++)
            tracker->places[i][k] = made_place(k + 1, k == 0 ? PLACE_DELIVERY : PLACE_STORAGE,
                                               i / 8 % PLACES == k ? roll(60) - 50 : roll(400));
    }
    report_flag_all(tracker->reports, REPORTS, NULL, &made_rules, tracker->flags);
}

static void judge_from(const struct tracker *tracker, size_t first, struct outcome *outcome)
{
    for (size_t i = first; i < REPORTS; i++) {
        struct verdict verdict;
        if (tracker->flags[i] != FLAG_NONE)
            continue;
        judge_report(&outcome->state, &tracker->reports[i], &made_rules, &verdict);
        for (size_t k = 0; k < verdict.event_count; k++)
            outcome->events[outcome->event_count++] = verdict.events[k];
        if (verdict.changed)
            outcome->changes[outcome->change_count++] = verdict.change;
    }
}

/* Entries and exits take turns, stays are of the place that was entered, and times never go back. */
static void check_events(const struct outcome *outcome)
{
    int64_t in = 0, last = INT64_MIN, marked = 0;
    for (size_t i = 0; i < outcome->event_count; i++) {
        const struct event *event = &outcome->events[i];
        assert_true(event->fact.at >= last);
        last = event->fact.at;
        if (event->kind == EVENT_ENTRY) {
            assert_true(in == 0);
            in = event->location;
        } else {
            assert_true(in == event->location);
        }
        if (event->kind == EVENT_DWELL)
            assert_true(last - marked >= made_rules.dwell_period);
        if (event->kind == EVENT_EXIT)
            in = 0;
        marked = last;
    }
    assert_true(in == outcome->state.membership.location);
}

/* Each row goes on where the last one ended; the last one is the membership of the end. */
static void check_history(const struct outcome *outcome)
{
    struct shown shown = { 0 }, last = { 0 };
    struct status_row row;
    size_t change = 0, override = 0, rows = 0;
    for (; timeline_next(outcome->changes, outcome->change_count, &change, NULL, 0, &override, &shown, &row);
         rows++) {
        assert_true(row.before.status == last.status && row.before.location == last.location);
        last = row.now;
    }
    if (outcome->state.seen)
        assert_true(rows > 0 && outcome->changes[0].first);
    for (size_t i = 1; i < outcome->change_count; i++)
        assert_false(outcome->changes[i].first);
    assert_true(last.location == outcome->state.membership.location);
}

static void test_histories_are_whole(void **state)
{
    (void)state;
    static struct tracker tracker;
    for (unsigned i = 0; i < TRACKERS; i++) {
        struct outcome outcome = { 0 };
        seed = i;
        make(&tracker);
        judge_from(&tracker, 0, &outcome);
        check_events(&outcome);
        check_history(&outcome);
    }
}

/* A report is a jump or not by its neighbours alone: flags from the middle on, given the usable report
 * before, are those of the whole. */
static void test_flags_from_the_middle(void **state)
{
    (void)state;
    static struct tracker tracker;
    for (unsigned i = 0; i < TRACKERS; i++) {
        seed = i;
        make(&tracker);
        size_t cut = (size_t)roll(REPORTS), before = cut;
        while (before > 0 && report_usability(&tracker.reports[before - 1], &made_rules) != FLAG_NONE)
            before--;
        enum report_flag flags[REPORTS];
        report_flag_all(tracker.reports + cut, REPORTS - cut,
                        before > 0 ? &tracker.reports[before - 1] : NULL, &made_rules, flags);
        for (size_t k = cut; k < REPORTS; k++)
            assert_int_equal(flags[k - cut], tracker.flags[k]);
    }
}

/* From just before a change on, with the membership that was, everything after it comes out the same,
 * whatever was pending then. The job relies on that when late reports arrive (jobs/judge_load.c). */
static void test_history_from_a_change_on(void **state)
{
    (void)state;
    static struct tracker tracker;
    for (unsigned i = 0; i < TRACKERS; i++) {
        struct outcome whole = { 0 }, rest = { 0 };
        seed = i;
        make(&tracker);
        judge_from(&tracker, 0, &whole);
        if (whole.change_count < 2)
            continue;
        size_t from = 1 + (size_t)roll((int)whole.change_count - 1), first = 0, skipped = 0;
        int64_t at = whole.changes[from].fact.at;
        while (tracker.reports[first].at < at)
            first++;
        if (first + 1 < REPORTS && tracker.reports[first + 1].at == at)
            continue; /* the job goes further back then */
        rest.state.seen = true;
        rest.state.membership = whole.changes[from].from;
        for (; skipped < whole.event_count && whole.events[skipped].fact.at < at; skipped++)
            if (whole.events[skipped].kind != EVENT_EXIT)
                rest.state.marked_at = whole.events[skipped].fact.at;
        judge_from(&tracker, first, &rest);
        assert_int_equal(rest.event_count, whole.event_count - skipped);
        assert_memory_equal(&rest.state.membership, &whole.state.membership, sizeof(struct membership));
        for (size_t k = 0; k < rest.event_count; k++)
            assert_true(rest.events[k].fact.at == whole.events[skipped + k].fact.at &&
                        rest.events[k].kind == whole.events[skipped + k].kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histories_are_whole),
        cmocka_unit_test(test_flags_from_the_middle),
        cmocka_unit_test(test_history_from_a_change_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
