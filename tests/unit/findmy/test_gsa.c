/* Sign-in below the exchange: what SRP refuses, bounds of property lists, phones, delegates, status codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "findmy/delegates.h"
#include "findmy/gsa.h"
#include "findmy/plistx.h"
#include "findmy/twofactor.h"

/* ---- SRP ---- */

static void unsafe_parameters_are_refused(void **state)
{
    (void)state;
    static const uint8_t salt[SRP_MAX_SALT + 1] = { 1 };
    static const struct {
        const char *form;
        size_t salt_len;
        int64_t iterations;
        bool good;
    } cases[] = {
        { "s2k", 16, SRP_MIN_ITERATIONS, true },
        { "s2k_fo", 16, SRP_MIN_ITERATIONS, true },
        { "s2k", 1, SRP_MIN_ITERATIONS, true },
        { "s2k", SRP_MAX_SALT, SRP_MIN_ITERATIONS, true },
        { "s2k", SRP_MAX_SALT + 1, SRP_MIN_ITERATIONS, false },
        { "s2k", 0, SRP_MIN_ITERATIONS, false },
        { "s2k", 16, SRP_MIN_ITERATIONS - 1, false },
        { "s2k", 16, 0, false },
        { "s2k", 16, -1, false },
        { "s2k", 16, SRP_MAX_ITERATIONS + 1, false },
        { "s2k", 16, INT64_MAX, false },
        { "S2K", 16, SRP_MIN_ITERATIONS, false },
        { "s2k_", 16, SRP_MIN_ITERATIONS, false },
        { "", 16, SRP_MIN_ITERATIONS, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t key[SRP_KEY_SIZE];
        struct error err = { .code = "" };
        bool ok = srp_password_key(cases[i].form, "pw", salt, cases[i].salt_len, cases[i].iterations, key,
                                   &err);
        if (ok != cases[i].good || (!ok && !error_is(&err, "srp_refused")))
            fail_msg("case %zu: %s", i, err.message);
    }
}

static void server_values_are_checked(void **state)
{
    (void)state;
    static const uint8_t key[SRP_KEY_SIZE], salt[16] = { 1 }, one[] = { 1 }, zeros[SRP_MAX_GROUP + 1];
    uint8_t prime[SRP_MAX_GROUP], less[SRP_MAX_GROUP], more[SRP_MAX_GROUP], longer[SRP_MAX_GROUP + 1] = { 0 };
    struct srp srp;
    struct error err;
    memcpy(prime, srp_gsa.prime, sizeof(prime));
    memcpy(less, prime, sizeof(less));
    memcpy(more, prime, sizeof(more));
    less[SRP_MAX_GROUP - 1]--; /* N is odd and ends in 0x73 */
    more[SRP_MAX_GROUP - 1]++;
    longer[SRP_MAX_GROUP] = 5;
    const struct {
        const uint8_t *B;
        size_t len;
        bool good;
    } cases[] = {
        { one, 1, true },
        { less, SRP_MAX_GROUP, true },
        { prime, SRP_MAX_GROUP, false },
        { more, SRP_MAX_GROUP, false },
        { zeros, SRP_MAX_GROUP, false },
        { zeros, 0, false },
        { zeros, SRP_MAX_GROUP + 1, false },
        { longer, SRP_MAX_GROUP + 1, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(srp_start(&srp, &srp_gsa, NULL, 0, &err));
        assert_int_not_equal(srp.A[0], 0);
        if (srp_answer(&srp, "u", key, sizeof(key), salt, sizeof(salt), cases[i].B, cases[i].len, &err) !=
            cases[i].good)
            fail_msg("case %zu", i);
    }
    assert_false(srp_verify(&srp, srp.M2, srp.hash_len - 1));
    srp.M2[0] ^= 1;
    uint8_t wrong[SRP_MAX_HASH];
    memcpy(wrong, srp.M2, sizeof(wrong));
    srp.M2[0] ^= 1;
    assert_false(srp_verify(&srp, wrong, srp.hash_len));
    srp_wipe(&srp);
    static const struct srp nothing;
    assert_memory_equal(&srp, &nothing, sizeof(srp));
}

/* ---- property lists ---- */

static char *nested(int depth, const char *tag)
{
    char *text = malloc(32 * (size_t)depth + 64), *at = text;
    at += sprintf(at, "<plist>");
    for (int i = 0; i < depth; i++)
        at += sprintf(at, "<%s>", tag);
    for (int i = 0; i < depth; i++)
        at += sprintf(at, "</%s>", tag);
    strcpy(at, "</plist>");
    return text;
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    for (int depth = PLISTX_MAX_DEPTH - 1; depth <= 100000;
         depth = depth <= PLISTX_MAX_DEPTH ? depth + 1 : depth * 50) {
        struct arena *arena = arena_new();
        struct error err;
        char *text = nested(depth, "array");
        bool taken = plistx_parse(arena, text, strlen(text), &err) != NULL;
        assert_int_equal(taken, depth <= PLISTX_MAX_DEPTH);
        free(text);
        arena_free(arena);
    }
}

static void size_is_bounded(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct error err;
    char *text = malloc(PLISTX_MAX_SIZE + 2);
    memset(text, ' ', PLISTX_MAX_SIZE + 1);
    memcpy(text, "<plist><string>", 15);
    memcpy(text + PLISTX_MAX_SIZE - 17, "</string></plist>", 17);
    assert_non_null(plistx_parse(arena, text, PLISTX_MAX_SIZE, &err));
    assert_null(plistx_parse(arena, text, PLISTX_MAX_SIZE + 1, &err));
    text[20] = '\0';
    assert_null(plistx_parse(arena, text, PLISTX_MAX_SIZE, &err));
    free(text);
    arena_free(arena);
}

static void values_have_types(void **state)
{
    (void)state;
    static const char text[] =
        "<dict><key>t</key><string>7</string><key>i</key><integer>-20101</integer><key>b</key><integer>"
        "12345678901</integer><key>d</key><data>\n\tAAEC\n\t</data><key>y</key><true/></dict>";
    struct arena *arena = arena_new();
    struct error err;
    size_t len;
    int64_t number;
    plist_t root = plistx_parse(arena, text, strlen(text), &err); /* without the frame, as `spd` comes */
    assert_non_null(root);
    assert_string_equal(plistx_text(root, "t"), "7");
    assert_null(plistx_text(root, "i"));
    assert_null(plistx_text(root, "absent"));
    assert_null(plistx_text(NULL, "t"));
    assert_true(plistx_int(root, "i", &number));
    assert_int_equal(number, -20101);
    assert_true(plistx_int(root, "b", &number));
    assert_true(number == INT64_C(12345678901));
    assert_true(plistx_int(root, "t", &number)); /* digits as text */
    assert_int_equal(number, 7);
    assert_false(plistx_int(root, "y", &number));
    assert_memory_equal(plistx_data(root, "d", &len), "\0\1\2", 3);
    assert_int_equal(len, 3);
    assert_null(plistx_data(root, "t", &len));
    assert_string_equal(plistx_text_or_int(arena, root, "b"), "12345678901");
    arena_free(arena);
}

static void a_name_is_escaped(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct error err;
    static const uint8_t A[256] = { 1 };
    static const char name[] = "o'brien&<co>\"]]>@example.com";
    size_t len;
    char *body = gsa_init_body(arena, NULL, name, A, sizeof(A), &len);
    plist_t request = plistx_get(plistx_parse(arena, body, len, &err), "Request");
    assert_string_equal(plistx_text(request, "u"), name);
    assert_string_equal(plistx_text(request, "o"), "init");
    arena_free(arena);
}

/* ---- status ---- */

static void statuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum login_outcome outcome;
        int64_t code;
    } cases[] = {
        { "<dict><key>Status</key><dict><key>ec</key><integer>0</integer></dict></dict>", LOGIN_AUTHENTICATED,
          0 },
        { "<dict><key>ec</key><integer>0</integer></dict>", LOGIN_AUTHENTICATED, 0 },
        { "<dict><key>ec</key><string>-21669</string></dict>", LOGIN_BAD_CODE, -21669 },
        { "<dict><key>Status</key><dict><key>ec</key><integer>-20209</integer><key>hsc</key><integer>403</integer></dict></dict>",
          LOGIN_ACCOUNT_LOCKED, -20209 },
        { "<dict><key>Status</key><dict><key>ec</key><integer>-22421</integer><key>hsc</key><integer>433</integer></dict></dict>",
          LOGIN_REPROVISION, 433 },
        { "<dict><key>Status</key><dict><key>ec</key><integer>0</integer><key>hsc</key><integer>409</integer></dict></dict>",
          LOGIN_AUTHENTICATED, 0 },
        { "<dict><key>Status</key><dict><key>ec</key><integer>0</integer><key>hsc</key><integer>599</integer></dict></dict>",
          LOGIN_SERVER_ERROR, 599 },
        { "<dict><key>Status</key><dict><key>ec</key><integer>-99999</integer><key>hsc</key><integer>599</integer></dict></dict>",
          LOGIN_SERVER_ERROR, -99999 },
        { "<dict/>", LOGIN_BAD_RESPONSE, 0 },
        { "<dict><key>Status</key><string>ok</string></dict>", LOGIN_BAD_RESPONSE, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena *arena = arena_new();
        struct error err;
        struct login_result result;
        plist_t root = plistx_parse(arena, cases[i].text, strlen(cases[i].text), &err);
        assert_non_null(root);
        enum login_outcome outcome = gsa_read_status(profile_default(), root, &result);
        if (outcome != cases[i].outcome || result.code != cases[i].code)
            fail_msg("case %zu: %s %lld", i, login_outcome_names[outcome], (long long)result.code);
        arena_free(arena);
    }
}

static void apples_words_cannot_break_a_log(void **state)
{
    (void)state;
    struct login_result result;
    char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memcpy(text, "a\r\n\033[31m\tb", 10);
    login_message(&result, text);
    assert_int_equal(strlen(result.message), sizeof(result.message) - 1);
    for (const char *p = result.message; *p != '\0'; p++)
        assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
}

/* ---- phones ---- */

static void phones(void **state)
{
    (void)state;
#define LIST                                                                                                 \
    "\"trustedPhoneNumbers\":[{\"id\":2,\"numberWithDialCode\":\"+49 (•••) •••••42\",\"pushMode\":\"sms\"},{\"id\":\"3\"},7]"
    static const struct {
        const char *body;
        bool found;
        size_t count;
    } cases[] = {
        { "{" LIST "}", true, 1 },
        { "{\"phoneNumberVerification\":{" LIST "}}", true, 1 },
        { "{\"direct\":{\"phoneNumberVerification\":{" LIST "}}}", true, 1 },
        { "<script class=\"boot_args\">{" LIST "}</script>", true, 1 },
        { "<html><script class='boot_args other' type='x'>\n {" LIST "} \n</script>", true, 1 },
        { "{\"trustedPhoneNumbers\":[]}", true, 0 },
        { "{\"trustedPhoneNumbers\":{}}", false, 0 },
        { "{}", false, 0 },
        { "", false, 0 },
        { "boot_args", false, 0 },
        { "boot_args>", false, 0 },
        { "boot_args></script", false, 0 },
        { "<script class=\"boot_args\">{" LIST, false, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct twofactor_phones read;
        bool found = twofactor_read_phones(cases[i].body, strlen(cases[i].body), &read);
        if (found != cases[i].found || read.count != cases[i].count)
            fail_msg("case %zu: %zu phones", i, read.count);
        if (read.count == 1) {
            assert_int_equal(read.items[0].id, 2);
            assert_string_equal(read.items[0].number, "...42"); /* no more of it is kept */
        }
    }
    char many[4096] = "{\"trustedPhoneNumbers\":[";
    for (int i = 0; i < TWOFACTOR_MAX_PHONES + 3; i++)
        sprintf(many + strlen(many), "%s{\"id\":%d}", i > 0 ? "," : "", i);
    strcat(many, "]}");
    struct twofactor_phones read;
    assert_true(twofactor_read_phones(many, strlen(many), &read));
    assert_int_equal(read.count, TWOFACTOR_MAX_PHONES);
}

static void codes(void **state)
{
    (void)state;
    assert_true(twofactor_code_valid("000000"));
    assert_true(twofactor_code_valid("987654"));
    static const char *const bad[] = { "", "00000", "0000000", "00000a", " 00000", "+00000" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(twofactor_code_valid(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsafe_parameters_are_refused),
        cmocka_unit_test(server_values_are_checked),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(values_have_types),
        cmocka_unit_test(a_name_is_escaped),
        cmocka_unit_test(statuses),
        cmocka_unit_test(apples_words_cannot_break_a_log),
        cmocka_unit_test(phones),
        cmocka_unit_test(codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
