/* Links by which a user chooses a password: after forgetting it, or when invited. Single use, expiring,
 * stored as a hash. */
#ifndef AUTH_RESET_H
#define AUTH_RESET_H

#include "auth/auth.h"
#include "base/arena.h"
#include "store/db.h"

#define INVITE_DAYS 7 /* an invitation may wait in a mailbox over a weekend and longer */

enum reset_purpose { RESET_FORGOTTEN, RESET_INVITE };

/* Withdraw the user's older links, store a new one. db is in a context that may write
 * password_reset_tokens (auth, manager, admin). The token lives in the arena; NULL: rows tell why. */
const char *reset_create(struct auth *auth, struct db *db, struct arena *arena, int64_t user_id,
                         enum reset_purpose purpose, struct rows **rows);

/* Queue the mail with the link. language: "de…" for German, anything else for English. */
MUST_CHECK bool reset_mail(struct auth *auth, struct arena *arena, const char *email, const char *name,
                           const char *language, const char *token, enum reset_purpose purpose,
                           struct error *err);

enum reset_outcome { RESET_OK, RESET_INVALID, RESET_WEAK, RESET_UNAVAILABLE };

/* Set the password by a link and end all sessions of the user. WEAK: err says what is wrong with the
 * password, the link stays good. db is in the context `auth`, outside a transaction. */
enum reset_outcome reset_use(struct auth *auth, struct db *db, struct arena *arena, const char *token,
                             const char *password, int64_t *user_id, struct error *err);

#endif
