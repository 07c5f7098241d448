/* Looks rights up again, many at once. */
#include "auth/recheck.h"

#include <string.h>

#include "auth/auth.h"
#include "auth/rights_sql.h"

/* Credentials for one statement: a thousand lookups by primary key are some milliseconds. */
#define AT_ONCE 1000

/* $1 sessions or keys, $2 their users, $3 the resource that keys need a scope for; n counts from 1 */
static const char sessions_sql[] =
    "SELECT w.n, u.role, " SESSION_CLIENTS
    " FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w (id, user_id, n)"
    " JOIN sessions s ON s.id = w.id AND s.user_id = w.user_id JOIN users u ON u.id = s.user_id"
    " WHERE $3::text IS NOT NULL AND " SESSION_HOLDS;
static const char apikeys_sql[] =
    "SELECT w.n, " APIKEY_ROLE ", " APIKEY_CLIENTS
    " FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS w (id, user_id, n)"
    " JOIN api_keys k ON k.id = w.id AND k.user_id = w.user_id JOIN users u ON u.id = k.user_id"
    " WHERE k.scopes && ARRAY['*', 'read', 'write', $3::text || ':read', $3 || ':write']"
    " AND coalesce(k.expires_at > now(), true) AND " APIKEY_HOLDS;

static bool same(const struct held_rights *had, const char *role, const char *clients)
{
    return strcmp(role_names[had->role], role) == 0 &&
           (had->role == ROLE_ADMIN || strcmp(had->clients, clients) == 0);
}

static bool check_some(struct db *db, const char *resource, struct held_rights *rights, size_t n,
                       bool sessions)
{
    int64_t ids[AT_ONCE], users[AT_ONCE];
    for (size_t i = 0; i < n; i++) {
        /* ids that are not of this kind find nothing */
        ids[i] = sessions ? rights[i].session_id : rights[i].api_key_id;
        users[i] = rights[i].user_id;
    }
    struct rows *rows = db_query(db, sessions ? sessions_sql : apikeys_sql, "aas", ids, n, users, n,
                                 resource);
    if (!rows_ok(rows))
        return false;
    for (size_t i = 0; i < rows_count(rows); i++) {
        struct held_rights *had = &rights[rows_int(rows, i, 0) - 1];
        had->hold = same(had, rows_text(rows, i, 1), rows_text(rows, i, 2));
    }
    return true;
}

bool rights_recheck(struct db *db, const char *resource, struct held_rights *rights, size_t n)
{
    db_set_context(db, &auth_context);
    for (size_t i = 0; i < n; i++)
        rights[i].hold = false;
    for (size_t done = 0; done < n; done += AT_ONCE) {
        size_t some = n - done < AT_ONCE ? n - done : AT_ONCE;
        if (!check_some(db, resource, rights + done, some, true) ||
            !check_some(db, resource, rights + done, some, false))
            return false;
    }
    return true;
}
