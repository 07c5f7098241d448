/* GrandSlam sign-in: the SRP exchange in property lists, the encrypted answer, and what its codes mean (facts
 * 7). */
#ifndef FINDMY_GSA_H
#define FINDMY_GSA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "findmy/provider.h"
#include "findmy/srp.h"

#define GSA_MAX_ANSWER (256u * 1024)
#define GSA_MAX_ID     128  /* adsid: about 45 characters */
#define GSA_MAX_TOKEN  4096 /* tokens: 80 to some hundred characters */

/* The server's half of the exchange, after `init`. Pointers into the arena. */
struct gsa_challenge {
    const char *form;   /* "s2k" or "s2k_fo" */
    const char *cookie; /* `c`, given back as it came */
    const uint8_t *salt, *B;
    size_t salt_len, b_len;
    int64_t iterations;
};

/* What a login gives. All of it is secret; wipe after use. */
struct gsa_session {
    char adsid[GSA_MAX_ID];
    char idms_token[GSA_MAX_TOKEN];
    char pet[GSA_MAX_TOKEN]; /* password-equivalent token; "" while a second factor is due */
    int64_t pet_expiry;      /* microseconds; 0: not told */
};

/* Sign in with name and password. LOGIN_AUTHENTICATED, LOGIN_TRUSTED_DEVICE, LOGIN_SMS and
 * LOGIN_UNSUPPORTED_STEP fill *session;
 * otherwise it holds nothing. Exchanges whose hashes would be ambiguous (facts 7.3) are begun anew before the
 * proof is sent. */
enum login_outcome gsa_login(struct provider *provider, struct anisette_state *state, const char *username,
                             const char *password, struct gsa_session *session, struct login_result *result);

/* base64(adsid ":" idms token), the identity of second-factor requests; wiped with the arena. */
const char *gsa_identity_token(struct arena *arena, const struct gsa_session *session);

/* ---- parts, for tests ---- */

/* Bodies of the two requests. cpd may be NULL (an empty one is sent); it is freed with the arena either way.
 */
char *gsa_init_body(struct arena *arena, plist_t cpd, const char *username, const uint8_t *A, size_t a_len,
                    size_t *len);
char *gsa_complete_body(struct arena *arena, plist_t cpd, const char *username, const char *cookie,
                        const uint8_t *m1, size_t m1_len, size_t *len);

/* Read the answers (HTTP 200). init: LOGIN_AUTHENTICATED means "go on". complete: see gsa_login. */
enum login_outcome gsa_read_init(const struct profile *profile, const char *body, size_t len,
                                 struct arena *arena, struct gsa_challenge *challenge,
                                 struct login_result *result);
enum login_outcome gsa_read_complete(const struct profile *profile, const char *body, size_t len,
                                     const struct srp *srp, const char *form, struct arena *arena,
                                     struct gsa_session *session, struct login_result *result);

/* Answer the challenge: the stretched password and the proof M1. LOGIN_AUTHENTICATED means "go on". */
enum login_outcome gsa_answer(struct srp *srp, const struct gsa_challenge *challenge, const char *username,
                              const char *password, struct login_result *result);

/* Status of any GrandSlam answer: LOGIN_AUTHENTICATED when ec is 0 (a due second factor included). */
enum login_outcome gsa_read_status(const struct profile *profile, plist_t response,
                                   struct login_result *result);

/* HMAC-SHA256(K, label), 32 bytes: "extra data key:", "extra data iv:", "HMAC key:". */
MUST_CHECK bool gsa_session_key(const uint8_t *K, size_t len, const char *label, uint8_t out[32]);

/* The digest whose HMAC is `np`. sc may be NULL. */
MUST_CHECK bool gsa_negotiation_digest(const char *form, const uint8_t *spd, size_t spd_len,
                                       const uint8_t *sc, size_t sc_len, uint8_t out[32]);

/* App tokens: not needed for reports, but part of the protocol that the vectors prove. */
MUST_CHECK bool gsa_apptokens_checksum(const uint8_t *sk, size_t sk_len, const char *adsid, const char *app,
                                       uint8_t out[32]);
MUST_CHECK bool gsa_apptokens_open(const uint8_t sk[32], const uint8_t *et, size_t len, uint8_t *plain,
                                   size_t *plain_len); /* plain: len bytes of room */

#endif
