/* Fuzzes the verification of access tokens: raw bytes are never a token of ours, and rightly signed nonsense
 * is either refused or gives sane claims. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "auth/token.h"
#include "base/encode.h"
#include "base/timeutil.h"

#define KEY "a-key-that-no-fuzzer-can-guess-0123456789"
#define NOW SECONDS(INT64_C(1800000000))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct token_keys keys;

static void raw(struct arena *arena, const uint8_t *data, size_t size)
{
    struct token_claims claims;
    if (token_verify(&keys, arena_strndup(arena, (const char *)data, size), NOW, &claims) != TOKEN_FORGED)
        abort(); /* a signature was forged */
}

/* The input is the payload; without a signature that is right, the code behind it would never be reached. */
static void signed_payload(struct arena *arena, const uint8_t *data, size_t size)
{
    char *payload = arena_alloc(arena, BASE64_SIZE(size));
    base64url_encode(data, size, payload);
    const char *body = arena_printf(arena, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.%s", payload);

    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    char signature[BASE64_SIZE(sizeof(mac))];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const uint8_t *)KEY, strlen(KEY));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)body, strlen(body));
    crypto_auth_hmacsha256_final(&state, mac);
    base64url_encode(mac, sizeof(mac), signature);

    struct token_claims claims;
    if (token_verify(&keys, arena_printf(arena, "%s.%s", body, signature), NOW, &claims) == TOKEN_FORGED)
        return;
    if (claims.user_id <= 0 || claims.session_id <= 0 || claims.expires_at <= 0 ||
        claims.expires_at > TIME_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    if (keys.count == 0 && (sodium_init() < 0 || !token_keys_init(&keys, KEY, "i", "a", &err)))
        abort();
    if (size == 0)
        return 0;
    struct arena *arena = arena_new();
    if (data[0] == '{' || data[0] == '[')
        signed_payload(arena, data, size);
    else
        raw(arena, data, size);
    arena_free(arena);
    return 0;
}
