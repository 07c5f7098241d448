/* What sign-in and access checks share in one process: keys, policy, caches, mail. */
#include "auth/auth.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "auth/cache.h"
#include "auth/mail.h"
#include "auth/ratelimit.h"
#include "base/encode.h"
#include "base/log.h"

const struct db_context auth_context = { .role = "auth", .clients = "{}", .user = "" };

/* Separate keys for separate purposes, all derived from the secret that signs tokens, so that every process
 * of a deployment has the same ones. */
static void derive(const char *secret, const char *purpose, uint8_t key[AUTH_KEY_SIZE])
{
    uint8_t digest[crypto_generichash_KEYBYTES];
    assert(secret != NULL); /* token_keys_init gives one key or fails */
    crypto_generichash(digest, sizeof(digest), (const uint8_t *)secret, strlen(secret), NULL, 0);
    crypto_generichash(key, AUTH_KEY_SIZE, (const uint8_t *)purpose, strlen(purpose), digest, sizeof(digest));
    wipe(digest, sizeof(digest));
}

static bool init_tokens(struct auth *auth, struct error *err)
{
    const struct config *config = auth->config;
    if (config->jwt_secret[0] != '\0')
        return token_keys_init(&auth->tokens, config->jwt_secret, config->jwt_issuer, config->jwt_audience,
                               err);
    if (strcmp(config->environment, "production") == 0)
        return error_set(err, "jwt_secret_missing", "JWT_SECRET must be set in production");

    uint8_t random[32];
    char secret[HEX_SIZE(sizeof(random))];
    randombytes_buf(random, sizeof(random));
    hex_encode(random, sizeof(random), secret);
    bool ok = token_keys_init(&auth->tokens, secret, config->jwt_issuer, config->jwt_audience, err);
    wipe(random, sizeof(random));
    wipe(secret, sizeof(secret));
    LOG_WARN("JWT_SECRET is not set: a random key is used, and access tokens end with this process");
    return ok;
}

/* Half of the handlers may hash passwords at a time, and all but one may be busy with it: a flood of sign-ins
 * leaves that one to everybody else. */
static struct password_hasher *new_hasher(const struct config *config)
{
    unsigned handlers = (unsigned)config->http_handlers;
    unsigned slots = handlers > 1 ? handlers / 2 : 1;
    unsigned waiting = handlers > slots + 1 ? handlers - 1 - slots : 0;
    return password_hasher_new((size_t)config->password_memory, slots, waiting);
}

struct auth *auth_new(const struct config *config, struct error *err)
{
    if (sodium_init() < 0) {
        error_set(err, "internal", "libsodium could not be initialised");
        return NULL;
    }
    struct auth *auth = calloc(1, sizeof(*auth));
    if (auth == NULL)
        abort();
    auth->config = config;
    if (!init_tokens(auth, err)) {
        auth_free(auth);
        return NULL;
    }
    derive(auth->tokens.keys[0], "session copies", auth->copy_key);
    derive(auth->tokens.keys[0], "refresh tokens", auth->refresh_key);
    auth->hasher = new_hasher(config);
    if (auth->hasher == NULL) {
        error_set(err, "password_memory", "not enough memory to hash a password with PASSWORD_MEMORY");
        auth_free(auth);
        return NULL;
    }
    auth->cache = auth_cache_new(0);
    auth->limits = ratelimit_new();
    auth->mailer = mailer_new(config);
    return auth;
}

void auth_free(struct auth *auth)
{
    if (auth == NULL)
        return;
    mailer_free(auth->mailer);
    ratelimit_free(auth->limits);
    auth_cache_free(auth->cache);
    password_hasher_free(auth->hasher);
    token_keys_free(&auth->tokens);
    wipe(auth, sizeof(*auth));
    free(auth);
}
