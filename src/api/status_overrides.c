/* Statuses set by hand: PUT, GET and DELETE /trackers/{id}/status-override.
 *
 * An override is a source like a report: it is kept, and the judge writes the status history from both. So an
 * answer here says what was set; the status itself follows a moment later, with a live event. */
#include <string.h>

#include "api/accounts.h"
#include "api/app.h"
#include "api/db_problem.h"
#include "api/judging.h"
#include "api/task_start.h"
#include "base/encode.h"
#include "base/timeutil.h"
#include "store/rows_json.h"

#define MAX_REASON 1000 /* characters, as in status_overrides_reason_length */

#define COLUMNS "o.id, o.tracker_id, o.at, o.status, o.location_id, o.reason, o.user_id, o.created_at"

/* The newest that was not withdrawn, while nothing judged has ended it: the last row of the history is its
 * own, is older than it, or (the override says what was so already) there is none between. */
static const char in_force_sql[] =
    "SELECT t.client_id, " COLUMNS " FROM trackers t LEFT JOIN LATERAL (SELECT x.* FROM status_overrides x"
    "  WHERE x.tracker_id = t.id AND x.withdrawn_at IS NULL ORDER BY x.at DESC, x.id DESC LIMIT 1) o"
    "  ON NOT EXISTS (SELECT FROM status_history h WHERE h.tracker_id = t.id AND h.since > o.at AND h.override_id IS NULL)"
    " WHERE t.id = $1";

/* A status of a place needs a place of its kind, or none. */
static const struct {
    const char *status, *kind;
} settable[] = {
    { "IN_TRANSIT", NULL },
    { "IN_STORAGE", "storage" },
    { "DELIVERED", "delivery" },
};

struct override_body {
    size_t status; /* index of settable */
    int64_t location;
    const char *reason;
    int64_t at;
};

/* ---- the body ---- */

static void take_status(struct request *req, json_t *body, struct override_body *out)
{
    const char *status = body_text(req, body, "status", 20);
    if (status == NULL)
        return;
    while (out->status < ARRAY_LEN(settable) && strcmp(settable[out->status].status, status) != 0)
        out->status++;
    if (out->status == ARRAY_LEN(settable))
        problem_field(req, "status", "not_one_of", "must be IN_TRANSIT, IN_STORAGE or DELIVERED");
}

static void take_location(struct request *req, json_t *body, struct override_body *out)
{
    const json_t *location = json_object_get(body, "location_id");
    if (location == NULL || json_is_null(location))
        return;
    out->location = json_integer_value(location);
    if (!json_is_integer(location) || out->location <= 0)
        problem_field(req, "location_id", "wrong_type", "must be a positive integer");
    else if (out->status < ARRAY_LEN(settable) && settable[out->status].kind == NULL)
        problem_field(req, "location_id", "conflict", "goods in transit are in no place");
}

static void take_reason(struct request *req, json_t *body, struct override_body *out)
{
    out->reason = body_text(req, body, "reason", 4 * (size_t)MAX_REASON);
    if (out->reason != NULL && utf8_length(out->reason, strlen(out->reason)) > MAX_REASON)
        problem_field(req, "reason", "too_long", "must have at most %d characters", MAX_REASON);
}

static void take_at(struct request *req, json_t *body, struct override_body *out)
{
    static const int64_t leeway = MINUTES(1); /* of the caller's clock */
    out->at = time_now();
    if (json_object_get(body, "at") == NULL || json_is_null(json_object_get(body, "at")))
        return;
    const char *text = body_text(req, body, "at", 40);
    int64_t at;
    if (text == NULL)
        return;
    if (!time_parse(text, &at) || at < 0)
        problem_field(req, "at", "invalid", "must be a time as in 2026-01-31T12:00:00Z");
    else if (at > out->at + leeway)
        problem_field(req, "at", "out_of_range", "must not lie in the future");
    else
        out->at = at;
}

static bool take_body(struct request *req, struct override_body *out)
{
    static const char *const known[] = { "status", "location_id", "reason", "at", NULL };
    json_t *body;
    *out = (struct override_body){ 0 };
    if (!request_json(req, &body))
        return false;
    body_known(req, body, known);
    take_status(req, body, out);
    take_location(req, body, out);
    take_reason(req, body, out);
    take_at(req, body, out);
    if (!problem_pending(req))
        return true;
    reply_invalid(req);
    return false;
}

/* ---- set ---- */

/* The tracker's client; 0: answered. */
static int64_t check_subject(struct request *req, int64_t tracker, const struct override_body *body)
{
    struct rows *rows = db_query(
        req->db,
        "SELECT t.client_id, $2 = 0 OR EXISTS (SELECT FROM locations l WHERE l.id = $2"
        " AND l.client_id = t.client_id AND l.kind::text = $3) FROM trackers t"
        " WHERE t.id = $1 AND t.archived_at IS NULL",
        "iis", tracker, body->location, settable[body->status].kind);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return 0;
    }
    if (rows_count(rows) == 0) {
        reply_not_found(req, "tracker in use");
        return 0;
    }
    if (rows_bool(rows, 0, 1))
        return rows_int(rows, 0, 0);
    problem_field(req, "location_id", "not_found", "the client has no such %s location",
                  settable[body->status].kind);
    reply_invalid(req);
    return 0;
}

static void reply_override(struct request *req, const struct rows *rows, size_t skip_from)
{
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    rows_write_object(rows, 0, skip_from, &json);
    reply_json(req, 200, &body);
}

/* PUT /trackers/{id}/status-override {status, location_id, reason, at} */
static void put_override(struct request *req)
{
    int64_t tracker;
    struct override_body body;
    bool own;
    if (!param_id(req, "id", &tracker) || !take_body(req, &body))
        return;
    int64_t client = check_subject(req, tracker, &body);
    if (client == 0 || !start_begin(req, &own))
        return;
    struct rows *rows = db_query(
        req->db,
        "INSERT INTO status_overrides AS o (client_id, tracker_id, at, status, location_id, reason)"
        " VALUES ($1, $2, $3, $4::tracker_status, nullif($5, 0), $6) RETURNING " COLUMNS,
        "iitsis", client, tracker, body.at, settable[body.status].status, body.location, body.reason);
    if (!rows_ok(rows)) {
        if (own)
            db_rollback(req->db);
        reply_db_problem(req, rows);
        return;
    }
    struct buf after = { 0 };
    struct json json;
    json_begin(&json, &after);
    rows_write_object(rows, 0, SIZE_MAX, &json);
    const struct audit_entry entry = { .action = "override-status",
                                       .resource = "trackers",
                                       .resource_id = tracker,
                                       .client_id = client,
                                       .after = buf_text(&after) };
    if (start_finish(req, own, &entry)) {
        task_hint(req->redis, "judge.inbox");
        reply_override(req, rows, SIZE_MAX);
    }
    buf_free(&after);
}

/* ---- look ---- */

/* The tracker and its override in force (nulls: none), or NULL: answered. */
static struct rows *find_override(struct request *req, int64_t tracker)
{
    struct rows *rows = db_query(req->db, in_force_sql, "i", tracker);
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    else if (rows_count(rows) == 0)
        reply_not_found(req, "tracker");
    else
        return rows;
    return NULL;
}

/* GET /trackers/{id}/status-override - no content where there is none, which is the usual case and no fault.
 */
static void get_override(struct request *req)
{
    int64_t tracker;
    if (!param_id(req, "id", &tracker))
        return;
    struct rows *rows = find_override(req, tracker);
    if (rows == NULL)
        return;
    if (rows_null(rows, 0, 1)) {
        reply_empty(req, 204);
        return;
    }
    rows = db_query(req->db, "SELECT " COLUMNS " FROM status_overrides o WHERE o.id = $1", "i",
                    rows_int(rows, 0, 1));
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    else if (rows_count(rows) == 0)
        reply_not_found(req, "tracker");
    else
        reply_override(req, rows, SIZE_MAX);
}

/* ---- withdraw ---- */

/* DELETE /trackers/{id}/status-override - as if it had never been set; the row stays. */
static void delete_override(struct request *req)
{
    int64_t tracker;
    bool own;
    if (!param_id(req, "id", &tracker))
        return;
    struct rows *found = find_override(req, tracker);
    if (found == NULL)
        return;
    if (rows_null(found, 0, 1)) {
        reply_not_found(req, "status set by hand that is in force");
        return;
    }
    if (!start_begin(req, &own))
        return;
    struct rows *rows = db_query(req->db, "UPDATE status_overrides SET withdrawn_at = now() WHERE id = $1",
                                 "i", rows_int(found, 0, 1));
    if (!rows_ok(rows)) {
        if (own)
            db_rollback(req->db);
        reply_db_problem(req, rows);
        return;
    }
    const struct audit_entry entry = { .action = "withdraw-override",
                                       .resource = "trackers",
                                       .resource_id = tracker,
                                       .client_id = rows_int(found, 0, 0) };
    if (!start_finish(req, own, &entry))
        return;
    task_hint(req->redis, "judge.inbox");
    reply_empty(req, 204);
}

/* ---- description ---- */

void judging_override_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "StatusOverridePut",
        "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"status\",\"reason\"],\"properties\":{"
        "\"status\":{\"enum\":[\"IN_TRANSIT\",\"IN_STORAGE\",\"DELIVERED\"]},"
        "\"location_id\":{\"type\":[\"integer\",\"null\"],\"minimum\":1,\"description\":\"A storage location for IN_STORAGE, a "
        "delivery location for DELIVERED; may be left out.\"},"
        "\"reason\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":1000,\"description\":\"Shown with the status.\"},"
        "\"at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\",\"description\":\"Since when; now when left out. Not in "
        "the future.\"}}}");
    add(to, "StatusOverride",
        "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"id\",\"tracker_id\",\"at\",\"status\",\"location_id\","
        "\"reason\",\"user_id\",\"created_at\"],\"properties\":{\"id\":{\"type\":\"integer\"},\"tracker_id\":{\"type\":\"integer\"},"
        "\"at\":{\"type\":\"string\",\"format\":\"date-time\"},\"status\":{\"enum\":[\"CREATED\",\"IN_TRANSIT\",\"IN_STORAGE\","
        "\"DELIVERED\"]},\"location_id\":{\"type\":[\"integer\",\"null\"]},\"reason\":{\"type\":\"string\"},"
        "\"user_id\":{\"type\":[\"integer\",\"null\"]},\"created_at\":{\"type\":\"string\",\"format\":\"date-time\"}}}");
}

#define ANSWERS(array)    .answers = (array), .answer_count = ARRAY_LEN(array)
#define PARAMETERS(array) .parameters = (array), .parameter_count = ARRAY_LEN(array)

static const struct parameter id_parameter[] = {
    { "id", VALUE_ID, NULL, "Id of the tracker", true, "path", 0, 0 },
};
static const struct answer put_answers[] = {
    { 200, "StatusOverride", "Set; the status follows within moments", NULL },
    { 404, "Problem", "No such tracker in use", NULL },
};
static const struct answer get_answers[] = {
    { 200, "StatusOverride", "The status set by hand that is in force", NULL },
    { 204, NULL, "The status is not set by hand", NULL },
    { 404, "Problem", "No such tracker", NULL },
};
static const struct answer delete_answers[] = {
    { 204, NULL, "Withdrawn; the status follows within moments", NULL },
    { 404, "Problem", "No such tracker, or its status is not set by hand", NULL },
};

#define PATH "/api/v1/trackers/{id}/status-override"

const struct route status_override_routes[] = {
    { HTTP_PUT, PATH, put_override, ACCESS_MANAGER, .tag = "trackers",
      .summary = "Set a tracker's status by hand",
      .about =
          "Holds until the next change of place. It is a row of the status history, with the user and the reason.",
      .operation_id = "setTrackerStatus", PARAMETERS(id_parameter), .body_schema = "StatusOverridePut",
      ANSWERS(put_answers) },
    { HTTP_GET, PATH, get_override, ACCESS_USER, .tag = "trackers",
      .summary = "The status set by hand that is in force", .operation_id = "getTrackerStatusOverride",
      PARAMETERS(id_parameter), ANSWERS(get_answers) },
    { HTTP_DELETE, PATH, delete_override, ACCESS_MANAGER, .tag = "trackers",
      .summary = "Withdraw a status set by hand",
      .about = "The history is as if it had not been set; the audit log tells of both.",
      .operation_id = "withdrawTrackerStatus", PARAMETERS(id_parameter), ANSWERS(delete_answers) },
};
const size_t status_override_route_count = ARRAY_LEN(status_override_routes);
