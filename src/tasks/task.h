/* What background work is made of: tasks, which a message names, and duties, which a query finds.
 *
 * A task is one call with arguments, sent by Python or C through a TaskiQ queue, with a result. A duty is
 * work that is due by the database's own account (due trackers, a filled inbox, missing place names): it
 * needs no message, only somebody who looks. Every worker looks at its queues' duties again and again; a hint
 * through Redis makes it look at once. So an empty Redis delays work by a period and loses none.
 *
 * Both are tables: src/jobs has one file per job, and src/jobs/jobs.c lists them all. */
#ifndef TASKS_TASK_H
#define TASKS_TASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/error.h"
#include "store/db.h"
#include "store/redis.h"

/* What a running task or duty gets. It belongs to one thread and lives as long as the run. */
struct task_context {
    const struct config *config;
    struct db *db;       /* the thread's own, as the worker's role, no transaction open */
    struct redis *redis; /* the thread's own; may be away at any moment, which is never an error */
    struct arena *arena; /* dies with the run */
    const char *worker;  /* host:process:thread, for leases and logs */
    void *shared;        /* what the jobs of the process share (src/jobs); NULL in tests of src/tasks */

    /* of a task; empty for a duty */
    const char *id;
    const char *name;
    json_t *args;   /* array, borrowed */
    json_t *kwargs; /* object, borrowed */
    json_t *labels; /* object, values as their types say, borrowed */
    int attempt;    /* 1 for the first execution */

    struct task_run *run; /* the worker's own */
};

/* True when the run should come to an end soon: the worker stops, the time-out is near, somebody cancelled
 * it, or (a duty) its share of time is used up. What is done so far must stand; the rest is found again. */
bool task_should_stop(struct task_context *task);

/* Tell how far it is; seen by GET /tasks/{id} and the live stream. total 0: unknown. Cheap: it is written at
 * most twice a second. */
void task_progress(struct task_context *task, int64_t done, int64_t total, const char *message);

enum task_verdict {
    TASK_DONE,   /* *result (may stay NULL: null) is the answer */
    TASK_RETRY,  /* err says why; again after back-off while attempts are left, then dead */
    TASK_FAILED, /* err says why; again would not help */
};

struct task_type {
    const char *name;  /* "tracker.fetch_now" */
    const char *queue; /* "fetch" */
    const char *about; /* one sentence for the admin */
    int timeout;       /* seconds */
    int max_attempts;  /* executions in all; 1: never again */
    /* *result is a new reference for the worker to release. */
    enum task_verdict (*run)(struct task_context *task, json_t **result, struct error *err);
};

/* A duty's answer: how many units it did (0: nothing was due), or -1 with err. The worker calls it again at
 * once while it does something, after `period` when it did not, after a back-off when it failed. */
struct duty {
    const char *name;  /* "fetch.due"; also the name of the hint */
    const char *queue; /* "fetch" */
    const char *about;
    int64_t period; /* microseconds between two looks that found nothing */
    int parallel;   /* threads of one process that may do it at the same time; 0: all */
    int64_t (*run)(struct task_context *task, struct error *err);
};

/* A task that the system itself wants done again and again. The scheduler adds it to task_schedules, where
 * admins may change or disable it. */
struct task_rhythm {
    const char *name; /* of the schedule */
    const char *task, *queue;
    const char *cron; /* UTC; cron.h has the dialect */
};

/* All that a binary can do: what src/jobs/jobs.c lists. Handed down to worker, scheduler and API, which know
 * no job by name. */
struct task_catalogue {
    const struct task_type *const *types;
    size_t type_count;
    const struct duty *const *duties;
    size_t duty_count;
    const struct task_rhythm *rhythms;
    size_t rhythm_count;
};

/* NULL when there is none of this name. */
const struct task_type *task_type_find(const struct task_catalogue *catalogue, const char *name);

/* The queues that workers of this system serve: "fetch", "judge", "geocode", "history", "notify", "default",
 * NULL. */
extern const char *const task_queues[];

#endif
