/* The worker's pulse: renews leases, writes progress, frees what dead workers left. A thread and connections
 * of its own, because an execution may hold a transaction open for long. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "store/live.h"
#include "tasks/worker_private.h"

#define BEAT (USEC_PER_SEC / 2) /* how often progress is written at most */

struct pulse {
    struct worker *worker;
    struct db *db;
    struct redis *redis;
    struct arena *arena;
    struct beat *beats;
    size_t count;
    int64_t renew_at, expire_at; /* monotonic */
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

static const char *progress_json(struct arena *arena, const struct beat *beat)
{
    struct buf out = { 0 };
    struct json json;
    json_begin(&json, &out);
    json_start_object(&json);
    json_put_int(&json, "done", beat->done);
    if (beat->total > 0)
        json_put_int(&json, "total", beat->total);
    else
        json_put_null(&json, "total");
    json_put_text(&json, "message", beat->message);
    json_end_object(&json);
    const char *text = arena_strndup(arena, buf_text(&out), out.len);
    buf_free(&out);
    return text;
}

static void renew(struct pulse *pulse, const struct beat *beat)
{
    struct error err;
    bool cancelled = false;
    const char *progress = beat->progressed ? progress_json(pulse->arena, beat) : NULL;
    if (ledger_renew(pulse->db, &pulse->worker->scope, beat->id, beat->attempt, progress, &cancelled, &err))
        tell_run(pulse->worker, beat, cancelled, false);
    else if (error_is(&err, "lease_lost"))
        tell_run(pulse->worker, beat, false, true);
}

static void free_orphans(struct pulse *pulse)
{
    struct rows *rows = ledger_expire(pulse->db);
    for (size_t i = 0; rows_ok(rows) && i < rows_count(rows); i++)
        LOG_WARN("a task lost its worker", LOG_TEXT("id", rows_text(rows, i, 0)),
                 LOG_TEXT("state", rows_text(rows, i, 1)));
    if (rows_ok(rows) && rows_count(rows) > 0)
        worker_wake(pulse->worker, true, "");
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
            renew(pulse, &pulse->beats[i]);
    if (all)
        pulse->renew_at = now + lease / 6;
    if (now >= pulse->expire_at) {
        free_orphans(pulse);
        pulse->expire_at = now + lease / 4;
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
    db_free(pulse.db);
    redis_free(pulse.redis);
    arena_free(pulse.arena);
    return NULL;
}
