/* Handing tasks over: the row first, then the message. */
#include "tasks/queue.h"

#include <sodium.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/timeutil.h"
#include "tasks/keys.h"
#include "tasks/message.h"
#include "tasks/stream.h"
#include "tasks/value.h"

/* Messages kept in one stream, about: nobody deletes those that are done. */
#define STREAM_LENGTH 100000

void task_new_id(char id[TASK_ID_SIZE])
{
    unsigned char random[16];
    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(id, TASK_ID_SIZE, random, sizeof(random));
}

static const char *text_or(struct arena *arena, const json_t *value, const char *fallback)
{
    return value == NULL ? fallback : value_text(arena, value);
}

static bool failed(const struct rows *rows, struct error *err)
{
    const char *code = rows_status(rows) == DB_UNAVAILABLE ? "database_unavailable"
                       : rows_status(rows) == DB_CHECK     ? "task_invalid"
                                                           : "database_error";
    return error_set(err, code, "the task could not be added: %s", rows_message(rows));
}

bool task_enqueue(struct db *db, struct redis *redis, struct arena *arena, const struct task_request *request,
                  char id[TASK_ID_SIZE], struct error *err)
{
    char fresh[TASK_ID_SIZE];
    const int64_t client = request->client_id, attempts = request->max_attempts;
    const int64_t at = request->run_at > 0 ? request->run_at : time_now();
    if (request->id == NULL)
        task_new_id(fresh);
    else if (!text_copy(fresh, sizeof(fresh), request->id))
        return error_set(err, "task_invalid", "the id has more than %d bytes", TASK_ID_SIZE - 1);
    struct rows *rows = db_query(db,
                                 "SELECT enqueue_task($1, $2, $3, $4::jsonb, $5::jsonb, $6::jsonb, $7, $8, "
                                 "CASE WHEN $9 THEN $10::timestamptz END, $11::smallint)",
                                 "ssssssIsbtI", fresh, request->name, request->queue,
                                 text_or(arena, request->args, "[]"), text_or(arena, request->kwargs, "{}"),
                                 text_or(arena, request->labels, "{}"), client > 0 ? &client : NULL,
                                 request->dedupe_key, request->run_at > 0, at,
                                 attempts > 0 ? &attempts : NULL);
    if (!rows_ok(rows) || rows_count(rows) != 1)
        return failed(rows, err);
    if (!text_copy(id, TASK_ID_SIZE, rows_text(rows, 0, 0)))
        return error_set(err, "database_error", "the database answered with an id that is too long");
    if (strcmp(id, fresh) == 0 && !db_in_transaction(db) && at <= time_now())
        task_send(db, redis, arena, id);
    return true;
}

bool task_hint(struct redis *redis, const char *name)
{
    struct redis_reply reply;
    struct arena *arena = arena_new();
    bool sent = redis_command(redis, arena, &reply, "XADD %s MAXLEN ~ %s * name %s", TASK_KEY_HINTS,
                              TASK_HINTS_KEPT, name) &&
                reply.type == REDIS_TEXT;
    arena_free(arena);
    return sent;
}

bool task_restart(struct db *db, struct redis *redis, struct arena *arena, const char *id, struct error *err)
{
    struct rows *rows = db_query(
        db,
        "UPDATE tasks SET state = 'waiting', attempts = 0, finished_at = NULL, started_at = NULL, run_at = now(), "
        "result = NULL, error = NULL, progress = NULL, cancel_requested_at = NULL, sent_at = NULL, "
        "stream_entry = NULL, worker = NULL WHERE id = $1 AND finished_at IS NOT NULL",
        "s", id);
    if (!rows_ok(rows))
        return failed(rows, err);
    if (rows_affected(rows) == 0)
        return error_set(err, "task_not_finished", "there is no finished task %s", id);
    if (!db_in_transaction(db))
        task_send(db, redis, arena, id);
    return true;
}

static bool read_message(const struct rows *rows, struct arena *arena, const char *id,
                         struct task_message *message)
{
    struct error ignored;
    *message = (struct task_message){
        .id = id,
        .name = rows_text(rows, 0, 1),
        .args = value_read_arena(arena, rows_text(rows, 0, 2), rows_length(rows, 0, 2), &ignored),
        .kwargs = value_read_arena(arena, rows_text(rows, 0, 3), rows_length(rows, 0, 3), &ignored),
        .labels = value_read_arena(arena, rows_text(rows, 0, 4), rows_length(rows, 0, 4), &ignored),
    };
    return message->args != NULL && message->kwargs != NULL && message->labels != NULL;
}

void task_send(struct db *db, struct redis *redis, struct arena *arena, const char *id)
{
    struct task_message message;
    struct buf text = { 0 };
    const char *entry = NULL;
    struct rows *rows = db_query(db,
                                 "SELECT queue, name, args::text, kwargs::text, labels::text "
                                 "FROM task_begin_sending($1)",
                                 "s", id);
    if (!rows_ok(rows) || rows_count(rows) != 1 || !read_message(rows, arena, id, &message))
        return;
    message_write(&text, &message);
    if (!stream_add(redis, arena, rows_text(rows, 0, 0), STREAM_LENGTH, buf_text(&text), text.len, &entry))
        entry = NULL;
    buf_free(&text);
    rows = db_query(db, "SELECT task_sent($1, $2)", "ss", id, entry);
    if (!rows_ok(rows)) /* the row is looked at when the grace of its message is over */
        LOG_DEBUG("the message of a task could not be noted", LOG_TEXT("message", rows_message(rows)));
}
