/* Finding the next task: new messages first, then due rows, now and then messages that somebody left behind.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/timeutil.h"
#include "tasks/result.h"
#include "tasks/stream.h"
#include "tasks/worker_private.h"

/* A message with a name that this binary does not know is left to others of its group; after so many
 * deliveries it is a dead letter. */
#define UNKNOWN_DELIVERIES 5

/* Most messages that one look drops (duplicates, dead letters) before it turns to the rows. */
#define DROPPED_AT_ONCE 100

/* ---- stale messages ---- */

/* Once in a while one thread of the process looks for what others left behind. */
static bool stale_due(struct worker *worker)
{
    int64_t now = time_monotonic(), period = worker->options.config->task_reclaim / 10;
    pthread_mutex_lock(&worker->lock);
    bool due = now >= worker->stale_look_at;
    if (due)
        worker->stale_look_at = now + (period > USEC_PER_SEC / 2 ? period : USEC_PER_SEC / 2);
    pthread_mutex_unlock(&worker->lock);
    return due;
}

static void look_for_stale_soon(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->stale_look_at = 0;
    pthread_mutex_unlock(&worker->lock);
}

/* ---- messages ---- */

static int attempts_allowed(const struct task_type *type, const struct task_message *message)
{
    const json_t *retry = json_object_get(message->labels, "retry_on_error");
    int64_t wanted = label_int(message->labels, "max_retries", type->max_attempts);
    if (json_is_false(retry)) /* said so, not merely silent */
        return 1;
    return wanted < 1 ? 1 : wanted > 1000 ? 1000 : (int)wanted;
}

static const char *entry_text(struct worker_thread *thread, const struct stream_entry *entry)
{
    return arena_printf(thread->arena, "%s %s", entry->key, entry->id);
}

/* Nobody in this group may know the task; whoever waits for its result is told. */
static void leave_unknown(struct worker_thread *thread, const struct stream_entry *entry,
                          const struct task_message *message)
{
    const struct task_result result = { .is_error = true,
                                        .error_code = "task_unknown",
                                        .error_message = arena_printf(
                                            thread->arena, "no worker knows the task %s", message->name) };
    int64_t deliveries = stream_deliveries(thread->redis, thread->arena, entry);
    if (deliveries < UNKNOWN_DELIVERIES) {
        LOG_INFO("a message is left to other workers", LOG_TEXT("task", message->name),
                 LOG_NUM("deliveries", deliveries));
        return;
    }
    if (result_store(thread->redis, thread->arena, thread->worker->options.config, message->id, &result))
        stream_bury(thread->redis, thread->arena, entry, result.error_message);
}

/* True: *row is ours. Otherwise the message is dealt with, or left for later. */
static bool take_message(struct worker_thread *thread, const char *queue, const struct stream_entry *entry,
                         struct task_row *row)
{
    struct task_message message;
    struct error err;
    const char *name = entry_text(thread, entry);
    if (entry->data == NULL || !message_read(thread->arena, entry->data, entry->len, &message, &err)) {
        stream_bury(thread->redis, thread->arena, entry,
                    entry->data == NULL ? "it has no field data" : err.message);
        return false;
    }
    const struct task_type *type = task_type_find(thread->worker->options.catalogue, message.name);
    if (type == NULL) {
        leave_unknown(thread, entry, &message);
        return false;
    }
    switch (ledger_take_message(thread->db, thread->arena, &thread->worker->scope, &message, queue,
                                attempts_allowed(type, &message), name, row, &err)) {
    case LEDGER_TAKEN:
        if (row->attempt == 1) { /* as they came: the table's numbers forget that 1e300 was a float */
            row->args = message.args;
            row->kwargs = message.kwargs;
            row->labels = message.labels;
        }
        return true;
    case LEDGER_NOTHING:
        announce_again(thread, message.id);
        stream_ack(thread->redis, thread->arena, name);
        return false;
    case LEDGER_REFUSED:
        stream_bury(thread->redis, thread->arena, entry, err.message);
        return false;
    case LEDGER_FAILED: /* PostgreSQL is away: whoever looks for stale messages next may have it */
        LOG_WARN("a message could not be taken", LOG_TEXT("task", message.name),
                 LOG_TEXT("message", err.message));
        stream_release(thread->redis, thread->arena, entry, thread->worker->name,
                       thread->worker->options.config->task_reclaim);
        look_for_stale_soon(thread->worker);
        return false;
    }
    return false;
}

/* The flag is lowered before the look, so that what comes meanwhile raises it again. */
static enum stream_answer take_fresh(struct worker_thread *thread, size_t queue, struct stream_entry *entry)
{
    struct worker *worker = thread->worker;
    if (!worker->fresh[queue])
        return STREAM_EMPTY;
    worker->fresh[queue] = false;
    enum stream_answer answer = stream_take(thread->redis, thread->arena, worker->queues[queue], worker->name,
                                            entry);
    if (answer == STREAM_ENTRY) /* there may be more */
        worker->fresh[queue] = true;
    return answer;
}

static bool take_new(struct worker_thread *thread, struct task_row *row)
{
    struct worker *worker = thread->worker;
    struct stream_entry entry;
    unsigned first = thread->next_queue++; /* in turns, so that no queue waits for another to be empty */
    for (size_t i = 0, dropped = 0; i < worker->queue_count;) {
        size_t queue = (first + i) % worker->queue_count;
        enum stream_answer answer = take_fresh(thread, queue, &entry);
        if (answer == STREAM_AWAY)
            return false;
        if (answer == STREAM_EMPTY)
            i++;
        else if (take_message(thread, worker->queues[queue], &entry, row))
            return true;
        else if (++dropped == DROPPED_AT_ONCE)
            return false;
    }
    return false;
}

static bool take_stale(struct worker_thread *thread, struct task_row *row)
{
    struct worker *worker = thread->worker;
    struct stream_entry entry;
    for (size_t q = 0; q < worker->queue_count; q++)
        while (stream_take_stale(thread->redis, thread->arena, worker->queues[q], worker->name,
                                 worker->options.config->task_reclaim, &entry) == STREAM_ENTRY)
            if (take_message(thread, worker->queues[q], &entry, row))
                return true;
    return false;
}

/* ---- rows ---- */

/* Its message was sent, and may be with a Python worker: then the row is left alone, or gets that worker's
 * result. */
static bool others_have_it(struct worker_thread *thread, const struct task_row *row,
                           struct ledger_result *end)
{
    bool asked;
    if (row->stream_entry == NULL || !row->was_sent)
        return false;
    switch (stream_find(thread->redis, thread->arena, row->stream_entry)) {
    case STREAM_UNKNOWN: /* no Redis, no Python worker that could take it */
        return false;
    case STREAM_UNREAD:
    case STREAM_PENDING:
        *end = (struct ledger_result){ .end = LEDGER_LEFT };
        return true;
    case STREAM_DONE:
        break;
    }
    const json_t *result = result_load(thread->redis, thread->arena, thread->worker->options.config, row->id,
                                       &asked);
    if (result == NULL)
        return false;
    *end = collected(thread->arena, result);
    return true;
}

static bool take_row(struct worker_thread *thread, struct task_row *row)
{
    struct worker *worker = thread->worker;
    struct ledger_result end;
    struct error err;
    for (;;) {
        enum ledger_outcome outcome = ledger_take_due(thread->db, thread->arena, &worker->scope, row, &err);
        if (outcome == LEDGER_FAILED || outcome == LEDGER_REFUSED) {
            LOG_DEBUG("no look at the tasks", LOG_TEXT("message", err.message));
            return false;
        }
        pthread_mutex_lock(&worker->lock);
        worker->looked_at = time_monotonic();
        pthread_mutex_unlock(&worker->lock);
        if (outcome == LEDGER_NOTHING)
            return false;
        if (!others_have_it(thread, row, &end))
            return true;
        if (!ledger_end(thread->db, &worker->scope, row, &end, &err))
            return false; /* its lease will end */
    }
}

bool take_task(struct worker_thread *thread, struct task_row *row)
{
    thread->rows_first = !thread->rows_first; /* a flood of messages must not keep rows waiting */
    if (thread->rows_first)
        return take_row(thread, row) || take_new(thread, row);
    return take_new(thread, row) || (stale_due(thread->worker) && take_stale(thread, row)) ||
           take_row(thread, row);
}
