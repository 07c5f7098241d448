/* Leases and sealed columns of Apple accounts. */
#include "jobs/apple_account.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"
#include "findmy/account_row.h"
#include "jobs/failure.h"

/* An account that could not send for a reason of its own (no Anisette, a wait) is looked at again after this,
 * or after its interval when that is shorter. */
#define UNSENT_PAUSE MINUTES(1)

/* ---- taking ---- */

#define TAKEN_COLUMNS " a.id, a.name, a.state, a.credentials_sealed, a.session_sealed, a.anisette_sealed"

static void read_row(struct apple_account *taken, struct rows *rows)
{
    taken->id = rows_int(rows, 0, 0);
    taken->name = rows_text(rows, 0, 1);
    taken->state = rows_text(rows, 0, 2);
    if (!rows_null(rows, 0, 3))
        taken->credentials = rows_bytes(rows, 0, 3, &taken->credentials_len);
    if (!rows_null(rows, 0, 4))
        taken->session = rows_bytes(rows, 0, 4, &taken->session_len);
    if (!rows_null(rows, 0, 5))
        taken->machine = rows_bytes(rows, 0, 5, &taken->machine_len);
}

/* Whoever dies with the account may have sent its request at the end of the lease, so the interval is counted
 * from there until the release sets it right. */
enum apple_taken apple_account_take(struct apple_account *taken, const struct apple_user *user,
                                    struct arena *arena, struct error *err)
{
    static const char sql[] =
        "UPDATE apple_accounts a SET lease_owner = $1, lease_until = now() + $3 * interval '1 microsecond', "
        "next_allowed_at = now() + ($2 + $3) * interval '1 microsecond', last_used_at = now() WHERE a.id = "
        "(SELECT id FROM apple_accounts WHERE state = 'ready' AND archived_at IS NULL AND next_allowed_at <= now() "
        "AND (lease_until IS NULL OR lease_until < now()) ORDER BY next_allowed_at, id LIMIT 1 "
        "FOR UPDATE SKIP LOCKED) RETURNING" TAKEN_COLUMNS;
    *taken = (struct apple_account){ .user = user, .arena = arena, .counted = true };
    struct rows *rows = db_query(user->db, sql, "sii", user->worker, user->interval, user->lease);
    if (!rows_ok(rows)) {
        database_failed(rows, "taking an Apple account", err);
        return APPLE_FAILED;
    }
    if (rows_count(rows) == 0)
        return APPLE_NONE;
    read_row(taken, rows);
    return APPLE_TAKEN;
}

enum apple_taken apple_account_hold(struct apple_account *taken, const struct apple_user *user, int64_t id,
                                    struct arena *arena, struct error *err)
{
    static const char sql[] =
        "WITH held AS (UPDATE apple_accounts SET lease_owner = $2, lease_until = now() + $3 * interval '1 "
        "microsecond' WHERE id = $1 AND archived_at IS NULL AND (lease_until IS NULL OR lease_until < now()) "
        "RETURNING id) SELECT" TAKEN_COLUMNS
        ", h.id IS NOT NULL FROM apple_accounts a LEFT JOIN held h ON h.id = "
        "a.id WHERE a.id = $1 AND a.archived_at IS NULL";
    *taken = (struct apple_account){ .user = user, .arena = arena };
    struct rows *rows = db_query(user->db, sql, "isi", id, user->worker, user->lease);
    if (!rows_ok(rows)) {
        database_failed(rows, "taking an Apple account", err);
        return APPLE_FAILED;
    }
    if (rows_count(rows) == 0)
        return APPLE_NONE;
    if (!rows_bool(rows, 0, 6))
        return APPLE_BUSY;
    read_row(taken, rows);
    return APPLE_TAKEN;
}

/* ---- sealed columns ---- */

/* In the arena, wiped with it, NUL-terminated. */
static const char *open_column(const struct apple_account *taken, const char *what, const uint8_t *sealed,
                               size_t len, size_t *plain_len, struct error *err)
{
    char context[ACCOUNT_CONTEXT_SIZE];
    if (len < SEAL_OVERHEAD) {
        error_set(err, "account_invalid", "the account has no %s", what);
        return NULL;
    }
    *plain_len = len - SEAL_OVERHEAD;
    char *plain = arena_secret(taken->arena, *plain_len + 1);
    if (!unseal(taken->user->sealer, account_context(taken->id, what, context), sealed, len, plain, err))
        return NULL;
    plain[*plain_len] = '\0';
    return plain;
}

static const uint8_t *seal_column(const struct apple_account *taken, const char *what,
                                  const struct account *account, size_t *len, struct error *err)
{
    char context[ACCOUNT_CONTEXT_SIZE];
    struct buf plain = { .max = ACCOUNT_MAX_STORED, .secret = true };
    account_write(account, &plain);
    *len = plain.len + SEAL_OVERHEAD;
    uint8_t *sealed = arena_alloc(taken->arena, *len);
    bool ok = !plain.overflow && seal(taken->user->sealer, account_context(taken->id, what, context),
                                      plain.data, plain.len, sealed);
    buf_wipe(&plain);
    if (ok)
        return sealed;
    error_set(err, "account_unsealable", "the account cannot be sealed: is MASTER_KEY set?");
    return NULL;
}

/* What outlives a sign-out and a new password: the machine. The same form without the rest. */
static struct account *machine_only(const struct apple_account *taken)
{
    struct account *machine = arena_secret(taken->arena, sizeof(*machine));
    memset(machine, 0, sizeof(*machine));
    memcpy(machine->name, taken->account->name, sizeof(machine->name));
    memcpy(machine->client_id, taken->account->client_id, sizeof(machine->client_id));
    machine->machine = taken->account->machine;
    return machine;
}

/* account_env.save: durable when it returns, and only while the lease is ours. */
static bool save(void *self, const struct account *account, struct error *err)
{
    static const char sql[] =
        "UPDATE apple_accounts SET session_sealed = $3, anisette_sealed = $4, master_key_id = $5, "
        "lease_until = now() + $6 * interval '1 microsecond' WHERE id = $1 AND lease_owner = $2";
    const struct apple_account *taken = self;
    const struct apple_user *user = taken->user;
    size_t session_len, machine_len;
    char key_id[HEX_SIZE(4)];
    const uint8_t *session = seal_column(taken, "session", account, &session_len, err);
    const uint8_t *machine = session != NULL
                                 ? seal_column(taken, "anisette", machine_only(taken), &machine_len, err)
                                 : NULL;
    if (machine == NULL)
        return false;
    hex_encode(user->sealer->key_ids[0], 4, key_id);
    struct rows *rows = db_query(user->db, sql, "isxxsi", taken->id, user->worker, session, session_len,
                                 machine, machine_len, key_id, user->lease);
    if (!rows_ok(rows))
        return database_failed(rows, "storing an Apple account", err);
    return rows_affected(rows) == 1 ||
           error_set(err, "account_taken", "the account was disabled, or its lease has run out");
}

/* ---- opening ---- */

static bool read_credentials(const struct apple_account *taken, struct account *fresh, const char *name,
                             struct error *err)
{
    size_t len;
    const char *text = open_column(taken, "credentials", taken->credentials, taken->credentials_len, &len,
                                   err);
    return text != NULL && account_credentials_read(fresh, name, text, len, time_now(), err);
}

/* Take the machine that Apple knows this account by. A damaged one is no reason to stop: it is made anew. */
static void keep_machine(const struct apple_account *taken, struct account *fresh)
{
    struct error err;
    size_t len;
    if (taken->machine == NULL)
        return;
    struct account *stored = arena_secret(taken->arena, sizeof(*stored));
    const char *text = open_column(taken, "anisette", taken->machine, taken->machine_len, &len, &err);
    if (text == NULL || !account_read(stored, text, len, &err)) {
        LOG_WARN("machine of an apple account not readable", LOG_NUM("account_id", taken->id),
                 LOG_TEXT("reason", err.message));
        return;
    }
    fresh->machine = stored->machine;
    memcpy(fresh->client_id, stored->client_id, sizeof(fresh->client_id));
}

/* The stored session counts while it is of these credentials: a new password begins anew. */
static bool read_session(const struct apple_account *taken, struct account *account,
                         const struct account *fresh, struct error *err)
{
    size_t len;
    const char *text = open_column(taken, "session", taken->session, taken->session_len, &len, err);
    return text != NULL && account_read(account, text, len, err) &&
           strcmp(account->username, fresh->username) == 0 && strcmp(account->password, fresh->password) == 0;
}

bool apple_account_open(struct apple_account *taken, struct provider *provider, bool attended,
                        struct error *err)
{
    struct error ignored;
    char name[ACCOUNT_MAX_NAME + 1];
    struct account *fresh = arena_secret(taken->arena, sizeof(*fresh));
    taken->account = arena_secret(taken->arena, sizeof(*taken->account));
    snprintf(name, sizeof(name), "account-%" PRId64, taken->id);
    if (!read_credentials(taken, fresh, name, err))
        return false;
    if (taken->session == NULL || !read_session(taken, taken->account, fresh, &ignored)) {
        keep_machine(taken, fresh);
        *taken->account = *fresh;
    }
    taken->env =
        (struct account_env){ .provider = provider, .save = save, .self = taken, .attended = attended };
    return true;
}

/* ---- giving back ---- */

static const char *state_of(const struct account *account)
{
    switch (account->phase) {
    case ACCOUNT_LOGGED_IN:
        return "ready";
    case ACCOUNT_CODE_DUE:
        return "second_factor";
    case ACCOUNT_PARKED:
        return account->last.outcome == LOGIN_ACCOUNT_LOCKED ? "locked" : "parked";
    default: /* one that was in use tries again by itself; a new one is a person's to try */
        return account->logged_in_at > 0 ? "ready" : "signed_out";
    }
}

/* How a code may be had, for the admin's page; NULL when none is due. */
static const char *second_factor(const struct account *account, struct arena *arena)
{
    struct buf out = { 0 };
    struct json json;
    if (account->phase != ACCOUNT_CODE_DUE)
        return NULL;
    json_begin(&json, &out);
    json_start_object(&json);
    json_put_text(&json, "method", account->by_sms ? "sms" : "trusted_device");
    json_put_text(&json, "code", account_code_names[account->code]);
    if (account->code_sent_at > 0)
        json_put_time(&json, "code_sent_at", account->code_sent_at);
    if (account->phone > 0)
        json_put_int(&json, "phone_id", account->phone);
    json_key(&json, "phones");
    json_start_array(&json);
    for (size_t i = 0; i < account->phones.count; i++) {
        json_start_object(&json);
        json_put_int(&json, "id", account->phones.items[i].id);
        json_put_text(&json, "number", account->phones.items[i].number);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    const char *text = arena_strdup(arena, buf_text(&out));
    buf_free(&out);
    return text;
}

static int64_t unsent_pause(const struct apple_user *user)
{
    return user->interval < UNSENT_PAUSE ? user->interval : UNSENT_PAUSE;
}

static void tell_admin(const struct apple_account *taken, const char *state, const char *reason)
{
    if (strcmp(state, taken->state) == 0)
        return;
    bool person = strcmp(state, "second_factor") == 0 || strcmp(state, "locked") == 0 ||
                  strcmp(state, "parked") == 0;
    log_write(person ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "apple account state",
              (const struct log_field[]){ LOG_TEXT("account", taken->name), LOG_TEXT("from", taken->state),
                                          LOG_TEXT("to", state), LOG_TEXT("reason", reason) },
              4);
}

/* When the account may be used next: after a request the interval counts from now, which is later than it was
 * sent; an account that was only signed in keeps its time. */
#define NEXT_ALLOWED                                                                                         \
    "greatest($7, CASE $8 WHEN 'sent' THEN now() + $9 * interval '1 microsecond' "                           \
    "WHEN 'unsent' THEN now() + $10 * interval '1 microsecond' ELSE next_allowed_at END)"

bool apple_account_release(const struct apple_account *taken, const struct apple_use *use, struct error *err)
{
    static const char sql[] =
        "UPDATE apple_accounts SET state = $3, state_reason = left($4, 500), second_factor = $5::jsonb, "
        "state_since = CASE WHEN state = $3 THEN state_since ELSE now() END, "
        "failures = CASE WHEN $6 THEN 0 WHEN $4::text IS NULL THEN failures ELSE failures + 1 END, "
        "last_success_at = CASE WHEN $6 THEN now() ELSE last_success_at END, next_allowed_at = " NEXT_ALLOWED
        ", "
        "lease_owner = NULL, lease_until = NULL WHERE id = $1 AND lease_owner = $2";
    const struct apple_user *user = taken->user;
    const struct account *account = taken->account;
    const char *state = state_of(account), *kind = use->sent ? "sent" : taken->counted ? "unsent" : "kept";
    int64_t not_before = use->not_before > account->not_before ? use->not_before : account->not_before;
    struct rows *rows = db_query(user->db, sql, "issssbtsii", taken->id, user->worker, state, use->trouble,
                                 second_factor(account, taken->arena), use->worked, not_before, kind,
                                 user->interval, unsent_pause(user));
    if (!rows_ok(rows))
        return database_failed(rows, "giving back an Apple account", err);
    if (rows_affected(rows) == 1)
        tell_admin(taken, state, use->trouble);
    return true;
}

bool apple_account_give_up(const struct apple_account *taken, bool sent, const char *reason,
                           struct error *err)
{
    static const char sql[] =
        "UPDATE apple_accounts SET state = CASE state WHEN 'signing_in' THEN 'parked' ELSE state END, "
        "state_reason = left($3, 500), failures = failures + CASE WHEN $3::text IS NULL THEN 0 ELSE 1 END, "
        "next_allowed_at = CASE WHEN $4 THEN now() + $5 * interval '1 microsecond' ELSE next_allowed_at END, "
        "lease_owner = NULL, lease_until = NULL WHERE id = $1 AND lease_owner = $2";
    const struct apple_user *user = taken->user;
    struct rows *rows = db_query(user->db, sql, "issbi", taken->id, user->worker, reason,
                                 taken->counted && !sent, reason != NULL ? unsent_pause(user) : INT64_C(0));
    return rows_ok(rows) || database_failed(rows, "giving back an Apple account", err);
}
