/* From the credentials of a request to the principal behind them, with rights as they are now.
 *
 * Who holds a session and what they may see comes from PostgreSQL. It is kept in the process and, signed, in
 * Redis, so that a request costs no session query; and it stops being believed at the next request after a
 * change: see auth/cache.h for how. */
#ifndef AUTH_AUTHENTICATE_H
#define AUTH_AUTHENTICATE_H

#include "auth/auth.h"
#include "auth/principal.h"
#include "base/arena.h"
#include "store/db.h"
#include "store/redis.h"

struct credentials {
    const char *authorization; /* the Authorization header: "Bearer JWT" or "ApiKey KEY"; NULL when absent */
    const char *api_key;       /* the X-API-Key header; NULL when absent */
};

enum auth_outcome {
    AUTH_OK,
    AUTH_ANONYMOUS,   /* no credentials were given */
    AUTH_INVALID,     /* malformed, forged, unknown, revoked, or of a disabled user */
    AUTH_EXPIRED,     /* was good until a moment ago: refresh and try again */
    AUTH_UNAVAILABLE, /* the database could not be asked */
    AUTH_LATER,       /* authenticate_fast only: ask again on a thread that may block */
};

/* Leaves db in the context of the principal, or of nobody. db_use must have been called for this request;
 * redis may be NULL. */
enum auth_outcome authenticate(struct auth *auth, struct db *db, struct redis *redis, struct arena *arena,
                               const struct credentials *credentials, const struct principal **principal);

/* The same from what the process knows for certain at this moment, without blocking: for answers from the
 * cache on the network thread. */
enum auth_outcome authenticate_fast(struct auth *auth, struct arena *arena,
                                    const struct credentials *credentials,
                                    const struct principal **principal);

/* Call after committing a change that takes sessions or rights away, before answering: returns when no
 * process acts on the old state any more (AUTH_LEASE later). Changes are noticed by triggers; nothing else
 * has to be told. auth is NULL in processes that check no requests (command line). */
void auth_settle(struct auth *auth);

#endif
