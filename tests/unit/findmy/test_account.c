/* The account state machine: every outcome, every restart, no loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/encode.h"
#include "fake_apple.h"
#include "findmy/account_store.h"

/* ---- straight ways ---- */

static void password_alone(void **state)
{
    (void)state;
    static const char *const forms[] = { "s2k", "s2k_fo" };
    static const char *const passwords[] = { "correct horse", "p\xc3\xa4ssw\xc3\xb6rd-\xce\xa9",
                                             "\xf0\x9f\x94\x91" };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        for (size_t k = 0; k < ARRAY_LEN(passwords); k++) {
            struct fake_env env;
            fake_env_init(&env, profile_default());
            env.apple.form = forms[i];
            env.apple.password = passwords[k];
            strcpy(env.account.password, passwords[k]);
            assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_READY);
            assert_int_equal(env.account.phase, ACCOUNT_LOGGED_IN);
            assert_string_equal(env.account.tokens.dsid, "12345678901");
            assert_string_equal(env.account.tokens.search_party_token, "SPT-SECRET-1");
            assert_string_equal(env.account.session.pet, ""); /* only for the delegate call */
            assert_null(strstr(env.apple.last_client_info, "Xcode"));
            assert_int_equal(env.account.machine.mode, ANISETTE_V3);
            fake_env_free(&env);
        }
}

static void trusted_device(void **state)
{
    (void)state;
    struct fake_env env;
    fake_env_init(&env, profile_default());
    env.apple.au = "trustedDeviceSecondaryAuth";
    assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_NEEDS_CODE);
    assert_int_equal(env.apple.codes_sent, 0);
    assert_int_equal(account_send_code(&env.account, &env.env, env.account.by_sms, 0), ACCOUNT_NEEDS_CODE);
    assert_int_equal(env.apple.codes_sent, 1);
    assert_int_equal(account_submit_code(&env.account, &env.env, "999999"), ACCOUNT_NEEDS_CODE);
    assert_int_equal(env.account.last.outcome, LOGIN_BAD_CODE);
    assert_int_equal(env.account.last.code, -21669);
    assert_int_equal(account_submit_code(&env.account, &env.env, "012345"), ACCOUNT_READY);
    assert_string_equal(env.apple.last_security_code, "012345");
    assert_int_equal(env.apple.codes_sent, 1);
    fake_env_free(&env);
}

static void text_message(void **state)
{
    (void)state;
    for (int self_sent = 0; self_sent < 2; self_sent++) {
        struct fake_env env;
        fake_env_init(&env, profile_default());
        env.apple.au = "secondaryAuth";
        env.apple.phones_send_sms = self_sent != 0;
        assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_NEEDS_CODE);
        assert_true(env.account.by_sms);
        assert_int_equal(account_submit_code(&env.account, &env.env, "012345"),
                         ACCOUNT_NEEDS_CODE); /* none sent */
        assert_int_equal(account_send_code(&env.account, &env.env, true, 0), ACCOUNT_NEEDS_CODE);
        assert_int_equal(env.apple.codes_sent, 1); /* also when listing the phones sent it */
        assert_int_equal(env.account.phone, FAKE_PHONE);
        assert_int_equal(account_submit_code(&env.account, &env.env, "012345"), ACCOUNT_READY);
        fake_env_free(&env);
    }
}

static void malformed_codes_are_not_sent(void **state)
{
    (void)state;
    static const char *const codes[] = { "", "12345", "1234567", "12345a", " 12345", "-12345" };
    struct fake_env env;
    fake_env_init(&env, profile_default());
    env.apple.au = "trustedDeviceSecondaryAuth";
    assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_NEEDS_CODE);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        assert_int_equal(account_submit_code(&env.account, &env.env, codes[i]), ACCOUNT_NEEDS_CODE);
    assert_int_equal(env.apple.calls[FAKE_VALIDATE], 0);
    fake_env_free(&env);
}

static void wrong_codes_demand_a_new_one(void **state)
{
    (void)state;
    struct fake_env env;
    fake_env_init(&env, profile_default());
    env.apple.au = "trustedDeviceSecondaryAuth";
    assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_NEEDS_CODE);
    assert_int_equal(account_send_code(&env.account, &env.env, false, 0), ACCOUNT_NEEDS_CODE);
    for (int i = 0; i < profile_default()->login.max_codes; i++) {
        assert_int_equal(env.account.code, ACCOUNT_CODE_SENT);
        assert_int_equal(account_submit_code(&env.account, &env.env, "999999"), ACCOUNT_NEEDS_CODE);
    }
    assert_int_equal(env.account.code, ACCOUNT_CODE_NOT_SENT);
    fake_env_free(&env);
}

/* ---- outcomes ---- */

static void outcomes_of_complete(void **state)
{
    (void)state;
    static const struct {
        int64_t ec, hsc;
        enum login_outcome outcome;
        enum account_status status;
        int exchanges; /* until the program gives up */
    } cases[] = {
        { -20101, 401, LOGIN_BAD_CREDENTIALS, ACCOUNT_NEEDS_PERSON, 1 },
        { -22406, 401, LOGIN_BAD_CREDENTIALS, ACCOUNT_NEEDS_PERSON, 1 },
        { -20209, 403, LOGIN_ACCOUNT_LOCKED, ACCOUNT_NEEDS_PERSON, 1 },
        { -22421, 401, LOGIN_BAD_ANISETTE, ACCOUNT_WAITS, 2 },
        { -36607, 500, LOGIN_REFUSED, ACCOUNT_NEEDS_PERSON, 1 },
        { 0, 433, LOGIN_REPROVISION, ACCOUNT_WAITS, 2 },
        { 0, 434, LOGIN_REPROVISION, ACCOUNT_WAITS, 2 },
        { 0, 503, LOGIN_SERVER_ERROR, ACCOUNT_WAITS, 1 },
        { -77777, 200, LOGIN_REFUSED, ACCOUNT_NEEDS_PERSON, 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_env env;
        fake_env_init(&env, profile_default());
        env.apple.gsa_ec = cases[i].ec;
        env.apple.gsa_hsc = cases[i].hsc;
        assert_int_equal(account_login(&env.account, &env.env), cases[i].status);
        assert_int_equal(env.account.last.outcome, cases[i].outcome);
        assert_int_equal(env.apple.calls[FAKE_GSA_COMPLETE], cases[i].exchanges);
        assert_int_equal(env.account.phase,
                         cases[i].status == ACCOUNT_NEEDS_PERSON ? ACCOUNT_PARKED : ACCOUNT_LOGGED_OUT);
        /* again at once, without a person: nothing may be sent */
        assert_int_equal(account_login(&env.account, &env.env), cases[i].status);
        assert_int_equal(env.apple.calls[FAKE_GSA_COMPLETE], cases[i].exchanges);
        fake_env_free(&env);
    }
}

static void a_server_that_cannot_prove_itself(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        struct fake_env env;
        fake_env_init(&env, profile_default());
        env.apple.bad_m2 = which == 0;
        env.apple.bad_np = which == 1;
        assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_WAITS);
        assert_int_equal(env.account.last.outcome, LOGIN_BAD_SERVER_PROOF);
        static const struct gsa_session nothing;
        assert_memory_equal(&env.account.session, &nothing, sizeof(nothing));
        assert_null(strstr(env.stored.data, "IDMS-SECRET"));
        fake_env_free(&env);
    }
}

static void a_step_for_a_person(void **state)
{
    (void)state;
    struct fake_env env;
    fake_env_init(&env, profile_default());
    env.apple.au = "termsOfService";
    assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_NEEDS_PERSON);
    assert_int_equal(env.account.last.outcome, LOGIN_UNSUPPORTED_STEP);
    assert_non_null(strstr(env.account.last.message, "termsOfService"));
    env.apple.au = NULL; /* the person did it, and says so */
    env.env.attended = true;
    assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_READY);
    fake_env_free(&env);
}

static void answers_that_are_none(void **state)
{
    (void)state;
    static const struct {
        enum fake_place place;
        const char *error;
        int status;
        const char *body;
        enum login_outcome outcome;
        enum account_status status_after;
    } cases[] = {
        { FAKE_GSA_INIT, "http_timeout", 0, NULL, LOGIN_SERVER_ERROR, ACCOUNT_WAITS },
        { FAKE_GSA_INIT, "http_tls", 0, NULL, LOGIN_SERVER_ERROR, ACCOUNT_WAITS },
        { FAKE_GSA_INIT, NULL, 503, "<html>503</html>", LOGIN_SERVER_ERROR, ACCOUNT_WAITS },
        { FAKE_GSA_INIT, NULL, 500, "", LOGIN_SERVER_ERROR, ACCOUNT_WAITS },
        { FAKE_GSA_INIT, NULL, 429, "", LOGIN_SERVER_ERROR, ACCOUNT_WAITS },
        { FAKE_GSA_INIT, NULL, 403, "", LOGIN_ACCOUNT_LOCKED, ACCOUNT_NEEDS_PERSON },
        { FAKE_GSA_INIT, NULL, 200, "", LOGIN_BAD_RESPONSE, ACCOUNT_WAITS },
        { FAKE_GSA_INIT, NULL, 200, "<html>hello</html>", LOGIN_BAD_RESPONSE, ACCOUNT_WAITS },
        { FAKE_GSA_INIT, NULL, 200, "<dict><key>Response</key><dict/></dict>", LOGIN_BAD_RESPONSE,
          ACCOUNT_WAITS },
        { FAKE_GSA_COMPLETE, "http_broken", 0, NULL, LOGIN_SERVER_ERROR, ACCOUNT_WAITS },
        { FAKE_GSA_COMPLETE, NULL, 200, "<plist><dict><key>Resp", LOGIN_BAD_RESPONSE, ACCOUNT_WAITS },
        { FAKE_DELEGATES, "http_timeout", 0, NULL, LOGIN_SERVER_ERROR, ACCOUNT_WAITS },
        { FAKE_DELEGATES, NULL, 500, "", LOGIN_SERVER_ERROR, ACCOUNT_WAITS },
        { FAKE_DELEGATES, NULL, 200, "nonsense", LOGIN_BAD_RESPONSE, ACCOUNT_WAITS },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_env env;
        fake_env_init(&env, profile_default());
        fake_fault(&env.apple, (struct fake_fault){ .place = cases[i].place,
                                                    .error = cases[i].error,
                                                    .status = cases[i].status,
                                                    .body = cases[i].body });
        if (account_login(&env.account, &env.env) != cases[i].status_after ||
            env.account.last.outcome != cases[i].outcome)
            fail_msg("case %zu: %s, %s", i, login_outcome_names[env.account.last.outcome],
                     env.account.last.message);
        /* when it has passed, the way goes on from where it stopped */
        env.apple.fault_count = 0;
        env.env.attended = true;
        assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_READY);
        fake_env_free(&env);
    }
}

static void delegates_that_refuse(void **state)
{
    (void)state;
#define REFUSAL(outer, inner, message)                                                                       \
    "<plist version=\"1.0\"><dict><key>status</key><integer>" outer                                          \
    "</integer><key>status-message</key><string>" message                                                    \
    "</string><key>delegates</key><dict><key>com.apple.mobileme</key><dict><key>status</key>"                \
    "<integer>" inner "</integer><key>status-message</key><string>" message                                  \
    "</string></dict></dict></dict></plist>"
    static const struct {
        const char *body;
        enum login_outcome outcome;
        enum account_status status;
        int exchanges;
    } cases[] = {
        { REFUSAL("0", "1", "Account limit reached."), LOGIN_ACCOUNT_LIMIT, ACCOUNT_NEEDS_PERSON, 1 },
        { REFUSAL("0", "1", "A server problem is blocking Apple ID sign in."), LOGIN_SERVER_ERROR,
          ACCOUNT_WAITS, 1 },
        { REFUSAL("1", "0", "Your session has expired."), LOGIN_DELEGATE_ERROR, ACCOUNT_WAITS, 2 },
        { REFUSAL("0", "0", ""), LOGIN_DELEGATE_ERROR, ACCOUNT_WAITS, 2 }, /* no token in it */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_env env;
        fake_env_init(&env, profile_default());
        fake_fault(&env.apple,
                   (struct fake_fault){ .place = FAKE_DELEGATES, .status = 200, .body = cases[i].body });
        assert_int_equal(account_login(&env.account, &env.env), cases[i].status);
        assert_int_equal(env.account.last.outcome, cases[i].outcome);
        /* an outdated token leads back to the password, but only once */
        assert_int_equal(env.apple.calls[FAKE_GSA_COMPLETE], cases[i].exchanges);
        fake_env_free(&env);
    }
}

static void an_outdated_token_is_renewed(void **state)
{
    (void)state;
    struct fake_env env;
    fake_env_init(&env, profile_default());
    fake_fault(&env.apple, (struct fake_fault){ .place = FAKE_DELEGATES, .status = 401, .count = 1 });
    assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_READY);
    assert_int_equal(env.apple.calls[FAKE_GSA_COMPLETE], 2);
    fake_env_free(&env);

    /* found out by the clock alone after a restart */
    fake_env_init(&env, profile_default());
    env.crash_stores = true;
    env.crash_at = 3; /* the guard, the state "authenticated", ... */
    while (env.account.phase != ACCOUNT_AUTHENTICATED)
        (void)!account_login(&env.account, &env.env);
    env.apple.now = INT64_C(1799999999000000) + 1;
    fake_env_restart(&env);
    env.env.attended = true;
    if (env.account.phase == ACCOUNT_AUTHENTICATED) {
        assert_int_equal(account_login(&env.account, &env.env),
                         ACCOUNT_WAITS); /* the new one is outdated too */
        assert_int_equal(env.apple.calls[FAKE_DELEGATES], 0);
    }
    fake_env_free(&env);
}

/* ---- waits ---- */

static void waits_grow_and_end(void **state)
{
    (void)state;
    struct fake_env env;
    const struct profile *profile = profile_default();
    int64_t expected = profile->login.retry;
    fake_env_init(&env, profile);
    fake_fault(&env.apple, (struct fake_fault){ .place = FAKE_GSA_INIT, .status = 503 });
    for (int i = 0; i < 20; i++) {
        assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_WAITS);
        assert_int_equal(env.account.not_before - env.apple.now, expected);
        env.apple.now = env.account.not_before;
        expected = expected * 2 < profile->login.max_retry ? expected * 2 : profile->login.max_retry;
    }
    assert_int_equal(env.apple.calls[FAKE_GSA_INIT], 20);
    env.apple.fault_count = 0;
    assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_READY);
    assert_int_equal(env.account.failures, 0);
    fake_env_free(&env);
}

static void retry_after_is_kept(void **state)
{
    (void)state;
    struct fake_env env;
    fake_env_init(&env, profile_default());
    fake_fault(&env.apple,
               (struct fake_fault){
                   .place = FAKE_GSA_INIT, .status = 429, .header = "retry-after", .header_value = "7200" });
    assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_WAITS);
    assert_int_equal(env.account.not_before - env.apple.now, HOURS(2));
    fake_env_free(&env);
}

/* ---- no loops ---- */

static void no_loop_on_a_second_factor(void **state)
{
    (void)state;
    struct fake_env env;
    fake_env_init(&env, profile_default());
    env.apple.au = "secondaryAuth";
    for (int i = 0; i < 100; i++) {
        assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_NEEDS_CODE);
        fake_env_restart(&env);
        env.apple.now += DAYS(1);
    }
    assert_int_equal(env.apple.calls[FAKE_GSA_COMPLETE], 1);
    assert_int_equal(env.apple.codes_sent, 0);
    fake_env_free(&env);
}

static void refused_tokens(void **state)
{
    (void)state;
    struct fake_env env;
    const struct profile *profile = profile_default();
    fake_env_init(&env, profile);
    assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_READY);
    assert_int_equal(account_token_refused(&env.account, &env.env), ACCOUNT_READY); /* may be spurious */
    assert_string_equal(env.account.tokens.search_party_token, "SPT-SECRET-2");
    /* the next one within the interval waits, however often it is asked */
    for (int i = 0; i < 10; i++)
        assert_int_equal(account_token_refused(&env.account, &env.env), ACCOUNT_WAITS);
    assert_int_equal(env.apple.token, 2);
    assert_int_equal(env.account.not_before, env.account.logged_in_at + profile->login.relogin_interval);
    /* and in the long run a person is asked */
    enum account_status status = ACCOUNT_READY;
    for (int i = 0; i < 100 && status != ACCOUNT_NEEDS_PERSON; i++) {
        env.apple.now += profile->login.relogin_interval;
        status = account_token_refused(&env.account, &env.env);
    }
    assert_int_equal(status, ACCOUNT_NEEDS_PERSON);
    assert_int_equal(env.apple.token, 1 + profile->login.max_relogins);
    fake_env_free(&env);
}

static void a_good_answer_forgives(void **state)
{
    (void)state;
    struct fake_env env;
    fake_env_init(&env, profile_default());
    assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_READY);
    int saves = env.saves;
    assert_int_equal(account_token_worked(&env.account, &env.env), ACCOUNT_READY);
    assert_int_equal(env.saves, saves); /* nothing to store */
    for (int i = 0; i < 10; i++) {
        assert_int_equal(account_token_refused(&env.account, &env.env), ACCOUNT_READY);
        assert_int_equal(account_token_worked(&env.account, &env.env), ACCOUNT_READY);
    }
    fake_env_free(&env);
}

static void relogin_that_asks_for_a_code_stops(void **state)
{
    (void)state;
    struct fake_env env;
    fake_env_init(&env, profile_default());
    assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_READY);
    env.apple.au = "trustedDeviceSecondaryAuth";
    assert_int_equal(account_token_refused(&env.account, &env.env), ACCOUNT_NEEDS_CODE);
    assert_string_equal(env.account.tokens.search_party_token, "");
    for (int i = 0; i < 10; i++)
        assert_int_equal(account_token_refused(&env.account, &env.env), ACCOUNT_NEEDS_CODE);
    assert_int_equal(env.apple.calls[FAKE_GSA_COMPLETE], 2);
    assert_int_equal(env.apple.codes_sent, 0);
    fake_env_free(&env);
}

static void ambiguous_exchanges_are_begun_anew(void **state)
{
    (void)state;
    struct fake_env env;
    fake_env_init(&env, profile_default());
    env.apple.only_bad_s = true; /* every B begins with a zero byte */
    assert_int_equal(account_login(&env.account, &env.env), ACCOUNT_READY);
    assert_int_equal(env.apple.calls[FAKE_GSA_INIT], 4); /* then it is tried all the same */
    assert_int_equal(env.apple.calls[FAKE_GSA_COMPLETE], 1);
    fake_env_free(&env);
}

/* ---- restarts ---- */

/* Go on like a person who has the code in hand, whatever state the account is in. */
static enum account_status go_on(struct fake_env *env)
{
    enum account_status status = account_status(&env->account, env->apple.now);
    if (env->account.phase == ACCOUNT_CODE_DUE && env->account.code == ACCOUNT_CODE_SUBMITTING)
        status = account_login(&env->account, &env->env);
    else if (status != ACCOUNT_NEEDS_CODE && status != ACCOUNT_READY)
        status = account_login(&env->account, &env->env);
    if (status == ACCOUNT_NEEDS_CODE && env->account.code == ACCOUNT_CODE_NOT_SENT)
        status = account_send_code(&env->account, &env->env, env->account.by_sms, 0);
    if (status == ACCOUNT_NEEDS_CODE)
        status = account_submit_code(&env->account, &env->env, "012345");
    return status;
}

static void killed_at_every_save(const char *au, bool attended, bool stores)
{
    bool crashed = true;
    for (int at = 1; crashed; at++) {
        struct fake_env env;
        assert_true(at < 50);
        fake_env_init(&env, profile_default());
        env.apple.au = au;
        env.env.attended = attended;
        env.crash_at = at;
        env.crash_stores = stores;
        crashed = go_on(&env) == ACCOUNT_UNSAVED;
        char device[ANISETTE_DEVICE_SIZE], again[ANISETTE_DEVICE_SIZE];
        anisette_device_id(env.account.machine.identifier, device);
        if (crashed) {
            fake_env_restart(&env);
            env.apple.now += attended ? MINUTES(1) : HOURS(1);
            enum account_status status = go_on(&env);
            if (status != ACCOUNT_READY)
                fail_msg("killed at save %d: %s, %s", at, account_status_names[status],
                         env.account.last.message);
        }
        assert_int_equal(env.account.phase, ACCOUNT_LOGGED_IN);
        anisette_device_id(env.account.machine.identifier, again);
        assert_string_equal(device, again); /* a new device would need a new second factor */
        /* one code, unless the first is an hour old or nobody can know that it was sent */
        assert_true(env.apple.codes_sent <= (au != NULL) + (stores && attended ? 0 : 1));
        fake_env_free(&env);
    }
}

static void killed_anywhere(void **state)
{
    (void)state;
    static const char *const factors[] = { NULL, "trustedDeviceSecondaryAuth", "secondaryAuth" };
    for (size_t i = 0; i < ARRAY_LEN(factors); i++)
        for (int attended = 0; attended < 2; attended++)
            for (int stores = 0; stores < 2; stores++)
                killed_at_every_save(factors[i], attended, stores);
}

static void a_crash_loop_does_not_hammer(void **state)
{
    (void)state;
    struct fake_env env;
    fake_env_init(&env, profile_default());
    for (int i = 0; i < 50; i++) {
        env.crash_at = env.saves + 2; /* dies in the middle of each attempt, before its result is stored */
        (void)!account_login(&env.account, &env.env);
        fake_env_restart(&env);
        env.apple.now += SECONDS(10);
    }
    assert_true(env.apple.calls[FAKE_GSA_COMPLETE] <= 2);
    fake_env_free(&env);
}

/* ---- stored form ---- */

static void stored_form_is_complete(void **state)
{
    (void)state;
    struct fake_env env;
    struct account again;
    struct error err;
    struct buf first = { 0 }, second = { 0 };
    fake_env_init(&env, profile_default());
    env.apple.au = "secondaryAuth";
    assert_int_equal(go_on(&env), ACCOUNT_READY);
    account_write(&env.account, &first);
    assert_true(account_read(&again, first.data, first.len, &err));
    account_write(&again, &second);
    assert_string_equal(first.data, second.data);
    assert_string_equal(again.password, env.account.password);
    assert_int_equal(again.phones.items[0].id, FAKE_PHONE);
    buf_wipe(&first);
    buf_wipe(&second);
    fake_env_free(&env);
}

static void damaged_forms_are_refused(void **state)
{
    (void)state;
    struct fake_env env;
    struct account account;
    struct error err;
    fake_env_init(&env, profile_default());
    for (size_t len = 0; len < env.stored.len; len++)
        assert_false(account_read(&account, env.stored.data, len, &err));
    static const struct {
        const char *from, *to;
    } edits[] = {
        { "\"version\":1", "\"version\":2" },
        { "\"phase\":\"logged_out\"", "\"phase\":\"elsewhere!\"" },
        { "\"failures\":0", "\"failures\":\"0\"" },
        { "\"failures\":0", "\"failures\":-1" },
        { "\"phones\":[]", "\"phones\":{}" },
        { "\"name\":\"main\"", "\"name\":\"../x\"" },
        { "\"by_sms\":false", "\"by_sms\":0" },
    };
    for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
        char *at = strstr(env.stored.data, edits[i].from), text[32 * 1024];
        assert_non_null(at);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - env.stored.data), env.stored.data, edits[i].to,
                 at + strlen(edits[i].from));
        if (account_read(&account, text, strlen(text), &err))
            fail_msg("edit %zu was taken", i);
    }
    fake_env_free(&env);
}

static void names(void **state)
{
    (void)state;
    struct account account;
    struct error err;
    char longest[66];
    memset(longest, 'a', sizeof(longest));
    longest[64] = '\0';
    assert_true(account_init(&account, longest, "u", "p", 1, &err));
    longest[64] = 'a';
    longest[65] = '\0';
    static const char *const bad[] = { "", ".", "..", ".a", "-a", "a/b", "a b", "\xc3\xa4" };
    assert_false(account_init(&account, longest, "u", "p", 1, &err));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(account_init(&account, bad[i], "u", "p", 1, &err));
    assert_false(account_init(&account, "a", "", "p", 1, &err));
    assert_false(account_init(&account, "a", "u", "", 1, &err));
    assert_false(account_init(&account, "a", "u\n", "p", 1, &err));
    assert_false(account_init(&account, "a", "u", "p\xff", 1, &err));
}

/* ---- the folder ---- */

static void store(void **state)
{
    (void)state;
    char folder[] = "/tmp/accounts-XXXXXX", path[128], nested[64];
    struct sealer sealer, other;
    struct error err;
    struct account account, loaded;
    struct stat info;
    int lock, second;
    assert_non_null(mkdtemp(folder));
    snprintf(nested, sizeof(nested), "%s/x/y", folder);
    assert_true(sealer_init(&sealer, "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", &err));
    assert_true(sealer_init(&other, "b2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", &err));
    struct account_store store = { .folder = nested, .sealer = &sealer };
    assert_true(account_store_open(&store, &err));
    assert_true(account_init(&account, "one", "user", "secret-password", 1, &err));
    assert_true(account_store_lock(&store, "one", &lock, &err));
    assert_false(account_store_lock(&store, "one", &second, &err));
    assert_true(error_is(&err, "account_busy"));
    assert_true(account_store_save(&store, &account, &err));
    assert_true(account_store_load(&store, "one", &loaded, &err));
    assert_string_equal(loaded.password, "secret-password");

    /* sealed, private, bound to name and key */
    snprintf(path, sizeof(path), "%s/one.account", nested);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(nested, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    char bytes[32768];
    FILE *file = fopen(path, "r");
    size_t len = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    assert_null(memmem(bytes, len, "secret-password", 15));
    char copy[128];
    snprintf(copy, sizeof(copy), "%s/two.account", nested);
    assert_int_equal(link(path, copy), 0);
    assert_false(account_store_load(&store, "two", &loaded, &err));
    store.sealer = &other;
    assert_false(account_store_load(&store, "one", &loaded, &err));
    store.sealer = &sealer;

    struct arena *arena = arena_new();
    const char *const *list;
    assert_true(account_store_list(&store, arena, &list, &err));
    assert_string_equal(list[0], "one");
    assert_string_equal(list[1], "two");
    assert_null(list[2]);
    arena_free(arena);
    assert_true(account_store_remove(&store, "one", &err));
    assert_false(account_store_load(&store, "one", &loaded, &err));
    assert_true(error_is(&err, "account_unknown"));
    unlink(copy);
    rmdir(nested);
    *strrchr(nested, '/') = '\0';
    rmdir(nested);
    rmdir(folder);
    close(lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(password_alone),
        cmocka_unit_test(trusted_device),
        cmocka_unit_test(text_message),
        cmocka_unit_test(malformed_codes_are_not_sent),
        cmocka_unit_test(wrong_codes_demand_a_new_one),
        cmocka_unit_test(outcomes_of_complete),
        cmocka_unit_test(a_server_that_cannot_prove_itself),
        cmocka_unit_test(a_step_for_a_person),
        cmocka_unit_test(answers_that_are_none),
        cmocka_unit_test(delegates_that_refuse),
        cmocka_unit_test(an_outdated_token_is_renewed),
        cmocka_unit_test(waits_grow_and_end),
        cmocka_unit_test(retry_after_is_kept),
        cmocka_unit_test(no_loop_on_a_second_factor),
        cmocka_unit_test(refused_tokens),
        cmocka_unit_test(a_good_answer_forgives),
        cmocka_unit_test(relogin_that_asks_for_a_code_stops),
        cmocka_unit_test(ambiguous_exchanges_are_begun_anew),
        cmocka_unit_test(killed_anywhere),
        cmocka_unit_test(a_crash_loop_does_not_hammer),
        cmocka_unit_test(stored_form_is_complete),
        cmocka_unit_test(damaged_forms_are_refused),
        cmocka_unit_test(names),
        cmocka_unit_test(store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
