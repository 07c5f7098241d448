/* Telling others how a task went: its result to Python, its message acknowledged, an event to open streams.
 * Best effort: the row is the truth. */
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "store/live.h"
#include "tasks/result.h"
#include "tasks/stream.h"
#include "tasks/value.h"
#include "tasks/worker_private.h"

const char *error_json(struct arena *arena, const char *code, const char *message)
{
    struct buf out = { 0 };
    struct json json;
    json_begin(&json, &out);
    json_start_object(&json);
    json_put_text(&json, "code", code);
    json_put_text(&json, "message", message);
    json_end_object(&json);
    const char *text = arena_strndup(arena, buf_text(&out), out.len);
    buf_free(&out);
    return text;
}

const char *progress_json(struct arena *arena, int64_t done, int64_t total, const char *message)
{
    struct buf out = { 0 };
    struct json json;
    json_begin(&json, &out);
    json_start_object(&json);
    json_put_int(&json, "done", done);
    if (total > 0)
        json_put_int(&json, "total", total);
    else
        json_put_null(&json, "total");
    json_put_text(&json, "message", message);
    json_end_object(&json);
    const char *text = arena_strndup(arena, buf_text(&out), out.len);
    buf_free(&out);
    return text;
}

void announce_state(struct redis *redis, const struct task_notice *notice)
{
    struct buf data = { 0 };
    struct json json;
    json_begin(&json, &data);
    json_start_object(&json);
    json_put_text(&json, "id", notice->id);
    json_put_text(&json, "name", notice->name);
    json_put_text(&json, "state", notice->state);
    json_key(&json, "progress");
    const char *progress = notice->progress != NULL ? notice->progress : "null";
    json_raw(&json, progress, strlen(progress));
    json_end_object(&json);
    const struct live_event event = {
        .client_id = notice->client_id, .user_id = notice->user_id, .kind = LIVE_TASK, .data = buf_text(&data)
    };
    (void)live_publish(redis, &event, 1);
    buf_free(&data);
}

void announce_end(struct worker_thread *thread, const struct task_row *row, const struct ledger_result *end,
                  double seconds)
{
    struct error err;
    bool final = end->end != LEDGER_SCHEDULED && end->end != LEDGER_HANDED_BACK;
    if (final) {
        const char *code = end->end == LEDGER_CANCELLED ? "cancelled" : end->error_code;
        const struct task_result result = {
            .is_error = end->end != LEDGER_SUCCEEDED,
            .value = end->result == NULL
                         ? NULL
                         : value_read_arena(thread->arena, end->result, strlen(end->result), &err),
            .error_code = code,
            .error_message = end->end == LEDGER_CANCELLED ? "somebody cancelled the task"
                                                          : end->error_message,
            .seconds = seconds,
            .labels = row->labels,
        };
        (void)!result_store(thread->redis, thread->arena, thread->worker->options.config, row->id, &result);
    }
    stream_ack(thread->redis, thread->arena, row->stream_entry); /* a retry waits in the table */
    const struct task_notice notice = { .id = row->id,
                                        .name = row->name,
                                        .state = ledger_state(end->end),
                                        .progress = end->progress,
                                        .user_id = row->user_id,
                                        .client_id = row->client_id };
    announce_state(thread->redis, &notice);
}

/* Its worker may have ended between writing the row and storing the result. */
void announce_again(struct worker_thread *thread, const char *id)
{
    struct error err;
    struct rows *rows = db_query(
        thread->db,
        "SELECT state, result::text, error ->> 'code', error ->> 'message', labels::text, "
        "extract(epoch FROM finished_at - started_at) FROM tasks WHERE id = $1 AND finished_at IS NOT NULL",
        "s", id);
    if (!rows_ok(rows) || rows_count(rows) != 1)
        return;
    const struct task_result result = {
        .is_error = strcmp(rows_text(rows, 0, 0), "succeeded") != 0,
        .value = rows_null(rows, 0, 1)
                     ? NULL
                     : value_read_arena(thread->arena, rows_text(rows, 0, 1), rows_length(rows, 0, 1), &err),
        .error_code = rows_null(rows, 0, 2) ? rows_text(rows, 0, 0) : rows_text(rows, 0, 2),
        .error_message = rows_text(rows, 0, 3),
        .labels = value_read_arena(thread->arena, rows_text(rows, 0, 4), rows_length(rows, 0, 4), &err),
        .seconds = rows_double(rows, 0, 5),
    };
    (void)!result_store(thread->redis, thread->arena, thread->worker->options.config, id, &result);
}

/* ---- what somebody else's worker made of a task of ours ---- */

/* The message of a Python exception: its first argument, if it has one. */
static const char *exception_message(struct arena *arena, const json_t *error)
{
    const json_t *first = json_array_get(json_object_get(error, "exc_message"), 0);
    return json_is_string(first) ? json_string_value(first) : first != NULL ? value_text(arena, first) : "";
}

struct ledger_result collected(struct arena *arena, const json_t *result)
{
    const json_t *error = json_object_get(result, "error");
    const char *type = json_string_value(json_object_get(error, "exc_type"));
    struct ledger_result end = { .end = LEDGER_SUCCEEDED };
    if (json_is_false(json_object_get(result, "is_err"))) {
        end.result = value_text(arena, json_object_get(result, "return_value"));
        if (strlen(end.result) <= TASK_RESULT_MAX)
            return end;
        end.result = NULL;
        end.error_code = "result_too_large";
        end.error_message = "the result is in Redis and too large for the table";
        end.end = LEDGER_FAILED_FOR_GOOD;
        end.error = error_json(arena, end.error_code, end.error_message);
        return end;
    }
    end.end = LEDGER_FAILED_FOR_GOOD;
    end.error_code = type != NULL ? type : "failed";
    end.error_message = exception_message(arena, error);
    end.error = error_json(arena, end.error_code, end.error_message);
    return end;
}
