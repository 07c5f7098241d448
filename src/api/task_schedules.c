/* Schedules: tasks that are started again and again. */
#include <inttypes.h>
#include <string.h>

#include "api/app.h"
#include "api/db_problem.h"
#include "api/idempotency.h"
#include "api/resources.h"
#include "api/task_start.h"
#include "api/tasks.h"
#include "tasks/cron.h"
#include "tasks/value.h"

enum { ID, NAME, TASK, QUEUE, CRON, EVERY, ZONE, KWARGS, ENABLED };

/* A year, like the table. */
#define EVERY_MAX (366.0 * 24 * 3600)

static const struct field fields[] = {
    [ID] = FIELD_ROW_ID,
    [NAME] = { "name", FIELD_TEXT, "Unique.", .min = 1, .max = 200, .required = true, .sort = true,
               .search = true },
    [TASK] = { "task_name", FIELD_TEXT, "Such as `maintenance.tidy`; a Python worker's task, too.", .min = 1,
               .max = 200, .required = true, .filter = true },
    [QUEUE] = { "queue", FIELD_TEXT, "The queue of its tasks.", .min = 1, .max = 100,
                .fallback = "\"default\"", .filter = true },
    [CRON] = { "cron", FIELD_TEXT,
               "Minute, hour, day of month, month, day of the week, as in TaskiQ (pycron); or null, with every_s.",
               .min = 9, .max = 200, .nullable = true },
    [EVERY] = { "every_s", FIELD_INT, "Seconds from one run to the next; or null, with cron.", .min = 1,
                .max = EVERY_MAX, .nullable = true, .select = "extract(epoch FROM t.every)::bigint",
                .column = "every", .write = "(%s::bigint * interval '1 second')" },
    [ZONE] = { "time_zone", FIELD_TEXT, "IANA name of the zone in which cron is meant.", .min = 1, .max = 64,
               .fallback = "\"UTC\"" },
    [KWARGS] = { "kwargs", FIELD_OBJECT, "The task's arguments by name.", .fallback = "{}" },
    [ENABLED] = { "enabled", FIELD_BOOL, .fallback = "true", .filter = true },
    { "last_run_at", FIELD_TIME, "When its task was added last.", .computed = true, .nullable = true },
    { "next_run_at", FIELD_TIME, "Null until the scheduler has looked at it.", .computed = true,
      .nullable = true },
    FIELD_CREATED,
    FIELD_UPDATED,
};

static void check(struct field_value *values, bool create, struct problems *problems)
{
    struct cron cron;
    struct error err;
    bool has_cron = values[CRON].text != NULL, has_every = values[EVERY].text != NULL;
    if (has_cron && !cron_parse(values[CRON].text, &cron, &err))
        problem_add(problems, "cron", "invalid", "%s", err.message);
    if (create && has_cron == has_every)
        problem_add(problems, "cron", "invalid", "one of cron and every_s is needed, and only one");
}

static const struct constraint constraints[] = {
    { "task_schedules_name_key", "name", "already_exists", "another schedule has this name" },
    { "task_schedules_one_rhythm", "cron", "invalid",
      "one of cron and every_s is needed, and only one; null takes one away" },
    { "task_schedules_time_zone", "time_zone", "invalid", "is no time zone" },
};

const struct resource task_schedules_resource = {
    .name = "task-schedules",
    .table = "task_schedules",
    .singular = "TaskSchedule",
    .plural = "TaskSchedules",
    .label = "schedule",
    .about =
        "Tasks that are started again and again. The system's own can be changed or disabled; deleted ones come back "
        "when a scheduler starts.",
    FIELDS(fields),
    .read = ROLE_ADMIN,
    .write = ROLE_ADMIN,
    .flags = RESOURCE_NO_ARCHIVE,
    .default_sort = "name",
    .check = check,
    CONSTRAINTS(constraints),
};

/* ---- POST /task-schedules/{id}/run ---- */

static void run_once(struct request *req)
{
    int64_t id;
    bool own;
    struct error err;
    if (!param_id(req, "id", &id))
        return;
    struct rows *rows = db_query(
        req->db, "SELECT task_name, queue, args::text, kwargs::text FROM task_schedules WHERE id = $1", "i",
        id);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    if (rows_count(rows) == 0) {
        reply_not_found(req, "schedule");
        return;
    }
    const char *key = arena_printf(req->arena, "schedule:%" PRId64,
                                   id); /* one run at a time, whoever starts it */
    const struct task_request task = {
        .name = rows_text(rows, 0, 0),
        .queue = rows_text(rows, 0, 1),
        .args = value_read_arena(req->arena, rows_text(rows, 0, 2), rows_length(rows, 0, 2), &err),
        .kwargs = value_read_arena(req->arena, rows_text(rows, 0, 3), rows_length(rows, 0, 3), &err),
        .dedupe_key = key,
    };
    const struct audit_entry entry = { .action = "run", .resource = "task-schedules", .resource_id = id };
    if (start_begin(req, &own))
        start_task(req, own, &task, &entry);
}

static void run(struct request *req)
{
    idempotent(req, run_once);
}

static const struct parameter id_parameter[] = {
    { "id", VALUE_ID, NULL, "Id of the schedule", true, "path", 0, 0 },
};
static const struct answer started[] = {
    { 202, "TaskStarted", "Its task, or the one that has not ended yet", NULL },
    { 404, "Problem", "No such schedule", NULL },
};

const struct route schedule_routes[] = {
    { HTTP_POST, "/api/v1/task-schedules/{id}/run", run, ACCESS_ADMIN, .tag = "task-schedules",
      .summary = "Run a schedule's task now",
      .about = "Its rhythm stays as it is. Disabled schedules run, too.", .operation_id = "runTaskSchedule",
      .parameters = id_parameter, .parameter_count = 1, .answers = started,
      .answer_count = ARRAY_LEN(started) },
};
const size_t schedule_route_count = ARRAY_LEN(schedule_routes);
