/* Fetching one tracker now, or a stretch of its past again: tasks that put it at the head of the queue. */
#include <inttypes.h>

#include "api/accounts.h"
#include "api/app.h"
#include "api/apple_accounts.h"
#include "api/db_problem.h"
#include "api/idempotency.h"
#include "api/task_start.h"
#include "base/timeutil.h"

/* The client of a tracker in use; 0: answered. */
static int64_t client_of(struct request *req, int64_t tracker)
{
    struct rows *rows = db_query(
        req->db, "SELECT client_id FROM trackers WHERE id = $1 AND archived_at IS NULL", "i", tracker);
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    else if (rows_count(rows) == 0)
        reply_not_found(req, "tracker in use");
    return rows_ok(rows) && rows_count(rows) > 0 ? rows_int(rows, 0, 0) : 0;
}

/* Takes args. Whoever asks again while the task waits is told of that one. */
static void start(struct request *req, int64_t tracker, const char *action, const char *name,
                  const char *queue, json_t *args)
{
    bool own;
    int64_t client = client_of(req, tracker);
    const char *key = arena_printf(req->arena, "%s:%" PRId64, name, tracker);
    const struct task_request task = {
        .name = name, .queue = queue, .args = args, .client_id = client, .dedupe_key = key
    };
    const struct audit_entry entry = {
        .action = action, .resource = "trackers", .resource_id = tracker, .client_id = client
    };
    if (client != 0 && start_begin(req, &own))
        start_task(req, own, &task, &entry);
    json_decref(args);
}

static void refresh_once(struct request *req)
{
    int64_t id;
    if (param_id(req, "id", &id))
        start(req, id, "refresh", "tracker.fetch_now", "fetch", json_pack("[I]", (json_int_t)id));
}

/* POST /trackers/{id}/refresh */
static void refresh(struct request *req)
{
    idempotent(req, refresh_once);
}

/* A time of the body as it was written; NULL: left out, or a problem was noted. */
static const char *take_time(struct request *req, json_t *body, const char *name, int64_t *at)
{
    const char *text = json_object_get(body, name) != NULL ? body_text(req, body, name, 40) : NULL;
    if (text != NULL && !time_parse(text, at))
        problem_field(req, name, "invalid", "must be a time as in 2026-01-31T12:00:00Z");
    return text;
}

static void refresh_history_once(struct request *req)
{
    static const char *const known[] = { "from", "to", NULL };
    int64_t id, from = 0, to = 0;
    json_t *body;
    if (!param_id(req, "id", &id) || !request_json(req, &body))
        return;
    body_known(req, body, known);
    const char *from_text = take_time(req, body, "from", &from), *to_text = take_time(req, body, "to", &to);
    if (from_text == NULL && !problem_pending(req))
        problem_field(req, "from", "required", "is required");
    if (from_text != NULL && to_text != NULL && from >= to)
        problem_field(req, "to", "out_of_range", "must be after from");
    if (problem_pending(req))
        reply_invalid(req);
    else
        start(req, id, "refresh-history", "tracker.history_refresh", "history",
              json_pack("[I, s, s?]", (json_int_t)id, from_text, to_text));
}

/* POST /trackers/{id}/history-refresh {from, to} */
static void refresh_history(struct request *req)
{
    idempotent(req, refresh_history_once);
}

void tracker_refresh_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "HistoryRefresh",
        "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"from\"],\"properties\":{\"from\":{"
        "\"type\":\"string\",\"format\":\"date-time\",\"description\":\"Apple keeps reports for seven days.\"},"
        "\"to\":{\"type\":\"string\",\"format\":\"date-time\",\"description\":\"Now when left out.\"}}}");
}

#define ANSWERS(array)    .answers = (array), .answer_count = ARRAY_LEN(array)
#define PARAMETERS(array) .parameters = (array), .parameter_count = ARRAY_LEN(array)

static const struct parameter id_parameter[] = {
    { "id", VALUE_ID, NULL, "Id of the tracker", true, "path", 0, 0 },
};
static const struct answer started[] = {
    { 202, "TaskStarted", "At the head of the queue; the task's result says what came", NULL },
    { 404, "Problem", "No such tracker in use", NULL },
};

const struct route tracker_refresh_routes[] = {
    { HTTP_POST, "/api/v1/trackers/{id}/refresh", refresh, ACCESS_ADMIN, .tag = "trackers",
      .summary = "Fetch a tracker's reports now",
      .about = "Puts it at the head of the queue. Apple is asked when an account may be used next.",
      .operation_id = "refreshTracker", PARAMETERS(id_parameter), ANSWERS(started) },
    { HTTP_POST, "/api/v1/trackers/{id}/history-refresh", refresh_history, ACCESS_ADMIN, .tag = "trackers",
      .summary = "Fetch a stretch of a tracker's past again",
      .about = "As far as Apple still has it. What is stored already is not stored twice.",
      .operation_id = "refreshTrackerHistory", PARAMETERS(id_parameter), .body_schema = "HistoryRefresh",
      ANSWERS(started) },
};
const size_t tracker_refresh_route_count = ARRAY_LEN(tracker_refresh_routes);
