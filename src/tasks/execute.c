/* One task or one run of a duty, from its taking to its end. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "tasks/retry.h"
#include "tasks/value.h"
#include "tasks/worker_private.h"

/* ---- what a run sees of its worker ---- */

bool task_should_stop(struct task_context *task)
{
    struct task_run *run = task->run;
    return run != NULL &&
           (run->worker->stopping || run->cancelled || run->lease_lost || time_monotonic() >= run->deadline);
}

void task_progress(struct task_context *task, int64_t done, int64_t total, const char *message)
{
    struct task_run *run = task->run;
    if (run == NULL || run->slot != NULL)
        return;
    pthread_mutex_lock(&run->worker->lock);
    run->done = done;
    run->total = total;
    snprintf(run->message, sizeof(run->message), "%s", message != NULL ? message : "");
    run->progressed = run->told = true;
    pthread_mutex_unlock(&run->worker->lock);
}

static void enter(struct task_run *run)
{
    struct worker *worker = run->worker;
    run->started_at = time_monotonic();
    pthread_mutex_lock(&worker->lock);
    run->next = worker->runs;
    worker->runs = run;
    pthread_mutex_unlock(&worker->lock);
}

static void leave(struct task_run *run)
{
    struct worker *worker = run->worker;
    pthread_mutex_lock(&worker->lock);
    struct task_run **at = &worker->runs;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    pthread_mutex_unlock(&worker->lock);
}

static struct task_context make_context(struct worker_thread *thread, struct task_run *run)
{
    return (struct task_context){
        .config = thread->worker->options.config,
        .db = thread->db,
        .redis = thread->redis,
        .arena = thread->arena,
        .worker = thread->name,
        .shared = thread->worker->options.shared,
        .run = run,
    };
}

/* ---- duties ---- */

void execute_duty(struct worker_thread *thread, struct duty_slot *slot)
{
    struct worker *worker = thread->worker;
    const struct duty *duty = slot->duty;
    struct error err = { .code = "" };
    struct task_run run = { .worker = worker, .slot = slot };
    snprintf(run.name, sizeof(run.name), "%s", duty->name);
    run.deadline = time_monotonic() + DUTY_SHARE;
    enter(&run);
    struct task_context context = make_context(thread, &run);
    int64_t units = duty->run(&context, &err);
    db_rollback(thread->db); /* one left open by a failed run */
    leave(&run);

    int64_t took = time_monotonic() - run.started_at;
    const char *outcome = units < 0 ? "failed" : units > 0 ? "done" : "nothing";
    series_observe(metric_series(worker->metrics.duty_seconds, (const char *[]){ duty->name, outcome }),
                   took);
    if (units > 0)
        series_add(metric_series(worker->metrics.units, (const char *[]){ duty->name }), units);
    if (units < 0)
        LOG_WARN("duty failed", LOG_TEXT("duty", duty->name), LOG_TEXT("code", err.code),
                 LOG_TEXT("message", err.message), LOG_NUM("in_a_row", slot->failures + 1));

    pthread_mutex_lock(&worker->lock);
    board_done(slot, units, time_monotonic(), randombytes_random());
    pthread_cond_signal(&worker->wake); /* there is more, for an idle thread as well */
    pthread_mutex_unlock(&worker->lock);
}

/* ---- tasks ---- */

/* What the verdict means for the row. */
static struct ledger_result conclude(struct worker_thread *thread, const struct task_row *row,
                                     const struct task_run *run, enum task_verdict verdict,
                                     const json_t *answer, struct error *err)
{
    struct ledger_result end = { .end = LEDGER_SUCCEEDED };
    if (verdict == TASK_DONE && !run->cancelled) {
        end.result = value_text(thread->arena, answer);
        if (strlen(end.result) <= TASK_RESULT_MAX)
            return end;
        verdict = TASK_FAILED;
        error_set(err, "result_too_large", "the result is larger than %u bytes", TASK_RESULT_MAX);
        end.result = NULL;
    }
    if (run->cancelled) {
        end.end = LEDGER_CANCELLED;
        return end;
    }
    if (verdict == TASK_RETRY && thread->worker->stopping) {
        end.end = LEDGER_HANDED_BACK;
        return end;
    }
    if (verdict == TASK_RETRY && time_monotonic() >= run->deadline)
        error_set(err, "timeout", "not done within its %d seconds",
                  (int)((run->deadline - run->started_at) / USEC_PER_SEC));
    end.error_code = err->code[0] != '\0' ? err->code : "failed";
    end.error_message = err->message;
    end.error = error_json(thread->arena, end.error_code, end.error_message);
    end.end = verdict == TASK_FAILED              ? LEDGER_FAILED_FOR_GOOD
              : row->attempt >= row->max_attempts ? LEDGER_DEAD
                                                  : LEDGER_SCHEDULED;
    end.run_at = time_now() + retry_wait(row->attempt, randombytes_random());
    return end;
}

/* The end must be written while the lease holds; a database that is away for a moment must not undo the work.
 */
static bool write_end(struct worker_thread *thread, const struct task_row *row,
                      const struct ledger_result *end)
{
    struct error err;
    int64_t until = time_monotonic() + thread->worker->scope.lease;
    while (!ledger_end(thread->db, &thread->worker->scope, row, end, &err)) {
        bool lost = error_is(&err, "lease_lost");
        if (lost || time_monotonic() >= until) {
            LOG_WARN("the end of a task does not count", LOG_TEXT("task", row->name), LOG_TEXT("id", row->id),
                     LOG_TEXT("message", err.message));
            return false;
        }
        clock_sleep(&clock_system, USEC_PER_SEC / 4);
    }
    return true;
}

static const char *const outcomes[] = {
    [LEDGER_SUCCEEDED] = "succeeded", [LEDGER_SCHEDULED] = "retried",   [LEDGER_FAILED_FOR_GOOD] = "failed",
    [LEDGER_DEAD] = "dead",           [LEDGER_CANCELLED] = "cancelled", [LEDGER_HANDED_BACK] = "handed_back",
};

static void account(struct worker_thread *thread, const struct task_row *row, const struct ledger_result *end,
                    const struct error *err, int64_t took)
{
    struct worker *worker = thread->worker;
    const char *outcome = outcomes[end->end];
    series_add(metric_series(worker->metrics.runs, (const char *[]){ row->name, outcome }), 1);
    series_observe(metric_series(worker->metrics.run_seconds, (const char *[]){ row->name }), took);
    bool bad = end->end == LEDGER_DEAD || end->end == LEDGER_FAILED_FOR_GOOD;
    LOG_AT(bad ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "task ended", LOG_TEXT("task", row->name),
           LOG_TEXT("id", row->id), LOG_TEXT("outcome", outcome), LOG_NUM("attempt", row->attempt),
           LOG_NUM("ms", took / 1000), LOG_TEXT("message", end->error != NULL ? err->message : NULL));
}

static enum task_verdict call(struct worker_thread *thread, const struct task_type *type,
                              const struct task_row *row, struct task_run *run, json_t **answer,
                              struct error *err)
{
    struct task_context context = make_context(thread, run);
    context.id = row->id;
    context.name = row->name;
    context.args = row->args;
    context.kwargs = row->kwargs;
    context.labels = row->labels;
    context.attempt = row->attempt;
    enum task_verdict verdict = type->run(&context, answer, err);
    db_rollback(thread->db);
    return verdict;
}

/* Seconds: the label's when the sender set one, but not longer than the type allows. */
static int64_t time_out(const struct task_type *type, const struct task_row *row)
{
    double wanted = label_number(row->labels, "timeout", 0);
    double seconds = wanted > 0 && wanted < type->timeout ? wanted : type->timeout;
    return (int64_t)(seconds * USEC_PER_SEC);
}

static void execute(struct worker_thread *thread, const struct task_row *row)
{
    struct worker *worker = thread->worker;
    const struct task_type *type = task_type_find(worker->options.catalogue, row->name);
    struct error err = { .code = "" };
    struct task_run run = {
        .worker = worker, .attempt = row->attempt, .user_id = row->user_id, .client_id = row->client_id
    };
    json_t *answer = NULL;
    snprintf(run.id, sizeof(run.id), "%s", row->id);
    snprintf(run.name, sizeof(run.name), "%s", row->name);
    snprintf(run.stream_entry, sizeof(run.stream_entry), "%s",
             row->stream_entry != NULL ? row->stream_entry : "");
    run.deadline = time_monotonic() + time_out(type, row);
    enter(&run);
    const struct task_notice begun = { .id = row->id,
                                       .name = row->name,
                                       .state = "running",
                                       .user_id = row->user_id,
                                       .client_id = row->client_id };
    announce_state(thread->redis, &begun);
    enum task_verdict verdict = call(thread, type, row, &run, &answer, &err);
    struct ledger_result end = conclude(thread, row, &run, verdict, answer, &err);
    if (run.told) /* what came since the last beat of the pulse */
        end.progress = progress_json(thread->arena, run.done, run.total, run.message);
    bool counts = write_end(thread, row, &end); /* its lease is renewed until here */
    int64_t took = time_monotonic() - run.started_at;
    if (counts) {
        announce_end(thread, row, &end, (double)took / USEC_PER_SEC);
        account(thread, row, &end, &err, took);
    }
    leave(&run);
    json_decref(answer);
}

bool execute_next_task(struct worker_thread *thread)
{
    struct task_row row;
    if (!take_task(thread, &row))
        return false;
    worker_wake(thread->worker, true, ""); /* where one is, there may be more: for another thread, too */
    execute(thread, &row);
    return true;
}
