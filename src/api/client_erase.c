/* Erasing a client with all that is its: a look at what would go, then a task. */
#include <inttypes.h>
#include <string.h>

#include "api/accounts.h"
#include "api/app.h"
#include "api/db_problem.h"
#include "api/idempotency.h"
#include "api/task_start.h"
#include "api/tasks.h"
#include "base/json.h"
#include "store/rows_json.h"
#include "tasks/value.h"

#define NAME_MAX_BYTES 800 /* of a client: 200 characters */

static const char counts_sql[] =
    "SELECT c.id AS client_id, c.name, "
    "(SELECT count(*) FROM brands x WHERE x.client_id = c.id) AS \"counts.brands\", "
    "(SELECT count(*) FROM production_runs x WHERE x.client_id = c.id) AS \"counts.production_runs\", "
    "(SELECT count(*) FROM locations x WHERE x.client_id = c.id) AS \"counts.locations\", "
    "(SELECT count(*) FROM trackers x WHERE x.client_id = c.id) AS \"counts.trackers\", "
    "(SELECT count(*) FROM geofence_events x WHERE x.client_id = c.id) AS \"counts.events\", "
    "(SELECT count(*) FROM status_history x WHERE x.client_id = c.id) AS \"counts.status_history\", "
    "(SELECT count(*) FROM images x WHERE x.client_id = c.id) AS \"counts.images\", "
    "(SELECT count(*) FROM share_links x WHERE x.client_id = c.id) AS \"counts.share_links\", "
    "(SELECT count(*) FROM audit_log x WHERE x.client_id = c.id) AS \"counts.audit_log\", "
    "(SELECT count(*) FROM users u WHERE u.role <> 'admin' AND u.id IN (SELECT user_id FROM user_clients "
    "GROUP BY user_id HAVING array_agg(client_id) = ARRAY[c.id])) AS \"counts.users\" FROM clients c WHERE c.id = $1";

/* By day, since a count of single reports would read all of them. */
static const char reports_sql[] =
    "SELECT coalesce(sum(h.reports), 0)::bigint FROM trackers t JOIN location_history_daily h "
    "ON h.tracker_id = t.id WHERE t.client_id = $1";

struct erase_request {
    int64_t client;
    const char *confirm;
    bool preview;
};

static bool take_request(struct request *req, struct erase_request *wanted)
{
    static const char *const known[] = { "confirm", "preview", NULL };
    json_t *body;
    if (!param_id(req, "id", &wanted->client) || !request_json(req, &body))
        return false;
    body_known(req, body, known);
    const json_t *preview = json_object_get(body, "preview");
    if (preview != NULL && !json_is_boolean(preview))
        problem_field(req, "preview", "wrong_type", "must be true or false");
    wanted->preview = json_is_true(preview);
    wanted->confirm = wanted->preview ? NULL : body_text(req, body, "confirm", NAME_MAX_BYTES);
    if (!problem_pending(req))
        return true;
    reply_invalid(req);
    return false;
}

/* The client's counts; NULL: answered. */
static struct rows *find_client(struct request *req, int64_t client)
{
    struct rows *rows = db_query(req->db, counts_sql, "i", client);
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    else if (rows_count(rows) == 0)
        reply_not_found(req, "client");
    return rows_ok(rows) && rows_count(rows) > 0 ? rows : NULL;
}

static void reply_preview(struct request *req, const struct rows *client, int64_t id)
{
    struct buf body = { 0 };
    struct json json;
    struct rows *reports = db_query(req->db, reports_sql, "i", id);
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "client");
    rows_write_object(client, 0, SIZE_MAX, &json);
    json_key(&json, "reports");
    if (rows_ok(reports))
        json_int(&json, rows_int(reports, 0, 0));
    else /* there are very many: the rest of the answer stands without them */
        json_write_null(&json);
    json_end_object(&json);
    reply_json(req, 200, &body);
}

/* Nobody adds to an archived client any more. False: answered. */
static bool archive(struct request *req, int64_t client)
{
    struct rows *rows = db_query(
        req->db, "UPDATE clients SET archived_at = now() WHERE id = $1 AND archived_at IS NULL", "i", client);
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    return rows_ok(rows);
}

static void start(struct request *req, const struct erase_request *wanted, const char *name)
{
    bool own;
    json_t *kwargs = value_defer(req->arena, json_pack("{s:I, s:I}", "client_id", (json_int_t)wanted->client,
                                                       "user_id", (json_int_t)req->principal->user_id));
    /* Of nobody's data: the task must outlive the client. */
    const struct task_request task = { .name = "client.erase",
                                       .queue = "default",
                                       .kwargs = kwargs,
                                       .dedupe_key = arena_printf(req->arena, "client.erase:%" PRId64,
                                                                  wanted->client) };
    const struct audit_entry entry = {
        .action = "erase", .resource = "clients", .resource_id = wanted->client, .client_id = wanted->client
    };
    if (strcmp(name, wanted->confirm) != 0) {
        problem_field(req, "confirm", "invalid", "must be the client's name");
        reply_invalid(req);
        return;
    }
    if (!start_begin(req, &own))
        return;
    if (archive(req, wanted->client))
        start_task(req, own, &task, &entry);
    else if (own)
        db_rollback(req->db);
}

static void erase_once(struct request *req)
{
    struct erase_request wanted;
    if (!take_request(req, &wanted))
        return;
    struct rows *client = find_client(req, wanted.client);
    if (client == NULL)
        return;
    if (wanted.preview)
        reply_preview(req, client, wanted.client);
    else
        start(req, &wanted, rows_text(client, 0, 1));
}

/* POST /clients/{id}/erase */
static void erase(struct request *req)
{
    idempotent(req, erase_once);
}

void client_erase_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "ClientErase",
        "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"confirm\":{\"type\":\"string\","
        "\"minLength\":1,\"maxLength\":200,\"description\":\"The client's name, so that nobody erases the wrong one; not "
        "needed for a preview.\"},\"preview\":{\"type\":\"boolean\",\"description\":\"Only tell what would go.\"}}}");
    add(to, "ClientErasePreview",
        "{\"type\":\"object\",\"properties\":{\"client\":{\"type\":\"object\",\"properties\":{\"client_id\":{\"type\":"
        "\"integer\",\"format\":\"int64\"},\"name\":{\"type\":\"string\"},\"counts\":{\"type\":\"object\","
        "\"additionalProperties\":{\"type\":\"integer\"},\"description\":\"users: those who see no other client.\"}},"
        "\"required\":[\"client_id\",\"name\",\"counts\"]},\"reports\":{\"type\":[\"integer\",\"null\"],\"description\":"
        "\"Without those that are excluded or not usable; null when there are too many to count.\"}},\"required\":["
        "\"client\",\"reports\"]}");
}

static const struct parameter id_parameter[] = {
    { "id", VALUE_ID, NULL, "Id of the client", true, "path", 0, 0 },
};
static const struct answer answers[] = {
    { 200, "ClientErasePreview", "What would go", NULL },
    { 202, "TaskStarted", "The client is archived; the task erases it", NULL },
    { 404, "Problem", "No such client", NULL },
};

const struct route client_erase_routes[] = {
    { HTTP_POST, "/api/v1/clients/{id}/erase", erase, ACCESS_ADMIN, .tag = "clients",
      .summary = "Erase a client with all that is its",
      .about =
          "Brands, runs, places, trackers, keys, reports, history, images, its audit log, and users who see nothing "
          "else. It cannot be undone.",
      .operation_id = "eraseClient", .parameters = id_parameter, .parameter_count = 1,
      .body_schema = "ClientErase", .answers = answers, .answer_count = ARRAY_LEN(answers) },
};
const size_t client_erase_route_count = ARRAY_LEN(client_erase_routes);
