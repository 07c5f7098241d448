/* The threads of a worker process: each takes a task or a duty, in turns, or waits until one is due. */
#include "tasks/worker_private.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/timeutil.h"

const char *const task_queues[] = { "fetch", "judge", "geocode", "history", "notify", "default", NULL };

const struct task_type *task_type_find(const struct task_catalogue *catalogue, const char *name)
{
    for (size_t i = 0; i < catalogue->type_count; i++)
        if (strcmp(catalogue->types[i]->name, name) == 0)
            return catalogue->types[i];
    return NULL;
}

struct db *worker_database(const struct worker *worker, const char *name)
{
    const struct config *config = worker->options.config;
    return db_new(&(struct db_options){
        .url = config->database_url,
        .transaction_pooler = strcmp(config->database_pooler, "transaction") == 0,
        .statement_timeout = config->task_statement_timeout,
        .connect_timeout = config->database_connect_timeout,
        .application_name = name,
    });
}

/* ---- waking and waiting ---- */

void worker_wake(struct worker *worker, bool tasks, const char *duty)
{
    int64_t now = time_monotonic();
    pthread_mutex_lock(&worker->lock);
    if (tasks)
        worker->tasks_look_at = now;
    board_hint(worker->slots, worker->slot_count, duty, now);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

void worker_wake_all(struct worker *worker)
{
    for (size_t i = 0; i < worker->queue_count; i++)
        worker->fresh[i] = true;
    worker_wake(worker, true, NULL);
}

static void wait_until(struct worker *worker, int64_t when)
{
    struct timespec until = { .tv_sec = when / USEC_PER_SEC, .tv_nsec = when % USEC_PER_SEC * 1000 };
    pthread_cond_timedwait(&worker->wake, &worker->lock, &until);
}

bool worker_wait(struct worker *worker, int64_t usec)
{
    int64_t until = time_monotonic() + usec;
    pthread_mutex_lock(&worker->lock);
    while (!worker->stopping && time_monotonic() < until)
        wait_until(worker, until);
    bool goes_on = !worker->stopping;
    pthread_mutex_unlock(&worker->lock);
    return goes_on;
}

/* ---- the threads that execute ---- */

enum choice { CHOSE_STOP, CHOSE_TASK, CHOSE_DUTY };

/* Under the lock. */
static enum choice choose(struct worker_thread *thread, struct duty_slot **slot)
{
    struct worker *worker = thread->worker;
    while (!worker->stopping) {
        int64_t now = time_monotonic();
        bool tasks = worker->tasks_look_at <= now;
        thread->tasks_first = !thread->tasks_first;
        *slot = tasks && thread->tasks_first ? NULL : board_take(worker->slots, worker->slot_count, now);
        if (*slot != NULL)
            return CHOSE_DUTY;
        if (tasks) {
            for (size_t i = 0; now >= worker->all_look_at && i < worker->queue_count; i++)
                worker->fresh[i] = true;
            if (now >= worker->all_look_at)
                worker->all_look_at = now + TASK_POLL;
            worker->tasks_look_at = now + TASK_POLL;
            return CHOSE_TASK;
        }
        int64_t next = board_next(worker->slots, worker->slot_count);
        wait_until(worker, next < worker->tasks_look_at ? next : worker->tasks_look_at);
    }
    return CHOSE_STOP;
}

static void *thread_main(void *arg)
{
    struct worker_thread *thread = arg;
    struct worker *worker = thread->worker;
    struct duty_slot *slot = NULL;
    for (;;) {
        pthread_mutex_lock(&worker->lock);
        enum choice choice = choose(thread, &slot);
        pthread_mutex_unlock(&worker->lock);
        if (choice == CHOSE_STOP)
            return NULL;
        arena_reset(thread->arena);
        db_use(thread->db, thread->arena, NULL);
        if (choice == CHOSE_DUTY)
            execute_duty(thread, slot);
        else if (execute_next_task(thread))
            worker_wake(worker, true, "");
    }
}

/* ---- start ---- */

static bool known_queue(const char *name)
{
    return word_index(task_queues, name) >= 0;
}

static bool read_queues(struct worker *worker, const char *text, struct error *err)
{
    const char **queues = arena_zalloc(worker->arena, WORKER_MAX_QUEUES, sizeof(*queues));
    worker->queues = queues;
    if (text == NULL || text[0] == '\0') {
        for (; task_queues[worker->queue_count] != NULL; worker->queue_count++)
            queues[worker->queue_count] = task_queues[worker->queue_count];
        return true;
    }
    char *rest = arena_strdup(worker->arena, text), *name;
    while ((name = strsep(&rest, ",")) != NULL) {
        bool twice = false;
        for (size_t i = 0; i < worker->queue_count; i++)
            twice = twice || strcmp(queues[i], name) == 0;
        if (!known_queue(name) || twice)
            return error_set(
                err, "queue_unknown",
                "there is no queue \"%s\", or it is named twice; the queues: fetch, judge, geocode, history, notify, default",
                name);
        queues[worker->queue_count++] = name;
    }
    return true;
}

bool worker_queues_valid(const char *text, struct error *err)
{
    struct worker parsed = { .arena = arena_new() };
    bool valid = read_queues(&parsed, text, err);
    arena_free(parsed.arena);
    return valid;
}

static bool serves(const struct worker *worker, const char *queue)
{
    for (size_t i = 0; i < worker->queue_count; i++)
        if (strcmp(worker->queues[i], queue) == 0)
            return true;
    return false;
}

/* Array literals for the statements of the ledger. Names are those of the source, without quotes or commas.
 */
static void describe_scope(struct worker *worker)
{
    const struct config *config = worker->options.config;
    const struct task_catalogue *catalogue = worker->options.catalogue;
    struct buf queues = { 0 }, names = { 0 }, attempts = { 0 };
    for (size_t i = 0; i < worker->queue_count; i++)
        buf_printf(&queues, "%c%s", i == 0 ? '{' : ',', worker->queues[i]);
    for (size_t i = 0; i < catalogue->type_count; i++) {
        buf_printf(&names, "%s%s", i == 0 ? "" : ",", catalogue->types[i]->name);
        buf_printf(&attempts, "%s%d", i == 0 ? "" : ",", catalogue->types[i]->max_attempts);
    }
    worker->scope = (struct ledger_scope){
        .worker = worker->name,
        .queues = arena_printf(worker->arena, "%s}", buf_text(&queues)),
        .names = arena_printf(worker->arena, "{%s}", buf_text(&names)),
        .max_attempts = arena_printf(worker->arena, "{%s}", buf_text(&attempts)),
        .lease = config->task_lease,
        .message_grace = config->task_message_grace,
    };
    buf_free(&queues);
    buf_free(&names);
    buf_free(&attempts);
}

static void fill_board(struct worker *worker)
{
    const struct task_catalogue *catalogue = worker->options.catalogue;
    worker->slots = arena_zalloc(worker->arena, catalogue->duty_count + 1, sizeof(*worker->slots));
    for (size_t i = 0; i < catalogue->duty_count; i++)
        if (serves(worker, catalogue->duties[i]->queue))
            worker->slots[worker->slot_count++].duty = catalogue->duties[i];
}

static void name_worker(struct worker *worker)
{
    char host[100] = "host";
    (void)gethostname(host, sizeof(host) - 1);
    snprintf(worker->name, sizeof(worker->name), "%s:%ld:%04x", host, (long)getpid(),
             randombytes_uniform(0x10000));
}

static bool open_thread(struct worker *worker, size_t index, struct error *err)
{
    struct worker_thread *thread = &worker->threads[index];
    const struct config *config = worker->options.config;
    thread->worker = worker;
    thread->name = arena_printf(worker->arena, "%s:%zu", worker->name, index);
    thread->redis = redis_new(config->redis_url, config->redis_timeout, err);
    if (thread->redis == NULL)
        return false;
    thread->db = worker_database(worker, "trackerd worker");
    thread->arena = arena_new();
    return true;
}

static void prepare_lock(struct worker *worker)
{
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&worker->wake, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&worker->lock, NULL);
}

static void make_metrics(struct worker *worker)
{
    worker->metrics.runs = metric_counter("tracker_tasks_total", "Executions of tasks by outcome.",
                                          "task,outcome");
    worker->metrics.run_seconds = metric_histogram("tracker_task_seconds", "Duration of executions of tasks.",
                                                   "task");
    worker->metrics.units = metric_counter("tracker_duty_units_total", "Units of work that duties did.",
                                           "duty");
    worker->metrics.duty_seconds = metric_histogram(
        "tracker_duty_seconds", "Duration of runs of duties, by outcome.", "duty,outcome");
}

static void release(struct worker *worker)
{
    for (size_t i = 0; i < worker->thread_count; i++) {
        db_free(worker->threads[i].db);
        if (worker->threads[i].redis != NULL)
            redis_free(worker->threads[i].redis);
        arena_free(worker->threads[i].arena);
    }
    pthread_mutex_destroy(&worker->lock);
    pthread_cond_destroy(&worker->wake);
    arena_free(worker->arena);
    free(worker);
}

static bool start_threads(struct worker *worker, struct error *err)
{
    size_t started = 0;
    if (pthread_create(&worker->pulse, NULL, pulse_main, worker) != 0)
        return error_set(err, "thread", "no thread can be started");
    if (pthread_create(&worker->ears, NULL, ears_main, worker) != 0) {
        worker->stopping = true;
        pthread_join(worker->pulse, NULL);
        return error_set(err, "thread", "only one thread could be started");
    }
    while (started < worker->thread_count && pthread_create(&worker->threads[started].thread, NULL,
                                                            thread_main, &worker->threads[started]) == 0)
        started++;
    if (started == worker->thread_count)
        return true;
    worker->stopping = true;
    pthread_cond_broadcast(&worker->wake);
    for (size_t i = 0; i < started; i++)
        pthread_join(worker->threads[i].thread, NULL);
    pthread_join(worker->pulse, NULL);
    pthread_join(worker->ears, NULL);
    return error_set(err, "thread", "only %zu of %zu threads could be started", started,
                     worker->thread_count);
}

struct worker *worker_start(const struct worker_options *options, struct error *err)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        error_set(err, "memory", "not enough memory");
        return NULL;
    }
    worker->options = *options;
    worker->arena = arena_new();
    prepare_lock(worker);
    name_worker(worker);
    make_metrics(worker);
    worker->looked_at = time_monotonic();
    size_t count = (size_t)(options->threads > 0 ? options->threads : options->config->worker_threads);
    bool ok = read_queues(worker, options->queues, err);
    if (ok) {
        describe_scope(worker);
        fill_board(worker);
        worker->threads = arena_zalloc(worker->arena, count, sizeof(*worker->threads));
        worker->beats = arena_zalloc(worker->arena, count, sizeof(*worker->beats));
    }
    for (; ok && worker->thread_count < count; worker->thread_count++)
        ok = open_thread(worker, worker->thread_count, err);
    if (ok && start_threads(worker, err))
        return worker;
    release(worker);
    return NULL;
}

const char *worker_name(const struct worker *worker)
{
    return worker->name;
}

/* ---- stop ---- */

static bool join_until(struct worker *worker, int64_t deadline)
{
    struct timespec until;
    int64_t wall = time_now() + (deadline - time_monotonic());
    until = (struct timespec){ .tv_sec = wall / USEC_PER_SEC, .tv_nsec = wall % USEC_PER_SEC * 1000 };
    for (size_t i = 0; i < worker->thread_count; i++)
        if (pthread_timedjoin_np(worker->threads[i].thread, NULL, &until) != 0)
            return false;
    return pthread_timedjoin_np(worker->pulse, NULL, &until) == 0 &&
           pthread_timedjoin_np(worker->ears, NULL, &until) == 0;
}

bool worker_stop(struct worker *worker, int64_t patience)
{
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_cond_broadcast(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    if (!join_until(worker, time_monotonic() + patience))
        return false;
    release(worker);
    return true;
}

/* ---- health ---- */

/* Beyond its time-out an execution was told to stop; one that still runs after so much more is stuck. */
#define STUCK_AFTER MINUTES(5)

/* The table of tasks could not be read for so long: restarting may help, and the rest of the system knows. */
#define BLIND_AFTER MINUTES(5)

/* Returns how many run. */
static size_t write_runs(struct json *json, const struct task_run *run, int64_t now, bool *stuck)
{
    size_t count = 0;
    json_key(json, "running");
    json_start_array(json);
    for (; run != NULL; run = run->next, count++) {
        bool late = now > run->deadline + STUCK_AFTER;
        *stuck = *stuck || late;
        json_start_object(json);
        json_put_text(json, "name", run->name);
        json_put_text(json, "task_id", run->slot == NULL ? run->id : NULL);
        json_put_double(json, "seconds", (double)(now - run->started_at) / USEC_PER_SEC);
        json_put_bool(json, "stuck", late);
        json_end_object(json);
    }
    json_end_array(json);
    return count;
}

bool worker_health(struct worker *worker, struct buf *out)
{
    struct json json;
    bool stuck = false;
    int64_t now = time_monotonic();
    json_begin(&json, out);
    json_start_object(&json);
    pthread_mutex_lock(&worker->lock);
    size_t running = write_runs(&json, worker->runs, now, &stuck);
    int64_t unseen = now - worker->looked_at;
    pthread_mutex_unlock(&worker->lock);
    /* While every thread is busy nobody looks at the tasks: then what runs is the sign of life. */
    bool blind = unseen >= BLIND_AFTER && running < worker->thread_count;
    json_put_text(&json, "worker", worker->name);
    json_put_int(&json, "seconds_since_look", unseen / USEC_PER_SEC);
    json_put_text(&json, "status", stuck ? "stuck" : blind ? "blind" : "ok");
    json_end_object(&json);
    return !stuck && !blind;
}
