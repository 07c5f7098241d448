/* Requests that only start something: the work is a task, and the answer is 202 with its id. */
#ifndef API_TASK_START_H
#define API_TASK_START_H

#include <stdbool.h>

#include "api/audit.h"
#include "http/request.h"
#include "tasks/queue.h"

/* Open a transaction unless Idempotency-Key has; *own tells. False: answered. */
MUST_CHECK bool start_begin(struct request *req, bool *own);

/* The end of the story that began with start_begin: enqueue, log, commit, answer. On any failure the
 * transaction is rolled back and the request answered. The task belongs to the caller. */
void start_task(struct request *req, bool own, const struct task_request *task,
                const struct audit_entry *entry);

/* The same without a task: log and commit. False: answered. */
MUST_CHECK bool start_finish(struct request *req, bool own, const struct audit_entry *entry);

/* Component schema "TaskStarted". */
void start_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
