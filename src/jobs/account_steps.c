/* Tasks account.sign_in, account.request_code, account.submit_code: the steps of signing an Apple account in
 * that a person starts and watches. Each takes seconds, and its result says where the account stands then. */
#include <string.h>

#include "base/encode.h"
#include "base/timeutil.h"
#include "findmy/account_row.h"
#include "jobs/apple_account.h"
#include "jobs/apple_side.h"
#include "jobs/args.h"
#include "jobs/failure.h"
#include "jobs/jobs.h"

#define STEP_TIMEOUT 300 /* seconds: every request of a sign-in may take half a minute */

/* A fetch with the account may be in progress. */
#define BUSY_WAIT  SECONDS(60)
#define BUSY_PAUSE SECONDS(1)

typedef enum account_status step_function(struct account *account, const struct account_env *env,
                                          const struct task_context *task);

struct step {
    struct task_context *task;
    struct apple_user user;
    struct apple_account account;
    int64_t account_id;
};

static bool hold(struct step *step, struct error *err)
{
    int64_t until = time_monotonic() + BUSY_WAIT;
    for (;;) {
        switch (apple_account_hold(&step->account, &step->user, step->account_id, step->task->arena, err)) {
        case APPLE_TAKEN:
            return true;
        case APPLE_NONE:
            return error_set(err, "not_found", "there is no such Apple account");
        case APPLE_FAILED:
            return false;
        case APPLE_BUSY:
            break;
        }
        if (time_monotonic() >= until || task_should_stop(step->task))
            return error_set(err, "account_busy", "a worker uses the account at the moment");
        clock_sleep(&clock_system, BUSY_PAUSE);
    }
}

static json_t *result_of(const struct step *step, enum account_status status)
{
    const struct account *account = step->account.account;
    const struct login_result *last = &account->last;
    json_t *result = json_pack("{s:I, s:s, s:s, s:s, s:s}", "account_id", (json_int_t)step->account_id,
                               "status", account_status_names[status], "outcome",
                               login_outcome_names[last->outcome], "message", last->message, "code",
                               account_code_names[account->code]);
    if (result != NULL && last->code != 0)
        json_object_set_new(result, "apple_code", json_integer(last->code));
    return result;
}

/* Hold the account, do the step, give it back with what came of it. */
static enum task_verdict run_step(struct task_context *task, step_function *function, json_t **result,
                                  struct error *err)
{
    struct step step = { .task = task,
                         .user = { task->db, &((struct jobs_shared *)task->shared)->sealer, task->worker,
                                   task->config->fetch_interval, task->config->fetch_lease } };
    if (!task_id_argument(task, 0, "account_id", &step.account_id, err))
        return TASK_FAILED;
    const struct profile *profile = apple_profile(task->config, task->db, task->arena, err);
    if (profile == NULL || !hold(&step, err))
        return error_is(err, "not_found") || error_is(err, "profile_invalid") ? TASK_FAILED : TASK_RETRY;

    struct error ignored;
    struct provider *provider = apple_side_open(task->config, profile, task->arena, err);
    if (provider == NULL || !apple_account_open(&step.account, provider, true, err))
        return apple_account_give_up(&step.account, false, err->message, &ignored) ? TASK_FAILED : TASK_RETRY;
    enum account_status status = function(step.account.account, &step.account.env, task);
    const struct apple_use use = {
        .trouble = status == ACCOUNT_READY ? NULL : step.account.account->last.message,
    };
    if (!apple_account_release(&step.account, &use, err))
        return TASK_FAILED; /* the lease ends by itself; a code must not be handed in twice */
    *result = result_of(&step, status);
    if (status == ACCOUNT_UNSAVED) {
        error_set(err, "account_unsaved", "%s", step.account.account->last.message);
        return TASK_FAILED;
    }
    return TASK_DONE;
}

/* ---- the steps ---- */

static enum account_status sign_in(struct account *account, const struct account_env *env,
                                   const struct task_context *task)
{
    (void)task;
    return account_login(account, env);
}

static enum account_status request_code(struct account *account, const struct account_env *env,
                                        const struct task_context *task)
{
    struct error ignored;
    int64_t phone = 0;
    const char *method = "trusted_device";
    if (!task_text_argument(task, 1, "method", &method, &ignored))
        method = "trusted_device";
    if (strcmp(method, "phones") == 0)
        return account_list_phones(account, env);
    if (task_argument(task, 2, "phone_id") != NULL &&
        !task_id_argument(task, 2, "phone_id", &phone, &ignored))
        phone = 0;
    return account_send_code(account, env, strcmp(method, "sms") == 0, phone);
}

/* The code travels sealed: task arguments stand in Redis, in the database and in the admin's list. */
static enum account_status submit_code(struct account *account, const struct account_env *env,
                                       const struct task_context *task)
{
    char context[ACCOUNT_CONTEXT_SIZE];
    const char *sealed_text = "";
    uint8_t sealed[SEAL_OVERHEAD + TWOFACTOR_CODE_SIZE];
    char code[TWOFACTOR_CODE_SIZE] = "";
    const struct sealer *sealer = &((struct jobs_shared *)task->shared)->sealer;
    size_t len = 0;
    struct error err;
    int64_t id = 0;
    bool ok = task_id_argument(task, 0, "account_id", &id, &err) &&
              task_text_argument(task, 1, "code_sealed", &sealed_text, &err) &&
              base64_decode(sealed_text, strlen(sealed_text), sealed, sizeof(sealed), &len) &&
              len == SEAL_OVERHEAD + TWOFACTOR_CODE_SIZE - 1 &&
              unseal(sealer, account_context(id, "code", context), sealed, len, code, &err);
    enum account_status status = account_submit_code(account, env, ok ? code : "");
    wipe(code, sizeof(code));
    return status;
}

static enum task_verdict run_sign_in(struct task_context *task, json_t **result, struct error *err)
{
    return run_step(task, sign_in, result, err);
}

static enum task_verdict run_request_code(struct task_context *task, json_t **result, struct error *err)
{
    return run_step(task, request_code, result, err);
}

static enum task_verdict run_submit_code(struct task_context *task, json_t **result, struct error *err)
{
    return run_step(task, submit_code, result, err);
}

const struct task_type account_sign_in_task = {
    .name = "account.sign_in",
    .queue = "fetch",
    .about = "Signs an Apple account in, as far as that goes without a second-factor code.",
    .timeout = STEP_TIMEOUT,
    .max_attempts = 3,
    .run = run_sign_in,
};

const struct task_type account_request_code_task = {
    .name = "account.request_code",
    .queue = "fetch",
    .about = "Has a second-factor code sent to a trusted device or a phone, or asks which phones there are.",
    .timeout = STEP_TIMEOUT,
    .max_attempts = 1, /* Apple counts the codes that it sends */
    .run = run_request_code,
};

const struct task_type account_submit_code_task = {
    .name = "account.submit_code",
    .queue = "fetch",
    .about = "Hands a second-factor code in and signs the account in further.",
    .timeout = STEP_TIMEOUT,
    .max_attempts = 1, /* and the codes that it is given */
    .run = run_submit_code,
};
