/* From the credentials of a request to the principal behind them, with rights as they are now. */
#include "auth/authenticate.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "auth/apikey.h"
#include "auth/cache.h"
#include "auth/rights_sql.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/parse.h"

/* A key is looked up again this often, which is also when its last use is noted. */
#define APIKEY_LOOKUP SECONDS(60)

/* Life of a session's copy in Redis. */
#define COPY_SECONDS 600

#define MAX_SCOPES 64 /* as the column's constraint */

static const struct db_context nobody = { .role = "", .clients = "{}", .user = "" };

enum credential_kind { CREDENTIAL_NONE, CREDENTIAL_TOKEN, CREDENTIAL_KEY, CREDENTIAL_MALFORMED };

struct lookup {
    struct auth *auth;
    struct db *db;
    struct redis *redis;
    struct arena *arena;
    uint8_t key[AUTH_CACHE_KEY]; /* SHA-256 of the credential */
    int64_t now;
    int64_t valid_until;
    int64_t xmin; /* of the snapshot the principal was read from */
    struct principal principal;
};

/* ---- reading the headers ---- */

static const char *after_scheme(const char *header, const char *scheme)
{
    size_t len = strlen(scheme);
    if (strncasecmp(header, scheme, len) != 0 || header[len] != ' ')
        return NULL;
    return header + len + strspn(header + len, " ");
}

/* Two credentials at once are refused: which one counts would be a guess. */
static enum credential_kind read_credentials(const struct credentials *given, const char **text)
{
    if (given->authorization == NULL && given->api_key == NULL)
        return CREDENTIAL_NONE;
    if (given->authorization != NULL && given->api_key != NULL)
        return CREDENTIAL_MALFORMED;
    if (given->api_key != NULL) {
        *text = given->api_key;
        return CREDENTIAL_KEY;
    }
    if ((*text = after_scheme(given->authorization, "Bearer")) != NULL)
        return CREDENTIAL_TOKEN;
    if ((*text = after_scheme(given->authorization, "ApiKey")) != NULL)
        return CREDENTIAL_KEY;
    return CREDENTIAL_MALFORMED;
}

/* ---- building a principal ---- */

static void set_role(struct lookup *l, enum role role, const char *clients)
{
    struct principal *p = &l->principal;
    p->role = role;
    p->context.role = role_names[role];
    p->context.clients = role == ROLE_ADMIN ? "{}" : clients;
    p->context.user = arena_printf(l->arena, "%lld", (long long)p->user_id);
}

/* "{1,2,3}" */
static bool set_clients(struct lookup *l, const char *array)
{
    size_t most = 1;
    for (const char *p = array; *p != '\0'; p++)
        most += *p == ',';
    int64_t *ids = arena_zalloc(l->arena, most, sizeof(*ids));
    size_t n = 0;
    char *text = arena_strdup(l->arena, array), *rest = NULL;
    for (char *word = strtok_r(text, "{,}", &rest); word != NULL; word = strtok_r(NULL, "{,}", &rest))
        if (!parse_i64(word, &ids[n++]))
            return false;
    l->principal.client_ids = ids;
    l->principal.client_count = n;
    return true;
}

/* Scopes separated by spaces. A key without any may do nothing. */
static void set_scopes(struct lookup *l, const char *text)
{
    const char **scopes = arena_zalloc(l->arena, MAX_SCOPES + 1, sizeof(*scopes));
    size_t n = 0;
    bool writes = false, everything = false;
    char *words = arena_strdup(l->arena, text), *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word != NULL && n < MAX_SCOPES;
         word = strtok_r(NULL, " ", &rest)) {
        size_t len = strlen(word);
        everything |= strcmp(word, "*") == 0;
        writes |= len >= 5 && strcmp(word + len - 5, "write") == 0;
        scopes[n++] = word;
    }
    l->principal.scopes = everything ? NULL : scopes;
    l->principal.read_only = !writes && !everything;
}

/* ---- sessions ---- */

static const char session_sql[] = "SELECT u.id, u.role, u.email, u.name, " SESSION_CLIENTS ", s.expires_at,"
                                  " pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
                                  " FROM sessions s JOIN users u ON u.id = s.user_id"
                                  " WHERE s.id = $1 AND s.user_id = $2 AND " SESSION_HOLDS;

static enum auth_outcome load_session(struct lookup *l, const struct token_claims *claims)
{
    struct rows *rows = db_query(l->db, session_sql, "ii", claims->session_id, claims->user_id);
    if (!rows_ok(rows))
        return AUTH_UNAVAILABLE;
    int role = rows_count(rows) == 1 ? word_index(role_names, rows_text(rows, 0, 1)) : -1;
    if (role < 0)
        return AUTH_INVALID;
    l->principal = (struct principal){
        .kind = PRINCIPAL_SESSION,
        .user_id = rows_int(rows, 0, 0),
        .session_id = claims->session_id,
        .email = rows_text(rows, 0, 2),
        .name = rows_text(rows, 0, 3),
    };
    set_role(l, (enum role)role, rows_text(rows, 0, 4));
    l->valid_until = rows_time(rows, 0, 5);
    l->xmin = rows_int(rows, 0, 6);
    return set_clients(l, rows_text(rows, 0, 4)) ? AUTH_OK : AUTH_INVALID;
}

/* ---- copies of sessions in Redis ----
 *
 * "MAC JSON", where the MAC binds the copy to its name: whoever can write to Redis cannot make himself an
 * admin. */

static void copy_mac(const struct lookup *l, const char *name, const char *json, char mac[HEX_SIZE(32)])
{
    uint8_t digest[32];
    crypto_generichash_state state;
    crypto_generichash_init(&state, l->auth->copy_key, sizeof(l->auth->copy_key), sizeof(digest));
    crypto_generichash_update(&state, (const uint8_t *)name, strlen(name) + 1);
    crypto_generichash_update(&state, (const uint8_t *)json, strlen(json));
    crypto_generichash_final(&state, digest, sizeof(digest));
    hex_encode(digest, sizeof(digest), mac);
}

static void write_copy(struct lookup *l, const char *name)
{
    const struct principal *p = &l->principal;
    struct buf text = { 0 };
    struct json json;
    json_begin(&json, &text);
    json_start_object(&json);
    json_put_int(&json, "user", p->user_id);
    json_put_text(&json, "role", role_names[p->role]);
    json_put_text(&json, "email", p->email);
    json_put_text(&json, "name", p->name);
    json_put_text(&json, "clients", p->context.clients);
    json_put_int(&json, "expires", l->valid_until);
    json_put_int(&json, "xmin", l->xmin);
    json_end_object(&json);

    char mac[HEX_SIZE(32)];
    struct redis_reply reply;
    copy_mac(l, name, buf_text(&text), mac);
    if (!redis_command(l->redis, l->arena, &reply, "SET %s %s%s EX %d", name, mac, buf_text(&text),
                       COPY_SECONDS))
        (void)reply; /* soft: the next one reads PostgreSQL again */
    buf_free(&text);
}

static const char *copy_text(const json_t *copy, const char *field)
{
    return json_string_value(json_object_get(copy, field));
}

static bool take_copy(struct lookup *l, const json_t *copy, const struct token_claims *claims)
{
    const char *role = copy_text(copy, "role"), *clients = copy_text(copy, "clients");
    int index = role != NULL ? word_index(role_names, role) : -1;
    if (index < 0 || clients == NULL || json_integer_value(json_object_get(copy, "user")) != claims->user_id)
        return false;
    l->principal = (struct principal){
        .kind = PRINCIPAL_SESSION,
        .user_id = claims->user_id,
        .session_id = claims->session_id,
        .email = arena_strdup(l->arena, copy_text(copy, "email")),
        .name = arena_strdup(l->arena, copy_text(copy, "name")),
    };
    clients = arena_strdup(l->arena, clients);
    set_role(l, (enum role)index, clients);
    l->valid_until = json_integer_value(json_object_get(copy, "expires"));
    l->xmin = json_integer_value(json_object_get(copy, "xmin"));
    return l->valid_until > l->now && set_clients(l, clients) &&
           auth_cache_copy_holds(l->auth->cache, claims->user_id, l->xmin);
}

static bool read_copy(struct lookup *l, const char *name, const struct token_claims *claims)
{
    struct redis_reply reply;
    char mac[HEX_SIZE(32)];
    size_t mac_len = sizeof(mac) - 1;
    if (!redis_command(l->redis, l->arena, &reply, "GET %s", name) || reply.type != REDIS_TEXT ||
        reply.len <= mac_len)
        return false;
    copy_mac(l, name, reply.text + mac_len, mac);
    if (!equal_secret(mac, reply.text, mac_len))
        return false;
    json_t *copy = json_loads(reply.text + mac_len, JSON_REJECT_DUPLICATES, NULL);
    bool taken = copy != NULL && take_copy(l, copy, claims);
    json_decref(copy);
    return taken;
}

static enum auth_outcome find_session(struct lookup *l, const char *token)
{
    struct token_claims claims;
    switch (token_verify(&l->auth->tokens, token, l->now, &claims)) {
    case TOKEN_FORGED:
        return AUTH_INVALID;
    case TOKEN_EXPIRED:
        return AUTH_EXPIRED;
    case TOKEN_VALID:
        break;
    }
    const char *name = arena_printf(l->arena, "auth:session:%lld", (long long)claims.session_id);
    if (l->redis == NULL || !read_copy(l, name, &claims)) {
        enum auth_outcome outcome = load_session(l, &claims);
        if (outcome != AUTH_OK)
            return outcome;
        if (l->redis != NULL)
            write_copy(l, name);
    }
    if (claims.expires_at < l->valid_until)
        l->valid_until = claims.expires_at;
    return AUTH_OK;
}

/* ---- API keys ---- */

static const char apikey_sql[] =
    "SELECT k.id, u.id, " APIKEY_ROLE ", u.email, u.name, " APIKEY_CLIENTS ","
    " array_to_string(k.scopes, ' '), coalesce(k.expires_at <= now(), false), k.expires_at,"
    " coalesce(k.last_used_at < now() - interval '1 minute', true)"
    " FROM api_keys k JOIN users u ON u.id = k.user_id"
    " WHERE k.key_hash = $1 AND " APIKEY_HOLDS;

static enum auth_outcome find_apikey(struct lookup *l, const char *secret)
{
    uint8_t hash[APIKEY_HASH_SIZE];
    if (!apikey_hash(secret, hash))
        return AUTH_INVALID;
    struct rows *rows = db_query(l->db, apikey_sql, "x", hash, sizeof(hash));
    if (!rows_ok(rows))
        return AUTH_UNAVAILABLE;
    int role = rows_count(rows) == 1 ? word_index(role_names, rows_text(rows, 0, 2)) : -1;
    if (role < 0)
        return AUTH_INVALID;
    if (rows_bool(rows, 0, 7))
        return AUTH_EXPIRED;
    l->principal = (struct principal){
        .kind = PRINCIPAL_API_KEY,
        .user_id = rows_int(rows, 0, 1),
        .api_key_id = rows_int(rows, 0, 0),
        .email = rows_text(rows, 0, 3),
        .name = rows_text(rows, 0, 4),
    };
    set_role(l, (enum role)role, rows_text(rows, 0, 5));
    set_scopes(l, rows_text(rows, 0, 6));
    l->valid_until = l->now + APIKEY_LOOKUP;
    if (!rows_null(rows, 0, 8) && rows_time(rows, 0, 8) < l->valid_until)
        l->valid_until = rows_time(rows, 0, 8);
    if (!set_clients(l, rows_text(rows, 0, 5)))
        return AUTH_INVALID;
    if (rows_bool(rows, 0, 9))
        (void)db_query(l->db, "UPDATE api_keys SET last_used_at = now() WHERE id = $1", "i",
                       l->principal.api_key_id);
    return AUTH_OK;
}

/* ---- the whole ---- */

static enum auth_outcome find_principal(struct lookup *l, enum credential_kind kind, const char *text,
                                        const struct principal **principal)
{
    if (!auth_cache_confirm(l->auth->cache, l->db))
        return AUTH_UNAVAILABLE;
    *principal = auth_cache_get(l->auth->cache, l->key, l->now, l->arena);
    if (*principal != NULL)
        return AUTH_OK;

    uint64_t seen = auth_cache_seen(l->auth->cache);
    enum auth_outcome outcome = kind == CREDENTIAL_TOKEN ? find_session(l, text) : find_apikey(l, text);
    if (outcome == AUTH_OK) {
        auth_cache_put(l->auth->cache, l->key, seen, l->valid_until, &l->principal);
        *principal = principal_copy(l->arena, &l->principal);
    }
    return outcome;
}

enum auth_outcome authenticate(struct auth *auth, struct db *db, struct redis *redis, struct arena *arena,
                               const struct credentials *credentials, const struct principal **principal)
{
    const char *text = NULL;
    enum credential_kind kind = read_credentials(credentials, &text);
    struct lookup l = { .auth = auth, .db = db, .redis = redis, .arena = arena, .now = time_now() };
    enum auth_outcome outcome = kind == CREDENTIAL_NONE ? AUTH_ANONYMOUS : AUTH_INVALID;
    *principal = NULL;
    if (kind == CREDENTIAL_TOKEN || kind == CREDENTIAL_KEY) {
        crypto_hash_sha256(l.key, (const uint8_t *)text, strlen(text));
        db_set_context(db, &auth_context);
        outcome = find_principal(&l, kind, text, principal);
    }
    db_set_context(db, *principal != NULL ? &(*principal)->context : &nobody);
    return outcome;
}

enum auth_outcome authenticate_fast(struct auth *auth, struct arena *arena,
                                    const struct credentials *credentials, const struct principal **principal)
{
    const char *text = NULL;
    uint8_t key[AUTH_CACHE_KEY];
    *principal = NULL;
    switch (read_credentials(credentials, &text)) {
    case CREDENTIAL_NONE:
        return AUTH_ANONYMOUS;
    case CREDENTIAL_MALFORMED:
        return AUTH_INVALID;
    default:
        break;
    }
    if (!auth_cache_confirmed(auth->cache))
        return AUTH_LATER;
    crypto_hash_sha256(key, (const uint8_t *)text, strlen(text));
    *principal = auth_cache_get(auth->cache, key, time_now(), arena);
    return *principal != NULL ? AUTH_OK : AUTH_LATER;
}

void auth_settle(struct auth *auth)
{
    /* The margin covers the difference between a thread's clock reading and its use of it. */
    const int64_t wait = AUTH_LEASE + AUTH_LEASE / 10;
    if (auth != NULL)
        auth_cache_expire(auth->cache);
    struct timespec left = { .tv_nsec = wait * 1000 };
    while (nanosleep(&left, &left) != 0)
        ;
}
