/* Access tokens: JWTs through libjwt 1.x (1.10 in Debian 12, 1.17 in Debian 13). */
#include "auth/token.h"

#include <errno.h>
#include <jwt.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/parse.h"
#include "base/timeutil.h"

/* Clocks of two hosts may differ by this much before a fresh token counts as one from the future. */
#define CLOCK_SKEW 60 /* seconds */

static bool add_key(struct token_keys *keys, const char *text, size_t len, struct error *err)
{
    if (len < TOKEN_MIN_KEY_LENGTH)
        return error_set(err, "jwt_secret_weak", "JWT_SECRET: each key must have %d characters or more",
                         TOKEN_MIN_KEY_LENGTH);
    if (keys->count == TOKEN_MAX_KEYS)
        return error_set(err, "jwt_secret_invalid", "JWT_SECRET: at most %d keys", TOKEN_MAX_KEYS);
    keys->keys[keys->count] = strndup(text, len);
    if (keys->keys[keys->count++] == NULL)
        abort();
    return true;
}

bool token_keys_init(struct token_keys *keys, const char *secrets, const char *issuer, const char *audience,
                     struct error *err)
{
    *keys = (struct token_keys){ .issuer = issuer, .audience = audience };
    do {
        size_t len = strcspn(secrets, ",");
        if (!add_key(keys, secrets, len, err)) {
            token_keys_free(keys);
            return false;
        }
        secrets += len;
    } while (*secrets++ == ',');
    return true;
}

void token_keys_free(struct token_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        wipe(keys->keys[i], strlen(keys->keys[i]));
        free(keys->keys[i]);
    }
    keys->count = 0;
}

/* ---- signing ---- */

static bool add_claims(jwt_t *jwt, const struct token_keys *keys, const struct token_claims *claims)
{
    char subject[24];
    snprintf(subject, sizeof(subject), "%lld", (long long)claims->user_id);
    long issued = (long)(claims->issued_at / USEC_PER_SEC);
    return jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)keys->keys[0],
                       (int)strlen(keys->keys[0])) == 0 &&
           jwt_add_grant(jwt, "iss", keys->issuer) == 0 && jwt_add_grant(jwt, "aud", keys->audience) == 0 &&
           jwt_add_grant(jwt, "sub", subject) == 0 &&
           jwt_add_grant_int(jwt, "sid", (long)claims->session_id) == 0 &&
           jwt_add_grant_int(jwt, "iat", issued) == 0 && jwt_add_grant_int(jwt, "nbf", issued) == 0 &&
           jwt_add_grant_int(jwt, "exp", (long)(claims->expires_at / USEC_PER_SEC)) == 0;
}

char *token_sign(const struct token_keys *keys, const struct token_claims *claims, struct arena *arena)
{
    jwt_t *jwt = NULL;
    if (jwt_new(&jwt) != 0)
        return NULL;
    char *text = add_claims(jwt, keys, claims) ? jwt_encode_str(jwt) : NULL;
    char *token = arena_strdup(arena, text);
    free(text);
    jwt_free(jwt);
    return token;
}

/* ---- verifying ---- */

/* Three parts of the URL alphabet: what libjwt gets to see is at least a token in form. */
static bool well_formed(const char *token)
{
    size_t len = strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");
    if (token[len] != '\0' || len > TOKEN_MAX_LENGTH)
        return false;
    size_t dots = 0;
    for (const char *p = token; *p != '\0'; p++)
        dots += *p == '.';
    return dots == 2 && token[0] != '.' && token[len - 1] != '.';
}

/* libjwt takes the algorithm from the token, so a signature is believed only together with HS256: our keys
 * are HMAC keys, and `none` or a public-key algorithm must never meet them. */
static jwt_t *decode(const struct token_keys *keys, const char *token)
{
    for (size_t i = 0; i < keys->count; i++) {
        jwt_t *jwt = NULL;
        if (jwt_decode(&jwt, token, (const unsigned char *)keys->keys[i], (int)strlen(keys->keys[i])) != 0)
            continue;
        if (jwt_get_alg(jwt) == JWT_ALG_HS256)
            return jwt;
        jwt_free(jwt);
    }
    return NULL;
}

static bool grant_is(jwt_t *jwt, const char *name, const char *wanted)
{
    const char *value = jwt_get_grant(jwt, name);
    return value != NULL && strcmp(value, wanted) == 0;
}

/* A whole number above zero; libjwt answers 0 and sets errno for anything else. */
static bool grant_number(jwt_t *jwt, const char *name, int64_t *value)
{
    errno = 0;
    *value = jwt_get_grant_int(jwt, name);
    return errno == 0 && *value > 0;
}

static bool read_claims(jwt_t *jwt, const struct token_keys *keys, int64_t now, struct token_claims *claims)
{
    int64_t not_before, issued, expires;
    const char *subject = jwt_get_grant(jwt, "sub");
    if (!grant_is(jwt, "iss", keys->issuer) || !grant_is(jwt, "aud", keys->audience))
        return false;
    if (subject == NULL || !parse_i64_range(subject, 1, INT64_MAX, &claims->user_id))
        return false;
    if (!grant_number(jwt, "sid", &claims->session_id) || !grant_number(jwt, "nbf", &not_before) ||
        !grant_number(jwt, "iat", &issued) || !grant_number(jwt, "exp", &expires))
        return false;
    if (not_before > now / USEC_PER_SEC + CLOCK_SKEW || issued > TIME_MAX / USEC_PER_SEC ||
        expires > TIME_MAX / USEC_PER_SEC)
        return false;
    claims->issued_at = issued * USEC_PER_SEC;
    claims->expires_at = expires * USEC_PER_SEC;
    return true;
}

enum token_verdict token_verify(const struct token_keys *keys, const char *token, int64_t now,
                                struct token_claims *claims)
{
    if (!well_formed(token))
        return TOKEN_FORGED;
    jwt_t *jwt = decode(keys, token);
    if (jwt == NULL)
        return TOKEN_FORGED;
    struct token_claims found = { 0 };
    bool ours = read_claims(jwt, keys, now, &found);
    jwt_free(jwt);
    if (!ours)
        return TOKEN_FORGED;
    *claims = found;
    return found.expires_at > now ? TOKEN_VALID : TOKEN_EXPIRED;
}
