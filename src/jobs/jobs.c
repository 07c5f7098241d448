/* The tables of all tasks and duties. */
#include "jobs/jobs.h"

#include <stdlib.h>

static const struct task_type *const types[] = {
    &client_erase_task,        &maintenance_tidy_task,
    &account_sign_in_task,     &account_request_code_task,
    &account_submit_code_task, &fetch_now_task,
    &history_refresh_task,     &judge_preview_place_task,
    &judge_replay_task,        NULL,
};

/* clang-format off: one a line */
static const struct duty *const duties[] = {
    &fetch_due_duty,          &judge_exceptions_duty,   &judge_inbox_duty,
    &geocode_due_duty,        &geocode_clean_duty,      &history_refresh_duty,
    &history_upkeep_duty,     &statistics_refresh_duty, &images_clean_duty,
    &maintenance_minute_duty, &notify_clean_duty,       &notify_facts_duty,
    &notify_outbox_duty,      &notify_watch_duty,       NULL,
};
/* clang-format on */

/* Hourly and daily work; what is due more often is a duty. */
static const struct task_rhythm rhythms[] = {
    { "Clean-up", "maintenance.tidy", "default", "17 * * * *" },
};

const struct task_catalogue jobs_catalogue = {
    .types = types,
    .type_count = ARRAY_LEN(types) - 1,
    .duties = duties,
    .duty_count = ARRAY_LEN(duties) - 1,
    .rhythms = rhythms,
    .rhythm_count = ARRAY_LEN(rhythms),
};

struct jobs_shared *jobs_shared_new(const struct config *config, struct error *err)
{
    struct jobs_shared *shared = calloc(1, sizeof(*shared));
    if (shared == NULL) {
        error_set(err, "memory", "not enough memory");
        return NULL;
    }
    if (!sealer_init(&shared->sealer, config->master_key, err)) {
        free(shared);
        return NULL;
    }
    return shared;
}

void jobs_shared_free(struct jobs_shared *shared)
{
    if (shared == NULL)
        return;
    sealer_wipe(&shared->sealer);
    free(shared);
}
