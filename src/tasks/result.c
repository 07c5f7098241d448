/* Results and progress in Redis. */
#include "tasks/result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "tasks/keys.h"
#include "tasks/pickle.h"
#include "tasks/value.h"

/* ---- encodings ---- */

void wire_write(struct buf *out, const char *format, const json_t *value)
{
    if (strcmp(format, "pickle") == 0) {
        pickle_write(out, value);
        return;
    }
    struct json json;
    json_begin(&json, out);
    value_write(&json, value);
}

json_t *wire_read(struct arena *arena, const void *data, size_t len, struct error *err)
{
    bool pickled = len > 0 && *(const unsigned char *)data == 0x80;
    if (len > PICKLE_MAX) {
        error_set(err, "too_large", "a value in Redis has %zu bytes", len);
        return NULL;
    }
    return value_defer(arena, pickled ? pickle_read(data, len, err) : value_read(data, len, err));
}

/* ---- results ---- */

/* What Python raises: a class of this name is made up by the client when it knows none. */
static json_t *exception(const struct task_result *result)
{
    const char *code = result->error_code != NULL ? result->error_code : "failed";
    bool late = strcmp(code, "timeout") == 0;
    return json_pack("{s:s, s:[s?, s], s:s, s:n, s:n, s:b}", "exc_type", late ? "TimeoutError" : "TaskError",
                     "exc_message", result->error_message, code, "exc_module", late ? "builtins" : "trackerd",
                     "exc_cause", "exc_context", "exc_suppress_context", 0);
}

void result_write(struct buf *out, const char *format, const struct task_result *result)
{
    json_t *object = json_object();
    json_object_set_new(object, "is_err", json_boolean(result->is_error));
    json_object_set_new(object, "log", json_null());
    json_object_set_new(object, "return_value",
                        result->value != NULL ? json_deep_copy(result->value) : json_null());
    json_object_set_new(object, "execution_time", json_real(round(result->seconds * 100) / 100));
    json_object_set_new(object, "labels",
                        result->labels != NULL ? json_deep_copy(result->labels) : json_object());
    json_object_set_new(object, "error", result->is_error ? exception(result) : json_null());
    wire_write(out, format, object);
    json_decref(object);
}

/* ---- Redis ---- */

static bool store(struct redis *redis, struct arena *arena, const struct config *config, const char *key,
                  const struct buf *value)
{
    struct redis_reply reply;
    if (!redis_command(redis, arena, &reply, "SET %s %b PX %lld", key, buf_text(value), value->len,
                       (long long)(config->task_result_expire / 1000)))
        return false;
    if (reply.type == REDIS_FAILED)
        LOG_WARN("Redis refused a result", LOG_TEXT("key", key), LOG_TEXT("message", reply.text));
    return reply.type != REDIS_FAILED;
}

bool result_store(struct redis *redis, struct arena *arena, const struct config *config, const char *id,
                  const struct task_result *result)
{
    struct buf value = { 0 };
    result_write(&value, config->task_result_format, result);
    bool stored = store(redis, arena, config, arena_printf(arena, "%s%s", config->task_result_prefix, id),
                        &value);
    buf_free(&value);
    return stored;
}

void result_store_progress(struct redis *redis, struct arena *arena, const struct config *config,
                           const char *id, const char *progress_json)
{
    struct error ignored;
    struct buf value = { 0 };
    json_t *meta = value_read_arena(arena, progress_json, strlen(progress_json), &ignored);
    json_t *object = json_pack("{s:s, s:O}", "state", "STARTED", "meta", meta);
    wire_write(&value, config->task_result_format, object);
    json_decref(object);
    (void)store(redis, arena, config,
                arena_printf(arena, "%s%s" TASK_KEY_PROGRESS, config->task_result_prefix, id), &value);
    buf_free(&value);
}

json_t *result_load(struct redis *redis, struct arena *arena, const struct config *config, const char *id,
                    bool *asked)
{
    struct redis_reply reply;
    struct error err;
    *asked = redis_command(redis, arena, &reply, "GET %s%s", config->task_result_prefix, id) &&
             reply.type != REDIS_FAILED;
    if (!*asked || reply.type != REDIS_TEXT)
        return NULL;
    json_t *object = wire_read(arena, reply.text, reply.len, &err);
    if (object == NULL || !json_is_boolean(json_object_get(object, "is_err"))) {
        LOG_WARN("a result cannot be read", LOG_TEXT("id", id),
                 LOG_TEXT("message", object == NULL ? err.message : ""));
        return NULL;
    }
    return object;
}
