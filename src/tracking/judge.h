/* One judged report after the other: membership of places, and the entries, exits and stays that follow.
 *
 *     struct judge_state state = { 0 };
 *     for each judged report, in order: judge_report(&state, report, rules, &verdict);
 *
 * The state is small and has no pointers; it may be copied and kept. */
#ifndef TRACKING_JUDGE_H
#define TRACKING_JUDGE_H

#include "tracking/rules.h"

/* The report behind a decision, as far as a row about it shows it. */
struct fact {
    int64_t at;
    double latitude, longitude, accuracy;
    double distance; /* to the place that the row is about; NAN when that place was not near */
    int64_t run;
};

/* A membership; no place is { 0, PLACE_NONE }. */
struct membership {
    int64_t location;
    enum place_kind kind;
};

/* A change of membership that reports have named and that does not count yet. */
struct pending {
    int count; /* reports in a row that name it; 0: nothing is pending */
    struct membership to;
    struct fact first; /* the first of them: when the change counts, this is its time */
    int64_t marked_at; /* as in struct judge_state, were the change to count */
    /* the stays to be told when it does; the first report is an entry, so there is one less */
    int dwell_count;
    struct fact dwells[RULES_MAX_CONFIRM - 1];
};

struct judge_state {
    bool seen; /* a report has been judged, so the status is no longer CREATED */
    struct membership membership;
    int64_t marked_at; /* last entry or dwell */
    struct pending pending;
};

enum event_kind { EVENT_ENTRY, EVENT_EXIT, EVENT_DWELL };
extern const char *const event_kind_names[]; /* by enum event_kind */

struct event {
    enum event_kind kind;
    int64_t location;
    struct fact fact;
};

/* A change of membership that counts, stamped with fact.at. */
struct change {
    bool first; /* the first judged report: from nothing known, even when it is to no place */
    struct membership from, to;
    struct fact fact; /* distance: to the new place, or to the old one when there is no new one */
};

/* An exit, an entry, a stay for each report that a change waited for. */
#define JUDGE_MAX_EVENTS (RULES_MAX_CONFIRM + 1)

struct verdict {
    bool changed;
    struct change change;
    size_t event_count;
    struct event events[JUDGE_MAX_EVENTS]; /* in the order of their time */
};

void judge_report(struct judge_state *state, const struct report *report, const struct rules *rules,
                  struct verdict *verdict);

#endif
