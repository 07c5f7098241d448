/* Judging anew, and what it would change: POST /trackers/{id}/replay and its like, and previews of edited
 * places.
 *
 * All of it is a task, since a run may have 100,000 trackers; a preview's findings are the task's result. */
#include <string.h>

#include "api/accounts.h"
#include "api/app.h"
#include "api/db_problem.h"
#include "api/idempotency.h"
#include "api/judging.h"
#include "api/resources.h"
#include "api/task_start.h"
#include "base/timeutil.h"

/* ---- judge anew ---- */

static const struct subject {
    const char *resource, *label, *argument;
    const char *client_sql; /* $1 id */
} subjects[] = {
    { "trackers", "tracker", "tracker", "SELECT client_id FROM trackers WHERE id = $1" },
    { "production-runs", "production run", "run", "SELECT client_id FROM production_runs WHERE id = $1" },
    { "clients", "client", "client", "SELECT id FROM clients WHERE id = $1" },
};

/* 0: answered. */
static int64_t client_of(struct request *req, const char *sql, const char *label, int64_t id)
{
    struct rows *rows = db_query(req->db, sql, "i", id);
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    else if (rows_count(rows) == 0)
        reply_not_found(req, label);
    return rows_ok(rows) && rows_count(rows) > 0 ? rows_int(rows, 0, 0) : 0;
}

struct replay_body {
    const char *from; /* as it was written; NULL: from the beginning */
    bool preview;
};

static bool take_body(struct request *req, struct replay_body *out)
{
    static const char *const known[] = { "from", "preview", NULL };
    json_t *body;
    int64_t from;
    *out = (struct replay_body){ 0 };
    if (!request_json(req, &body))
        return false;
    body_known(req, body, known);
    const json_t *preview = json_object_get(body, "preview");
    if (preview != NULL && !json_is_boolean(preview))
        problem_field(req, "preview", "wrong_type", "must be true or false");
    out->preview = json_is_true(preview);
    if (json_object_get(body, "from") != NULL && !json_is_null(json_object_get(body, "from"))) {
        out->from = body_text(req, body, "from", 40);
        if (out->from != NULL && !time_parse(out->from, &from))
            problem_field(req, "from", "invalid", "must be a time as in 2026-01-31T12:00:00Z");
    }
    if (!problem_pending(req))
        return true;
    reply_invalid(req);
    return false;
}

static void replay_once(struct request *req, const struct subject *subject)
{
    int64_t id;
    struct replay_body body;
    bool own;
    if (!param_id(req, "id", &id) || !take_body(req, &body))
        return;
    int64_t client = client_of(req, subject->client_sql, subject->label, id);
    if (client == 0 || !start_begin(req, &own))
        return;
    json_t *args = json_pack("[s, I, s?, b]", subject->argument, (json_int_t)id, body.from,
                             (int)body.preview);
    const struct task_request task = {
        .name = "judge.replay", .queue = "judge", .args = args, .client_id = client
    };
    const struct audit_entry entry = { .action = body.preview ? "preview-replay" : "replay",
                                       .resource = subject->resource,
                                       .resource_id = id,
                                       .client_id = client };
    start_task(req, own, &task, &entry);
    json_decref(args);
}

static void replay_tracker_once(struct request *req)
{
    replay_once(req, &subjects[0]);
}

static void replay_run_once(struct request *req)
{
    replay_once(req, &subjects[1]);
}

static void replay_client_once(struct request *req)
{
    replay_once(req, &subjects[2]);
}

/* POST /trackers/{id}/replay {from, preview} */
static void replay_tracker(struct request *req)
{
    idempotent(req, replay_tracker_once);
}

/* POST /production-runs/{id}/replay */
static void replay_run(struct request *req)
{
    idempotent(req, replay_run_once);
}

/* POST /clients/{id}/replay */
static void replay_client(struct request *req)
{
    idempotent(req, replay_client_once);
}

/* ---- what another shape would change ---- */

/* Fields of a location that have a part in judging; the columns of its view have the same names. */
static const struct {
    const char *name;
    bool is_json;
} shape_fields[] = {
    { "radius_m", false },
    { "polygon", true },
    { "hysteresis_m", false },
    { "valid_from", false },
};

static const struct field_value *given(const struct resource *resource, const struct field_value *values,
                                       const char *name)
{
    for (size_t i = 0; i < resource->field_count; i++)
        if (strcmp(resource->fields[i].name, name) == 0 && values[i].given)
            return &values[i];
    return NULL;
}

/* The columns that the edit would set, for the task. */
static json_t *shape_changes(const struct resource *resource, const struct field_value *values)
{
    json_t *changes = json_object();
    const struct field_value *center = given(resource, values, "center");
    if (center != NULL) {
        json_object_set_new(changes, "latitude",
                            center->text != NULL ? json_string(center->text) : json_null());
        json_object_set_new(changes, "longitude",
                            center->more != NULL ? json_string(center->more) : json_null());
    }
    for (size_t i = 0; i < ARRAY_LEN(shape_fields); i++) {
        const struct field_value *value = given(resource, values, shape_fields[i].name);
        if (value == NULL)
            continue;
        json_t *set = json_null();
        if (value->text != NULL)
            set = shape_fields[i].is_json ? json_loads(value->text, 0, NULL) : json_string(value->text);
        json_object_set_new(changes, shape_fields[i].name, set);
    }
    return changes;
}

/* The fields of a PATCH that draw the place; names and addresses change nothing. */
static bool take_shape(struct request *req, const struct resource *resource, json_t **changes)
{
    static const char *const known[] = { "center",    "radius_m",       "polygon", "hysteresis_m",
                                         "effective", "effective_from", NULL };
    json_t *body;
    if (!request_json(req, &body))
        return false;
    body_known(req, body, known);
    struct field_value *values = arena_zalloc(req->arena, resource->field_count, sizeof(*values));
    if (!problem_pending(req))
        body_validate(req, resource, body, false, values);
    if (problem_pending(req)) {
        reply_invalid(req);
        return false;
    }
    *changes = shape_changes(resource, values);
    return true;
}

static void preview_place(struct request *req, const struct resource *resource, const char *kind)
{
    int64_t id;
    json_t *changes;
    bool own;
    if (!param_id(req, "id", &id) || !take_shape(req, resource, &changes))
        return;
    const char *sql = arena_printf(req->arena,
                                   "SELECT client_id FROM locations WHERE id = $1 AND kind = '%s'", kind);
    int64_t client = client_of(req, sql, resource->label, id);
    json_t *args = json_pack("[I, o]", (json_int_t)id, changes);
    const struct task_request task = {
        .name = "judge.preview_place", .queue = "judge", .args = args, .client_id = client
    };
    const struct audit_entry entry = {
        .action = "preview", .resource = resource->name, .resource_id = id, .client_id = client
    };
    if (client != 0 && start_begin(req, &own))
        start_task(req, own, &task, &entry);
    json_decref(args);
}

static void preview_storage_once(struct request *req)
{
    preview_place(req, &storage_locations_resource, "storage");
}

static void preview_delivery_once(struct request *req)
{
    preview_place(req, &delivery_locations_resource, "delivery");
}

/* POST /storage-locations/{id}/preview {center, radius_m, polygon, hysteresis_m, effective, effective_from}
 */
static void preview_storage(struct request *req)
{
    idempotent(req, preview_storage_once);
}

/* POST /delivery-locations/{id}/preview */
static void preview_delivery(struct request *req)
{
    idempotent(req, preview_delivery_once);
}

/* ---- description ---- */

void judging_replay_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "Replay",
        "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
        "\"from\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\",\"description\":\"Reports from this time on; all when left "
        "out.\"},\"preview\":{\"type\":\"boolean\",\"default\":false,\"description\":\"Change nothing; the task's result tells what "
        "would change: changes (the first 1,000 rows that would go or come), trackers, trackers_changed, rows, complete.\"}}}");
    add(to, "PlacePreview",
        "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"center\":{\"type\":[\"object\",\"null\"],\"properties\":{"
        "\"latitude\":{\"type\":\"number\",\"minimum\":-90,\"maximum\":90},\"longitude\":{\"type\":\"number\",\"minimum\":-180,"
        "\"maximum\":180}},\"required\":[\"latitude\",\"longitude\"],\"additionalProperties\":false},"
        "\"radius_m\":{\"type\":[\"number\",\"null\"],\"minimum\":50,\"maximum\":50000},\"polygon\":{\"type\":[\"object\",\"null\"],"
        "\"description\":\"GeoJSON Polygon.\"},\"hysteresis_m\":{\"type\":[\"number\",\"null\"],\"minimum\":0,\"maximum\":1000},"
        "\"effective\":{\"enum\":[\"correction\",\"from\"]},\"effective_from\":{\"type\":\"string\",\"format\":\"date-time\"}}}");
}

#define ANSWERS(array)    .answers = (array), .answer_count = ARRAY_LEN(array)
#define PARAMETERS(array) .parameters = (array), .parameter_count = ARRAY_LEN(array)

static const struct parameter id_parameter[] = {
    { "id", VALUE_ID, NULL, NULL, true, "path", 0, 0 },
};
static const struct answer started[] = {
    { 202, "TaskStarted", "Begun; a preview's findings are the task's result", NULL },
    { 404, "Problem", "No such row, or not yours", NULL },
};

#define REPLAY(path_, tag_, handle_, what, id)                                                                         \
    {                                                                                                                  \
        HTTP_POST, "/api/v1/" path_ "/{id}/replay", handle_, ACCESS_MANAGER,                                           \
            .tag = (tag_), .summary = "Judge " what " anew",                                                           \
            .about =                                                                                                   \
                "From the reports that are stored. What comes out the same keeps its rows, and nobody is told twice.", \
            .operation_id = (id), PARAMETERS(id_parameter), .body_schema = "Replay", ANSWERS(started)                  \
    }

#define PREVIEW(path_, handle_, id)                                                                                    \
    {                                                                                                                  \
        HTTP_POST, "/api/v1/" path_ "/{id}/preview", handle_, ACCESS_MANAGER,                                          \
            .tag = (path_), .summary = "What another shape would change",                                              \
            .about =                                                                                                   \
                "Takes the shape of a PATCH and changes nothing: the task's result is the rows of the histories that " \
                "would go and come, of 2,000 trackers at most.",                                                       \
            .operation_id = (id), PARAMETERS(id_parameter), .body_schema = "PlacePreview", ANSWERS(started)            \
    }

const struct route replay_routes[] = {
    REPLAY("trackers", "trackers", replay_tracker, "a tracker", "replayTracker"),
    REPLAY("production-runs", "production-runs", replay_run, "the trackers of a production run",
           "replayProductionRun"),
    REPLAY("clients", "clients", replay_client, "the trackers of a client", "replayClient"),
    PREVIEW("storage-locations", preview_storage, "previewStorageLocation"),
    PREVIEW("delivery-locations", preview_delivery, "previewDeliveryLocation"),
};
const size_t replay_route_count = ARRAY_LEN(replay_routes);
