/* Status over time, from changes of membership and overrides. */
#include "tracking/timeline.h"

const char *const status_names[] = { "CREATED", "IN_TRANSIT", "IN_STORAGE", "DELIVERED" };

enum status status_in(enum place_kind kind)
{
    static const enum status by_kind[] = { [PLACE_NONE] = STATUS_IN_TRANSIT,
                                           [PLACE_STORAGE] = STATUS_IN_STORAGE,
                                           [PLACE_DELIVERY] = STATUS_DELIVERED };
    return by_kind[kind];
}

/* Entering is the reason when there is a new place, leaving when there is none. */
static const char *rule_of(const struct change *change)
{
    static const char *const entered[] = {
        [PLACE_STORAGE] = "entered_storage", [PLACE_DELIVERY] = "entered_delivery"
    };
    static const char *const left[] = {
        [PLACE_NONE] = "first_report", [PLACE_STORAGE] = "left_storage", [PLACE_DELIVERY] = "left_delivery"
    };
    return change->to.location != 0 ? entered[change->to.kind] : left[change->from.kind];
}

static struct status_row row_of_change(const struct change *change)
{
    return (struct status_row){ .since = change->fact.at,
                                .now = { status_in(change->to.kind), change->to.location },
                                .rule = rule_of(change),
                                .fact = change->fact };
}

static struct status_row row_of_override(const struct override *override)
{
    return (struct status_row){ .since = override->at,
                                .now = { override->status, override->location },
                                .rule = "override",
                                .override_id = override->id,
                                .fact.run = override->run };
}

bool timeline_next(const struct change *changes, size_t change_count, size_t *change,
                   const struct override *overrides, size_t override_count, size_t *override,
                   struct shown *shown, struct status_row *row)
{
    while (*change < change_count || *override < override_count) {
        bool by_hand = *change == change_count ||
                       (*override < override_count && overrides[*override].at < changes[*change].fact.at);
        bool always = !by_hand && changes[*change].first;

        *row = by_hand ? row_of_override(&overrides[(*override)++]) : row_of_change(&changes[(*change)++]);
        row->before = *shown;
        *shown = row->now;
        if (always || row->now.status != row->before.status || row->now.location != row->before.location)
            return true;
    }
    return false;
}
