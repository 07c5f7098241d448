/* Results and progress in Redis, as TaskiQ's RedisAsyncResultBackend keeps them. */
#ifndef TASKS_RESULT_H
#define TASKS_RESULT_H

#include <jansson.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"
#include "store/redis.h"

/* A result's object. Of the two, value or error. */
struct task_result {
    bool is_error;
    const json_t *value; /* NULL: null */
    const char *error_code, *error_message;
    double seconds;       /* how long it ran */
    const json_t *labels; /* typed; NULL: none */
};

/* In the setting's format. An error is an exception TaskError(message, code) to Python, or its TimeoutError.
 */
void result_write(struct buf *out, const char *format, const struct task_result *result);

/* Any plain value in the setting's format ("pickle", "json"), and back: the first byte tells. */
void wire_write(struct buf *out, const char *format, const json_t *value);
MUST_CHECK json_t *wire_read(struct arena *arena, const void *data, size_t len, struct error *err);

/* SET with the setting's expiry. False: Redis could not be asked, or refused. */
MUST_CHECK bool result_store(struct redis *redis, struct arena *arena, const struct config *config,
                             const char *id, const struct task_result *result);

/* State "STARTED" and meta {"done", "total", "message"}, beside the result. Best effort. */
void result_store_progress(struct redis *redis, struct arena *arena, const struct config *config,
                           const char *id, const char *progress_json);

/* The object somebody stored for the task, in the arena. NULL: there is none (yet), it is malformed, or Redis
 * could not be asked (*asked is false). */
json_t *result_load(struct redis *redis, struct arena *arena, const struct config *config, const char *id,
                    bool *asked);

#endif
