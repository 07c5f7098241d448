/* Links by which a user chooses a password: after forgetting it, or when invited. */
#include "auth/reset.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "auth/mail.h"
#include "auth/session.h"
#include "base/encode.h"

#define TOKEN_BYTES 32
#define TOKEN_CHARS 43

static const char *const purposes[] = { "reset", "invite" };

/* ---- making ---- */

static const char create_sql[] =
    "WITH older AS (UPDATE password_reset_tokens SET used_at = now() WHERE user_id = $1 AND used_at IS NULL)"
    " INSERT INTO password_reset_tokens (user_id, purpose, token_hash, expires_at)"
    " VALUES ($1, $2, $3, now() + $4 * interval '1 minute')";

const char *reset_create(struct auth *auth, struct db *db, struct arena *arena, int64_t user_id,
                         enum reset_purpose purpose, struct rows **rows)
{
    uint8_t bytes[TOKEN_BYTES], hash[crypto_hash_sha256_BYTES];
    char *token = arena_secret(arena, BASE64_SIZE(TOKEN_BYTES));
    randombytes_buf(bytes, sizeof(bytes));
    base64url_encode(bytes, sizeof(bytes), token);
    wipe(bytes, sizeof(bytes));
    crypto_hash_sha256(hash, (const uint8_t *)token, TOKEN_CHARS);
    int64_t minutes = purpose == RESET_INVITE ? INVITE_DAYS * 24 * 60 : auth->config->password_reset_minutes;
    *rows = db_query(db, create_sql, "isxi", user_id, purposes[purpose], hash, sizeof(hash), minutes);
    return rows_ok(*rows) ? token : NULL;
}

/* ---- telling ---- */

struct wording {
    const char *subject;
    const char *body; /* printf: name, public address, link, time, unit */
    const char *unit;
};

static const struct wording wordings[][2] = {
    [RESET_FORGOTTEN] = {
        { "Set a new password",
          "Hello %s,\n\nsomebody, probably you, asked for a new password for the Tracker System at %s.\n"
          "To choose one, open this link:\n\n%s\n\n"
          "It works once, within %d %s. If it was not you, ignore this mail: nothing has changed.\n", "minutes" },
        { "Neues Passwort festlegen",
          "Guten Tag %s,\n\njemand, vermutlich Sie, hat ein neues Passwort für das Tracker System unter %s angefordert.\n"
          "Um eines zu wählen, öffnen Sie diesen Link:\n\n%s\n\n"
          "Er gilt einmal und %d %s lang. Falls Sie es nicht waren, löschen Sie diese Mail: Es hat sich nichts geändert.\n",
          "Minuten" },
    },
    [RESET_INVITE] = {
        { "Your account in the Tracker System",
          "Hello %s,\n\nan account has been made for you in the Tracker System at %s.\n"
          "To choose your password, open this link:\n\n%s\n\nIt works once, within %d %s.\n", "days" },
        { "Ihr Konto im Tracker System",
          "Guten Tag %s,\n\nim Tracker System unter %s wurde ein Konto für Sie angelegt.\n"
          "Um Ihr Passwort zu wählen, öffnen Sie diesen Link:\n\n%s\n\nEr gilt einmal und %d %s lang.\n", "Tage" },
    },
};

bool reset_mail(struct auth *auth, struct arena *arena, const char *email, const char *name,
                const char *language, const char *token, enum reset_purpose purpose, struct error *err)
{
    const struct config *config = auth->config;
    const struct wording *wording = &wordings[purpose][strncasecmp(language, "de", 2) == 0];
    size_t base = strlen(config->public_url);
    while (base > 0 && config->public_url[base - 1] == '/')
        base--;
    /* Behind # the token stays in the browser: no server's log and no Referer gets to see it. */
    const char *address = arena_strndup(arena, config->public_url, base);
    const char *link = arena_printf(arena, "%s/reset-password#token=%s", address, token);
    int span = purpose == RESET_INVITE ? INVITE_DAYS : (int)config->password_reset_minutes;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const struct mail mail = {
        .to = email,
        .subject = wording->subject,
        .body = arena_printf(arena, wording->body, name, address, link, span, wording->unit),
    };
#pragma GCC diagnostic pop
    return mailer_send(auth->mailer, &mail, err);
}

/* ---- using ---- */

static const char find_sql[] =
    "SELECT t.user_id, u.email FROM password_reset_tokens t JOIN users u ON u.id = t.user_id"
    " WHERE t.token_hash = $1 AND t.used_at IS NULL AND t.expires_at > now() AND u.archived_at IS NULL";

/* The token, the password and the sessions change together or not at all; a token that two requests use at
 * once serves the first. Being able to read the user's mail also lifts the block of guessed sign-ins. */
static const char use_sql[] =
    "WITH t AS (UPDATE password_reset_tokens SET used_at = now()"
    "  WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now() RETURNING user_id),"
    " u AS (UPDATE users SET password_hash = $2, password_changed_at = now() FROM t"
    "  WHERE users.id = t.user_id AND users.archived_at IS NULL RETURNING users.id, users.email),"
    " s AS (UPDATE sessions SET revoked_at = now(), revoke_reason = 'password_change' FROM u"
    "  WHERE sessions.user_id = u.id AND sessions.revoked_at IS NULL),"
    " a AS (DELETE FROM login_attempts USING u WHERE subject = 'login:account:' || lower(u.email))"
    " SELECT id FROM u";

enum reset_outcome reset_use(struct auth *auth, struct db *db, struct arena *arena, const char *token,
                             const char *password, int64_t *user_id, struct error *err)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    if (strlen(token) != TOKEN_CHARS)
        return RESET_INVALID;
    crypto_hash_sha256(hash, (const uint8_t *)token, TOKEN_CHARS);
    struct rows *rows = db_query(db, find_sql, "x", hash, sizeof(hash));
    if (!rows_ok(rows))
        return RESET_UNAVAILABLE;
    if (rows_count(rows) == 0)
        return RESET_INVALID;
    if (!password_acceptable(password, rows_text(rows, 0, 1), err))
        return RESET_WEAK;

    char *password_text = arena_alloc(arena, PASSWORD_HASH_SIZE);
    if (!password_hash(auth->hasher, password, password_text))
        return RESET_UNAVAILABLE;
    rows = db_query(db, use_sql, "xs", hash, sizeof(hash), password_text);
    if (!rows_ok(rows))
        return RESET_UNAVAILABLE;
    if (rows_count(rows) == 0)
        return RESET_INVALID;
    *user_id = rows_int(rows, 0, 0);
    return RESET_OK;
}
