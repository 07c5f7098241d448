/* What sign-in and access checks share in one process: keys, policy, caches, mail. Made once, used by all
 * threads. */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include <stdint.h>

#include "auth/password.h"
#include "auth/token.h"
#include "base/config.h"
#include "base/error.h"

struct auth_cache;
struct mailer;
struct ratelimit;

#define AUTH_KEY_SIZE 32

struct auth {
    const struct config *config; /* outlives the struct */
    struct token_keys tokens;
    uint8_t copy_key[AUTH_KEY_SIZE];    /* authenticates copies of sessions in Redis */
    uint8_t refresh_key[AUTH_KEY_SIZE]; /* derives a refresh token's successor */
    struct password_hasher *hasher;
    struct auth_cache *cache;
    struct ratelimit *limits;
    struct mailer *mailer;
};

/* Fails when JWT_SECRET is malformed, or missing in production. Elsewhere a missing one is replaced by a
 * random key, which ends all sign-ins with the process; the log says so. */
MUST_CHECK struct auth *auth_new(const struct config *config, struct error *err);
void auth_free(struct auth *auth); /* waits for mails that are being sent; NULL is allowed */

/* The eyes of the API while it finds out who is asking (row security's role `auth`). */
extern const struct db_context auth_context;

#endif
