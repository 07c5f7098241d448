/* Cron expressions in the dialect of pycron, which TaskiQ's scheduler uses: minute, hour, day of month,
 * month, day of the week.
 *
 * A field is `*`, a number, a list `1,2`, a range `1-5`, a range with a step `0-30/10`, or `*` with a step;
 * steps count from the field's least value. Days of the week have names (mon, Monday); Sunday is 0. When
 * neither day field has a `*`, either of them is enough. pycron never complains: what it does not understand
 * (`5/15`, `7`, `fri-sun`, `jan`) just never matches. */
#ifndef TASKS_CRON_H
#define TASKS_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct cron {
    uint64_t minutes, hours, days, months, weekdays; /* bit n: value n matches */
    bool either_day;
};

/* A wall clock's time, in whatever zone. */
struct cron_time {
    int year, month, day, hour, minute; /* month and day from 1 */
};

/* As pycron reads it. False where pycron raises: not five fields, a step of zero. */
MUST_CHECK bool cron_read(const char *text, struct cron *cron, struct error *err);

/* The same for people's input: a part that would never match is an error, too (code "cron_invalid"). */
MUST_CHECK bool cron_parse(const char *text, struct cron *cron, struct error *err);

bool cron_matches(const struct cron *cron, const struct cron_time *time);

/* The first minute after `time` that matches. False: none within 10 years (30 February). */
MUST_CHECK bool cron_next(const struct cron *cron, const struct cron_time *time, struct cron_time *next);

/* 0: Sunday. */
int cron_weekday(int year, int month, int day);

#endif
