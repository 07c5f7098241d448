/* The worker's pulse: renews leases, writes progress, frees what dead workers left. A thread and connections
 * of its own, because an execution may hold a transaction open for long. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/timeutil.h"
#include "tasks/result.h"
#include "tasks/stream.h"
#include "tasks/value.h"
#include "tasks/worker_private.h"

#define COLLECT_PERIOD SECONDS(1)
#define BEAT           (USEC_PER_SEC / 2) /* how often progress is written at most */

struct pulse {
    struct worker *worker;
    struct db *db;
    struct redis *redis;
    struct arena *arena;
    struct beat *beats;
    size_t count;
    int64_t renew_at, expire_at, collect_at, tidy_at; /* monotonic */
};

/* ---- the runs as they are now ---- */

static void copy_runs(struct pulse *pulse)
{
    struct worker *worker = pulse->worker;
    pulse->count = 0;
    pthread_mutex_lock(&worker->lock);
    for (struct task_run *run = worker->runs; run != NULL; run = run->next) {
        if (run->slot != NULL || pulse->count == worker->thread_count)
            continue;
        struct beat *beat = &pulse->beats[pulse->count++];
        *beat = (struct beat){ .attempt = run->attempt,
                               .user_id = run->user_id,
                               .client_id = run->client_id,
                               .done = run->done,
                               .total = run->total,
                               .progressed = run->progressed };
        memcpy(beat->id, run->id, sizeof(beat->id));
        memcpy(beat->name, run->name, sizeof(beat->name));
        memcpy(beat->stream_entry, run->stream_entry, sizeof(beat->stream_entry));
        memcpy(beat->message, run->message, sizeof(beat->message));
        run->progressed = false;
    }
    pthread_mutex_unlock(&worker->lock);
}

static void tell_run(struct worker *worker, const struct beat *beat, bool cancelled, bool lost)
{
    pthread_mutex_lock(&worker->lock);
    for (struct task_run *run = worker->runs; run != NULL; run = run->next)
        if (run->attempt == beat->attempt && strcmp(run->id, beat->id) == 0) {
            run->cancelled = run->cancelled || cancelled;
            run->lease_lost = run->lease_lost || lost;
        }
    pthread_mutex_unlock(&worker->lock);
}

/* ---- leases and progress ---- */

static void show_progress(struct pulse *pulse, const struct beat *beat, const char *progress)
{
    const struct task_notice notice = { .id = beat->id,
                                        .name = beat->name,
                                        .state = "running",
                                        .progress = progress,
                                        .user_id = beat->user_id,
                                        .client_id = beat->client_id };
    result_store_progress(pulse->redis, pulse->arena, pulse->worker->options.config, beat->id, progress);
    announce_state(pulse->redis, &notice);
}

static void renew(struct pulse *pulse, const struct beat *beat, bool message)
{
    struct error err;
    bool cancelled = false;
    const char *progress = beat->progressed
                               ? progress_json(pulse->arena, beat->done, beat->total, beat->message)
                               : NULL;
    if (progress != NULL)
        show_progress(pulse, beat, progress);
    if (message && beat->stream_entry[0] != '\0')
        stream_renew(pulse->redis, pulse->arena, beat->stream_entry, pulse->worker->name);
    if (ledger_renew(pulse->db, &pulse->worker->scope, beat->id, beat->attempt, progress, &cancelled, &err))
        tell_run(pulse->worker, beat, cancelled, false);
    else if (error_is(&err, "lease_lost"))
        tell_run(pulse->worker, beat, false, true);
}

/* Whoever waits in Python for a task that died with its worker is told, too. */
static void tell_death(struct pulse *pulse, const struct rows *rows, size_t i)
{
    struct error ignored;
    const char *id = rows_text(rows, i, 0);
    const struct task_result result = {
        .is_error = true,
        .error_code = "worker_lost",
        .error_message = "the worker ended without a word",
        .labels = value_read_arena(pulse->arena, rows_text(rows, i, 2), rows_length(rows, i, 2), &ignored),
    };
    (void)!result_store(pulse->redis, pulse->arena, pulse->worker->options.config, id, &result);
    if (!rows_null(rows, i, 3))
        stream_ack(pulse->redis, pulse->arena, rows_text(rows, i, 3));
}

static void free_orphans(struct pulse *pulse)
{
    struct rows *rows = ledger_expire(pulse->db);
    for (size_t i = 0; rows_ok(rows) && i < rows_count(rows); i++) {
        LOG_WARN("a task lost its worker", LOG_TEXT("id", rows_text(rows, i, 0)),
                 LOG_TEXT("state", rows_text(rows, i, 1)));
        if (strcmp(rows_text(rows, i, 1), "waiting") != 0)
            tell_death(pulse, rows, i);
    }
    if (rows_ok(rows) && rows_count(rows) > 0)
        worker_wake(pulse->worker, true, "");
}

/* Each start of a worker is a new consumer; those of dead ones would pile up. */
static void tidy_consumers(struct pulse *pulse)
{
    for (size_t i = 0; i < pulse->worker->queue_count; i++)
        stream_forget_consumers(pulse->redis, pulse->arena, pulse->worker->queues[i]);
}

static void beat_once(struct pulse *pulse)
{
    int64_t now = time_monotonic(), lease = pulse->worker->scope.lease;
    bool all = now >= pulse->renew_at;
    arena_reset(pulse->arena);
    db_use(pulse->db, pulse->arena, NULL);
    copy_runs(pulse);
    for (size_t i = 0; i < pulse->count; i++)
        if (all || pulse->beats[i].progressed)
            renew(pulse, &pulse->beats[i], all);
    if (all)
        pulse->renew_at = now + lease / 6;
    if (now >= pulse->expire_at) {
        free_orphans(pulse);
        pulse->expire_at = now + lease / 4;
    }
    if (now >= pulse->collect_at && redis_available(pulse->redis)) {
        collect(&(struct collector){ pulse->worker->options.config, &pulse->worker->scope, pulse->db,
                                     pulse->redis, pulse->arena });
        pulse->collect_at = now + COLLECT_PERIOD;
    }
    if (now >= pulse->tidy_at) {
        tidy_consumers(pulse);
        pulse->tidy_at = now + HOURS(1);
    }
}

/* Goes on while anything runs, also when the worker stops: its leases must not end before it does. */
static bool still_needed(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    bool needed = !worker->stopping || worker->runs != NULL;
    pthread_mutex_unlock(&worker->lock);
    return needed;
}

void *pulse_main(void *arg)
{
    struct worker *worker = arg;
    const struct config *config = worker->options.config;
    struct error err;
    struct pulse pulse = { .worker = worker, .arena = arena_new() };
    pulse.db = worker_database(worker, "trackerd worker pulse");
    pulse.redis = redis_new(config->redis_url, config->redis_timeout, &err);
    pulse.beats = worker->beats;
    while (still_needed(worker)) {
        beat_once(&pulse);
        if (!worker_wait(worker, BEAT))
            clock_sleep(&clock_system, BEAT / 5);
    }
    for (size_t i = 0; i < worker->queue_count; i++)
        stream_leave(pulse.redis, pulse.arena, worker->queues[i], worker->name);
    db_free(pulse.db);
    redis_free(pulse.redis);
    arena_free(pulse.arena);
    return NULL;
}
