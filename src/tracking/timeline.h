/* Status over time: changes of membership and statuses set by hand, put together in the order of their times.
 *
 * A change of membership gives the status of the new place. An override gives its own, until the next change.
 * A row is written whenever status or place differ from before, and for the first judged report always. */
#ifndef TRACKING_TIMELINE_H
#define TRACKING_TIMELINE_H

#include "tracking/judge.h"

enum status { STATUS_CREATED, STATUS_IN_TRANSIT, STATUS_IN_STORAGE, STATUS_DELIVERED };
extern const char *const status_names[]; /* by enum status */

enum status status_in(enum place_kind kind);

/* A status set by hand. */
struct override {
    int64_t id, at;
    enum status status;
    int64_t location; /* 0: none */
    int64_t run;      /* of the tracker at that time; 0: none */
};

/* What a tracker shows at a moment. */
struct shown {
    enum status status;
    int64_t location;
};

/* One row of the status history. */
struct status_row {
    int64_t since;
    struct shown now, before;
    const char *rule;    /* static text */
    int64_t override_id; /* 0: decided by the report in fact */
    struct fact fact;    /* of an override only the run */
};

/* The next row from changes and overrides, each in the order of their time, from positions *change and
 * *override on, which advance; at one time changes come first. shown is what was before, and becomes what is
 * after. False: both are used up. */
bool timeline_next(const struct change *changes, size_t change_count, size_t *change,
                   const struct override *overrides, size_t override_count, size_t *override,
                   struct shown *shown, struct status_row *row);

#endif
