/* The scheduler: a pass each second, in one transaction that only one process at a time may have. */
#include "tasks/scheduler.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/timeutil.h"
#include "tasks/schedule.h"

/* Advisory lock of the leader, for one pass: a transaction's lock also works behind a pooler, and cannot be
 * lost unnoticed. */
#define LEADER_LOCK 7234902

#define PASS_PERIOD    SECONDS(1)
#define READ_PERIOD    SECONDS(10) /* between two readings of the schedules in Redis */
#define HEALTHY_WITHIN MINUTES(1)

struct scheduler {
    const struct config *config;
    const struct task_catalogue *catalogue;
    pthread_t thread;
    atomic_bool stopping, leading;
    atomic_int_fast64_t passed_at; /* monotonic */
    struct db *db;
    struct redis *redis;
    struct arena *arena;       /* of one pass */
    struct arena *redis_arena; /* of the schedules as read from Redis */
    struct redis_schedules schedules;
    int64_t read_at; /* monotonic; the next reading */
    bool seeded;
    struct series *handed_over, *leader;
};

/* ---- one pass ---- */

static bool take_lead(struct scheduler *scheduler, bool *leading, struct error *err)
{
    struct rows *rows = db_query(scheduler->db, "SELECT pg_try_advisory_xact_lock($1)", "i",
                                 (int64_t)LEADER_LOCK);
    if (!rows_ok(rows))
        return error_set(err, "database_error", "the leader's lock: %s", rows_message(rows));
    *leading = rows_bool(rows, 0, 0);
    return true;
}

static bool lead(struct scheduler *scheduler, struct schedule_pass *pass, struct error *err)
{
    if (!scheduler->seeded && !schedule_seed(pass, err))
        return false;
    return schedule_table_pass(pass, err) && schedule_redis_pass(pass, &scheduler->schedules, err);
}

static void after_commit(struct scheduler *scheduler, struct schedule_pass *pass)
{
    scheduler->seeded = true;
    for (size_t i = 0; i < pass->count; i++)
        task_send(pass->db, pass->redis, pass->arena, pass->ids[i]);
    schedule_redis_forget(pass, &scheduler->schedules);
    series_add(scheduler->handed_over, (int64_t)pass->count);
    if (pass->count > 0)
        LOG_INFO("tasks were scheduled", LOG_NUM("tasks", pass->count));
}

/* Only the leader of the last pass reads Redis; a new one does from its second pass on. */
static void look_into_redis(struct scheduler *scheduler, struct schedule_pass *pass)
{
    int64_t now = time_monotonic();
    if (now >= scheduler->read_at) {
        arena_reset(scheduler->redis_arena);
        scheduler->read_at = now + (schedule_redis_read(scheduler->redis, scheduler->redis_arena,
                                                        &scheduler->schedules)
                                        ? READ_PERIOD
                                        : PASS_PERIOD);
    }
    schedule_redis_look(pass, &scheduler->schedules);
}

static bool make_pass(struct scheduler *scheduler, struct error *err)
{
    struct schedule_pass pass = { .config = scheduler->config,
                                  .catalogue = scheduler->catalogue,
                                  .db = scheduler->db,
                                  .redis = scheduler->redis,
                                  .arena = scheduler->arena };
    bool leading = false;
    arena_reset(scheduler->arena);
    db_use(scheduler->db, scheduler->arena, NULL);
    if (scheduler->leading)
        look_into_redis(scheduler, &pass);
    else
        scheduler->schedules.count = 0;
    if (!db_begin(scheduler->db, err))
        return false;
    if (!take_lead(scheduler, &leading, err) || (leading && !lead(scheduler, &pass, err)) ||
        !db_commit(scheduler->db, err)) {
        db_rollback(scheduler->db);
        return false;
    }
    if (leading)
        after_commit(scheduler, &pass);
    if (leading && !scheduler->leading)
        scheduler->read_at = 0;
    scheduler->leading = leading;
    series_set(scheduler->leader, leading);
    return true;
}

static void *scheduler_main(void *arg)
{
    struct scheduler *scheduler = arg;
    struct error err;
    bool well = true;
    while (!scheduler->stopping) {
        int64_t until = time_monotonic() + PASS_PERIOD;
        bool passed = make_pass(scheduler, &err);
        if (passed)
            scheduler->passed_at = time_monotonic();
        else if (well)
            LOG_WARN("no schedules", LOG_TEXT("message", err.message));
        well = passed;
        while (!scheduler->stopping && time_monotonic() < until)
            clock_sleep(&clock_system, PASS_PERIOD / 20);
    }
    return NULL;
}

/* ---- life ---- */

static bool open_all(struct scheduler *scheduler, struct error *err)
{
    const struct config *config = scheduler->config;
    scheduler->redis = redis_new(config->redis_url, config->redis_timeout, err);
    if (scheduler->redis == NULL)
        return false;
    scheduler->db = db_new(&(struct db_options){
        .url = config->database_url,
        .transaction_pooler = strcmp(config->database_pooler, "transaction") == 0,
        .statement_timeout = MINUTES(1),
        .connect_timeout = config->database_connect_timeout,
        .application_name = "trackerd scheduler",
    });
    struct metric *tasks = metric_counter("tracker_scheduled_tasks_total",
                                          "Tasks that schedules handed over.", "");
    struct metric *leader = metric_gauge("tracker_scheduler_leading",
                                         "1 in the process that led the last pass.", "");
    scheduler->handed_over = metric_series(tasks, NULL);
    scheduler->leader = metric_series(leader, NULL);
    return true;
}

static void release(struct scheduler *scheduler)
{
    if (scheduler->redis != NULL)
        redis_free(scheduler->redis);
    db_free(scheduler->db);
    arena_free(scheduler->arena);
    arena_free(scheduler->redis_arena);
    free(scheduler);
}

struct scheduler *scheduler_start(const struct config *config, const struct task_catalogue *catalogue,
                                  struct error *err)
{
    struct scheduler *scheduler = calloc(1, sizeof(*scheduler));
    if (scheduler == NULL) {
        error_set(err, "memory", "not enough memory");
        return NULL;
    }
    scheduler->config = config;
    scheduler->catalogue = catalogue;
    scheduler->arena = arena_new();
    scheduler->redis_arena = arena_new();
    scheduler->passed_at = time_monotonic();
    if (!open_all(scheduler, err)) {
        release(scheduler);
        return NULL;
    }
    if (pthread_create(&scheduler->thread, NULL, scheduler_main, scheduler) != 0) {
        error_set(err, "thread", "no thread can be started");
        release(scheduler);
        return NULL;
    }
    return scheduler;
}

void scheduler_stop(struct scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    scheduler->stopping = true;
    pthread_join(scheduler->thread, NULL);
    release(scheduler);
}

bool scheduler_health(struct scheduler *scheduler, struct buf *out)
{
    struct json json;
    int64_t since = time_monotonic() - scheduler->passed_at;
    json_begin(&json, out);
    json_start_object(&json);
    json_put_text(&json, "status", since < HEALTHY_WITHIN ? "ok" : "stuck");
    json_put_bool(&json, "leading", scheduler->leading);
    json_put_int(&json, "seconds_since_pass", since / USEC_PER_SEC);
    json_end_object(&json);
    return since < HEALTHY_WITHIN;
}
