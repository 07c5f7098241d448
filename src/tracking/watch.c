/* Exceptions that follow from reports. */
#include "tracking/watch.h"

const char *const exception_kind_names[] = { "wrong_place", "left_early" };

struct closing {
    struct exception *ended;
    size_t count;
};

static void close_at(struct exception *open, int64_t at, struct closing *closing)
{
    if (open->since == 0)
        return;
    open->ended_at = at;
    if (at > open->since) /* of two reports of one moment the second may take back what the first said */
        closing->ended[closing->count++] = *open;
    *open = (struct exception){ 0 };
}

/* The place of another run that the tracker is in: the one it is in already while that is not outside, else
 * the nearest that is inside. NULL when it is in a place of its own. */
static const struct candidate *wrong_place(const struct report *report, int64_t current, int64_t own,
                                           const struct rules *rules)
{
    const struct candidate *best = NULL;
    for (size_t i = 0; i < report->place_count && own == 0; i++) {
        const struct candidate *place = &report->places[i];
        if (!place->foreign)
            continue;
        if (place->location == current && !candidate_outside(place, report))
            return place;
        if (candidate_inside(place, report, rules) &&
            (best == NULL || place->distance < best->distance ||
             (place->distance <= best->distance && place->location < best->location)))
            best = place;
    }
    return best;
}

static void watch_wrong_place(struct watch *watch, const struct report *report,
                              const struct judge_state *state, const struct rules *rules,
                              struct closing *closing)
{
    struct exception *open = &watch->open[EXCEPTION_WRONG_PLACE];
    const struct candidate *place = wrong_place(report, open->location, state->membership.location, rules);

    if (place != NULL && place->location == open->location)
        return;
    close_at(open, report->at, closing);
    if (place != NULL)
        *open = (struct exception){ EXCEPTION_WRONG_PLACE, place->location, report->at, 0 };
}

static void watch_left_early(struct watch *watch, const struct report *report,
                             const struct judge_state *state, const struct verdict *verdict,
                             struct closing *closing)
{
    struct exception *open = &watch->open[EXCEPTION_LEFT_EARLY];
    const struct change *change = &verdict->change;

    if (open->since != 0 && state->membership.kind == PLACE_STORAGE)
        close_at(open, verdict->changed ? change->fact.at : report->at, closing);
    else if (open->since != 0 && report->at >= report->release_at)
        close_at(open, report->release_at > open->since ? report->release_at : report->at, closing);
    if (open->since == 0 && verdict->changed && change->from.kind == PLACE_STORAGE &&
        change->to.kind != PLACE_STORAGE && change->fact.at < report->release_at)
        *open = (struct exception){ EXCEPTION_LEFT_EARLY, change->from.location, change->fact.at, 0 };
}

size_t watch_report(struct watch *watch, const struct report *report, const struct judge_state *state,
                    const struct verdict *verdict, const struct rules *rules,
                    struct exception ended[EXCEPTION_KINDS])
{
    struct closing closing = { ended, 0 };
    watch_wrong_place(watch, report, state, rules, &closing);
    watch_left_early(watch, report, state, verdict, &closing);
    return closing.count;
}
