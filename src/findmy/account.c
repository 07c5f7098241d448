/* Transitions of the account state machine. Its stored form is in account_state.c. */
#include "findmy/account.h"

#include <openssl/rand.h>
#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/parse.h"

const char *const account_phase_names[] = { "logged_out", "code_due", "authenticated",
                                            "logged_in",  "parked",   NULL };
const char *const account_code_names[] = { "not_sent", "sending", "sent", "submitting", NULL };
const char *const account_status_names[] = {
    "ready", "needs_code", "waits", "needs_person", "unsaved", NULL
};

/* A login may need two rounds (after new anisette values, or when the first token is outdated); more would be
 * a loop. */
#define MAX_STEPS 6

/* Codes are said to be good for some ten minutes; after this a new one is sent. */
#define CODE_LIFE MINUTES(10)

/* ---- life ---- */

bool account_name_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(name);
    return len > 0 && len <= ACCOUNT_MAX_NAME && strspn(name, allowed) == len && name[0] != '.' &&
           name[0] != '-';
}

static bool printable(const char *text, size_t max)
{
    size_t len = strlen(text);
    if (len == 0 || len > max || !utf8_valid(text, len))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return true;
}

bool account_init(struct account *account, const char *name, const char *username, const char *password,
                  int64_t now, struct error *err)
{
    uint8_t random[ANISETTE_ID_SIZE];
    if (!account_name_valid(name))
        return error_set(err, "account_invalid",
                         "an account's name has 1 to %d letters, digits, dots, dashes or underscores",
                         ACCOUNT_MAX_NAME);
    if (!printable(username, ACCOUNT_MAX_USERNAME))
        return error_set(err, "account_invalid", "the user name must be 1 to %d visible characters",
                         ACCOUNT_MAX_USERNAME);
    if (!printable(password, ACCOUNT_MAX_PASSWORD))
        return error_set(err, "account_invalid", "the password must be 1 to %d visible characters in UTF-8",
                         ACCOUNT_MAX_PASSWORD);
    memset(account, 0, sizeof(*account));
    if (!anisette_state_new(&account->machine, err))
        return false;
    if (RAND_bytes(random, sizeof(random)) != 1)
        return error_set(err, "internal", "no random numbers");
    random[6] = (random[6] & 0x0f) | 0x40; /* RFC 4122, version 4 */
    random[8] = (random[8] & 0x3f) | 0x80;
    anisette_device_id(random, account->client_id);
    account->created_at = now;
    return text_copy(account->name, sizeof(account->name), name) &&
           text_copy(account->username, sizeof(account->username), username) &&
           text_copy(account->password, sizeof(account->password), password);
}

void account_wipe(struct account *account)
{
    wipe(account, sizeof(*account));
}

enum account_status account_status(const struct account *account, int64_t now)
{
    switch (account->phase) {
    case ACCOUNT_LOGGED_IN:
        return now < account->not_before ? ACCOUNT_WAITS : ACCOUNT_READY;
    case ACCOUNT_CODE_DUE:
        return ACCOUNT_NEEDS_CODE;
    case ACCOUNT_PARKED:
        return ACCOUNT_NEEDS_PERSON;
    default:
        return ACCOUNT_WAITS;
    }
}

/* ---- moving between phases ---- */

static int64_t now_of(const struct account_env *env)
{
    return clock_now(env->provider->clock);
}

static const struct profile *profile_of(const struct account_env *env)
{
    return env->provider->profile;
}

/* The only place where a state becomes durable. */
static bool save(struct account *account, const struct account_env *env)
{
    struct error err;
    account->machine.changed = false;
    if (env->save(env->self, account, &err))
        return true;
    login_end(&account->last, LOGIN_SERVER_ERROR, 0, "the account could not be stored: %s", err.message);
    LOG_ERROR("apple account not stored", LOG_TEXT("account", account->name),
              LOG_TEXT("reason", err.message));
    return false;
}

/* The only place where the phase changes: drops what the new phase has no use for. */
static void enter(struct account *account, enum account_phase phase, int64_t now)
{
    LOG_INFO("apple account", LOG_TEXT("account", account->name),
             LOG_TEXT("from", account_phase_names[account->phase]),
             LOG_TEXT("to", account_phase_names[phase]),
             LOG_TEXT("outcome", login_outcome_names[account->last.outcome]));
    account->phase = phase;
    if (phase != ACCOUNT_CODE_DUE && phase != ACCOUNT_LOGGED_OUT) { /* from there it may be due again */
        account->code = ACCOUNT_CODE_NOT_SENT;
        account->bad_codes = 0;
        account->code_sent_at = 0;
    }
    if (phase != ACCOUNT_CODE_DUE && phase != ACCOUNT_AUTHENTICATED)
        wipe(&account->session, sizeof(account->session));
    if (phase != ACCOUNT_LOGGED_IN)
        wipe(&account->tokens, sizeof(account->tokens));
    if (phase == ACCOUNT_LOGGED_IN) {
        account->logged_in_at = now;
        account->failures = 0;
        account->not_before = 0;
    }
}

/* A pause that doubles with each failure in a row, unless the server named one. */
static void wait_longer(struct account *account, const struct account_env *env)
{
    int64_t pause = profile_of(env)->login.retry, most = profile_of(env)->login.max_retry;
    for (int64_t i = 0; i < account->failures && pause < most; i++)
        pause *= 2;
    if (account->last.wait > 0)
        pause = account->last.wait;
    account->failures += account->failures < 30;
    account->not_before = now_of(env) + (pause < most ? pause : most);
}

static enum account_status saved(struct account *account, const struct account_env *env,
                                 enum account_status status)
{
    return save(account, env) ? status : ACCOUNT_UNSAVED;
}

enum account_status account_park(struct account *account, const struct account_env *env,
                                 enum login_outcome reason, const char *message)
{
    login_end(&account->last, reason, account->last.code, "%s", message);
    enter(account, ACCOUNT_PARKED, now_of(env));
    return saved(account, env, ACCOUNT_NEEDS_PERSON);
}

/* What follows from a step that did not succeed. */
static enum account_status step_failed(struct account *account, const struct account_env *env)
{
    switch (account->last.outcome) {
    case LOGIN_SERVER_ERROR:
    case LOGIN_BAD_RESPONSE:
    case LOGIN_BAD_ANISETTE:
    case LOGIN_REPROVISION:
    case LOGIN_BAD_SERVER_PROOF:
    case LOGIN_DELEGATE_ERROR:
        wait_longer(account, env);
        return saved(account, env, ACCOUNT_WAITS);
    default: /* trying again by itself could only do harm */
        enter(account, ACCOUNT_PARKED, now_of(env));
        return saved(account, env, ACCOUNT_NEEDS_PERSON);
    }
}

/* ---- the steps of a login ---- */

/* True when the step is worth repeating at once: the machine's proof was refused for the first time. */
static bool refresh_machine(struct account *account, const struct account_env *env, bool *refreshed)
{
    bool again = !*refreshed &&
                 (account->last.outcome == LOGIN_BAD_ANISETTE || account->last.outcome == LOGIN_REPROVISION);
    if (again && account->last.outcome == LOGIN_REPROVISION && account->machine.mode == ANISETTE_V3)
        anisette_reprovision(env->provider->anisette, &account->machine);
    else if (again)
        anisette_forget(env->provider->anisette);
    *refreshed |= again;
    return again;
}

/* A code that was sent a short while ago can still be entered after signing in once more: nobody wants two.
 */
static bool code_pending(const struct account *account, const struct account_env *env)
{
    return account->code != ACCOUNT_CODE_NOT_SENT && now_of(env) - account->code_sent_at < CODE_LIFE;
}

/* logged_out: the password. */
static bool step_password(struct account *account, const struct account_env *env)
{
    account->tried_at = now_of(env);
    switch (gsa_login(env->provider, &account->machine, account->username, account->password,
                      &account->session, &account->last)) {
    case LOGIN_AUTHENTICATED:
        enter(account, ACCOUNT_AUTHENTICATED, now_of(env));
        return true;
    case LOGIN_TRUSTED_DEVICE:
    case LOGIN_SMS:
        if (!code_pending(account, env)) {
            account->by_sms = account->last.outcome == LOGIN_SMS;
            account->code = ACCOUNT_CODE_NOT_SENT;
        } else {
            account->code = ACCOUNT_CODE_SENT;
        }
        enter(account, ACCOUNT_CODE_DUE, now_of(env));
        return true;
    default:
        return false;
    }
}

/* authenticated: the token for reports. An outdated password-equivalent token leads back to the password,
 * once. */
static bool step_delegates(struct account *account, const struct account_env *env, bool *renewed)
{
    int64_t expiry = account->session.pet_expiry;
    bool outdated = expiry != 0 && expiry <= now_of(env);
    if (!outdated &&
        delegates_get(env->provider, &account->machine, account->username, &account->session,
                      account->client_id, &account->tokens, &account->last) == LOGIN_AUTHENTICATED) {
        enter(account, ACCOUNT_LOGGED_IN, now_of(env));
        return true;
    }
    if (outdated)
        login_end(&account->last, LOGIN_DELEGATE_ERROR, 0, "the token for the delegate service is outdated");
    bool renew = !*renewed && account->last.outcome == LOGIN_DELEGATE_ERROR;
    if (account->last.outcome == LOGIN_DELEGATE_ERROR)
        enter(account, ACCOUNT_LOGGED_OUT, now_of(env));
    *renewed |= renew;
    return renew;
}

/* Where a login of a person's begins anew, and a restart in the middle goes on. */
static void resume(struct account *account, const struct account_env *env)
{
    bool submitted = account->phase == ACCOUNT_CODE_DUE && account->code == ACCOUNT_CODE_SUBMITTING;
    bool by_person = env->attended &&
                     (account->phase == ACCOUNT_PARKED || account->phase == ACCOUNT_CODE_DUE);
    if (submitted || by_person) /* the code may have been taken: the password will tell */
        enter(account, ACCOUNT_LOGGED_OUT, now_of(env));
    if (env->attended)
        account->not_before = 0;
}

/* A process that dies during the attempt, and is started again and again, must not hammer Apple: the pause
 * after a failure is stored before the attempt. */
static bool guard_restart(struct account *account, const struct account_env *env)
{
    if (env->attended)
        return true;
    account->not_before = now_of(env) + profile_of(env)->login.retry;
    return save(account, env);
}

enum account_status account_login(struct account *account, const struct account_env *env)
{
    bool refreshed = false, renewed = false;
    resume(account, env);
    for (int i = 0; i < MAX_STEPS; i++) {
        if (account->phase != ACCOUNT_LOGGED_OUT && account->phase != ACCOUNT_AUTHENTICATED)
            return saved(account, env, account_status(account, now_of(env)));
        if (now_of(env) < account->not_before)
            return saved(account, env, ACCOUNT_WAITS);
        if (!guard_restart(account, env))
            return ACCOUNT_UNSAVED;
        bool ok = account->phase == ACCOUNT_LOGGED_OUT ? step_password(account, env)
                                                       : step_delegates(account, env, &renewed);
        account->not_before = 0;
        if (!ok && !refresh_machine(account, env, &refreshed))
            return step_failed(account, env);
        if (!save(account, env))
            return ACCOUNT_UNSAVED;
    }
    return step_failed(account, env);
}

/* ---- the second factor ---- */

static enum account_status no_code_due(struct account *account, const struct account_env *env)
{
    login_end(&account->last, LOGIN_REFUSED, 0, "no second-factor code is due; sign in first");
    return account_status(account, now_of(env));
}

/* A failed request of the second factor leaves the account where it is, unless it is locked or the like. */
static enum account_status factor_failed(struct account *account, const struct account_env *env)
{
    switch (account->last.outcome) {
    case LOGIN_ACCOUNT_LOCKED:
    case LOGIN_UNSUPPORTED_STEP:
        return step_failed(account, env);
    case LOGIN_BAD_ANISETTE:
    case LOGIN_REPROVISION:
        anisette_forget(env->provider->anisette);
        break;
    default:
        break;
    }
    return saved(account, env, ACCOUNT_NEEDS_CODE);
}

enum account_status account_list_phones(struct account *account, const struct account_env *env)
{
    if (account->phase != ACCOUNT_CODE_DUE)
        return no_code_due(account, env);
    if (twofactor_list_phones(env->provider, &account->machine, &account->session, &account->phones,
                              &account->last) != LOGIN_AUTHENTICATED)
        return factor_failed(account, env);
    if (account->phones.sms_sent && account->code == ACCOUNT_CODE_NOT_SENT && account->phones.count > 0) {
        account->by_sms = true; /* Apple sent a message by itself, to the first phone */
        account->phone = account->phones.items[0].id;
        account->code = ACCOUNT_CODE_SENT;
        account->code_sent_at = now_of(env);
    }
    return saved(account, env, ACCOUNT_NEEDS_CODE);
}

/* Which phone to send to. True: *sent tells that listing the phones has sent a message to it already. */
static bool choose_phone(struct account *account, const struct account_env *env, int64_t phone, bool *sent)
{
    *sent = false;
    if (phone != 0) {
        account->phone = phone;
        return true;
    }
    if (twofactor_list_phones(env->provider, &account->machine, &account->session, &account->phones,
                              &account->last) != LOGIN_AUTHENTICATED)
        return false;
    if (account->phones.count == 0) {
        login_end(&account->last, LOGIN_PHONE_REFUSED, 0, "the account has no phone for text messages");
        return false;
    }
    account->phone = account->phones.items[0].id;
    *sent = account->phones.sms_sent;
    return true;
}

enum account_status account_send_code(struct account *account, const struct account_env *env, bool by_sms,
                                      int64_t phone)
{
    bool sent = false;
    if (account->phase != ACCOUNT_CODE_DUE)
        return no_code_due(account, env);
    account->by_sms = by_sms;
    if (by_sms && !choose_phone(account, env, phone, &sent))
        return factor_failed(account, env);

    /* Stored before the request, so that a restart does not send a second one. */
    account->code = ACCOUNT_CODE_SENDING;
    account->code_sent_at = now_of(env);
    account->bad_codes = 0;
    if (!save(account, env))
        return ACCOUNT_UNSAVED;
    if (!sent) {
        enum login_outcome outcome =
            by_sms ? twofactor_send_sms(env->provider, &account->machine, &account->session, account->phone,
                                        &account->last)
                   : twofactor_push(env->provider, &account->machine, &account->session, &account->last);
        if (outcome != LOGIN_AUTHENTICATED) {
            account->code = ACCOUNT_CODE_NOT_SENT;
            return factor_failed(account, env);
        }
    }
    account->code = ACCOUNT_CODE_SENT;
    return saved(account, env, ACCOUNT_NEEDS_CODE);
}

enum account_status account_submit_code(struct account *account, const struct account_env *env,
                                        const char *code)
{
    if (account->phase != ACCOUNT_CODE_DUE)
        return no_code_due(account, env);
    if (!twofactor_code_valid(code)) {
        login_end(&account->last, LOGIN_BAD_CODE, 0, "a code has six digits");
        return ACCOUNT_NEEDS_CODE;
    }
    if (account->by_sms && account->phone == 0) {
        login_end(&account->last, LOGIN_REFUSED, 0, "no text message was asked for yet");
        return ACCOUNT_NEEDS_CODE;
    }
    account->code = ACCOUNT_CODE_SUBMITTING;
    if (!save(account, env))
        return ACCOUNT_UNSAVED;
    enum login_outcome outcome = account->by_sms
                                     ? twofactor_submit_sms(env->provider, &account->machine,
                                                            &account->session, account->phone, code,
                                                            &account->last)
                                     : twofactor_submit_push(env->provider, &account->machine,
                                                             &account->session, code, &account->last);
    if (outcome != LOGIN_AUTHENTICATED) {
        account->code = ACCOUNT_CODE_SENT;
        account->bad_codes += outcome == LOGIN_BAD_CODE;
        if (account->bad_codes >= profile_of(env)->login.max_codes)
            account->code = ACCOUNT_CODE_NOT_SENT; /* a new one is needed before Apple counts us out */
        return factor_failed(account, env);
    }
    enter(account, ACCOUNT_LOGGED_OUT, now_of(env));
    if (!save(account, env))
        return ACCOUNT_UNSAVED;
    return account_login(account, env);
}

/* ---- while logged in ---- */

enum account_status account_token_useless(struct account *account, const struct account_env *env)
{
    login_end(&account->last, LOGIN_SERVER_ERROR, 401, "the token is refused shortly after a new sign-in");
    account->not_before = account->logged_in_at + profile_of(env)->login.relogin_interval;
    return saved(account, env, ACCOUNT_WAITS);
}

enum account_status account_token_refused(struct account *account, const struct account_env *env)
{
    int64_t now = now_of(env);
    if (account->phase != ACCOUNT_LOGGED_IN)
        return account_status(account, now);
    if (account->relogins >= profile_of(env)->login.max_relogins)
        return account_park(account, env, LOGIN_REFUSED, "fresh tokens are refused again and again");
    /* The first refusal may be spurious or simply the token's end; from the second on, keep a distance. */
    bool recent = now < account->logged_in_at + profile_of(env)->login.relogin_interval;
    if (account->relogins > 0 && recent && !env->attended)
        return account_token_useless(account, env);
    account->relogins++;
    enter(account, ACCOUNT_LOGGED_OUT, now);
    if (!save(account, env))
        return ACCOUNT_UNSAVED;
    return account_login(account, env);
}

enum account_status account_token_worked(struct account *account, const struct account_env *env)
{
    bool clean = account->relogins == 0 && account->failures == 0 && !account->machine.changed;
    account->relogins = 0;
    account->failures = 0;
    return clean ? ACCOUNT_READY : saved(account, env, ACCOUNT_READY);
}
