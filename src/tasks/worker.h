/* The worker of one process: threads that execute tasks and do duties until they are told to stop. */
#ifndef TASKS_WORKER_H
#define TASKS_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"
#include "tasks/task.h"

struct worker;

/* Whether `queues` of worker_options is right; else err has "queue_unknown". */
MUST_CHECK bool worker_queues_valid(const char *queues, struct error *err);

struct worker_options {
    const struct config *config;            /* outlives the worker */
    const struct task_catalogue *catalogue; /* the same */
    const char *queues;                     /* separated by commas; NULL or "": all */
    int threads;                            /* that execute; 0: as the settings say */
    void *shared;                           /* for task_context.shared */
};

/* Starts the threads. Needs neither PostgreSQL nor Redis to be there: it waits for them. Codes:
 * queue_unknown, redis_url, thread. */
MUST_CHECK struct worker *worker_start(const struct worker_options *options, struct error *err);

/* Takes nothing more, and lets what runs end or be handed back within `patience` (microseconds). False:
 * something still runs; the process should exit, and its leases will end. Otherwise all is released. */
MUST_CHECK bool worker_stop(struct worker *worker, int64_t patience);

/* Alive means progress: false when nothing could be looked at for long, or an execution ignores its time-out.
 * `out` gets a JSON object that says what runs, or why. Any thread. */
bool worker_health(struct worker *worker, struct buf *out);

const char *worker_name(const struct worker *worker); /* host:process:random */

#endif
