/* The scheduler: turns schedules into tasks. Any number of processes may run it; in each second one of them
 * leads.
 *
 * Schedules are the rows of task_schedules, and those that TaskiQ's ListRedisScheduleSource keeps in Redis.
 * What was handed over is written in the transaction that hands it over, so that neither two leaders nor a
 * crash hand anything over twice; while nobody schedules, a repeated task is missed and done once afterwards.
 */
#ifndef TASKS_SCHEDULER_H
#define TASKS_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"
#include "tasks/task.h"

struct scheduler;

/* Starts its thread. Waits for PostgreSQL and Redis when they are away. */
MUST_CHECK struct scheduler *scheduler_start(const struct config *config,
                                             const struct task_catalogue *catalogue, struct error *err);
void scheduler_stop(struct scheduler *scheduler); /* NULL is allowed */

/* Alive means progress: false when no pass ended for a minute. `out` gets a JSON object. Any thread. */
bool scheduler_health(struct scheduler *scheduler, struct buf *out);

#endif
