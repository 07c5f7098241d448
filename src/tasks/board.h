/* Which duty is to be looked at when: pure bookkeeping of one process, under the worker's lock. */
#ifndef TASKS_BOARD_H
#define TASKS_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tasks/task.h"

/* After failures in a row: the first wait doubles up to the longest. */
#define DUTY_FIRST_WAIT SECONDS(1)
#define DUTY_LAST_WAIT  MINUTES(1)

struct duty_slot {
    const struct duty *duty;
    int64_t look_at; /* monotonic; due from then on */
    bool hinted;     /* something came while as many threads as may were at it */
    int running;     /* threads that are at it */
    int failures;    /* in a row */
    int64_t done_at; /* monotonic, of the last run that did not fail; 0: none yet */
};

/* The slot to run now, marked as running, or NULL. Of several the one that waited longest. */
struct duty_slot *board_take(struct duty_slot *slots, size_t n, int64_t now);

/* A run ended with `units` (-1: failed). random: any number, for the jitter. */
void board_done(struct duty_slot *slot, int64_t units, int64_t now, uint32_t random);

/* Look at once: at this duty, or with NULL at all. */
void board_hint(struct duty_slot *slots, size_t n, const char *name, int64_t now);

/* When the next one is due; INT64_MAX when none can be taken before something ends. */
int64_t board_next(const struct duty_slot *slots, size_t n);

#endif
