/* Access tokens: short-lived JWTs, HS256 only, with several keys for rotation. (Only token.c knows libjwt.)
 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

#define TOKEN_MAX_KEYS       4
#define TOKEN_MIN_KEY_LENGTH 32   /* characters; RFC 7518 asks for 256 bits with HS256 */
#define TOKEN_MAX_LENGTH     4096 /* of a token; ours have about 250 characters */

struct token_keys {
    size_t count;
    char *keys[TOKEN_MAX_KEYS]; /* keys[0] signs, all verify; wiped by token_keys_free */
    const char *issuer, *audience;
};

/* secrets: separated by commas, the signing one first. issuer and audience are not copied. */
MUST_CHECK bool token_keys_init(struct token_keys *keys, const char *secrets, const char *issuer,
                                const char *audience, struct error *err);
void token_keys_free(struct token_keys *keys);

struct token_claims {
    int64_t user_id, session_id;
    int64_t issued_at, expires_at; /* microseconds, whole seconds */
};

/* NULL only when libjwt fails. */
char *token_sign(const struct token_keys *keys, const struct token_claims *claims, struct arena *arena);

enum token_verdict { TOKEN_VALID, TOKEN_EXPIRED, TOKEN_FORGED };

/* FORGED: not ours in any way (form, algorithm, signature, issuer, audience, claims, not valid yet). claims
 * are set when VALID or EXPIRED. */
enum token_verdict token_verify(const struct token_keys *keys, const char *token, int64_t now,
                                struct token_claims *claims);

#endif
