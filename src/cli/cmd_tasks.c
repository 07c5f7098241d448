/* trackerd tasks: what runs in the background, from the command line. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/database.h"
#include "jobs/jobs.h"
#include "store/redis.h"
#include "store/rows_json.h"
#include "tasks/figures.h"
#include "tasks/queue.h"
#include "tasks/value.h"

#define LIST_MAX  10000
#define WAIT_LOOK (USEC_PER_SEC / 4) /* between two looks at a task that --wait waits for */

struct session {
    const struct config *config;
    struct db *db;
    struct redis *redis;
    struct arena *arena;
};

static bool open_session(struct session *session, const struct config *config, struct error *err)
{
    session->config = config;
    session->redis = NULL;
    session->db = cli_database(config, "trackerd tasks", err);
    if (session->db == NULL ||
        (session->redis = redis_new(config->redis_url, config->redis_timeout, err)) == NULL) {
        db_free(session->db);
        return false;
    }
    session->arena = arena_new();
    db_use(session->db, session->arena, NULL);
    return true;
}

static void close_session(struct session *session)
{
    db_free(session->db);
    redis_free(session->redis);
    arena_free(session->arena);
}

static bool asked(const struct rows *rows, struct error *err)
{
    return rows_ok(rows) || error_set(err, "database_error", "%s", rows_message(rows));
}

/* ---- list ---- */

/* Lines of cells between tabs, "-" for null. */
static void print_rows(const struct rows *rows)
{
    for (size_t i = 0; i < rows_count(rows); i++)
        for (size_t k = 0; k < rows_columns(rows); k++)
            printf("%s%c", rows_null(rows, i, k) ? "-" : rows_text(rows, i, k),
                   k + 1 < rows_columns(rows) ? '\t' : '\n');
}

static bool list(struct session *session, const char *state, const char *queue, const char *limit_text,
                 struct error *err)
{
    int64_t limit = 50;
    if (limit_text != NULL && !parse_i64_range(limit_text, 1, LIST_MAX, &limit))
        return error_set(err, "usage", "--limit is a number from 1 to %d", LIST_MAX);
    struct rows *rows = db_query(
        session->db,
        "SELECT id, state, queue, name, attempts::text, to_char(created_at AT TIME ZONE 'UTC', "
        "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), coalesce(error ->> 'message', progress ->> 'message', '') FROM tasks "
        "WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR queue = $2) "
        "ORDER BY created_at DESC, id DESC LIMIT $3",
        "ssi", state, queue, limit);
    if (!asked(rows, err))
        return false;
    print_rows(rows);
    return true;
}

/* ---- queues, schedules ---- */

static bool queues(struct session *session, struct error *err)
{
    struct rows *rows = task_figures(session->db, session->arena);
    if (!asked(rows, err))
        return false;
    puts("queue\twaiting\tscheduled\trunning\toldest\tsucceeded\tfailed");
    print_rows(rows);
    return true;
}

static bool schedules(struct session *session, struct error *err)
{
    static const char sql[] =
        "SELECT name, task_name, queue, coalesce(cron || ' ' || time_zone, 'every ' || every::text), "
        "CASE WHEN enabled THEN 'enabled' ELSE 'disabled' END, last_run_at, next_run_at FROM task_schedules ORDER BY name";
    struct rows *rows = db_query(session->db, sql, "");
    if (!asked(rows, err))
        return false;
    puts("schedule\ttask\tqueue\trhythm\tstate\tlast run\tnext run");
    print_rows(rows);
    return true;
}

/* ---- show ---- */

static bool show(struct session *session, const char *id, struct error *err)
{
    struct rows *rows = db_query(
        session->db,
        "SELECT id, name, queue, state, args, kwargs, labels, user_id, client_id, attempts, max_attempts, progress, "
        "result, error, worker, run_at, started_at, finished_at, created_at FROM tasks WHERE id = $1",
        "s", id);
    struct buf text = { 0 };
    struct json json;
    if (!asked(rows, err))
        return false;
    if (rows_count(rows) == 0)
        return error_set(err, "not_found", "there is no task %s", id);
    json_begin(&json, &text);
    rows_write_object(rows, 0, SIZE_MAX, &json);
    puts(buf_text(&text));
    buf_free(&text);
    return true;
}

/* ---- retry, cancel ---- */

static bool retry(struct session *session, const char *id, struct error *err)
{
    return task_restart(session->db, session->redis, session->arena, id, err) && show(session, id, err);
}

static bool cancel(struct session *session, const char *id, struct error *err)
{
    struct rows *rows = db_query(
        session->db,
        "UPDATE tasks SET cancel_requested_at = coalesce(cancel_requested_at, now()), "
        "state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END, "
        "finished_at = CASE WHEN state = 'running' THEN NULL ELSE now() END WHERE id = $1 AND finished_at IS NULL",
        "s", id);
    if (!asked(rows, err))
        return false;
    if (rows_affected(rows) == 0)
        return error_set(err, "not_found", "there is no task %s that is not over", id);
    return show(session, id, err);
}

/* ---- run ---- */

static json_t *read_json(struct session *session, const char *option, const char *text, bool array,
                         struct error *err)
{
    json_t *value = value_read_arena(session->arena, text, strlen(text), err);
    if (value != NULL && (array ? json_is_array(value) : json_is_object(value)))
        return value;
    error_set(err, "usage", "%s is a JSON %s", option, array ? "array" : "object");
    return NULL;
}

/* Shows the task when it is over. */
static bool wait_for(struct session *session, const char *id, struct error *err)
{
    for (;;) {
        struct arena *look = arena_new();
        db_use(session->db, look, NULL);
        struct rows *rows = db_query(
            session->db, "SELECT state, finished_at IS NOT NULL FROM tasks WHERE id = $1", "s", id);
        bool ok = asked(rows, err) &&
                  (rows_count(rows) == 1 || error_set(err, "not_found", "the task is gone"));
        bool over = ok && rows_bool(rows, 0, 1),
             good = over && strcmp(rows_text(rows, 0, 0), "succeeded") == 0;
        db_use(session->db, session->arena, NULL);
        arena_free(look);
        if (!ok)
            return false;
        if (over)
            return show(session, id, err) &&
                   (good || error_set(err, "task_failed", "the task did not succeed"));
        clock_sleep(&clock_system, WAIT_LOOK);
    }
}

static bool run_task(struct session *session, const char *name, const char *queue, const char *args,
                     const char *kwargs, bool wait, struct error *err)
{
    char id[TASK_ID_SIZE];
    const struct task_type *type = task_type_find(&jobs_catalogue, name);
    if (type == NULL && queue == NULL)
        return error_set(err, "task_unknown", "%s is none of ours; a Python worker's task needs --queue",
                         name);
    struct task_request request = { .name = name, .queue = queue != NULL ? queue : type->queue };
    request.args = read_json(session, "--args", args != NULL ? args : "[]", true, err);
    request.kwargs = read_json(session, "--kwargs", kwargs != NULL ? kwargs : "{}", false, err);
    if (request.args == NULL || request.kwargs == NULL ||
        !task_enqueue(session->db, session->redis, session->arena, &request, id, err))
        return false;
    if (wait)
        return wait_for(session, id, err);
    puts(id);
    return true;
}

/* ---- the command ---- */

#define ACTIONS "list, queues, schedules, show, retry, cancel or run"
enum action { LIST, QUEUES, SCHEDULES, SHOW, RETRY, CANCEL, RUN }; /* from SHOW on with one argument */
static const char *const actions[] = {
    "list", "queues", "schedules", "show", "retry", "cancel", "run", NULL
};

static int run(int argc, char **argv, const struct config *config)
{
    const char *state = NULL, *queue = NULL, *limit = NULL, *args = NULL, *kwargs = NULL, *wait = NULL;
    const struct cli_option options[] = {
        { "--state", false, &state }, { "--queue", false, &queue },   { "--limit", false, &limit },
        { "--args", false, &args },   { "--kwargs", false, &kwargs }, { "--wait", true, &wait },
    };
    int positional;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    int action = positional > 0 ? word_index(actions, argv[1]) : -1;
    if (action < 0)
        return positional == 0 ? cli_usage("tasks", "which action? " ACTIONS)
                               : cli_usage("tasks", "unknown action %s: " ACTIONS, argv[1]);
    if (positional != (action < SHOW ? 1 : 2))
        return cli_usage("tasks", action < SHOW ? "%s takes options only" : "%s needs one argument", argv[1]);

    struct error err;
    struct session session = { 0 };
    if (!open_session(&session, config, &err))
        return cli_fail(&err);
    bool ok = action == LIST        ? list(&session, state, queue, limit, &err)
              : action == QUEUES    ? queues(&session, &err)
              : action == SCHEDULES ? schedules(&session, &err)
              : action == SHOW      ? show(&session, argv[2], &err)
              : action == RETRY     ? retry(&session, argv[2], &err)
              : action == CANCEL    ? cancel(&session, argv[2], &err)
                                    : run_task(&session, argv[2], queue, args, kwargs, wait != NULL, &err);
    close_session(&session);
    return ok ? EXIT_OK : cli_fail(&err);
}

const struct command cmd_tasks = {
    .name = "tasks",
    .summary = "list, start, retry and cancel background tasks",
    .help =
        "Usage: trackerd tasks ACTION [OPTIONS]\n\n"
        "  list [--state S] [--queue Q] [--limit N]   newest first: id, state, queue, name, attempts, time, message\n"
        "  queues                                     of each: waiting, for later, running, since when the oldest\n"
        "                                             waits, succeeded and failed in the last 24 hours\n"
        "  schedules                                  what is repeated, when it ran and when it is next\n"
        "  show ID                                    all that is known of it, as JSON\n"
        "  retry ID                                   begins one that is over anew\n"
        "  cancel ID                                  takes one out of the queue, or asks it to stop\n"
        "  run NAME [--kwargs JSON] [--args JSON] [--queue Q] [--wait]\n"
        "      starts a task and prints its id; with --wait, what became of it (exit status 1 unless it\n"
        "      succeeded). A task that only Python workers know needs --queue.\n\n"
        "Needed: DATABASE_URL (a login that is a member of tracker_worker).\n",
    .settings = true,
    .run = run,
};
