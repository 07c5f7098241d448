/* The schedules of one pass of the scheduler. */
#ifndef TASKS_SCHEDULE_H
#define TASKS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/error.h"
#include "store/db.h"
#include "store/redis.h"
#include "tasks/queue.h"
#include "tasks/task.h"

/* Tasks that one pass adds at most; the next follows a second later. */
#define SCHEDULE_MAX_TASKS 200

/* What a pass works with, and the ids of the tasks that it added, to be sent after the commit. */
struct schedule_pass {
    const struct config *config;
    const struct task_catalogue *catalogue;
    struct db *db;
    struct redis *redis;
    struct arena *arena;
    size_t count;
    const char *ids[SCHEDULE_MAX_TASKS];
};

/* A task that the pass adds; its id is noted for sending. */
MUST_CHECK bool schedule_add(struct schedule_pass *pass, const struct task_request *task, struct error *err);

/* ---- schedules of the table (schedule_table.c), in the pass's transaction ---- */

/* Adds what the catalogue schedules and the table does not have. An admin's changes stay. */
MUST_CHECK bool schedule_seed(struct schedule_pass *pass, struct error *err);

/* Adds the tasks that are due and moves their schedules on. */
MUST_CHECK bool schedule_table_pass(struct schedule_pass *pass, struct error *err);

/* ---- TaskiQ's schedules in Redis (schedule_redis.c) ---- */

struct redis_schedule; /* one, as read */
struct redis_schedules {
    struct redis_schedule *list;
    size_t count;
};

/* Reads all schedules into an arena of the caller's. False: Redis is away; *schedules is empty. */
MUST_CHECK bool schedule_redis_read(struct redis *redis, struct arena *arena,
                                    struct redis_schedules *schedules);

/* Finds out which are due now; outside a transaction, since it asks PostgreSQL about time zones that may not
 * exist. */
void schedule_redis_look(struct schedule_pass *pass, struct redis_schedules *schedules);

/* Adds the tasks that are due, each once whoever leads. */
MUST_CHECK bool schedule_redis_pass(struct schedule_pass *pass, struct redis_schedules *schedules,
                                    struct error *err);

/* After the commit: one-off schedules that were handed over leave Redis. */
void schedule_redis_forget(struct schedule_pass *pass, struct redis_schedules *schedules);

#endif
