/* All background work of the system, one file a job: lists it, and makes what the jobs of one process share.
 */
#ifndef JOBS_JOBS_H
#define JOBS_JOBS_H

#include "base/config.h"
#include "base/error.h"
#include "base/seal.h"
#include "tasks/task.h"

/* Everything that this binary can do. */
extern const struct task_catalogue jobs_catalogue;

/* ---- what the jobs of one process share: task->shared. Thread-safe, or guarded by its own lock ---- */
struct jobs_shared {
    struct sealer sealer; /* of MASTER_KEY; secrets at rest */
};

MUST_CHECK struct jobs_shared *jobs_shared_new(const struct config *config, struct error *err);
void jobs_shared_free(struct jobs_shared *shared); /* NULL is allowed */

/* ---- one line for each task and duty, by queue ---- */

/* fetch */
extern const struct duty fetch_due_duty;
extern const struct task_type fetch_now_task;
extern const struct task_type history_refresh_task; /* queue history */
extern const struct task_type account_sign_in_task;
extern const struct task_type account_request_code_task;
extern const struct task_type account_submit_code_task;

/* judge */
extern const struct duty judge_exceptions_duty;
extern const struct duty judge_inbox_duty;
extern const struct task_type judge_preview_place_task;
extern const struct task_type judge_replay_task;

/* notify */
extern const struct duty notify_clean_duty;
extern const struct duty notify_facts_duty;
extern const struct duty notify_outbox_duty;
extern const struct duty notify_watch_duty;

/* geocode */
extern const struct duty geocode_due_duty;
extern const struct duty geocode_clean_duty;

/* history */
extern const struct duty history_refresh_duty;
extern const struct duty history_upkeep_duty;
extern const struct duty statistics_refresh_duty;

/* default */
extern const struct duty images_clean_duty;
extern const struct duty maintenance_minute_duty;
extern const struct task_type maintenance_tidy_task;
extern const struct task_type client_erase_task;

#endif
