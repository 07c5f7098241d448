/* Reports and places for the tests of the status rules. */
#ifndef TESTS_TRACKING_MADE_H
#define TESTS_TRACKING_MADE_H

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/timeutil.h"
#include "tracking/rules.h"

/* the defaults of the settings */
static const struct rules made_rules = { .min_confidence = 2,
                                         .max_accuracy = 200,
                                         .max_speed = 1200 / 3.6,
                                         .entry_slack = 100,
                                         .confirm_reports = 1,
                                         .dwell_period = DAYS(1) };

/* A report without places near. */
static inline struct report made_report(int64_t at, double accuracy)
{
    return (struct report){
        .at = at, .latitude = 52.5, .longitude = 13.4, .accuracy = accuracy, .confidence = 2
    };
}

static inline struct candidate made_place(int64_t location, enum place_kind kind, double distance)
{
    return (struct candidate){ .location = location, .kind = kind, .distance = distance, .hysteresis = 20 };
}

#endif
