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

#define WORKER_NAME_SIZE  160
#define PROGRESS_MESSAGE  200
#define WORKER_MAX_QUEUES 8
#define STREAM_ENTRY_SIZE 208 /* longer than the table allows */

/* Bytes; larger results belong into tables of their own. Below the limit of the column. */
#define TASK_RESULT_MAX (512u * 1024)

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
    char stream_entry[STREAM_ENTRY_SIZE];
    int attempt;
    int64_t user_id, client_id;
    int64_t started_at, deadline; /* monotonic */
    atomic_bool cancelled, lease_lost;

    /* under the worker's lock */
    int64_t done, total;
    char message[PROGRESS_MESSAGE];
    bool progressed; /* since it was written last */
    bool told;       /* at all */
};

/* A copy of a run for the pulse, made under the lock: the run itself may end at any moment. */
struct beat {
    char id[TASK_ID_SIZE], name[201];
    char stream_entry[STREAM_ENTRY_SIZE];
    int attempt;
    int64_t user_id, client_id, done, total;
    char message[PROGRESS_MESSAGE];
    bool progressed;
};

/* What an event and a result are made of. */
struct task_notice {
    const char *id, *name, *state, *progress; /* progress: JSON text or NULL */
    int64_t user_id, client_id;
};

struct worker_thread {
    struct worker *worker;
    pthread_t thread;
    const char *name; /* the worker's, and the number of the thread */
    struct db *db;
    struct redis *redis;
    struct arena *arena;
    unsigned next_queue;
    bool rows_first;  /* take turns: rows and messages, */
    bool tasks_first; /* takes turns, so that neither tasks nor duties starve the other */
};

struct worker {
    struct worker_options options;
    char name[WORKER_NAME_SIZE];
    struct arena *arena; /* of what lives as long as the worker; used by the starting thread only */
    const char *const *queues;
    size_t queue_count;
    atomic_bool fresh[WORKER_MAX_QUEUES]; /* the queue's stream may hold something new */
    struct ledger_scope scope;

    pthread_mutex_t lock;
    pthread_cond_t wake; /* by the monotonic clock */
    atomic_bool stopping;
    struct duty_slot *slots;
    size_t slot_count;
    int64_t tasks_look_at, all_look_at, stale_look_at; /* monotonic */
    struct task_run *runs;
    int64_t looked_at; /* monotonic: the last time the table of tasks could be read */

    struct worker_thread *threads;
    size_t thread_count;
    pthread_t pulse, ears;
    struct beat *beats; /* the pulse's, one for each thread */
    struct {
        struct metric *runs, *run_seconds, *units, *duty_seconds;
    } metrics;
};

/* ---- worker.c ---- */
struct db *worker_database(const struct worker *worker, const char *name);
void worker_wake(struct worker *worker, bool tasks, const char *duty); /* tasks: look at them at once */
bool worker_wait(struct worker *worker, int64_t usec);                 /* false: the worker stops */

void worker_wake_all(struct worker *worker); /* to look at everything */

/* ---- take.c: the next task ---- */
bool take_task(struct worker_thread *thread, struct task_row *row);

/* ---- execute.c: one task or one run of a duty, from its taking to its end ---- */
bool execute_next_task(struct worker_thread *thread); /* false: there was none */
void execute_duty(struct worker_thread *thread, struct duty_slot *slot);

/* ---- announce.c: telling others how it went ---- */
const char *error_json(struct arena *arena, const char *code, const char *message);
const char *progress_json(struct arena *arena, int64_t done, int64_t total, const char *message);
void announce_state(struct redis *redis, const struct task_notice *notice);
void announce_end(struct worker_thread *thread, const struct task_row *row, const struct ledger_result *end,
                  double seconds);
void announce_again(struct worker_thread *thread, const char *id); /* the result of a finished task */
struct ledger_result collected(struct arena *arena,
                               const json_t *result); /* a Python worker's result as an end */

/* ---- collect.c: tasks that only Python workers know ---- */
struct collector {
    const struct config *config;
    const struct ledger_scope *scope;
    struct db *db;
    struct redis *redis;
    struct arena *arena;
};
void collect(const struct collector *by);

/* ---- threads of their own ---- */
void *pulse_main(void *worker); /* pulse.c: leases, progress, orphans */
void *ears_main(void *worker);  /* ears.c: hints and new messages */

#endif
