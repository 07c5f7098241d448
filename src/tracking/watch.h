/* What needs a look, found with the same reports: goods in the place of another run, and goods that left
 * storage before their release. Silence and standing still need a clock and are found elsewhere
 * (jobs/judge_sweep.c). */
#ifndef TRACKING_WATCH_H
#define TRACKING_WATCH_H

#include "tracking/judge.h"

enum exception_kind { EXCEPTION_WRONG_PLACE, EXCEPTION_LEFT_EARLY, EXCEPTION_KINDS };
extern const char *const exception_kind_names[]; /* by enum exception_kind */

struct exception {
    enum exception_kind kind;
    int64_t location; /* where it is, or what it left */
    int64_t since;
    int64_t ended_at; /* 0: lasts */
};

/* Open exceptions; since 0: there is none of that kind. */
struct watch {
    struct exception open[EXCEPTION_KINDS];
};

/* One judged report with the judge's verdict and the state after it. Exceptions that ended go to ended[];
 * their number is returned. */
size_t watch_report(struct watch *watch, const struct report *report, const struct judge_state *state,
                    const struct verdict *verdict, const struct rules *rules,
                    struct exception ended[EXCEPTION_KINDS]);

#endif
