/* The rows of table `tasks`: who may execute what, and how it went.
 *
 * A row is executed by whoever moved it to `running`, until its lease ends; every further write names the
 * worker and the attempt, so that one who lost his lease changes nothing. Statements run outside
 * transactions, on the caller's unit of work. */
#ifndef TASKS_LEDGER_H
#define TASKS_LEDGER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "store/db.h"
#include "tasks/message.h"

/* What one worker process takes: texts are array literals of PostgreSQL, "{fetch,judge}". */
struct ledger_scope {
    const char *worker;       /* host:process:random */
    const char *queues;       /* that it serves */
    const char *names;        /* of the tasks that it knows, */
    const char *max_attempts; /* and their limits, in the same order */
    int64_t lease;            /* microseconds */
    int64_t message_grace;    /* a row whose message was sent is left to the message for so long */
};

/* A row that this worker executes now. Lives in the arena. */
struct task_row {
    const char *id, *name, *queue;
    json_t *args, *kwargs, *labels;
    int attempt, max_attempts;  /* attempt counts this execution */
    int64_t user_id, client_id; /* 0: none */
    const char *stream_entry;   /* "KEY ID" of its last message, or NULL */
    bool was_sent;              /* that message was to start this very execution */
};

enum ledger_outcome {
    LEDGER_TAKEN,   /* *row is ours */
    LEDGER_NOTHING, /* nothing is due, or not for us */
    LEDGER_REFUSED, /* the database will never take it; err says why */
    LEDGER_FAILED,  /* it could not be asked; err says why */
};

/* Take the row that is due for longest among those without a message on its way. */
MUST_CHECK enum ledger_outcome ledger_take_due(struct db *db, struct arena *arena,
                                               const struct ledger_scope *scope, struct task_row *row,
                                               struct error *err);

/* Take what a message names: adds its row, or takes the one that waits. A finished row is begun anew by
 * another message with its id (a schedule with a fixed one), and not by the same message again. NOTHING: the
 * message has had its effect, or somebody is at it. */
MUST_CHECK enum ledger_outcome ledger_take_message(struct db *db, struct arena *arena,
                                                   const struct ledger_scope *scope,
                                                   const struct task_message *message, const char *queue,
                                                   int max_attempts, const char *stream_entry,
                                                   struct task_row *row, struct error *err);

enum ledger_end {
    LEDGER_SUCCEEDED,
    LEDGER_SCHEDULED,       /* again, at run_at */
    LEDGER_FAILED_FOR_GOOD, /* again would not help */
    LEDGER_DEAD,            /* the last attempt failed */
    LEDGER_CANCELLED,
    LEDGER_HANDED_BACK, /* the worker stops: this attempt does not count */
    LEDGER_LEFT, /* to whoever has its message: not counted either, and looked at again after the grace */
};

struct ledger_result {
    enum ledger_end end;
    const char *progress;                   /* JSON text; NULL: as it was written last */
    const char *result;                     /* JSON text, or NULL */
    const char *error;                      /* JSON text {"code", "message"}, or NULL, */
    const char *error_code, *error_message; /* and its parts */
    int64_t run_at;                         /* SCHEDULED */
};

/* The state of the row after it: "succeeded", "scheduled", ... */
const char *ledger_state(enum ledger_end end);

/* False with code "lease_lost" when the row is not this worker's any more: what it did does not count. */
MUST_CHECK bool ledger_end(struct db *db, const struct ledger_scope *scope, const struct task_row *row,
                           const struct ledger_result *result, struct error *err);

/* Renew the lease of one running row and note its progress (JSON text, or NULL: unchanged). *cancelled:
 * somebody asked for its end. False with code "lease_lost" as above. */
MUST_CHECK bool ledger_renew(struct db *db, const struct ledger_scope *scope, const char *id, int attempt,
                             const char *progress, bool *cancelled, struct error *err);

/* Rows whose worker is gone wait again, or are dead after their last attempt: id, state, labels, stream
 * entry. */
struct rows *ledger_expire(struct db *db);

#endif
