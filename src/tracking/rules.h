/* What the status rules look at: reports, the places near them, and the figures that decide. Pure: no I/O, no
 * clock, no allocation.
 *
 * Times are microseconds since 1970 (base/timeutil.h), lengths are metres. Distances to places come from
 * PostGIS with the reports; only the speed between two reports is computed here. */
#ifndef TRACKING_RULES_H
#define TRACKING_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A run may ask for at most this many reports in a row (production_runs_confirm_range in the database). */
#define RULES_MAX_CONFIRM 20

struct rules {
    int min_confidence;   /* MIN_CONFIDENCE */
    double max_accuracy;  /* MAX_ACCURACY_M */
    double max_speed;     /* MAX_SPEED_KMH, in m/s */
    double entry_slack;   /* ENTRY_SLACK_M */
    int confirm_reports;  /* CONFIRM_REPORTS, for runs that set none */
    int64_t dwell_period; /* DWELL_PERIOD */
};

enum place_kind { PLACE_NONE, PLACE_STORAGE, PLACE_DELIVERY };

/* A place as one report sees it, with the shape that was valid at the report's time. */
struct candidate {
    int64_t location;
    enum place_kind kind;
    bool foreign;      /* a delivery location of another run of the client: no membership, see watch.h */
    double distance;   /* to the edge, negative inside */
    double hysteresis; /* beyond the edge before the place is left */
};

struct report {
    int64_t at;
    double latitude, longitude, accuracy;
    int confidence;
    int64_t run;        /* the run that the tracker belonged to at this time; 0: none */
    int confirm;        /* reports in a row that a change needs in this run; 0: as the rules say */
    int64_t release_at; /* of the run; 0: none */
    /* The places that this report may be inside of or not outside of yet; one that is missing is far away,
     * or does not count at this time. */
    const struct candidate *places;
    size_t place_count;
};

/* Why a report is not judged. */
enum report_flag { FLAG_NONE, FLAG_LOW_CONFIDENCE, FLAG_INACCURATE, FLAG_JUMP };
extern const char *const report_flag_names[]; /* by enum report_flag; that of FLAG_NONE is NULL */

/* The order in which reports are taken: time, smaller accuracy, latitude, longitude. As strcmp. */
int report_compare(const struct report *a, const struct report *b);

/* FLAG_NONE, FLAG_LOW_CONFIDENCE or FLAG_INACCURATE: what a report says of itself. */
enum report_flag report_usability(const struct report *report, const struct rules *rules);

/* Whether going from one usable report to a later one needs more than the highest speed, the distance being
 * lessened by the accuracies of both. */
bool report_too_fast(const struct report *from, const struct report *to, const struct rules *rules);

/* Flag each of n reports, which are in order. before is the last usable report ahead of them, or NULL. The
 * last usable one has no neighbour after it yet, so it is no jump. */
void report_flag_all(const struct report *reports, size_t n, const struct report *before,
                     const struct rules *rules, enum report_flag *flags);

/* A report and one place. What is neither inside nor outside is unsure. */
bool candidate_inside(const struct candidate *place, const struct report *report, const struct rules *rules);
bool candidate_outside(const struct candidate *place, const struct report *report);

/* The place that the report names as the new membership of a tracker whose membership is `current` (0: none);
 * NULL for none. */
const struct candidate *report_names(const struct report *report, int64_t current, const struct rules *rules);

#endif
