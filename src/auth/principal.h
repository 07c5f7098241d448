/* Who is asking: the user behind a session, an API key or a share link, with the rights looked up at this
 * request. */
#ifndef AUTH_PRINCIPAL_H
#define AUTH_PRINCIPAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/db.h"

/* in rising order of rights, so that `principal->role >= ROLE_MANAGER` reads as it should */
enum role { ROLE_NONE, ROLE_USER, ROLE_MANAGER, ROLE_ADMIN };

extern const char *const role_names[]; /* "", "user", "manager", "admin", NULL */

enum principal_kind { PRINCIPAL_SESSION, PRINCIPAL_API_KEY, PRINCIPAL_SHARE };

struct principal {
    enum principal_kind kind;
    int64_t user_id;
    enum role role;
    const int64_t *client_ids; /* what the user may see; empty for an admin, who sees all */
    size_t client_count;
    int64_t session_id;        /* SESSION */
    int64_t api_key_id;        /* API_KEY */
    bool read_only;            /* an API key without the write scope */
    const char *const *scopes; /* API_KEY: NULL-terminated, e.g. "trackers:read"; NULL: no narrowing */
    const char *email, *name;
    struct db_context context; /* for db_use: row-level security through this principal's eyes */
};

/* An admin may see every client; others those on their list. */
bool principal_sees_client(const struct principal *principal, int64_t client_id);

/* May the principal use `resource` ("trackers") for reading or writing, as far as API-key scopes go?
 * Sessions: always. */
bool principal_in_scope(const struct principal *principal, const char *resource, bool write);

#endif
