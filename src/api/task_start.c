/* Starting tasks from handlers. */
#include "api/task_start.h"

#include "api/app.h"
#include "api/db_problem.h"
#include "base/json.h"
#include "base/log.h"

static void reply_away(struct request *req)
{
    reply_unavailable(req, "database_unavailable", 2, "The database is away; try again in a moment.");
}

bool start_begin(struct request *req, bool *own)
{
    struct error err;
    *own = !db_in_transaction(req->db);
    if (!*own || db_begin(req->db, &err))
        return true;
    reply_away(req);
    return false;
}

bool start_finish(struct request *req, bool own, const struct audit_entry *entry)
{
    struct error err;
    bool logged = audit_write(req, entry);
    /* Its row locks last until the commit, so it comes last. */
    struct rows *rows = logged ? db_query(req->db, "SELECT count(*) FROM bump_generations(ARRAY[$1::bigint])",
                                          "i", entry->client_id)
                               : NULL;
    if (rows != NULL && !rows_ok(rows))
        reply_db_problem(req, rows);
    bool ok = rows != NULL && rows_ok(rows);
    if (own && ok && !db_commit(req->db, &err)) {
        reply_unavailable(req, "database_unavailable", 2, "The change could not be committed; try again.");
        ok = false;
    }
    if (own && !ok)
        db_rollback(req->db);
    if (ok)
        note_write(req);
    return ok;
}

void start_task(struct request *req, bool own, const struct task_request *task,
                const struct audit_entry *entry)
{
    char id[TASK_ID_SIZE];
    struct error err;
    if (!task_enqueue(req->db, req->redis, req->arena, task, id, &err)) {
        LOG_WARN("task not started", LOG_TEXT("request_id", req->id), LOG_TEXT("task", task->name),
                 LOG_TEXT("reason", err.message));
        if (own)
            db_rollback(req->db);
        reply_away(req);
        return;
    }
    if (!start_finish(req, own, entry))
        return;
    if (own) /* else a worker finds the row once the transaction of the key has ended */
        task_send(req->db, req->redis, req->arena, id);
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_put_text(&json, "task_id", id);
    json_end_object(&json);
    reply_json(req, 202, &body);
}

void start_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "TaskStarted",
        "{\"type\":\"object\",\"properties\":{\"task_id\":{\"type\":\"string\",\"description\":\"See GET "
        "/tasks/{id}.\"}},\"required\":[\"task_id\"],\"additionalProperties\":false}");
}
