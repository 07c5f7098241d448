/* trackerd account: Apple accounts in a folder - add, sign in, second factor, status, remove, profile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/parse.h"
#include "cli/apple.h"
#include "cli/cli.h"
#include "cli/prompt.h"

#define CODE_TRIES 3 /* at the terminal */

static const char *const methods[] = { "device", "sms", NULL };

/* ---- printing ---- */

static void put_time(struct json *json, const char *key, int64_t usec)
{
    if (usec == 0)
        json_put_null(json, key);
    else
        json_put_time(json, key, usec - usec % USEC_PER_SEC);
}

static void write_phones(struct json *json, const struct twofactor_phones *phones)
{
    json_key(json, "phones");
    json_start_array(json);
    for (size_t i = 0; i < phones->count; i++) {
        json_start_object(json);
        json_put_int(json, "id", phones->items[i].id);
        json_put_text(json, "number", phones->items[i].number);
        json_put_text(json, "mode", phones->items[i].mode);
        json_end_object(json);
    }
    json_end_array(json);
}

/* No secret is among these. */
static void write_status(struct json *json, const struct account *account, enum account_status status)
{
    char device[ANISETTE_DEVICE_SIZE];
    anisette_device_id(account->machine.identifier, device);
    json_start_object(json);
    json_put_text(json, "name", account->name);
    json_put_text(json, "username", account->username);
    json_put_text(json, "status", account_status_names[status]);
    json_put_text(json, "phase", account_phase_names[account->phase]);
    json_put_text(json, "outcome",
                  account->tried_at != 0 ? login_outcome_names[account->last.outcome] : NULL);
    json_put_int(json, "code", account->last.code);
    json_put_text(json, "message", account->last.message);
    json_put_text(json, "second_factor",
                  account->phase != ACCOUNT_CODE_DUE ? NULL : methods[account->by_sms]);
    json_put_text(json, "code_state", account_code_names[account->code]);
    write_phones(json, &account->phones);
    json_put_text(json, "device", device);
    json_put_text(json, "anisette", anisette_mode_names[account->machine.mode]);
    json_put_bool(json, "provisioned", account->machine.blob_len > 0 || account->machine.mode == ANISETTE_V1);
    put_time(json, "created_at", account->created_at);
    put_time(json, "tried_at", account->tried_at);
    put_time(json, "logged_in_at", account->logged_in_at);
    put_time(json, "not_before", account->not_before);
    json_end_object(json);
}

static void print_json(const struct account *account, enum account_status status)
{
    struct buf out = { 0 };
    struct json json;
    json_begin(&json, &out);
    write_status(&json, account, status);
    puts(buf_text(&out));
    buf_free(&out);
}

static void print_line(const struct account *account, enum account_status status)
{
    char when[RFC3339_SIZE] = "-";
    if (account->logged_in_at != 0)
        time_format(account->logged_in_at - account->logged_in_at % USEC_PER_SEC, when);
    printf("%-20s %-14s %-14s %-20s %s\n", account->name, account_status_names[status],
           account_phase_names[account->phase], when, account->username);
}

/* End of login and 2fa: state on standard output, what to do on standard error. */
static int report_status(const struct account *account, enum account_status status, bool as_json)
{
    if (as_json)
        print_json(account, status);
    else if (status == ACCOUNT_READY)
        printf("account %s is signed in\n", account->name);
    apple_explain(account, status);
    return apple_exit(status);
}

/* ---- add ---- */

static bool add_account(struct apple *apple, const char *name, const char *username, struct error *err)
{
    char *password = arena_secret(apple->arena, ACCOUNT_MAX_PASSWORD + 1);
    apple->account = arena_secret(apple->arena, sizeof(*apple->account));
    if (!account_name_valid(name))
        return account_init(apple->account, name, username, "-", time_now(), err);
    if (!account_store_lock(&apple->store, name, &apple->lock, err))
        return false;
    if (account_store_exists(&apple->store, name))
        return error_set(err, "account_exists", "there is an account %s already", name);
    return prompt_secret("Password", password, ACCOUNT_MAX_PASSWORD, err) &&
           account_init(apple->account, name, username, password, time_now(), err) &&
           account_store_save(&apple->store, apple->account, err);
}

static int run_add(int argc, char **argv, const struct config *config)
{
    const char *username = NULL, *stdin_flag = NULL;
    const struct cli_option options[] = { { "--username", false, &username },
                                          { "--password-stdin", true, &stdin_flag } };
    struct apple apple;
    struct error err;
    int positional;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional != 1)
        return cli_usage(argv[0], "give the account one NAME");
    if (username == NULL)
        return cli_usage(argv[0], "--username is missing");
    bool ok = apple_open_store(&apple, config, &err) && add_account(&apple, argv[1], username, &err);
    if (ok)
        printf("account %s added; sign in with: trackerd account login %s\n", argv[1], argv[1]);
    apple_close(&apple);
    return ok ? EXIT_OK : cli_fail(&err);
}

/* ---- login ---- */

/* Ask for the code at the terminal. */
static enum account_status ask_code(struct apple *apple)
{
    enum account_status status = ACCOUNT_NEEDS_CODE;
    char code[16];
    struct error err;
    for (int i = 0; i < CODE_TRIES && status == ACCOUNT_NEEDS_CODE; i++) {
        if (!prompt_secret("Code", code, sizeof(code) - 1, &err))
            break;
        status = account_submit_code(apple->account, &apple->env, code);
        if (status == ACCOUNT_NEEDS_CODE)
            apple_explain(apple->account, status);
        if (apple->account->code == ACCOUNT_CODE_NOT_SENT)
            break;
    }
    wipe(code, sizeof(code));
    return status;
}

struct factor {
    const char *method, *phone_text;
    int64_t phone;
};

static bool check_factor(const char *command, struct factor *factor)
{
    if (factor->method != NULL && word_index(methods, factor->method) < 0) {
        cli_usage(command, "--method must be device or sms, not %s", factor->method);
        return false;
    }
    if (factor->phone_text != NULL && !parse_i64_range(factor->phone_text, 1, INT64_MAX, &factor->phone)) {
        cli_usage(command, "--phone must be the id of a phone as --phones shows it");
        return false;
    }
    if (factor->phone != 0 && factor->method != NULL && strcmp(factor->method, "sms") != 0) {
        cli_usage(command, "--phone is for text messages only");
        return false;
    }
    return true;
}

/* Apple says which factor it expects; a person may want the other one. */
static enum account_status send_code(struct apple *apple, const struct factor *factor)
{
    bool by_sms = apple->account->by_sms;
    if (factor->method != NULL || factor->phone != 0)
        by_sms = factor->method == NULL || strcmp(factor->method, "sms") == 0;
    enum account_status status = account_send_code(apple->account, &apple->env, by_sms, factor->phone);
    if (status == ACCOUNT_NEEDS_CODE && apple->account->code == ACCOUNT_CODE_SENT)
        fprintf(stderr, "a code was sent %s\n",
                by_sms ? "by text message" : "to the account's trusted devices");
    return status;
}

static bool new_password(struct apple *apple, struct error *err)
{
    char *password = arena_secret(apple->arena, ACCOUNT_MAX_PASSWORD + 1);
    struct account *fresh = arena_secret(apple->arena, sizeof(*fresh));
    if (!prompt_secret("Password", password, ACCOUNT_MAX_PASSWORD, err) ||
        !account_init(fresh, apple->account->name, apple->account->username, password, time_now(), err))
        return false; /* account_init checks the password */
    return text_copy(apple->account->password, sizeof(apple->account->password), password);
}

static enum account_status login(struct apple *apple, const struct factor *factor, bool send)
{
    enum account_status status = account_login(apple->account, &apple->env);
    if (status == ACCOUNT_NEEDS_CODE && send && apple->account->code == ACCOUNT_CODE_NOT_SENT)
        status = send_code(apple, factor);
    else if (status == ACCOUNT_NEEDS_CODE && apple->account->code != ACCOUNT_CODE_NOT_SENT)
        fprintf(stderr, "a code was sent a short while ago; `trackerd account 2fa %s --send` sends another\n",
                apple->account->name);
    if (status == ACCOUNT_NEEDS_CODE && apple->account->code == ACCOUNT_CODE_SENT && prompt_is_interactive())
        status = ask_code(apple);
    return status;
}

static int run_login(int argc, char **argv, const struct config *config)
{
    const char *stdin_flag = NULL, *no_code = NULL, *json = NULL;
    struct factor factor = { 0 };
    const struct cli_option options[] = {
        { "--password-stdin", true, &stdin_flag },
        { "--no-code", true, &no_code },
        { "--json", true, &json },
        { "--method", false, &factor.method },
        { "--phone", false, &factor.phone_text },
    };
    struct apple apple;
    struct error err;
    int positional, exit_status;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional) || !check_factor(argv[0], &factor))
        return EXIT_USAGE;
    if (positional != 1)
        return cli_usage(argv[0], "name one account");
    bool ok = apple_open_store(&apple, config, &err) && apple_open_account(&apple, argv[1], &err) &&
              apple_connect(&apple, config, &(struct apple_options){ 0 }, &err) &&
              (stdin_flag == NULL || new_password(&apple, &err));
    exit_status = ok ? report_status(apple.account, login(&apple, &factor, no_code == NULL), json != NULL)
                     : cli_fail(&err);
    apple_close(&apple);
    return exit_status;
}

/* ---- 2fa ---- */

static void print_phones(const struct account *account)
{
    for (size_t i = 0; i < account->phones.count; i++)
        printf("%lld\t%s\t%s\n", (long long)account->phones.items[i].id, account->phones.items[i].number,
               account->phones.items[i].mode);
    if (account->phones.sms_sent)
        fputs("Apple has sent a text message at this\n", stderr);
}

static enum account_status second_factor(struct apple *apple, const char *code, const struct factor *factor,
                                         bool phones, bool send, struct error *err)
{
    char typed[16];
    enum account_status status = account_status(apple->account, time_now());
    if (phones) {
        status = account_list_phones(apple->account, &apple->env);
        if (apple->account->last.outcome == LOGIN_AUTHENTICATED)
            print_phones(apple->account);
        return status;
    }
    if (send)
        return send_code(apple, factor);
    if (strcmp(code, "-") != 0)
        return account_submit_code(apple->account, &apple->env, code);
    if (prompt_secret("Code", typed, sizeof(typed) - 1, err))
        status = account_submit_code(apple->account, &apple->env, typed);
    wipe(typed, sizeof(typed));
    return status;
}

static int run_2fa(int argc, char **argv, const struct config *config)
{
    const char *send = NULL, *phones = NULL, *json = NULL;
    struct factor factor = { 0 };
    const struct cli_option options[] = {
        { "--send", true, &send },
        { "--phones", true, &phones },
        { "--json", true, &json },
        { "--method", false, &factor.method },
        { "--phone", false, &factor.phone_text },
    };
    struct apple apple;
    struct error err = { .code = "" };
    int positional, exit_status;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional) || !check_factor(argv[0], &factor))
        return EXIT_USAGE;
    if (positional < 1 || positional > 2 || (positional == 2 && (send != NULL || phones != NULL)))
        return cli_usage(argv[0], "name one account, and give either a CODE, --send or --phones");
    const char *code = positional == 2 ? argv[2] : "-";
    bool ok = apple_open_store(&apple, config, &err) && apple_open_account(&apple, argv[1], &err) &&
              apple_connect(&apple, config, &(struct apple_options){ 0 }, &err);
    if (ok) {
        enum account_status status = second_factor(&apple, code, &factor, phones != NULL, send != NULL, &err);
        bool asked = (phones != NULL || send != NULL) && apple.account->last.outcome == LOGIN_AUTHENTICATED;
        if (asked && json == NULL)
            exit_status = EXIT_OK; /* what was asked for was done; the code is still due */
        else
            exit_status = err.code[0] != '\0' ? cli_fail(&err)
                                              : report_status(apple.account, status, json != NULL);
        if (asked)
            exit_status = EXIT_OK;
    } else {
        exit_status = cli_fail(&err);
    }
    apple_close(&apple);
    return exit_status;
}

/* ---- status, remove, profile ---- */

static bool show_one(struct apple *apple, const char *name, bool as_json, enum account_status *status,
                     struct error *err)
{
    struct account *account = arena_secret(apple->arena, sizeof(*account));
    if (!account_store_load(&apple->store, name, account, err))
        return false;
    *status = account_status(account, time_now());
    if (as_json)
        print_json(account, *status);
    else
        print_line(account, *status);
    return true;
}

static int run_status(int argc, char **argv, const struct config *config)
{
    const char *json = NULL;
    const struct cli_option options[] = { { "--json", true, &json } };
    const char *const *names;
    struct apple apple;
    struct error err;
    enum account_status status = ACCOUNT_READY;
    int positional;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional > 1)
        return cli_usage(argv[0], "name one account, or none for all");
    bool ok = apple_open_store(&apple, config, &err);
    if (ok && json == NULL)
        printf("%-20s %-14s %-14s %-20s %s\n", "NAME", "STATUS", "PHASE", "SIGNED IN", "USER");
    if (ok && positional == 1) {
        ok = show_one(&apple, argv[1], json != NULL, &status, &err);
    } else if (ok) {
        ok = account_store_list(&apple.store, apple.arena, &names, &err);
        for (size_t i = 0; ok && names[i] != NULL; i++)
            ok = show_one(&apple, names[i], json != NULL, &status, &err);
        status = ACCOUNT_READY; /* of all: the list itself is the answer */
    }
    apple_close(&apple);
    return ok ? apple_exit(status) : cli_fail(&err);
}

static bool confirmed(const char *name, const char *yes)
{
    char answer[8] = "";
    if (yes != NULL)
        return true;
    if (!prompt_is_interactive())
        return false;
    fprintf(stderr, "Remove account %s and its machine identity for good? [y/N] ", name);
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

static int run_remove(int argc, char **argv, const struct config *config)
{
    const char *yes = NULL;
    const struct cli_option options[] = { { "--yes", true, &yes } };
    struct apple apple;
    struct error err;
    int positional;
    if (!cli_options(argc, argv, options, ARRAY_LEN(options), &positional))
        return EXIT_USAGE;
    if (positional != 1)
        return cli_usage(argv[0], "name one account");
    if (!account_name_valid(argv[1]))
        return cli_usage(argv[0], "this is no name of an account");
    bool ok = apple_open_store(&apple, config, &err);
    if (ok && !account_store_exists(&apple.store, argv[1]))
        ok = error_set(&err, "account_unknown", "there is no account %s", argv[1]);
    if (ok && !confirmed(argv[1], yes))
        ok = error_set(&err, "not_confirmed", "nothing was removed; --yes removes without asking");
    ok = ok && account_store_lock(&apple.store, argv[1], &apple.lock, &err) &&
         account_store_remove(&apple.store, argv[1], &err);
    if (ok)
        printf("account %s removed\n", argv[1]);
    apple_close(&apple);
    return ok ? EXIT_OK : cli_fail(&err);
}

static int run_profile(int argc, char **argv, const struct config *config)
{
    struct arena *arena = arena_new();
    struct error err;
    int positional;
    if (!cli_options(argc, argv, NULL, 0, &positional))
        return EXIT_USAGE;
    if (positional > 1)
        return cli_usage(argv[0], "only one FILE is taken");
    const struct profile *profile = profile_load(arena, positional == 1 ? argv[1] : config->provider_profile,
                                                 &err);
    struct buf out = { 0 };
    if (profile != NULL) {
        profile_print(profile, &out);
        puts(buf_text(&out));
    }
    buf_free(&out);
    arena_free(arena);
    return profile != NULL ? EXIT_OK : cli_fail(&err);
}

/* ---- the table ---- */

#define FACTOR_HELP                                                                                          \
    "  --method device|sms  where the code goes; default: what Apple asks for\n"                             \
    "  --phone ID           text message to this phone (see --phones); default: the first\n"

static const struct command add = {
    .name = "add",
    .help = "Usage: trackerd account add NAME --username USER [--password-stdin]\n\n"
            "Stores an Apple account under NAME. The password is asked for, or read as the first line\n"
            "of standard input; it is never an argument. Nothing is sent to Apple yet.\n\n"
            "  --username USER      the account's e-mail address or phone number\n"
            "  --password-stdin     read standard input also when it is a terminal's (the default for\n"
            "                       anything that is no terminal)\n\n"
            "The account's file holds user name, password, tokens and the machine identity, sealed with\n"
            "MASTER_KEY, in ACCOUNT_FOLDER.\n",
    .settings = true,
    .run = run_add,
};

static const struct command login_command = {
    .name = "login",
    .help = "Usage: trackerd account login NAME [--method device|sms] [--phone ID] [--no-code]\n"
            "                                   [--password-stdin] [--json]\n\n"
            "Signs in. When Apple wants a second factor, one code is sent and asked for at the terminal;\n"
            "without a terminal the command ends with status 3 and `trackerd account 2fa` goes on. It may\n"
            "be stopped and repeated at any point.\n\n" FACTOR_HELP
            "  --no-code            do not have a code sent\n"
            "  --password-stdin     first replace the stored password with one from standard input\n"
            "  --json               print the account's state as JSON\n\n" APPLE_EXIT_HELP,
    .settings = true,
    .run = run_login,
};

static const struct command second_factor_command = {
    .name = "2fa",
    .help =
        "Usage: trackerd account 2fa NAME [CODE|-] [--json]\n"
        "       trackerd account 2fa NAME --send [--method device|sms] [--phone ID] [--json]\n"
        "       trackerd account 2fa NAME --phones\n\n"
        "Hands in the six digits of a second-factor code and signs in further; `-` or nothing reads\n"
        "them from the terminal or standard input. --send has a new code sent, --phones lists the\n"
        "phones that can get text messages (id, last digits, mode; Apple may send one at this).\n\n" FACTOR_HELP
        "  --json               print the account's state as JSON\n\n" APPLE_EXIT_HELP,
    .settings = true,
    .run = run_2fa,
};

static const struct command status_command = {
    .name = "status",
    .help = "Usage: trackerd account status [NAME] [--json]\n\n"
            "Prints where an account, or each account of ACCOUNT_FOLDER, stands, without asking Apple. With\n"
            "--json one object a line: name, username, status (ready, needs_code, waits, needs_person),\n"
            "phase, outcome, code and message of the last step, device, times. For one NAME the exit\n"
            "status tells the same.\n\n" APPLE_EXIT_HELP,
    .settings = true,
    .run = run_status,
};

static const struct command remove_command = {
    .name = "remove",
    .help = "Usage: trackerd account remove NAME [--yes]\n\n"
            "Deletes the account's file. Its machine identity is lost with it: the same account added again\n"
            "is a new device for Apple and needs a second factor. --yes asks nothing.\n",
    .settings = true,
    .run = run_remove,
};

static const struct command profile_command = {
    .name = "profile",
    .help =
        "Usage: trackerd account profile [FILE]\n\n"
        "Prints the effective provider profile as JSON: the built-in one with what FILE, or else the\n"
        "setting PROVIDER_PROFILE, changes. A profile holds all that Apple may change: addresses, client\n"
        "identification, headers, ids per request, look-back, retry rules, meaning of status codes. A file\n"
        "needs only what differs; a mistake in it is reported with its place.\n",
    .settings = true,
    .run = run_profile,
};

static const struct command *const parts[] = {
    &add, &login_command, &second_factor_command, &status_command, &remove_command, &profile_command, NULL
};

const struct command cmd_account = {
    .name = "account",
    .summary = "Apple accounts: add, sign in, second factor, status",
    .help = "Usage: trackerd account add|login|2fa|status|remove|profile ...\n\n"
            "Apple accounts that reports are fetched with, kept in ACCOUNT_FOLDER without a database.\n",
    .parts = parts,
};
