/* Notifications: how many are unread, and marking them read. */
#include "api/notifications.h"

#include <inttypes.h>

#include "api/accounts.h"
#include "api/app.h"
#include "api/db_problem.h"
#include "api/idempotency.h"
#include "base/json.h"

#define MAX_IDS 500 /* as many as a page shows */

/* Counted no further: beyond it a badge says "999+" anyway. */
#define COUNTED "1000"

static void reply_number(struct request *req, const char *name, int64_t number)
{
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_put_int(&json, name, number);
    json_end_object(&json);
    reply_json(req, 200, &body);
}

/* GET /notifications/unread-count. Row security leaves the caller's own. */
static void get_unread(struct request *req)
{
    struct rows *rows = db_query(req->db,
                                 "SELECT count(*) FROM (SELECT FROM notifications"
                                 " WHERE user_id = $1 AND read_at IS NULL LIMIT " COUNTED ") n",
                                 "i", req->principal->user_id);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    reply_header(req, "Cache-Control", "no-store");
    reply_number(req, "unread", rows_int(rows, 0, 0));
}

/* {"ids": […]} or {"all": true}. False: answered. */
static bool take_which(struct request *req, bool *all, int64_t **ids, size_t *n)
{
    static const char *const known[] = { "ids", "all", NULL };
    json_t *body, *item;
    size_t i;
    if (!request_json(req, &body))
        return false;
    body_known(req, body, known);
    json_t *list = json_object_get(body, "ids"), *flag = json_object_get(body, "all");
    *all = json_is_true(flag);
    *n = json_is_array(list) ? json_array_size(list) : 0;
    if (flag != NULL && !json_is_true(flag))
        problem_field(req, "all", "invalid", "must be true when it is given");
    if (list != NULL && (!json_is_array(list) || *n == 0 || *n > MAX_IDS))
        problem_field(req, "ids", "invalid", "must be an array of 1 to %d ids", MAX_IDS);
    if ((list == NULL) == (flag == NULL))
        problem_field(req, "ids", "required", "give either ids or all");
    *ids = arena_zalloc(req->arena, *n + 1, sizeof(**ids));
    json_array_foreach(list, i, item)
    {
        if (!json_is_integer(item) || json_integer_value(item) < 1) {
            problem_field(req, "ids", "invalid", "must hold ids of notifications");
            break;
        }
        (*ids)[i] = json_integer_value(item);
    }
    if (problem_pending(req))
        reply_invalid(req);
    return !problem_pending(req);
}

/* POST /notifications/read. Ids of others' notifications are passed over: they do not exist for the caller.
 */
static void mark_read(struct request *req)
{
    bool all;
    int64_t *ids;
    size_t n;
    if (!take_which(req, &all, &ids, &n))
        return;
    struct rows *rows = db_query(
        req->db,
        "UPDATE notifications SET read_at = now() WHERE user_id = $1 AND read_at IS NULL"
        " AND ($2::boolean OR id = ANY ($3::bigint[]))",
        "iba", req->principal->user_id, (int)all, ids, n);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    note_write(req);
    reply_number(req, "marked", (int64_t)rows_affected(rows));
}

static void post_read(struct request *req)
{
    idempotent(req, mark_read);
}

static const struct answer unread_answers[] = { { 200, "UnreadCount", "How many; at most " COUNTED "." } };
static const struct answer read_answers[] = {
    { 200, "NotificationsMarked", "How many were unread." },
    { 422, "Problem", "The body is not valid.", "application/problem+json" },
};

const struct route notification_routes[] = {
    { .method = HTTP_GET,
      .path = "/api/v1/notifications/unread-count",
      .handle = get_unread,
      .access = ACCESS_USER,
      .tag = "notifications",
      .summary = "How many notifications are unread",
      .operation_id = "countUnreadNotifications",
      .answers = unread_answers,
      .answer_count = ARRAY_LEN(unread_answers) },
    { .method = HTTP_POST,
      .path = "/api/v1/notifications/read",
      .handle = post_read,
      .access = ACCESS_USER,
      .tag = "notifications",
      .summary = "Mark notifications read",
      .about = "Those that are named, or all. Marking twice is fine.",
      .operation_id = "markNotificationsRead",
      .body_schema = "NotificationsRead",
      .answers = read_answers,
      .answer_count = ARRAY_LEN(read_answers) },
};
const size_t notification_route_count = ARRAY_LEN(notification_routes);

void notification_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "UnreadCount",
        "{\"type\":\"object\",\"properties\":{\"unread\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":" COUNTED
        "}},\"required\":[\"unread\"],\"additionalProperties\":false}");
    add(to, "NotificationsMarked",
        "{\"type\":\"object\",\"properties\":{\"marked\":{\"type\":\"integer\",\"minimum\":0}},\"required\":["
        "\"marked\"],\"additionalProperties\":false}");
    add(to, "NotificationsRead",
        "{\"anyOf\":[{\"type\":\"object\",\"properties\":{\"ids\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":500,"
        "\"items\":{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1}}},\"required\":[\"ids\"],"
        "\"additionalProperties\":false},{\"type\":\"object\",\"properties\":{\"all\":{\"const\":true}},\"required\":"
        "[\"all\"],\"additionalProperties\":false}]}");
}
