/* Tasks: what runs in the background, for admins; and each caller's own, which a 202 answer names. */
#include "api/tasks.h"

#include <inttypes.h>
#include <string.h>

#include "api/app.h"
#include "api/audit.h"
#include "api/conditions.h"
#include "api/db_problem.h"
#include "api/reading.h"
#include "api/resource.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"
#include "store/rows_json.h"
#include "tasks/queue.h"
#include "tasks/value.h"

#define COLUMNS                                                                                              \
    "t.id, t.name, t.queue, t.state, t.args, t.kwargs, t.labels, t.user_id, t.client_id, t.attempts, "       \
    "t.max_attempts, t.progress, t.result, t.error, t.worker, t.run_at, t.started_at, t.finished_at, "       \
    "t.cancel_requested_at, t.created_at, t.updated_at"

/* Longest names in the table. */
#define NAME_MAX_LENGTH  200
#define QUEUE_MAX_LENGTH 100

static const char *const states[] = { "scheduled", "waiting", "running",   "succeeded",
                                      "failed",    "dead",    "cancelled", NULL };

static bool is_admin(const struct request *req)
{
    return req->principal->role == ROLE_ADMIN;
}

/* ---- GET /tasks ---- */

struct task_query {
    const char *state, *queue, *name; /* NULL: any */
    int64_t limit;
    int64_t after_at;     /* the last task of the page before: when it was made, */
    const char *after_id; /* and its id; NULL: the first page */
};

/* A name as it could stand in the table. */
static const char *query_name(struct request *req, const char *name, size_t max)
{
    const char *value = request_query(req, name);
    if (value != NULL && (value[0] == '\0' || strlen(value) > max))
        problem_field(req, name, "too_long", "must have 1 to %zu characters", max);
    return value;
}

/* A cursor's text is "MICROSECONDS ID". */
static bool take_place(struct request *req, struct task_query *query)
{
    struct cursor cursor;
    if (!query_cursor(req, "tasks", &cursor))
        return false;
    const char *space = cursor.text != NULL ? strchr(cursor.text, ' ') : NULL;
    if (space == NULL ||
        !parse_i64(arena_strndup(req->arena, cursor.text, (size_t)(space - cursor.text)), &query->after_at))
        return true; /* no cursor: what was signed has this form */
    query->after_id = space + 1;
    return true;
}

static bool take_query(struct request *req, struct task_query *query)
{
    int state;
    if (!route_parameters_known(req) ||
        !query_int(req, "limit", 1, LIST_LIMIT_MAX, LIST_LIMIT_DEFAULT, &query->limit) ||
        !query_enum(req, "state", states, -1, &state) || !take_place(req, query))
        return false;
    query->state = state >= 0 ? states[state] : NULL;
    query->queue = query_name(req, "queue", QUEUE_MAX_LENGTH);
    query->name = query_name(req, "name", NAME_MAX_LENGTH);
    if (!problem_pending(req))
        return true;
    reply_invalid(req);
    return false;
}

/* One text for each combination of filters, newest first: an index serves those by state, queue and user. */
static struct statement list_statement(struct request *req, const struct task_query *query)
{
    struct db_param *params = arena_zalloc(req->arena, 8, sizeof(*params));
    struct buf sql = { 0 };
    size_t n = 0;
    const struct {
        const char *column, *value;
    } filters[] = { { "state", query->state }, { "queue", query->queue }, { "name", query->name } };

    buf_puts(
        &sql,
        "SELECT " COLUMNS
        ", (extract(epoch FROM t.created_at) * 1000000)::bigint || ' ' || t.id AS place FROM tasks t WHERE true");
    for (size_t i = 0; i < ARRAY_LEN(filters); i++)
        if (filters[i].value != NULL) {
            params[n++] = (struct db_param){ .type = 's', .value.data = filters[i].value };
            buf_printf(&sql, " AND t.%s = $%zu", filters[i].column, n);
        }
    if (!is_admin(req)) { /* the wall says the same; this is the plan */
        params[n++] = (struct db_param){ .type = 'i', .value.number = req->principal->user_id };
        buf_printf(&sql, " AND t.user_id = $%zu", n);
    }
    if (query->after_id != NULL) {
        params[n++] = (struct db_param){ .type = 't', .value.number = query->after_at };
        params[n++] = (struct db_param){ .type = 's', .value.data = query->after_id };
        buf_printf(&sql, " AND (t.created_at, t.id) < ($%zu, $%zu)", n - 1, n);
    }
    params[n++] = (struct db_param){ .type = 'i', .value.number = query->limit + 1 };
    buf_printf(&sql, " ORDER BY t.created_at DESC, t.id DESC LIMIT $%zu", n);
    struct statement statement = { arena_strndup(req->arena, buf_text(&sql), sql.len), params, n };
    buf_free(&sql);
    return statement;
}

static void list(struct request *req)
{
    struct task_query query = { 0 };
    if (!take_query(req, &query))
        return;
    struct statement statement = list_statement(req, &query);
    struct rows *rows = db_query_params(req->db, statement.sql, statement.params, statement.count);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    size_t place = rows_columns(rows) - 1, count = rows_count(rows);
    bool more = count > (size_t)query.limit;
    struct cursor next = { 0 };
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "items");
    json_start_array(&json);
    for (size_t i = 0; i < count - more; i++)
        rows_write_object(rows, i, place, &json);
    json_end_array(&json);
    if (more)
        next.text = rows_text(rows, count - 2, place);
    put_next_cursor(req, &json, "tasks", &next);
    json_end_object(&json);
    reply_reading(req, &body);
}

/* ---- one task ---- */

/* A task's id is any text of up to 64 bytes: a Python client may choose it. */
static bool param_task(struct request *req, const char **id)
{
    *id = request_param(req, "id");
    if ((*id)[0] != '\0' && strlen(*id) < TASK_ID_SIZE)
        return true;
    reply_not_found(req, "task");
    return false;
}

static void reply_task(struct request *req, const char *id, bool conditional)
{
    struct rows *rows = db_query(req->db, "SELECT " COLUMNS ", t.version FROM tasks t WHERE t.id = $1", "s",
                                 id);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    if (rows_count(rows) == 0) {
        reply_not_found(req, "task");
        return;
    }
    size_t version = rows_columns(rows) - 1;
    const char *etag = version_etag(req->arena, rows_int(rows, 0, version));
    if (!conditional)
        reply_header(req, "ETag", etag);
    else if (!reply_unless_unchanged(req, etag))
        return;
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    rows_write_object(rows, 0, version, &json);
    reply_json(req, 200, &body);
}

static void get(struct request *req)
{
    const char *id;
    if (param_task(req, &id))
        reply_task(req, id, true);
}

/* Begin, change, log, commit, answer with the task. change() answers when it fails. */
static void change_task(struct request *req, const char *action,
                        bool (*change)(struct request *req, const char *id))
{
    const char *id;
    struct error err;
    if (!param_task(req, &id))
        return;
    if (!db_begin(req->db, &err)) {
        reply_unavailable(req, "database_unavailable", 2, "The database is away; try again in a moment.");
        return;
    }
    const char *after = value_text(req->arena, value_defer(req->arena, json_pack("{s:s}", "id", id)));
    const struct audit_entry entry = { .action = action, .resource = "tasks", .after = after };
    bool ok = change(req, id) && audit_write(req, &entry);
    if (ok && !db_commit(req->db, &err)) {
        reply_unavailable(req, "database_unavailable", 2, "The change could not be committed; try again.");
        ok = false;
    }
    if (!ok) {
        db_rollback(req->db);
        return;
    }
    note_write(req);
    task_send(req->db, req->redis, req->arena, id); /* of one that was begun anew */
    reply_task(req, id, false);
}

/* What waits is cancelled at once; what runs is asked to stop, which its worker sees within seconds. */
static bool cancel_it(struct request *req, const char *id)
{
    struct rows *rows = db_query(
        req->db,
        "WITH mine AS (SELECT id, state FROM tasks WHERE id = $1 FOR UPDATE), "
        "done AS (UPDATE tasks t SET cancel_requested_at = coalesce(t.cancel_requested_at, now()), "
        "state = CASE WHEN t.state = 'running' THEN t.state ELSE 'cancelled' END, "
        "finished_at = CASE WHEN t.state = 'running' THEN NULL ELSE now() END FROM mine "
        "WHERE t.id = mine.id AND t.finished_at IS NULL RETURNING t.id) "
        "SELECT mine.state, done.id IS NOT NULL FROM mine LEFT JOIN done ON true",
        "s", id);
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    else if (rows_count(rows) == 0)
        reply_not_found(req, "task");
    else if (!rows_bool(rows, 0, 1))
        reply_problem(req, 409, "task_finished", "The task is over: %s.", rows_text(rows, 0, 0));
    else
        return true;
    return false;
}

static void cancel(struct request *req)
{
    change_task(req, "cancel", cancel_it);
}

static bool restart_it(struct request *req, const char *id)
{
    struct error err;
    if (task_restart(req->db, req->redis, req->arena, id, &err))
        return true;
    if (!error_is(&err, "task_not_finished")) {
        LOG_WARN("task not begun anew", LOG_TEXT("request_id", req->id), LOG_TEXT("message", err.message));
        reply_unavailable(req, "database_unavailable", 2, "The database is away; try again in a moment.");
        return false;
    }
    struct rows *rows = db_query(req->db, "SELECT state FROM tasks WHERE id = $1", "s", id);
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    else if (rows_count(rows) == 0)
        reply_not_found(req, "task");
    else
        reply_problem(req, 409, "task_not_finished", "The task is not over: %s.", rows_text(rows, 0, 0));
    return false;
}

static void retry(struct request *req)
{
    change_task(req, "retry", restart_it);
}

/* ---- document ---- */

#define TIME_OR_NULL "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"
#define TIME         "{\"type\":\"string\",\"format\":\"date-time\"}"
#define ID_OR_NULL   "{\"type\":[\"integer\",\"null\"],\"format\":\"int64\"}"

void task_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "Task",
        "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"},\"queue\":{"
        "\"type\":\"string\"},\"state\":{\"type\":\"string\",\"enum\":[\"scheduled\",\"waiting\",\"running\","
        "\"succeeded\",\"failed\",\"dead\",\"cancelled\"],\"description\":\"failed: again would not help; dead: the last "
        "attempt failed.\"},\"args\":{\"type\":\"array\",\"items\":{}},\"kwargs\":{\"type\":\"object\"},\"labels\":{"
        "\"type\":\"object\"},\"user_id\":" ID_OR_NULL ",\"client_id\":" ID_OR_NULL
        ",\"attempts\":{\"type\":\"integer\"},\"max_attempts\":{\"type\":[\"integer\",\"null\"]},\"progress\":{\"type\":["
        "\"object\",\"null\"],\"description\":\"done, total (null: unknown), message.\"},\"result\":{\"description\":"
        "\"What it answered; any value.\"},\"error\":{\"type\":[\"object\",\"null\"],\"description\":\"code, message.\"},"
        "\"worker\":{\"type\":[\"string\",\"null\"]},\"run_at\":" TIME ",\"started_at\":" TIME_OR_NULL
        ",\"finished_at\":" TIME_OR_NULL ",\"cancel_requested_at\":" TIME_OR_NULL ",\"created_at\":" TIME
        ",\"updated_at\":" TIME
        "},\"required\":[\"id\",\"name\",\"queue\",\"state\",\"args\",\"kwargs\",\"labels\",\"user_id\",\"client_id\","
        "\"attempts\",\"max_attempts\",\"progress\",\"result\",\"error\",\"worker\",\"run_at\",\"started_at\","
        "\"finished_at\",\"cancel_requested_at\",\"created_at\",\"updated_at\"]}");
    add(to, "TaskPage",
        "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{\"$ref\":"
        "\"#/components/schemas/Task\"}},\"next_cursor\":{\"type\":[\"string\",\"null\"]}},\"required\":[\"items\","
        "\"next_cursor\"]}");
}

#define ANSWERS(array)    .answers = (array), .answer_count = ARRAY_LEN(array)
#define PARAMETERS(array) .parameters = (array), .parameter_count = ARRAY_LEN(array)

static const struct parameter list_parameters_[] = {
    { .name = "limit", .type = VALUE_INT, .about = "Items of a page.", .min = 1, .max = LIST_LIMIT_MAX },
    { .name = "cursor", .type = VALUE_TEXT, .about = "next_cursor of the page before; opaque." },
    { .name = "state", .type = VALUE_ENUM, .words = states, .about = "Only these." },
    { .name = "queue", .type = VALUE_TEXT, .about = "Only those of this queue." },
    { .name = "name", .type = VALUE_TEXT, .about = "Only those of this type, such as `tracker.fetch_now`." },
};
static const struct parameter id_parameter[] = {
    { .name = "id", .type = VALUE_TEXT, .about = "Id of the task.", .required = true, .in = "path" },
};
static const struct answer page[] = { { 200, "TaskPage", "Newest first", NULL } };
static const struct answer one[] = {
    { 200, "Task", "The task", NULL },
    { 404, "Problem", "No such task of the caller's", NULL },
};
static const struct answer changed[] = {
    { 200, "Task", "The task as it is now", NULL },
    { 404, "Problem", "No such task of the caller's", NULL },
    { 409, "Problem", "It is over already, or not yet", NULL },
};

const struct route task_routes[] = {
    { HTTP_GET, "/api/v1/tasks", list, ACCESS_USER, .tag = "tasks", .summary = "List tasks",
      .about = "Admins see all, others those that they started. Newest first.", .operation_id = "listTasks",
      PARAMETERS(list_parameters_), ANSWERS(page) },
    { HTTP_GET, "/api/v1/tasks/{id}", get, ACCESS_USER, .tag = "tasks", .summary = "Read a task",
      .about = "Its state, progress, and in the end its result or error.", .operation_id = "getTask",
      PARAMETERS(id_parameter), ANSWERS(one) },
    { HTTP_POST, "/api/v1/tasks/{id}/cancel", cancel, ACCESS_MANAGER, .tag = "tasks",
      .summary = "Cancel a task",
      .about =
          "One that waits is cancelled at once, one that runs is asked to stop: what it did so far stands.",
      .operation_id = "cancelTask", PARAMETERS(id_parameter), ANSWERS(changed) },
    { HTTP_POST, "/api/v1/tasks/{id}/retry", retry, ACCESS_ADMIN, .tag = "tasks",
      .summary = "Begin a task anew", .about = "One that is over, whatever its end, with all its attempts.",
      .operation_id = "retryTask", PARAMETERS(id_parameter), ANSWERS(changed) },
};
const size_t task_route_count = ARRAY_LEN(task_routes);
