/* Queues and types of tasks, for the operator: what waits, what runs, what failed lately, and what there is.
 */
#include <string.h>

#include "api/app.h"
#include "api/db_problem.h"
#include "api/reading.h"
#include "api/tasks.h"
#include "base/json.h"
#include "store/redis.h"
#include "tasks/figures.h"
#include "tasks/keys.h"
#include "tasks/task.h"

/* ---- GET /admin/queues ---- */

/* What Redis holds of a queue; null when it is away or has nothing of it. */
static void put_stream(struct request *req, struct json *json, const char *queue)
{
    struct redis_reply length, pending;
    const char *key = arena_printf(req->arena, TASK_KEY_STREAM "%s", queue);
    json_key(json, "stream");
    if (req->redis == NULL || !redis_command(req->redis, req->arena, &length, "XLEN %s", key) ||
        !redis_command(req->redis, req->arena, &pending, "XPENDING %s %s", key, TASK_GROUP) ||
        length.type != REDIS_INT || pending.type != REDIS_LIST || pending.count == 0) {
        json_write_null(json);
        return;
    }
    json_start_object(json);
    json_put_int(json, "messages", length.number);
    json_put_int(json, "pending", pending.items[0].number);
    json_end_object(json);
}

static void put_dead_letters(struct request *req, struct json *json)
{
    struct redis_reply dead;
    json_key(json, "dead_letters");
    if (req->redis != NULL && redis_command(req->redis, req->arena, &dead, "XLEN " TASK_KEY_DEAD) &&
        dead.type == REDIS_INT)
        json_int(json, dead.number);
    else
        json_write_null(json);
}

static void get_queues(struct request *req)
{
    struct rows *rows = task_figures(req->db, req->arena);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "items");
    json_start_array(&json);
    for (size_t i = 0; i < rows_count(rows); i++) {
        json_start_object(&json);
        json_put_text(&json, "queue", rows_text(rows, i, FIGURE_QUEUE));
        json_put_int(&json, "waiting", rows_int(rows, i, FIGURE_WAITING));
        json_put_int(&json, "scheduled", rows_int(rows, i, FIGURE_SCHEDULED));
        json_put_int(&json, "running", rows_int(rows, i, FIGURE_RUNNING));
        if (rows_null(rows, i, FIGURE_OLDEST))
            json_put_null(&json, "oldest_waiting_at");
        else
            json_put_time(&json, "oldest_waiting_at", rows_time(rows, i, FIGURE_OLDEST));
        json_put_int(&json, "succeeded_last_day", rows_int(rows, i, FIGURE_SUCCEEDED));
        json_put_int(&json, "failed_last_day", rows_int(rows, i, FIGURE_FAILED));
        put_stream(req, &json, rows_text(rows, i, FIGURE_QUEUE));
        json_end_object(&json);
    }
    json_end_array(&json);
    put_dead_letters(req, &json);
    json_end_object(&json);
    reply_reading(req, &body);
}

/* ---- GET /admin/task-types ---- */

static void put_types(struct json *json, const struct task_catalogue *catalogue)
{
    json_key(json, "items");
    json_start_array(json);
    for (size_t i = 0; i < catalogue->type_count; i++) {
        const struct task_type *type = catalogue->types[i];
        json_start_object(json);
        json_put_text(json, "name", type->name);
        json_put_text(json, "queue", type->queue);
        json_put_text(json, "about", type->about);
        json_put_int(json, "timeout_s", type->timeout);
        json_put_int(json, "max_attempts", type->max_attempts);
        json_end_object(json);
    }
    json_end_array(json);
}

static void put_duties(struct json *json, const struct task_catalogue *catalogue)
{
    json_key(json, "duties");
    json_start_array(json);
    for (size_t i = 0; i < catalogue->duty_count; i++) {
        const struct duty *duty = catalogue->duties[i];
        json_start_object(json);
        json_put_text(json, "name", duty->name);
        json_put_text(json, "queue", duty->queue);
        json_put_text(json, "about", duty->about);
        json_put_double(json, "period_s", (double)duty->period / 1000000);
        json_end_object(json);
    }
    json_end_array(json);
}

static void get_types(struct request *req)
{
    static const struct task_catalogue none = { 0 };
    const struct task_catalogue *catalogue = req->app->catalogue != NULL ? req->app->catalogue : &none;
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    put_types(&json, catalogue);
    put_duties(&json, catalogue);
    json_end_object(&json);
    reply_reading(req, &body);
}

/* ---- document ---- */

void queue_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "TaskQueues",
        "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
        "\"properties\":{\"queue\":{\"type\":\"string\"},\"waiting\":{\"type\":\"integer\",\"description\":\"Due and "
        "not begun.\"},\"scheduled\":{\"type\":\"integer\",\"description\":\"For later: retries and one-off "
        "schedules.\"},\"running\":{\"type\":\"integer\"},\"oldest_waiting_at\":{\"type\":[\"string\",\"null\"],"
        "\"format\":\"date-time\"},\"succeeded_last_day\":{\"type\":\"integer\"},\"failed_last_day\":{\"type\":"
        "\"integer\"},\"stream\":{\"type\":[\"object\",\"null\"],\"description\":\"Redis's part: messages (also those "
        "that are done, until they are trimmed) and pending (delivered, not acknowledged).\",\"properties\":{"
        "\"messages\":{\"type\":\"integer\"},\"pending\":{\"type\":\"integer\"}},\"required\":[\"messages\","
        "\"pending\"]}},\"required\":[\"queue\",\"waiting\",\"scheduled\",\"running\",\"oldest_waiting_at\","
        "\"succeeded_last_day\",\"failed_last_day\",\"stream\"]}},\"dead_letters\":{\"type\":[\"integer\",\"null\"],"
        "\"description\":\"Messages that nobody could execute; null while Redis is away.\"}},\"required\":[\"items\","
        "\"dead_letters\"]}");
    add(to, "TaskTypes",
        "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
        "\"properties\":{\"name\":{\"type\":\"string\"},\"queue\":{\"type\":\"string\"},\"about\":{\"type\":"
        "\"string\"},\"timeout_s\":{\"type\":\"integer\"},\"max_attempts\":{\"type\":\"integer\"}},\"required\":["
        "\"name\",\"queue\",\"about\",\"timeout_s\",\"max_attempts\"]}},\"duties\":{\"type\":\"array\",\"items\":{"
        "\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"queue\":{\"type\":\"string\"},"
        "\"about\":{\"type\":\"string\"},\"period_s\":{\"type\":\"number\"}},\"required\":[\"name\",\"queue\","
        "\"about\",\"period_s\"]}}},\"required\":[\"items\",\"duties\"]}");
}

#define ANSWERS(array) .answers = (array), .answer_count = ARRAY_LEN(array)

static const struct answer queues[] = { { 200, "TaskQueues", "By name", NULL } };
static const struct answer types[] = { { 200, "TaskTypes", "All that workers of this version can do",
                                         NULL } };

const struct route queue_routes[] = {
    { HTTP_GET, "/api/v1/admin/queues", get_queues, ACCESS_ADMIN, .tag = "tasks",
      .summary = "What waits, runs and failed, by queue", .operation_id = "getQueues", ANSWERS(queues) },
    { HTTP_GET, "/api/v1/admin/task-types", get_types, ACCESS_ADMIN, .tag = "tasks",
      .summary = "Types of tasks, and duties",
      .about = "Tasks are started by somebody or by a schedule; duties are done whenever something is due.",
      .operation_id = "getTaskTypes", ANSWERS(types) },
};
const size_t queue_route_count = ARRAY_LEN(queue_routes);
