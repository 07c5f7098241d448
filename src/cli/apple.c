/* Putting Apple's side together for the command line. */
#include "cli/apple.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "findmy/record.h"

/* A command talks to a person: progress lines of the library are only shown when LOG_LEVEL was set on
 * purpose. */
static void quiet_log(const struct config *config)
{
    for (size_t i = 0; i < config_settings_count; i++)
        if (strcmp(config_settings[i].name, "LOG_LEVEL") == 0 &&
            strcmp(config_source(config, &config_settings[i]), "default") == 0)
            log_init("trackerd", LOG_LEVEL_WARN);
}

bool apple_open_store(struct apple *apple, const struct config *config, struct error *err)
{
    *apple = (struct apple){ .arena = arena_new(), .lock = -1 };
    quiet_log(config);
    apple->store = (struct account_store){ .folder = config->account_folder, .sealer = &apple->sealer };
    if (!sealer_init(&apple->sealer, config->master_key, err))
        return false;
    if (apple->sealer.count == 0)
        return error_set(
            err, "master_key_missing",
            "accounts are stored sealed: set MASTER_KEY (openssl rand -base64 32) or MASTER_KEY_FILE");
    return account_store_open(&apple->store, err);
}

bool apple_open_account(struct apple *apple, const char *name, struct error *err)
{
    apple->account = arena_secret(apple->arena, sizeof(*apple->account));
    if (!account_name_valid(name))
        return error_set(err, "account_invalid", "this is no name of an account");
    return account_store_lock(&apple->store, name, &apple->lock, err) &&
           account_store_load(&apple->store, name, apple->account, err);
}

static bool save_account(void *self, const struct account *account, struct error *err)
{
    struct apple *apple = self;
    return account_store_save(&apple->store, account, err);
}

static bool open_tape(struct apple *apple, const struct apple_options *options, struct error *err)
{
    if (options->record != NULL)
        apple->tape = record_new(apple->direct, options->record, &apple->sealer, &clock_system, err);
    else if (options->replay != NULL)
        apple->tape = replay_new(options->replay, &apple->sealer, err);
    return apple->tape != NULL || (options->record == NULL && options->replay == NULL);
}

bool apple_connect(struct apple *apple, const struct config *config, const struct apple_options *options,
                   struct error *err)
{
    const struct httpc_options http = { .proxy = config->http_proxy_url, .ca_file = config->http_ca_file };
    if ((apple->profile = profile_load(apple->arena, config->provider_profile, err)) == NULL ||
        (apple->direct = httpc_curl_new(&http, err)) == NULL || !open_tape(apple, options, err))
        return false;
    apple->websocket = websocket_new(&http, err);
    struct http_client *client = apple->tape != NULL ? apple->tape : apple->direct;
    struct anisette *anisette = apple->websocket == NULL
                                    ? NULL
                                    : anisette_new(config->anisette_url, apple->profile, client,
                                                   apple->websocket, &clock_system, err);
    if (anisette == NULL)
        return false;
    apple->provider = (struct provider){
        .profile = apple->profile, .http = client, .clock = &clock_system, .anisette = anisette
    };
    apple->env = (struct account_env){
        .provider = &apple->provider, .save = save_account, .self = apple, .attended = true
    };
    return true;
}

void apple_close(struct apple *apple)
{
    anisette_free(apple->provider.anisette);
    websocket_close(apple->websocket);
    httpc_close(apple->tape);
    httpc_close(apple->direct);
    if (apple->lock >= 0)
        close(apple->lock);
    sealer_wipe(&apple->sealer);
    arena_free(apple->arena);
}

int apple_exit(enum account_status status)
{
    static const int statuses[] = {
        [ACCOUNT_READY] = EXIT_OK,       [ACCOUNT_NEEDS_CODE] = EXIT_CODE_DUE,
        [ACCOUNT_WAITS] = EXIT_LATER,    [ACCOUNT_NEEDS_PERSON] = EXIT_PERSON,
        [ACCOUNT_UNSAVED] = EXIT_FAILED,
    };
    return statuses[status];
}

/* What a person can do about each outcome; docs/operators/apple-accounts.md says more. */
static const char *advice(enum login_outcome outcome)
{
    switch (outcome) {
    case LOGIN_BAD_CREDENTIALS:
        return "check user name and password; `trackerd account login NAME --password-stdin` sets a new password";
    case LOGIN_ACCOUNT_LOCKED:
        return "unlock the account at https://iforgot.apple.com, then sign in again";
    case LOGIN_ACCOUNT_LIMIT:
        return "sign the account in once on a real Apple device, wait a day, then sign in again";
    case LOGIN_UNSUPPORTED_STEP:
        return "sign in at https://account.apple.com and do what is asked there, then sign in here again";
    case LOGIN_BAD_CODE:
        return "enter the newest code, or have a new one sent: `trackerd account 2fa NAME --send`";
    case LOGIN_TOO_MANY_CODES:
        return "wait some hours before a new code is asked for";
    case LOGIN_PHONE_REFUSED:
        return "choose another phone: `trackerd account 2fa NAME --phones`";
    case LOGIN_BAD_ANISETTE:
    case LOGIN_REPROVISION:
        return "check the Anisette server and its clock";
    case LOGIN_BAD_SERVER_PROOF:
        return "the answer was not Apple's: check proxy and network before the next try";
    default:
        return NULL;
    }
}

void apple_explain(const struct account *account, enum account_status status)
{
    const struct login_result *last = &account->last;
    char when[RFC3339_SIZE];
    if (status == ACCOUNT_READY)
        return;
    if (last->outcome != LOGIN_AUTHENTICATED) {
        fprintf(stderr, "trackerd: account %s: %s", account->name, login_outcome_names[last->outcome]);
        if (last->code != 0)
            fprintf(stderr, " (%lld)", (long long)last->code);
        fprintf(stderr, "%s%s\n", last->message[0] != '\0' ? ": " : "", last->message);
    }
    if (status == ACCOUNT_NEEDS_CODE)
        fprintf(stderr, "a second-factor code is due: trackerd account 2fa %s CODE\n", account->name);
    if (status == ACCOUNT_WAITS && account->not_before > 0)
        fprintf(stderr, "not before %s\n",
                time_format(account->not_before - account->not_before % USEC_PER_SEC, when));
    if (advice(last->outcome) != NULL)
        fprintf(stderr, "%s\n", advice(last->outcome));
}
