/* Anisette: cache, failover, resting servers, provisioning, v1 that stays v1, header sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/encode.h"
#include "fake_apple.h"
#include "findmy/plistx.h"

static const char *value_of(const struct httpc_header_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0)
            return list->items[i].value;
    return NULL;
}

static void values_are_cached_as_long_as_they_hold(void **state)
{
    (void)state;
    struct fake_env env;
    struct anisette_values values;
    struct error err;
    fake_env_init(&env, profile_default());
    struct anisette_state *machine = &env.account.machine;
    assert_true(anisette_get(env.anisette, machine, &values, &err));
    int calls = env.apple.calls[FAKE_ANISETTE];
    env.apple.now += SECONDS(30) - 1;
    assert_true(anisette_get(env.anisette, machine, &values, &err));
    assert_int_equal(env.apple.calls[FAKE_ANISETTE], calls);
    env.apple.now += 1;
    assert_true(anisette_get(env.anisette, machine, &values, &err));
    assert_int_equal(env.apple.calls[FAKE_ANISETTE], calls + 1);
    env.apple.now -= HOURS(1); /* a clock that was set back */
    assert_true(anisette_get(env.anisette, machine, &values, &err));
    assert_int_equal(env.apple.calls[FAKE_ANISETTE], calls + 2);
    anisette_forget(env.anisette);
    assert_true(anisette_get(env.anisette, machine, &values, &err));
    assert_int_equal(env.apple.calls[FAKE_ANISETTE], calls + 3);

    /* another account's machine is never given out for this one */
    struct anisette_state other;
    assert_true(anisette_state_new(&other, &err));
    assert_true(anisette_get(env.anisette, &other, &values, &err));
    assert_true(env.apple.calls[FAKE_ANISETTE] > calls + 3);
    fake_env_free(&env);
}

static void provisioned_once_and_again_when_forgotten(void **state)
{
    (void)state;
    struct fake_env env;
    struct anisette_values values;
    struct error err;
    fake_env_init(&env, profile_default());
    struct anisette_state *machine = &env.account.machine;
    machine->changed = false;
    assert_true(anisette_get(env.anisette, machine, &values, &err));
    assert_true(machine->changed); /* to be stored */
    assert_int_equal(machine->mode, ANISETTE_V3);
    assert_int_equal(machine->blob_len, strlen("ADI-PB"));
    assert_memory_equal(machine->blob, "ADI-PB", 6);
    assert_int_equal(env.apple.calls[FAKE_PROVISION], 2);
    assert_string_equal(values.otp, "OTP3");

    env.apple.provisioned = false; /* -45061 */
    anisette_forget(env.anisette);
    assert_true(anisette_get(env.anisette, machine, &values, &err));
    assert_int_equal(env.apple.calls[FAKE_PROVISION], 4);
    assert_int_equal(env.apple.calls[FAKE_LOOKUP], 1); /* the addresses are kept */
    fake_env_free(&env);
}

static void apples_side_of_provisioning_fails(void **state)
{
    (void)state;
    static const struct fake_fault faults[] = {
        { .place = FAKE_LOOKUP, .error = "http_timeout" },
        { .place = FAKE_LOOKUP, .status = 503 },
        { .place = FAKE_LOOKUP, .status = 200, .body = "<plist><dict><key>urls</key><dict/></dict></plist>" },
        { .place = FAKE_LOOKUP,
          .status = 200,
          .body = "<plist><dict><key>urls</key><dict><key>midStartProvisioning</key>"
                  "<string>http://elsewhere.example/</string></dict></dict></plist>" },
        { .place = FAKE_LOOKUP,
          .status = 200,
          .body = "<plist><dict><key>urls</key><dict><key>midStartProvisioning</key>"
                  "<string>file:///etc/passwd</string></dict></dict></plist>" },
        { .place = FAKE_PROVISION, .status = 500 },
        { .place = FAKE_PROVISION,
          .status = 200,
          .body = "<plist><dict><key>Response</key><dict/></dict></plist>" },
        { .place = FAKE_PROVISION,
          .status = 200,
          .body =
              "<plist><dict><key>Response</key><dict><key>Status</key><dict><key>ec</key><integer>-1</integer>"
              "</dict></dict></dict></plist>" },
    };
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct fake_env env;
        struct anisette_values values;
        struct error err;
        fake_env_init(&env, profile_default());
        fake_fault(&env.apple, faults[i]);
        assert_false(anisette_get(env.anisette, &env.account.machine, &values, &err));
        if (!error_is(&err, "anisette_provisioning"))
            fail_msg("fault %zu: %s: %s", i, err.code, err.message);
        assert_int_equal(env.account.machine.blob_len, 0);
        /* no server is to blame: they are all asked again at once */
        env.apple.fault_count = 0;
        assert_true(anisette_get(env.anisette, &env.account.machine, &values, &err));
        fake_env_free(&env);
    }
}

static void the_next_server_helps_out(void **state)
{
    (void)state;
    struct fake_env env;
    struct anisette_values values;
    struct error err;
    fake_env_init(&env, profile_default());
    struct anisette_state *machine = &env.account.machine;
    assert_true(anisette_get(env.anisette, machine, &values, &err));
    anisette_forget(env.anisette);
    fake_fault(&env.apple,
               (struct fake_fault){ .place = FAKE_ANISETTE, .error = "http_connect", .count = 1 });
    int calls = env.apple.calls[FAKE_ANISETTE];
    assert_true(anisette_get(env.anisette, machine, &values, &err));
    assert_int_equal(env.apple.calls[FAKE_ANISETTE], calls + 2);
    /* the first one rests: it is not asked although preferred */
    anisette_forget(env.anisette);
    assert_true(anisette_get(env.anisette, machine, &values, &err));
    assert_int_equal(env.apple.calls[FAKE_ANISETTE], calls + 3);
    fake_env_free(&env);
}

static void all_servers_down(void **state)
{
    (void)state;
    struct fake_env env;
    struct anisette_values values;
    struct error err;
    fake_env_init(&env, profile_default());
    fake_fault(&env.apple, (struct fake_fault){ .place = FAKE_ANISETTE, .error = "http_connect" });
    assert_false(anisette_get(env.anisette, &env.account.machine, &values, &err));
    assert_true(error_is(&err, "anisette_unavailable"));
    assert_int_equal(env.apple.calls[FAKE_ANISETTE], 2);
    env.apple.fault_count = 0; /* resting servers are better than none */
    assert_true(anisette_get(env.anisette, &env.account.machine, &values, &err));
    fake_env_free(&env);
}

static void v1_is_kept_with_its_server(void **state)
{
    (void)state;
    struct fake_env env;
    struct anisette_values values;
    struct error err;
    fake_env_init(&env, profile_default());
    struct anisette_state *machine = &env.account.machine;
    env.apple.has_v3 = false;
    assert_true(anisette_get(env.anisette, machine, &values, &err));
    assert_int_equal(machine->mode, ANISETTE_V1);
    assert_string_equal(machine->server, "http://anisette-a");
    assert_string_equal(values.otp, "OTP1");
    assert_string_equal(values.routing, "17106176"); /* a number in this answer */

    /* its machine lives there: no other server may stand in, and v3 is no way back */
    env.apple.has_v3 = true;
    anisette_forget(env.anisette);
    fake_fault(&env.apple, (struct fake_fault){ .place = FAKE_ANISETTE, .error = "http_connect" });
    int calls = env.apple.calls[FAKE_ANISETTE];
    assert_false(anisette_get(env.anisette, machine, &values, &err));
    assert_int_equal(env.apple.calls[FAKE_ANISETTE], calls + 1);
    strcpy(machine->server, "http://gone");
    assert_false(anisette_get(env.anisette, machine, &values, &err));
    assert_true(error_is(&err, "anisette_unavailable"));
    assert_non_null(strstr(err.message, "http://gone"));
    fake_env_free(&env);
}

static void a_failing_v3_server_is_not_taken_for_v1(void **state)
{
    (void)state;
    struct fake_env env;
    struct anisette_values values;
    struct error err;
    fake_env_init(&env, profile_default());
    fake_fault(&env.apple, (struct fake_fault){ .place = FAKE_ANISETTE, .status = 500, .count = 2 });
    assert_false(anisette_get(env.anisette, &env.account.machine, &values, &err));
    assert_int_equal(env.account.machine.mode, ANISETTE_UNKNOWN);
    fake_env_free(&env);
}

static void the_set_of_headers(void **state)
{
    (void)state;
    struct fake_env env;
    struct anisette_values values;
    struct error err;
    struct httpc_header_list list = { 0 };
    fake_env_init(&env, profile_default());
    struct arena *arena = arena_new();
    struct anisette_state *machine = &env.account.machine;
    assert_true(anisette_get(env.anisette, machine, &values, &err));
    anisette_put_headers(&list, &values, machine, profile_default(), FAKE_START + 999999, arena);
    static const char *const want[][2] = {
        { "X-Apple-I-MD", "OTP3" },
        { "X-Apple-I-MD-M", "MACHINE3" },
        { "X-Apple-I-MD-RINFO", "17106176" },
        { "X-Apple-I-SRL-NO", "0" },
        { "X-Apple-I-Client-Time", "2026-05-09T06:13:20Z" },
        { "X-Apple-I-TimeZone", "UTC" },
        { "X-Apple-Locale", "en_US" },
        { "loc", "en_US" },
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_string_equal(value_of(&list, want[i][0]), want[i][1]);
    assert_int_equal(strlen(value_of(&list, "X-Mme-Device-Id")), 36);
    assert_int_equal(strlen(value_of(&list, "X-Apple-I-MD-LU")), 64);
    assert_null(value_of(&list, "X-Mme-Client-Info")); /* the caller's, never the server's */
    plist_t dict = plistx_own(arena, plist_new_dict());
    anisette_put_dict(dict, &values, machine, profile_default(), FAKE_START, arena);
    assert_int_equal(plist_dict_get_size(dict), list.count);
    arena_free(arena);
    fake_env_free(&env);
}

static void values_that_would_break_out_of_a_header(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "[]",
        "{}",
        "{\"X-Apple-I-MD\":\"\",\"X-Apple-I-MD-M\":\"m\"}",
        "{\"X-Apple-I-MD\":\"a\\r\\nX: y\",\"X-Apple-I-MD-M\":\"m\"}",
        "{\"X-Apple-I-MD\":\"a\",\"X-Apple-I-MD-M\":\"\\u00e4\"}",
        "{\"X-Apple-I-MD\":7,\"X-Apple-I-MD-M\":\"m\"}",
        "{\"X-Apple-I-MD\":\"a\",\"X-Apple-I-MD-M\":\"m\",\"X-Apple-I-MD-RINFO\":\"\"}",
        "{\"X-Apple-I-MD\":\"a\",\"X-Apple-I-MD-M\":\"m\",\"X-Apple-I-MD-RINFO\":[]}",
    };
    struct anisette_values values;
    struct error err;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        assert_int_equal(anisette_read_v1(200, bodies[i], strlen(bodies[i]), &values, &err),
                         ANISETTE_ANSWER_ERROR);
    static const char other_case[] = "{\"x-apple-i-md\":\"a\",\"X-APPLE-I-MD-M\":\"m\"}";
    assert_int_equal(anisette_read_v1(200, other_case, strlen(other_case), &values, &err),
                     ANISETTE_ANSWER_OK);
    char longest[300], body[400];
    memset(longest, 'a', sizeof(longest));
    for (int len = 255; len <= 256; len++) {
        snprintf(body, sizeof(body), "{\"X-Apple-I-MD\":\"%.*s\",\"X-Apple-I-MD-M\":\"m\"}", len, longest);
        assert_int_equal(anisette_read_v1(200, body, strlen(body), &values, &err),
                         len == 255 ? ANISETTE_ANSWER_OK : ANISETTE_ANSWER_ERROR);
    }
}

static void addresses(void **state)
{
    (void)state;
    struct fake_apple fake;
    struct error err;
    fake_apple_init(&fake);
    static const struct {
        const char *urls;
        bool good;
    } cases[] = {
        { "http://a", true },
        { " https://a/ , http://b:6969 ", true },
        { "http://a,,http://b", true },
        { "http://1,http://2,http://3,http://4,http://5,http://6,http://7,http://8", true },
        { "http://1,http://2,http://3,http://4,http://5,http://6,http://7,http://8,http://9", false },
        { "", false },
        { " , ", false },
        { "a:6969", false },
        { "ws://a", false },
        { "http://user:secret@a", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct anisette *anisette = anisette_new(cases[i].urls, profile_default(), &fake.http,
                                                 &fake.websocket, &fake.clock, &err);
        if ((anisette != NULL) != cases[i].good)
            fail_msg("%s", cases[i].urls);
        assert_true(anisette != NULL ||
                    (error_is(&err, "anisette_invalid") && strstr(err.message, "secret") == NULL));
        anisette_free(anisette);
    }
    fake_apple_free(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_cached_as_long_as_they_hold),
        cmocka_unit_test(provisioned_once_and_again_when_forgotten),
        cmocka_unit_test(apples_side_of_provisioning_fails),
        cmocka_unit_test(the_next_server_helps_out),
        cmocka_unit_test(all_servers_down),
        cmocka_unit_test(v1_is_kept_with_its_server),
        cmocka_unit_test(a_failing_v3_server_is_not_taken_for_v1),
        cmocka_unit_test(the_set_of_headers),
        cmocka_unit_test(values_that_would_break_out_of_a_header),
        cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
