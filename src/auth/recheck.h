/* Do rights that were looked up a while ago still hold? For what outlives a request: open streams. */
#ifndef AUTH_RECHECK_H
#define AUTH_RECHECK_H

#include "auth/principal.h"
#include "base/error.h"
#include "store/db.h"

/* What a principal had, as far as it is looked at again. */
struct held_rights {
    int64_t user_id;
    int64_t session_id, api_key_id; /* one of them is 0 */
    enum role role;
    const char *clients; /* as in the principal's context: an array literal, "{}" for an admin */
    bool hold;           /* out */
};

/* Sets `hold`: the session or key is there, not revoked or expired, gives exactly the same, and may still
 * read `resource` (a scope's name). Leaves db in the context `auth`. False: the database could not be asked.
 */
MUST_CHECK bool rights_recheck(struct db *db, const char *resource, struct held_rights *rights, size_t n);

#endif
