/* What a session or an API key gives whom, as SQL over sessions s or api_keys k with its user u: said once
 * for whoever looks credentials up and whoever looks whether they still hold. */
#ifndef AUTH_RIGHTS_SQL_H
#define AUTH_RIGHTS_SQL_H

#define SESSION_HOLDS "s.revoked_at IS NULL AND s.expires_at > now() AND u.archived_at IS NULL"
#define SESSION_CLIENTS                                                                                      \
    "ARRAY(SELECT c.client_id FROM user_clients c WHERE c.user_id = u.id ORDER BY 1)::text"

/* A key narrows its user: the lesser role (the type's order is admin, manager, user), and with clients of its
 * own no admin any more. An admin's narrowed key sees the clients it names, others' the ones they still have.
 */
#define APIKEY_HOLDS "k.revoked_at IS NULL AND k.archived_at IS NULL AND u.archived_at IS NULL"
#define APIKEY_ROLE                                                                                          \
    "greatest(u.role, k.role, CASE WHEN k.client_ids IS NOT NULL THEN 'manager'::user_role END)"
#define APIKEY_CLIENTS                                                                                       \
    "CASE WHEN u.role = 'admin' THEN coalesce(k.client_ids, '{}')"                                           \
    " ELSE ARRAY(SELECT c.client_id FROM user_clients c WHERE c.user_id = u.id"                              \
    "  AND (k.client_ids IS NULL OR c.client_id = ANY (k.client_ids)) ORDER BY 1) END::text"

#endif
