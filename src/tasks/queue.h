/* Handing tasks over, from anywhere: the API, jobs, the command line.
 *
 * A task is a row of table `tasks`; PostgreSQL is the truth. Its message in Redis only makes it start at once
 * (and lets Python execute it): a worker takes rows without a message within a second or two. */
#ifndef TASKS_QUEUE_H
#define TASKS_QUEUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "store/db.h"
#include "store/redis.h"

#define TASK_ID_SIZE                                                                                         \
    65 /* 32 hex digits when we made it; any text of up to 64 bytes when somebody else did                   \
        */

struct task_request {
    const char *id; /* NULL: a new one. One that is there already is not added again */
    const char *name;
    const char *queue;
    json_t *args, *kwargs, *labels; /* array, object, object; borrowed; NULL: empty */
    int64_t client_id;              /* whose data it concerns; 0: nobody's */
    const char *dedupe_key;         /* while an unfinished task has it, that one is meant; NULL: always new */
    int64_t run_at;                 /* microseconds since 1970; 0: now */
    int max_attempts;               /* executions in all; 0: as the type says */
};

/* Adds the task, of the session's user, in the open transaction or in one of its own, and writes its id.
 * Outside a transaction its message is sent, too; inside one call task_send after the commit. Codes:
 * database_unavailable, database_error, task_invalid. */
MUST_CHECK bool task_enqueue(struct db *db, struct redis *redis, struct arena *arena,
                             const struct task_request *request, char id[TASK_ID_SIZE], struct error *err);

/* Begins a finished task anew, with all its attempts. False with err: it could not be asked, or (code
 * "task_not_finished") there is no such finished task. As with task_enqueue, its message is sent outside a
 * transaction. */
MUST_CHECK bool task_restart(struct db *db, struct redis *redis, struct arena *arena, const char *id,
                             struct error *err);

/* Sends the message of a task that is due, once. Best effort: without Redis a worker finds the row. */
void task_send(struct db *db, struct redis *redis, struct arena *arena, const char *id);

/* Wake the workers that do this duty. Best effort. */
bool task_hint(struct redis *redis, const char *name);

/* 32 random hex digits. */
void task_new_id(char id[TASK_ID_SIZE]);

#endif
