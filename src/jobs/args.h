/* Arguments of tasks, by position or by name, as Python callers give them. */
#ifndef JOBS_ARGS_H
#define JOBS_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "tasks/task.h"

/* The argument, or NULL. null counts as left out. */
const json_t *task_argument(const struct task_context *task, size_t position, const char *name);

/* A positive whole number, as ids are. "argument_invalid". */
MUST_CHECK bool task_id_argument(const struct task_context *task, size_t position, const char *name,
                                 int64_t *value, struct error *err);

/* An RFC 3339 time; *value stays as it is when the argument is left out. "argument_invalid". */
MUST_CHECK bool task_time_argument(const struct task_context *task, size_t position, const char *name,
                                   int64_t *value, struct error *err);

/* A text, borrowed from the task; *value stays as it is when the argument is left out. "argument_invalid". */
MUST_CHECK bool task_text_argument(const struct task_context *task, size_t position, const char *name,
                                   const char **value, struct error *err);

#endif
