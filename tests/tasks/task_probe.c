/* A worker with tasks and duties made for tests: what they do can be seen from outside. tests/tasks drives
 * it.
 *
 *   task_probe worker [QUEUES] [THREADS]         until SIGTERM
 *   task_probe enqueue NAME QUEUE ARGS KWARGS LABELS [DELAY_MS] [KEY]   prints the id
 *   task_probe scheduler                         until SIGTERM
 *   task_probe cron                              see match_cron() */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "tasks/cron.h"
#include "tasks/queue.h"
#include "tasks/scheduler.h"
#include "tasks/worker.h"

extern char **environ;

/* ---- tasks ---- */

/* add(a, b): the sum, with numbers by position or name. */
static enum task_verdict add_run(struct task_context *task, json_t **result, struct error *err)
{
    json_int_t sum = 0;
    json_t *item;
    size_t i;
    const char *key;
    json_array_foreach(task->args, i, item)
    {
        sum += json_integer_value(item);
    }
    json_object_foreach(task->kwargs, key, item)
    {
        sum += json_integer_value(item);
    }
    (void)err;
    *result = json_integer(sum);
    return TASK_DONE;
}

/* echo(...): all that came, back. */
static enum task_verdict echo_run(struct task_context *task, json_t **result, struct error *err)
{
    (void)err;
    *result = json_pack("{s:O, s:O, s:O, s:i}", "args", task->args, "kwargs", task->kwargs, "labels",
                        task->labels, "attempt", task->attempt);
    return TASK_DONE;
}

static enum task_verdict fail_run(struct task_context *task, json_t **result, struct error *err)
{
    (void)task;
    (void)result;
    error_set(err, "no_luck", "it cannot be done");
    return TASK_FAILED;
}

/* flaky(n): fails until the nth attempt. */
static enum task_verdict flaky_run(struct task_context *task, json_t **result, struct error *err)
{
    if (task->attempt < json_integer_value(json_array_get(task->args, 0))) {
        error_set(err, "not_yet", "attempt %d", task->attempt);
        return TASK_RETRY;
    }
    *result = json_integer(task->attempt);
    return TASK_DONE;
}

/* effect(key, ms): adds a row to `effects` when it ends, in one statement; works for some time before. */
static enum task_verdict effect_run(struct task_context *task, json_t **result, struct error *err)
{
    const char *key = json_string_value(json_array_get(task->args, 0));
    json_int_t ms = json_integer_value(json_array_get(task->args, 1));
    for (json_int_t done = 0; done < ms; done += 10) {
        if (task_should_stop(task)) {
            error_set(err, "stopped", "told to stop");
            return TASK_RETRY;
        }
        clock_sleep(&clock_system, 10000);
        task_progress(task, done, ms, "at it");
    }
    struct rows *rows = db_query(task->db, "INSERT INTO effects (key, worker) VALUES ($1, $2)", "ss", key,
                                 task->worker);
    if (!rows_ok(rows)) {
        error_set(err, "database", "%s", rows_message(rows));
        return TASK_RETRY;
    }
    *result = json_string(key);
    return TASK_DONE;
}

/* crash(): takes the process with it, each time. */
static enum task_verdict crash_run(struct task_context *task, json_t **result, struct error *err)
{
    (void)task;
    (void)result;
    (void)err;
    raise(SIGKILL);
    return TASK_FAILED;
}

static const struct task_type tasks[] = {
    { "demo.add", "default", "", 10, 1, add_run },       { "demo.echo", "default", "", 10, 1, echo_run },
    { "demo.fail", "default", "", 10, 3, fail_run },     { "demo.flaky", "default", "", 10, 3, flaky_run },
    { "demo.effect", "default", "", 60, 5, effect_run }, { "demo.crash", "default", "", 10, 2, crash_run },
};

/* ---- a duty: moves one row at a time from `work` to `done` ---- */

static int64_t move_run(struct task_context *task, struct error *err)
{
    struct rows *rows = db_query(
        task->db,
        "WITH taken AS (DELETE FROM work WHERE id IN (SELECT id FROM work ORDER BY id "
        "LIMIT 10 FOR UPDATE SKIP LOCKED) RETURNING id) "
        "INSERT INTO done SELECT id, $1 FROM taken RETURNING id",
        "s", task->worker);
    if (!rows_ok(rows)) {
        error_set(err, "database", "%s", rows_message(rows));
        return -1;
    }
    return (int64_t)rows_count(rows);
}

static const struct duty move_duty = {
    .name = "demo.move", .queue = "default", .period = SECONDS(60), .run = move_run
};

static const struct task_type *const types[] = { &tasks[0], &tasks[1], &tasks[2],
                                                 &tasks[3], &tasks[4], &tasks[5] };
static const struct duty *const duties[] = { &move_duty };
static const struct task_rhythm rhythms[] = { { "Every minute", "demo.add", "default", "* * * * *" } };
static const struct task_catalogue catalogue = { types,   ARRAY_LEN(types),  duties, ARRAY_LEN(duties),
                                                 rhythms, ARRAY_LEN(rhythms) };

/* ---- commands ---- */

static int work(const struct config *config, const char *queues, const char *threads)
{
    struct error err;
    sigset_t stop;
    int received;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    const struct worker_options options = { .config = config,
                                            .catalogue = &catalogue,
                                            .queues = queues,
                                            .threads = threads != NULL ? atoi(threads) : 4 };
    struct worker *worker = worker_start(&options, &err);
    if (worker == NULL) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    puts("ready");
    fflush(stdout);
    sigwait(&stop, &received);
    return worker_stop(worker, config->worker_stop) ? 0 : 1;
}

static int schedule(const struct config *config)
{
    struct error err;
    sigset_t stop;
    int received;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    struct scheduler *scheduler = scheduler_start(config, &catalogue, &err);
    if (scheduler == NULL) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    puts("ready");
    fflush(stdout);
    sigwait(&stop, &received);
    scheduler_stop(scheduler);
    return 0;
}

/* Prints for each line "EXPRESSION|YYYY-MM-DD HH:MM" whether it matches (1, 0) or cannot be read (-), and the
 * next time. */
static int match_cron(void)
{
    char line[400];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        struct cron cron;
        struct error err;
        struct cron_time at, next = { 0 };
        char *bar = strchr(line, '|');
        if (bar == NULL ||
            sscanf(bar + 1, "%d-%d-%d %d:%d", &at.year, &at.month, &at.day, &at.hour, &at.minute) != 5)
            return 1;
        *bar = '\0';
        if (!cron_read(line, &cron, &err)) {
            puts("-");
            continue;
        }
        bool comes = cron_next(&cron, &at, &next);
        printf("%d %04d-%02d-%02d %02d:%02d\n", cron_matches(&cron, &at), comes ? next.year : 0, next.month,
               next.day, next.hour, next.minute);
    }
    return 0;
}

static json_t *json(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);
    if (value == NULL)
        abort();
    return value;
}

static int enqueue(const struct config *config, int argc, char **argv)
{
    struct error err;
    char id[TASK_ID_SIZE];
    struct db *db = db_new(&(struct db_options){ .url = config->database_url });
    struct redis *redis = redis_new(config->redis_url, 0, &err);
    struct arena *arena = arena_new();
    json_t *args = json(argv[4]), *kwargs = json(argv[5]), *labels = json(argv[6]);
    const struct task_request request = {
        .name = argv[2],
        .queue = argv[3],
        .args = args,
        .kwargs = kwargs,
        .labels = labels,
        .run_at = argc > 7 && atoi(argv[7]) > 0 ? time_now() + atoi(argv[7]) * INT64_C(1000) : 0,
        .dedupe_key = argc > 8 ? argv[8] : NULL,
    };
    db_use(db, arena, NULL);
    bool ok = task_enqueue(db, redis, arena, &request, id, &err);
    puts(ok ? id : err.message);
    json_decref(args);
    json_decref(kwargs);
    json_decref(labels);
    db_free(db);
    redis_free(redis);
    arena_free(arena);
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct error err;
    struct config *config = config_load(environ, &err);
    int status = 2;
    if (config == NULL) {
        fprintf(stderr, "%s\n", err.message);
        return 2;
    }
    log_init("probe", LOG_LEVEL_DEBUG);
    if (argc > 1 && strcmp(argv[1], "worker") == 0)
        status = work(config, argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL);
    else if (argc > 6 && strcmp(argv[1], "enqueue") == 0)
        status = enqueue(config, argc, argv);
    else if (argc > 1 && strcmp(argv[1], "scheduler") == 0)
        status = schedule(config);
    else if (argc > 1 && strcmp(argv[1], "cron") == 0)
        status = match_cron();
    config_free(config);
    return status;
}
