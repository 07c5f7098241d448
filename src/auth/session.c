/* Sign-ins: sessions in PostgreSQL, each with a chain of refresh tokens of which only the last one is good.
 */
#include "auth/session.h"

#include <sodium.h>
#include <string.h>

#include "base/encode.h"
#include "base/log.h"

#define TOKEN_BYTES 32
#define TOKEN_CHARS 43 /* of TOKEN_BYTES in base64url */
#define HASH_BYTES  crypto_hash_sha256_BYTES
#define MAX_AGENT   512 /* bytes, as the column's constraint */

_Static_assert(TOKEN_CHARS < REFRESH_TOKEN_SIZE, "a refresh token must fit");

/* ---- refresh tokens ---- */

static bool hash_token(const char *token, uint8_t hash[HASH_BYTES])
{
    uint8_t bytes[TOKEN_BYTES];
    if (strlen(token) != TOKEN_CHARS || !base64_decode_exact(token, bytes, sizeof(bytes)))
        return false;
    wipe(bytes, sizeof(bytes));
    crypto_hash_sha256(hash, (const uint8_t *)token, TOKEN_CHARS);
    return true;
}

static void random_token(char token[REFRESH_TOKEN_SIZE])
{
    uint8_t bytes[TOKEN_BYTES];
    randombytes_buf(bytes, sizeof(bytes));
    base64url_encode(bytes, sizeof(bytes), token);
    wipe(bytes, sizeof(bytes));
}

/* Everybody who holds the token and asks in time gets the same successor; without the server's key nobody can
 * compute it. */
static void successor_token(const struct auth *auth, const char *token, char next[REFRESH_TOKEN_SIZE])
{
    uint8_t bytes[TOKEN_BYTES];
    crypto_generichash(bytes, sizeof(bytes), (const uint8_t *)token, strlen(token), auth->refresh_key,
                       sizeof(auth->refresh_key));
    base64url_encode(bytes, sizeof(bytes), next);
    wipe(bytes, sizeof(bytes));
}

static const char *agent_of(struct arena *arena, const struct session_client *client)
{
    const char *agent = client->user_agent != NULL ? client->user_agent : "";
    size_t len = strlen(agent);
    if (len > MAX_AGENT)
        len = MAX_AGENT;
    while (len > 0 && !utf8_valid(agent, len)) /* cut inside a character, or not UTF-8 at all */
        len--;
    return arena_strndup(arena, agent, len);
}

static bool issue(const struct auth *auth, struct arena *arena, int64_t user_id, int64_t session_id,
                  int64_t session_expires_at, const char *refresh_token, struct session_grant *grant)
{
    int64_t now = time_now() / USEC_PER_SEC * USEC_PER_SEC;
    struct token_claims claims = {
        .user_id = user_id,
        .session_id = session_id,
        .issued_at = now,
        .expires_at = now + MINUTES(auth->config->access_token_minutes),
    };
    *grant = (struct session_grant){
        .session_id = session_id,
        .user_id = user_id,
        .access_token = token_sign(&auth->tokens, &claims, arena),
        .access_expires_at = claims.expires_at,
        .session_expires_at = session_expires_at,
        .refresh_token = arena_strdup(arena, refresh_token),
    };
    return grant->access_token != NULL;
}

/* ---- opening ---- */

/* The update repeats what the password was checked against, under the row's lock: a user disabled, or a
 * password changed, between check and session gets none. */
static const char open_sql[] =
    "WITH u AS (UPDATE users SET last_login_at = now(), password_hash = coalesce($3, password_hash)"
    "  WHERE id = $1 AND password_hash = $2 AND archived_at IS NULL RETURNING id),"
    " s AS (INSERT INTO sessions (user_id, expires_at, user_agent, address)"
    "  SELECT id, now() + $4 * interval '1 day', $5, $6::inet FROM u RETURNING id, user_id, expires_at),"
    " t AS (INSERT INTO session_tokens (token_hash, session_id, user_id) SELECT $7, id, user_id FROM s)"
    " SELECT id, expires_at FROM s";

enum session_outcome session_open(struct auth *auth, struct db *db, struct arena *arena, int64_t user_id,
                                  const char *password_hash, const char *new_hash,
                                  const struct session_client *client, struct session_grant *grant)
{
    char token[REFRESH_TOKEN_SIZE];
    uint8_t hash[HASH_BYTES];
    random_token(token);
    crypto_hash_sha256(hash, (const uint8_t *)token, TOKEN_CHARS);

    struct rows *rows = db_query(db, open_sql, "ississx", user_id, password_hash, new_hash,
                                 auth->config->refresh_token_days, agent_of(arena, client), client->address,
                                 hash, sizeof(hash));
    enum session_outcome outcome = SESSION_OK;
    if (rows_ok(rows) && rows_count(rows) == 0)
        outcome = SESSION_REFUSED;
    else if (!rows_ok(rows) ||
             !issue(auth, arena, user_id, rows_int(rows, 0, 0), rows_time(rows, 0, 1), token, grant))
        outcome = SESSION_UNAVAILABLE;
    wipe(token, sizeof(token));
    return outcome;
}

/* ---- refreshing ---- */

/* One row for a known token; the session is locked, so that two refreshes of one session take turns. */
static const char find_sql[] =
    "SELECT s.id, s.user_id, s.revoked_at IS NOT NULL OR s.expires_at <= now() OR u.archived_at IS NOT NULL,"
    " t.used_at IS NOT NULL, coalesce(extract(epoch FROM now() - t.used_at) * 1000000, 0)::bigint, s.expires_at"
    " FROM session_tokens t JOIN sessions s ON s.id = t.session_id JOIN users u ON u.id = s.user_id"
    " WHERE t.token_hash = $1 FOR UPDATE OF s, t";

enum { FOUND_SESSION, FOUND_USER, FOUND_OVER, FOUND_USED, FOUND_AGE, FOUND_EXPIRES };

/* The insert takes its session from the update, so that the old token has left the index of current ones
 * before. Tokens used long before the session could still be alive without them are of no interest any more.
 */
static const char rotate_sql[] =
    "WITH used AS (UPDATE session_tokens SET used_at = now() WHERE token_hash = $1 RETURNING session_id, user_id),"
    " next AS (INSERT INTO session_tokens (token_hash, session_id, user_id)"
    "  SELECT $2, session_id, user_id FROM used RETURNING session_id),"
    " old AS (DELETE FROM session_tokens t USING next WHERE t.session_id = next.session_id"
    "  AND t.used_at < now() - $3 * interval '1 day')"
    " UPDATE sessions s SET last_used_at = now(), expires_at = now() + $3 * interval '1 day',"
    "  user_agent = $4, address = $5::inet FROM next WHERE s.id = next.session_id RETURNING s.expires_at";

static const char current_sql[] =
    "SELECT 1 FROM session_tokens WHERE token_hash = $1 AND session_id = $2 AND used_at IS NULL";

static const char reused_sql[] = "UPDATE sessions SET revoked_at = now(), revoke_reason = 'token_reuse'"
                                 " WHERE id = $1 AND revoked_at IS NULL";

struct refresh {
    struct auth *auth;
    struct db *db;
    struct arena *arena;
    const struct session_client *client;
    uint8_t hash[HASH_BYTES], next_hash[HASH_BYTES];
    char next[REFRESH_TOKEN_SIZE];
    struct session_grant *grant;
};

static enum session_outcome rotate(struct refresh *r, int64_t user_id, int64_t session_id)
{
    struct rows *rows = db_query(r->db, rotate_sql, "xxiss", r->hash, sizeof(r->hash), r->next_hash,
                                 sizeof(r->next_hash), r->auth->config->refresh_token_days,
                                 agent_of(r->arena, r->client), r->client->address);
    if (!rows_ok(rows) || rows_count(rows) != 1)
        return SESSION_UNAVAILABLE;
    return issue(r->auth, r->arena, user_id, session_id, rows_time(rows, 0, 0), r->next, r->grant)
               ? SESSION_OK
               : SESSION_UNAVAILABLE;
}

/* A token that was used before: by another tab a moment ago, or by a thief. */
static enum session_outcome used_again(struct refresh *r, const struct rows *found)
{
    int64_t session_id = rows_int(found, 0, FOUND_SESSION), user_id = rows_int(found, 0, FOUND_USER);
    if (rows_int(found, 0, FOUND_AGE) <= REFRESH_GRACE) {
        struct rows *rows = db_query(r->db, current_sql, "xi", r->next_hash, sizeof(r->next_hash),
                                     session_id);
        if (!rows_ok(rows))
            return SESSION_UNAVAILABLE;
        if (rows_count(rows) == 0)
            return SESSION_SUPERSEDED;
        return issue(r->auth, r->arena, user_id, session_id, rows_time(found, 0, FOUND_EXPIRES), r->next,
                     r->grant)
                   ? SESSION_OK
                   : SESSION_UNAVAILABLE;
    }
    if (!rows_ok(db_query(r->db, reused_sql, "i", session_id)))
        return SESSION_UNAVAILABLE;
    LOG_WARN("used refresh token came back: session ended", LOG_NUM("session", session_id),
             LOG_NUM("user", user_id), LOG_TEXT("ip", r->client->address));
    return SESSION_REUSED;
}

static enum session_outcome refresh_in_transaction(struct refresh *r)
{
    struct rows *found = db_query(r->db, find_sql, "x", r->hash, sizeof(r->hash));
    if (!rows_ok(found))
        return SESSION_UNAVAILABLE;
    if (rows_count(found) == 0 || rows_bool(found, 0, FOUND_OVER))
        return SESSION_REFUSED;
    if (rows_bool(found, 0, FOUND_USED))
        return used_again(r, found);
    return rotate(r, rows_int(found, 0, FOUND_USER), rows_int(found, 0, FOUND_SESSION));
}

enum session_outcome session_refresh(struct auth *auth, struct db *db, struct arena *arena,
                                     const char *refresh_token, const struct session_client *client,
                                     struct session_grant *grant)
{
    struct refresh r = { .auth = auth, .db = db, .arena = arena, .client = client, .grant = grant };
    if (!hash_token(refresh_token, r.hash))
        return SESSION_REFUSED;
    successor_token(auth, refresh_token, r.next);
    crypto_hash_sha256(r.next_hash, (const uint8_t *)r.next, TOKEN_CHARS);

    enum session_outcome outcome = SESSION_UNAVAILABLE;
    struct error err;
    if (db_begin(db, &err)) {
        outcome = refresh_in_transaction(&r);
        if (outcome != SESSION_OK && outcome != SESSION_REUSED)
            db_rollback(db);
        else if (!db_commit(db, &err))
            outcome = SESSION_UNAVAILABLE;
    }
    wipe(r.next, sizeof(r.next));
    return outcome;
}

/* ---- closing ---- */

enum session_outcome session_close_by_token(struct db *db, const char *refresh_token, int64_t *user_id,
                                            int64_t *session_id)
{
    uint8_t hash[HASH_BYTES];
    *user_id = *session_id = 0;
    if (!hash_token(refresh_token, hash))
        return SESSION_REFUSED;
    struct rows *rows = db_query(db,
                                 "UPDATE sessions s SET revoked_at = now(), revoke_reason = 'sign_out'"
                                 " FROM session_tokens t WHERE t.token_hash = $1 AND s.id = t.session_id"
                                 " AND s.revoked_at IS NULL RETURNING s.user_id, s.id",
                                 "x", hash, sizeof(hash));
    if (!rows_ok(rows))
        return SESSION_UNAVAILABLE;
    if (rows_count(rows) == 0)
        return SESSION_REFUSED;
    *user_id = rows_int(rows, 0, 0);
    *session_id = rows_int(rows, 0, 1);
    return SESSION_OK;
}

struct rows *session_close(struct db *db, int64_t user_id, int64_t session_id, const char *reason)
{
    return db_query(db,
                    "UPDATE sessions SET revoked_at = now(), revoke_reason = $3"
                    " WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL AND expires_at > now()",
                    "iis", user_id, session_id, reason);
}

struct rows *session_close_all(struct db *db, int64_t user_id, int64_t keep, const char *reason)
{
    return db_query(db,
                    "UPDATE sessions SET revoked_at = now(), revoke_reason = $3"
                    " WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL",
                    "iis", user_id, keep, reason);
}
