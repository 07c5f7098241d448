/* Keeps answers to POSTs in the transaction of their effect, and plays them back. */
#include "api/idempotency.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "api/app.h"
#include "api/db_problem.h"
#include "auth/principal.h"
#include "base/json.h"
#include "base/log.h"
#include "store/db.h"

#define KEY_MAX  255
#define ATTEMPTS 3

/* headers of an answer that belong to its meaning */
static const char *const kept_headers[] = { "ETag", "Location" };

/* The lock tells a request that still runs from one that never came. It is taken before the snapshot of the
 * insert, so whoever gets it either sees the stored answer here or fails on the primary key there. */
static const char find_sql[] =
    "WITH held AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS yes) "
    "SELECT held.yes, k.request_hash, k.status, k.headers, k.body FROM held "
    "LEFT JOIN idempotency_keys k ON k.user_id = $2 AND k.key = $3 AND k.expires_at > now()";

static const char keep_sql[] =
    "INSERT INTO idempotency_keys AS k (user_id, key, request_hash, status, headers, body) "
    "VALUES ($1, $2, $3, $4, $5::jsonb, $6) ON CONFLICT (user_id, key) DO UPDATE SET request_hash = "
    "excluded.request_hash, status = excluded.status, headers = excluded.headers, body = excluded.body, "
    "created_at = now(), expires_at = excluded.expires_at WHERE k.expires_at <= now()";

static bool good_key(const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < len; i++)
        if (key[i] < '!' || key[i] > '~')
            return false;
    return len >= 1 && len <= KEY_MAX;
}

/* Keyed: the body may hold a password, and a plain hash of it would be quicker to guess from than the slow
 * one that passwords are stored as. */
static void hash_request(const struct request *req, uint8_t hash[crypto_hash_sha256_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, req->app->cursor_key, CURSOR_KEY_SIZE, crypto_hash_sha256_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)req->path, strlen(req->path) + 1);
    if (req->body != NULL)
        crypto_generichash_update(&state, req->body, req->body_len);
    crypto_generichash_final(&state, hash, crypto_hash_sha256_BYTES);
}

static const char *reply_header_value(const struct request *req, const char *name)
{
    for (const struct http_header *header = req->headers; header != NULL; header = header->next)
        if (strcasecmp(header->name, name) == 0)
            return header->value;
    return NULL;
}

static void replay(struct request *req, const struct rows *rows)
{
    json_t *headers = json_loads(rows_text(rows, 0, 3), 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(kept_headers); i++) {
        const char *value = json_string_value(json_object_get(headers, kept_headers[i]));
        if (value != NULL)
            reply_header(req, kept_headers[i], value);
    }
    json_decref(headers);
    reply_header(req, "Idempotency-Replayed", "true");

    size_t len;
    const void *body = rows_bytes(rows, 0, 4, &len);
    struct buf out = { 0 };
    buf_append(&out, body, len);
    reply_json(req, (int)rows_int(rows, 0, 2), &out);
}

/* Take back an answer that must not be sent; the headers that the server set for every answer stay. */
static void withdraw(struct request *req)
{
    struct http_header **link = &req->headers;
    while (*link != NULL) {
        bool kept = false;
        for (size_t i = 0; i < ARRAY_LEN(kept_headers); i++)
            kept = kept || strcasecmp((*link)->name, kept_headers[i]) == 0;
        if (kept)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
    buf_clear(&req->out);
    req->status = 0;
    req->error_code = NULL;
}

static struct rows *keep(struct request *req, const char *key, const uint8_t *hash)
{
    struct buf headers = { 0 };
    struct json json;
    json_begin(&json, &headers);
    json_start_object(&json);
    for (size_t i = 0; i < ARRAY_LEN(kept_headers); i++) {
        const char *value = reply_header_value(req, kept_headers[i]);
        if (value != NULL)
            json_put_text(&json, kept_headers[i], value);
    }
    json_end_object(&json);
    struct rows *rows = db_query(req->db, keep_sql, "isxisx", req->principal->user_id, key, hash,
                                 (size_t)crypto_hash_sha256_BYTES, (int64_t)req->status,
                                 arena_strdup(req->arena, buf_text(&headers)), (const void *)req->out.data,
                                 req->out.len);
    buf_free(&headers);
    return rows;
}

enum outcome { DONE, AGAIN };

/* Store the answer and commit; an answer that is not stored is not given either. */
static enum outcome conclude(struct request *req, const char *key, const uint8_t *hash)
{
    if (req->status < 200 || req->status > 299) {
        db_rollback(req->db);
        return DONE;
    }
    struct rows *kept = keep(req, key, hash);
    struct error err = { 0 };
    if (rows_ok(kept) && rows_affected(kept) == 1 && db_commit(req->db, &err)) {
        note_write(req); /* what the handler noted was before the commit */
        return DONE;
    }
    bool again = rows_ok(kept) ? rows_affected(kept) == 0 || error_is(&err, "conflict")
                               : rows_status(kept) == DB_CONFLICT || rows_status(kept) == DB_UNIQUE;
    db_rollback(req->db);
    withdraw(req);
    if (again)
        return AGAIN;
    if (!rows_ok(kept))
        reply_db_problem(req, kept);
    else
        reply_unavailable(req, "database_unavailable", 2, "The change could not be committed; try again.");
    return DONE;
}

static enum outcome attempt(struct request *req, const char *key, void (*handle)(struct request *req))
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    hash_request(req, hash);
    struct error err;
    if (!db_begin(req->db, &err)) {
        reply_unavailable(req, "database_unavailable", 2, "The database is away; try again in a moment.");
        return DONE;
    }
    const char *lock = arena_printf(req->arena, "idempotency:%" PRId64 ":%s", req->principal->user_id, key);
    struct rows *found = db_query(req->db, find_sql, "sis", lock, req->principal->user_id, key);
    if (!rows_ok(found)) {
        db_rollback(req->db);
        reply_db_problem(req, found);
        return DONE;
    }
    if (!rows_null(found, 0, 1)) {
        size_t len;
        const void *stored = rows_bytes(found, 0, 1, &len);
        db_rollback(req->db);
        if (len != sizeof(hash) || memcmp(stored, hash, sizeof(hash)) != 0)
            reply_problem(req, 422, "idempotency_mismatch",
                          "This Idempotency-Key was used for another request; take a new one.");
        else
            replay(req, found);
        return DONE;
    }
    if (!rows_bool(found, 0, 0)) {
        db_rollback(req->db);
        reply_header(req, "Retry-After", "1");
        reply_problem(req, 409, "idempotency_in_progress",
                      "The first request with this Idempotency-Key is still running.");
        return DONE;
    }
    handle(req);
    return conclude(req, key, hash);
}

void idempotent(struct request *req, void (*handle)(struct request *req))
{
    const char *key = request_header(req, "Idempotency-Key");
    if (key == NULL) {
        handle(req);
        return;
    }
    if (!good_key(key)) {
        problem_field(req, "Idempotency-Key", "invalid",
                      "must be 1 to %d printable characters without spaces", KEY_MAX);
        reply_invalid(req);
        return;
    }
    for (int i = 0; i < ATTEMPTS; i++)
        if (attempt(req, key, handle) == DONE)
            return;
    reply_header(req, "Retry-After", "1");
    reply_problem(req, 409, "write_conflict",
                  "Somebody else changed the same at the same moment; try again.");
}
