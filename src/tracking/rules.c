/* The status rules that concern one report: whether it counts, and which place it names. */
#include "tracking/rules.h"

#include <geodesic.h>
#include <math.h>

const char *const report_flag_names[] = { NULL, "low_confidence", "inaccurate", "jump" };

/* ---- which reports count ---- */

static int compare(double a, double b)
{
    return (a > b) - (a < b);
}

int report_compare(const struct report *a, const struct report *b)
{
    int order = (a->at > b->at) - (a->at < b->at);
    if (order == 0)
        order = compare(a->accuracy, b->accuracy);
    if (order == 0)
        order = compare(a->latitude, b->latitude);
    return order != 0 ? order : compare(a->longitude, b->longitude);
}

enum report_flag report_usability(const struct report *report, const struct rules *rules)
{
    if (report->confidence < rules->min_confidence)
        return FLAG_LOW_CONFIDENCE;
    return report->accuracy > rules->max_accuracy ? FLAG_INACCURATE : FLAG_NONE;
}

static double geodesic_distance(const struct report *a, const struct report *b)
{
    static const double wgs84_radius = 6378137, wgs84_flattening = 1 / 298.257223563;
    struct geod_geodesic earth;
    double distance;
    geod_init(&earth, wgs84_radius, wgs84_flattening);
    geod_inverse(&earth, a->latitude, a->longitude, b->latitude, b->longitude, &distance, NULL, NULL);
    return distance;
}

bool report_too_fast(const struct report *from, const struct report *to, const struct rules *rules)
{
    double way = geodesic_distance(from, to) - from->accuracy - to->accuracy;
    double seconds = (double)(to->at - from->at) / 1e6;
    /* Not as a quotient: two reports of one time that are really apart are too fast at any limit. */
    return way > rules->max_speed * seconds;
}

void report_flag_all(const struct report *reports, size_t n, const struct report *before,
                     const struct rules *rules, enum report_flag *flags)
{
    const struct report *last = before; /* the usable report before the next one */
    bool last_reached_too_fast = false;
    size_t last_index = n;

    for (size_t i = 0; i < n; i++) {
        flags[i] = report_usability(&reports[i], rules);
        if (flags[i] != FLAG_NONE)
            continue;
        bool too_fast = last != NULL && report_too_fast(last, &reports[i], rules);
        if (too_fast && last_reached_too_fast)
            flags[last_index] = FLAG_JUMP;
        last = &reports[i];
        last_index = i;
        last_reached_too_fast = too_fast;
    }
}

/* ---- which place a report names ---- */

bool candidate_inside(const struct candidate *place, const struct report *report, const struct rules *rules)
{
    return place->distance <= fmin(report->accuracy, rules->entry_slack);
}

bool candidate_outside(const struct candidate *place, const struct report *report)
{
    return place->distance > report->accuracy + place->hysteresis;
}

/* Delivery before storage, then the smaller distance, then the lower id. */
static bool better(const struct candidate *a, const struct candidate *b)
{
    if (a->kind != b->kind)
        return a->kind == PLACE_DELIVERY;
    if (a->distance < b->distance || a->distance > b->distance)
        return a->distance < b->distance;
    return a->location < b->location;
}

const struct candidate *report_names(const struct report *report, int64_t current, const struct rules *rules)
{
    const struct candidate *best = NULL, *holding = NULL;

    for (size_t i = 0; i < report->place_count; i++) {
        const struct candidate *place = &report->places[i];
        if (place->foreign)
            continue;
        if (place->location == current && !candidate_outside(place, report))
            holding = place;
        if (candidate_inside(place, report, rules) && (best == NULL || better(place, best)))
            best = place;
    }
    if (holding == NULL)
        return best;
    /* A storage location gives way to a delivery location; nothing else takes a tracker from where it is. */
    bool delivered = holding->kind == PLACE_STORAGE && best != NULL && best->kind == PLACE_DELIVERY;
    return delivered ? best : holding;
}
