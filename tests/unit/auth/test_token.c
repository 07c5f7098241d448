/* Tests of src/auth/token.c: what is ours verifies, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/token.h"
#include "base/encode.h"
#include "base/timeutil.h"

#define KEY_A "first-key-first-key-first-key-32"
#define KEY_B "second-key-second-key-second-key"
#define NOW   (INT64_C(1800000000) * USEC_PER_SEC)

struct fixture {
    struct arena *arena;
    struct token_keys keys;
};

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    struct error err;
    f->arena = arena_new();
    if (!token_keys_init(&f->keys, KEY_A, "issuer", "audience", &err))
        return -1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    token_keys_free(&f->keys);
    arena_free(f->arena);
    test_free(f);
    return 0;
}

static const struct token_claims claims = {
    .user_id = 7, .session_id = 9007199254740993, .issued_at = NOW, .expires_at = NOW + MINUTES(15)
};

/* Any header and payload, signed with any key and digest; how a forger would. */
static const char *forge(struct arena *arena, const char *header, const char *payload, const char *key,
                         const EVP_MD *digest)
{
    char h[1024], p[2048], s[BASE64_SIZE(EVP_MAX_MD_SIZE)];
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    base64url_encode(header, strlen(header), h);
    base64url_encode(payload, strlen(payload), p);
    const char *body = arena_printf(arena, "%s.%s", h, p);
    HMAC(digest, key, (int)strlen(key), (const unsigned char *)body, strlen(body), mac, &mac_len);
    base64url_encode(mac, mac_len, s);
    return arena_printf(arena, "%s.%s", body, s);
}

#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define GOOD                                                                                                   \
    "\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"7\",\"sid\":3,\"iat\":1800000000,\"nbf\":1800000000,\"" \
    "exp\":1800000900"

static enum token_verdict verify(struct fixture *f, const char *token)
{
    struct token_claims found = { .user_id = -1 };
    enum token_verdict verdict = token_verify(&f->keys, token, NOW, &found);
    if (verdict == TOKEN_FORGED)
        assert_int_equal(found.user_id, -1); /* nothing of a forged token gets out */
    return verdict;
}

static void own_tokens_verify(void **state)
{
    struct fixture *f = *state;
    struct token_claims found;
    const char *token = token_sign(&f->keys, &claims, f->arena);
    assert_non_null(token);
    assert_int_equal(token_verify(&f->keys, token, NOW, &found), TOKEN_VALID);
    assert_int_equal(found.user_id, 7);
    assert_int_equal(found.session_id, 9007199254740993); /* beyond what a double can hold */
    assert_int_equal(found.expires_at, claims.expires_at);
}

static void the_forger_of_these_tests_is_able(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(verify(f, forge(f->arena, HS256, "{" GOOD "}", KEY_A, EVP_sha256())), TOKEN_VALID);
}

static void they_expire_to_the_microsecond(void **state)
{
    struct fixture *f = *state;
    struct token_claims found;
    const char *token = token_sign(&f->keys, &claims, f->arena);
    assert_int_equal(token_verify(&f->keys, token, claims.expires_at - 1, &found), TOKEN_VALID);
    assert_int_equal(token_verify(&f->keys, token, claims.expires_at, &found), TOKEN_EXPIRED);
    assert_int_equal(found.session_id, claims.session_id);
}

static void tokens_of_the_future_are_refused(void **state)
{
    struct fixture *f = *state;
    struct token_claims found;
    const char *token = token_sign(&f->keys, &claims, f->arena);
    assert_int_equal(token_verify(&f->keys, token, NOW - SECONDS(60), &found),
                     TOKEN_VALID); /* clocks differ */
    assert_int_equal(token_verify(&f->keys, token, NOW - SECONDS(61), &found), TOKEN_FORGED);
}

static void algorithms_cannot_be_confused(void **state)
{
    struct fixture *f = *state;
    static const char *const none[] = { "none", "None", "NONE", "nOnE", "" };
    char p[1024];
    base64url_encode("{" GOOD "}", strlen("{" GOOD "}"), p);
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        char h[256];
        const char *header = arena_printf(f->arena, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", none[i]);
        base64url_encode(header, strlen(header), h);
        assert_int_equal(verify(f, arena_printf(f->arena, "%s.%s.", h, p)), TOKEN_FORGED);
        assert_int_equal(verify(f, arena_printf(f->arena, "%s.%s", h, p)), TOKEN_FORGED);
        assert_int_equal(verify(f, forge(f->arena, header, "{" GOOD "}", KEY_A, EVP_sha256())), TOKEN_FORGED);
    }
    /* rightly signed, but with an algorithm that we never use */
    assert_int_equal(verify(f, forge(f->arena, "{\"alg\":\"HS512\"}", "{" GOOD "}", KEY_A, EVP_sha512())),
                     TOKEN_FORGED);
    assert_int_equal(verify(f, forge(f->arena, "{\"alg\":\"HS384\"}", "{" GOOD "}", KEY_A, EVP_sha384())),
                     TOKEN_FORGED);
    assert_int_equal(verify(f, forge(f->arena, "{\"alg\":\"RS256\"}", "{" GOOD "}", KEY_A, EVP_sha256())),
                     TOKEN_FORGED);
    assert_int_equal(verify(f, forge(f->arena, "{\"alg\":\"ES256\"}", "{" GOOD "}", KEY_A, EVP_sha256())),
                     TOKEN_FORGED);
    assert_int_equal(verify(f, forge(f->arena, "{}", "{" GOOD "}", KEY_A, EVP_sha256())), TOKEN_FORGED);
}

static void other_keys_do_not_verify(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(verify(f, forge(f->arena, HS256, "{" GOOD "}", KEY_B, EVP_sha256())), TOKEN_FORGED);
    assert_int_equal(verify(f, forge(f->arena, HS256, "{" GOOD "}", "", EVP_sha256())), TOKEN_FORGED);
}

static void each_claim_is_checked(void **state)
{
    struct fixture *f = *state;
    static const char *const payloads[] = {
        "{\"iss\":\"other\",\"aud\":\"audience\",\"sub\":\"7\",\"sid\":3,\"iat\":1,\"nbf\":1,\"exp\":1800000900}",
        "{\"aud\":\"audience\",\"sub\":\"7\",\"sid\":3,\"iat\":1,\"nbf\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"aud\":\"other\",\"sub\":\"7\",\"sid\":3,\"iat\":1,\"nbf\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"aud\":[\"audience\"],\"sub\":\"7\",\"sid\":3,\"iat\":1,\"nbf\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"sub\":\"7\",\"sid\":3,\"iat\":1,\"nbf\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"0\",\"sid\":3,\"iat\":1,\"nbf\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"-7\",\"sid\":3,\"iat\":1,\"nbf\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"7x\",\"sid\":3,\"iat\":1,\"nbf\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":7,\"sid\":3,\"iat\":1,\"nbf\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sid\":3,\"iat\":1,\"nbf\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"7\",\"iat\":1,\"nbf\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"7\",\"sid\":\"3\",\"iat\":1,\"nbf\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"7\",\"sid\":-3,\"iat\":1,\"nbf\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"7\",\"sid\":3,\"nbf\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"7\",\"sid\":3,\"iat\":1,\"exp\":1800000900}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"7\",\"sid\":3,\"iat\":1,\"nbf\":1}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"7\",\"sid\":3,\"iat\":1,\"nbf\":1,\"exp\":9223372036854775807}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"7\",\"sid\":3,\"iat\":1,\"nbf\":1,\"exp\":1e300}",
        "{\"iss\":\"issuer\",\"aud\":\"audience\",\"sub\":\"7\",\"sid\":3,\"iat\":1,\"nbf\":1800000061,\"exp\":1800000900}",
        "[]",
        "{}",
        "null",
        "",
        "{\"iss\":\"issuer\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(payloads); i++)
        if (verify(f, forge(f->arena, HS256, payloads[i], KEY_A, EVP_sha256())) != TOKEN_FORGED)
            fail_msg("accepted: %s", payloads[i]);
}

/* Whatever one character becomes, the token is not ours any more. */
static void no_character_can_be_changed(void **state)
{
    struct fixture *f = *state;
    const char *token = token_sign(&f->keys, &claims, f->arena);
    for (size_t i = 0; token[i] != '\0'; i++) {
        char *changed = arena_strdup(f->arena, token);
        /* The last character of the signature holds two bits that decoders ignore: change the others. */
        changed[i] = token[i] == 'A' ? 'Q' : token[i] == 'Q' ? 'A' : token[i] == '.' ? '_' : 'A';
        struct token_claims found;
        if (token_verify(&f->keys, changed, NOW, &found) == TOKEN_VALID)
            fail_msg("character %zu does not matter", i);
    }
}

static void malformed_tokens_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "",        ".",    "..",   "...",  "a",           "a.b",           "a.b.c",
        "a.b.c.d", ".b.c", "a..c", "a.b.", "e30.e30.e30", "eyJ\n.e30.e30", "\xff\xfe.a.b",
        "a b.c.d"
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(verify(f, bad[i]), TOKEN_FORGED);
    char longest[TOKEN_MAX_LENGTH + 2];
    memset(longest, 'A', sizeof(longest) - 1);
    longest[10] = longest[20] = '.';
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(verify(f, longest), TOKEN_FORGED);
}

static void keys_rotate(void **state)
{
    struct fixture *f = *state;
    struct token_keys rotated;
    struct token_claims found;
    struct error err;
    const char *old = token_sign(&f->keys, &claims, f->arena);
    assert_true(token_keys_init(&rotated, KEY_B "," KEY_A, "issuer", "audience", &err));
    const char *fresh = token_sign(&rotated, &claims, f->arena);
    assert_int_equal(token_verify(&rotated, old, NOW, &found), TOKEN_VALID);
    assert_int_equal(token_verify(&rotated, fresh, NOW, &found), TOKEN_VALID);
    assert_int_equal(token_verify(&f->keys, fresh, NOW, &found), TOKEN_FORGED); /* the new key signs */
    token_keys_free(&rotated);
}

static void weak_keys_are_refused(void **state)
{
    (void)state;
    struct token_keys keys;
    struct error err;
    static const char *const weak[] = { "",        "short",        "31-characters-are-not-quite-eno",
                                        KEY_A ",", KEY_A ",short", "," KEY_A };
    for (size_t i = 0; i < ARRAY_LEN(weak); i++) {
        assert_false(token_keys_init(&keys, weak[i], "i", "a", &err));
        assert_string_equal(err.code, "jwt_secret_weak");
        assert_null(strstr(err.message, "short")); /* no part of a secret in a message */
    }
    assert_false(token_keys_init(&keys, KEY_A "," KEY_A "," KEY_A "," KEY_A "," KEY_A, "i", "a", &err));
    assert_string_equal(err.code, "jwt_secret_invalid");
    assert_true(token_keys_init(&keys, KEY_A, "i", "a", &err));
    token_keys_free(&keys);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(own_tokens_verify),
        TEST(the_forger_of_these_tests_is_able),
        TEST(they_expire_to_the_microsecond),
        TEST(tokens_of_the_future_are_refused),
        TEST(algorithms_cannot_be_confused),
        TEST(other_keys_do_not_verify),
        TEST(each_claim_is_checked),
        TEST(no_character_can_be_changed),
        TEST(malformed_tokens_are_refused),
        TEST(keys_rotate),
        TEST(weak_keys_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
