/* The mobileme delegate: from the password-equivalent token to the token for reports (facts 7.6). */
#ifndef FINDMY_DELEGATES_H
#define FINDMY_DELEGATES_H

#include "findmy/gsa.h"

#define DELEGATES_MAX_ANSWER (1024u * 1024)
#define DELEGATES_MAX_DSID   32

/* Secret; wipe after use. */
struct delegates {
    char dsid[DELEGATES_MAX_DSID];
    char search_party_token[GSA_MAX_TOKEN];
};

/* client_id: a UUID of ours, the same for ever. LOGIN_AUTHENTICATED fills *delegates. */
enum login_outcome delegates_get(struct provider *provider, struct anisette_state *state,
                                 const char *username, const struct gsa_session *session,
                                 const char *client_id, struct delegates *delegates,
                                 struct login_result *result);

/* Read an answer, for tests and by delegates_get. LOGIN_AUTHENTICATED, LOGIN_ACCOUNT_LIMIT,
 * LOGIN_DELEGATE_ERROR, LOGIN_SERVER_ERROR or LOGIN_BAD_RESPONSE. */
enum login_outcome delegates_read(const char *body, size_t len, struct delegates *delegates,
                                  struct login_result *result);

#endif
