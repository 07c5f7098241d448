/* What the parts of the worker share. */
#ifndef TASKS_WORKER_PRIVATE_H
#define TASKS_WORKER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/metrics.h"
#include "tasks/board.h"
#include "tasks/ledger.h"
#include "tasks/queue.h"
#include "tasks/worker.h"

#define WORKER_NAME_SIZE 160
#define PROGRESS_MESSAGE 200

/* How often a process looks for rows without being told. */
#define TASK_POLL SECONDS(1)

/* One run of a duty ends after this time at the latest, if it asks task_should_stop. */
#define DUTY_SHARE MINUTES(1)

/* What a thread executes now; in the worker's list while it does. */
struct task_run {
    struct worker *worker;
    struct task_run *next;
    struct duty_slot *slot; /* a duty's, or NULL: */
    char id[TASK_ID_SIZE], name[201];
    char stream_entry[TASK_ID_SIZE + 160];
    int attempt;
    int64_t user_id, client_id;
    int64_t started_at, deadline; /* monotonic */
    atomic_bool cancelled, lease_lost;

    /* under the worker's lock */
    int64_t done, total;
    char message[PROGRESS_MESSAGE];
    bool progressed; /* since it was written last */
};

/* A copy of a run for the pulse, made under the lock: the run itself may end at any moment. */
struct beat {
    char id[TASK_ID_SIZE], name[201];
    int attempt;
    int64_t user_id, client_id, done, total;
    char message[PROGRESS_MESSAGE];
    bool progressed;
};

struct worker_thread {
    struct worker *worker;
    pthread_t thread;
    const char *name; /* the worker's, and the number of the thread */
    struct db *db;
    struct redis *redis;
    struct arena *arena;
    bool tasks_first; /* takes turns, so that neither tasks nor duties starve the other */
};

struct worker {
    struct worker_options options;
    char name[WORKER_NAME_SIZE];
    struct arena *arena; /* of what lives as long as the worker; used by the starting thread only */
    const char *const *queues;
    size_t queue_count;
    struct ledger_scope scope;

    pthread_mutex_t lock;
    pthread_cond_t wake; /* by the monotonic clock */
    atomic_bool stopping;
    struct duty_slot *slots;
    size_t slot_count;
    int64_t tasks_look_at; /* monotonic */
    struct task_run *runs;
    int64_t looked_at; /* monotonic: the last time the table of tasks could be read */

    struct worker_thread *threads;
    size_t thread_count;
    pthread_t pulse;
    struct beat *beats; /* the pulse's, one for each thread */
    struct {
        struct metric *runs, *run_seconds, *units, *duty_seconds;
    } metrics;
};

/* ---- worker.c ---- */
struct db *worker_database(const struct worker *worker, const char *name);
void worker_wake(struct worker *worker, bool tasks, const char *duty); /* tasks: look at them at once */
bool worker_wait(struct worker *worker, int64_t usec);                 /* false: the worker stops */

/* ---- execute.c: one task or one run of a duty, from its taking to its end ---- */
bool execute_next_task(struct worker_thread *thread); /* false: there was none */
void execute_duty(struct worker_thread *thread, struct duty_slot *slot);

/* ---- pulse.c: leases, progress, orphans ---- */
void *pulse_main(void *worker);

#endif
