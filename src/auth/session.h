/* Sign-ins: sessions in PostgreSQL, each with a chain of refresh tokens of which only the last one is good.
 *
 * A refresh token is 32 random bytes; the database knows its SHA-256 only. Using one makes its successor,
 * which is derived from it with a server key: two tabs (or a client whose answer got lost) that use the same
 * token within REFRESH_GRACE get the same successor, without it being stored anywhere. A token that comes
 * back later than that was copied: the session ends. Sessions slide: each refresh extends them. */
#ifndef AUTH_SESSION_H
#define AUTH_SESSION_H

#include "auth/auth.h"
#include "base/arena.h"
#include "base/timeutil.h"
#include "store/db.h"

#define REFRESH_GRACE      SECONDS(10)
#define REFRESH_TOKEN_SIZE 48 /* characters of a refresh token with its NUL, rounded up */

struct session_grant {
    int64_t session_id, user_id;
    const char *access_token;
    int64_t access_expires_at, session_expires_at; /* microseconds */
    const char *refresh_token;
};

enum session_outcome {
    SESSION_OK,
    SESSION_REFUSED,    /* unknown, expired or revoked token, or the user may not sign in */
    SESSION_REUSED,     /* a used token came back: the session has been ended */
    SESSION_SUPERSEDED, /* a token that was used a moment ago and whose successor was used too: harmless */
    SESSION_UNAVAILABLE /* the database could not be asked */
};

struct session_client {
    const char *user_agent; /* NULL is allowed; cut at 512 bytes */
    const char *address;    /* IP address; NULL is allowed */
};

/* Open a session for a user whose password was verified against password_hash: refused when the user was
 * disabled or changed the password meanwhile. new_hash (NULL: none) replaces a stale hash. db is in the
 * context `auth`. */
enum session_outcome session_open(struct auth *auth, struct db *db, struct arena *arena, int64_t user_id,
                                  const char *password_hash, const char *new_hash,
                                  const struct session_client *client, struct session_grant *grant);

/* Exchange a refresh token. db is in the context `auth`, outside a transaction. */
enum session_outcome session_refresh(struct auth *auth, struct db *db, struct arena *arena,
                                     const char *refresh_token, const struct session_client *client,
                                     struct session_grant *grant);

/* End the session that a refresh token belongs to, whichever of its chain it is; *user_id and *session_id
 * are 0 when it belongs to none. */
enum session_outcome session_close_by_token(struct db *db, const char *refresh_token, int64_t *user_id,
                                            int64_t *session_id);

/* reasons as the column sessions.revoke_reason knows them */
#define SESSION_SIGN_OUT        "sign_out"
#define SESSION_SIGN_OUT_ALL    "sign_out_everywhere"
#define SESSION_PASSWORD_CHANGE "password_change"
#define SESSION_BY_ADMIN        "admin"

/* End one session of a user, or all of them but `keep` (0: none is kept). Returns rows as db_query does;
 * rows_affected tells how many ended. Works in the context of whoever may see the sessions. */
struct rows *session_close(struct db *db, int64_t user_id, int64_t session_id, const char *reason);
struct rows *session_close_all(struct db *db, int64_t user_id, int64_t keep, const char *reason);

#endif
