/* Membership of places over time: which change counts when, and the events that it gives. */
#include "tracking/judge.h"

#include <math.h>

const char *const event_kind_names[] = { "entry", "exit", "dwell" };

static struct fact fact_of(const struct report *report, int64_t location)
{
    struct fact fact = { .at = report->at,
                         .latitude = report->latitude,
                         .longitude = report->longitude,
                         .accuracy = report->accuracy,
                         .distance = NAN,
                         .run = report->run };
    for (size_t i = 0; i < report->place_count; i++)
        if (report->places[i].location == location)
            fact.distance = report->places[i].distance;
    return fact;
}

static void add_event(struct verdict *verdict, enum event_kind kind, int64_t location,
                      const struct fact *fact)
{
    verdict->events[verdict->event_count++] = (struct event){ kind, location, *fact };
}

/* ---- staying ---- */

static bool dwell_is_due(int64_t marked_at, const struct report *report, const struct rules *rules)
{
    return report->at - marked_at >= rules->dwell_period;
}

static void stay(struct judge_state *state, const struct report *report, const struct rules *rules,
                 struct verdict *verdict)
{
    /* Whatever was pending, this report does not name it: "in a row" begins again. */
    state->pending.count = 0;
    if (state->membership.location == 0 || !dwell_is_due(state->marked_at, report, rules))
        return;
    struct fact fact = fact_of(report, state->membership.location);
    add_event(verdict, EVENT_DWELL, state->membership.location, &fact);
    state->marked_at = report->at;
}

/* ---- changing ---- */

/* A further report names the pending change, or a first one makes it so. */
static void wait_for(struct pending *pending, struct membership to, int64_t from, const struct report *report,
                     const struct rules *rules)
{
    if (pending->count > 0 && pending->to.location == to.location) {
        if (pending->count < RULES_MAX_CONFIRM)
            pending->count++;
        if (to.location != 0 && dwell_is_due(pending->marked_at, report, rules) &&
            pending->dwell_count < RULES_MAX_CONFIRM - 1) {
            pending->dwells[pending->dwell_count++] = fact_of(report, to.location);
            pending->marked_at = report->at;
        }
        return;
    }
    pending->count = 1;
    pending->to = to;
    pending->first = fact_of(report, to.location != 0 ? to.location : from);
    pending->marked_at = report->at;
    pending->dwell_count = 0;
}

/* The pending change counts from now on, and from its first report's time. */
static void settle(struct judge_state *state, struct verdict *verdict)
{
    const struct pending *pending = &state->pending;
    struct membership from = state->membership;

    verdict->changed = true;
    verdict->change = (struct change){ .first = !state->seen, from, pending->to, pending->first };
    if (from.location != 0) {
        /* The entry shows the distance to the new place, the exit that to the old one. */
        struct fact left = pending->first;
        if (pending->to.location != 0)
            left.distance = NAN;
        add_event(verdict, EVENT_EXIT, from.location, &left);
    }
    if (pending->to.location != 0)
        add_event(verdict, EVENT_ENTRY, pending->to.location, &pending->first);
    for (int i = 0; i < pending->dwell_count; i++)
        add_event(verdict, EVENT_DWELL, pending->to.location, &pending->dwells[i]);

    state->seen = true;
    state->membership = pending->to;
    state->marked_at = pending->marked_at;
    state->pending.count = 0;
}

/* At the very first judged report "no place" counts at once, whatever the report names. */
static void begin(struct judge_state *state, const struct report *report, struct verdict *verdict)
{
    verdict->changed = true;
    verdict->change = (struct change){ .first = true, .fact = fact_of(report, 0) };
    state->seen = true;
}

void judge_report(struct judge_state *state, const struct report *report, const struct rules *rules,
                  struct verdict *verdict)
{
    const struct candidate *place = report_names(report, state->membership.location, rules);
    struct membership named = { 0 };
    int needed = report->confirm > 0 ? report->confirm : rules->confirm_reports;

    verdict->changed = false;
    verdict->event_count = 0;
    if (place != NULL)
        named = (struct membership){ place->location, place->kind };

    if (!state->seen && (named.location == 0 || needed > 1))
        begin(state, report, verdict);
    if (named.location == state->membership.location) {
        state->membership.kind = named.kind;
        stay(state, report, rules, verdict);
        return;
    }
    wait_for(&state->pending, named, state->membership.location, report, rules);
    if (state->pending.count >= needed)
        settle(state, verdict);
}
