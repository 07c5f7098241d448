/* The second factor: codes by trusted device and by text message (facts 7.5). */
#ifndef FINDMY_TWOFACTOR_H
#define FINDMY_TWOFACTOR_H

#include "findmy/gsa.h"

#define TWOFACTOR_MAX_PHONES 16
#define TWOFACTOR_CODE_SIZE  7 /* six digits; leading zeros count */

struct twofactor_phone {
    int64_t id;      /* not always 1 */
    char number[40]; /* masked by Apple: "+49 •••• •••12" */
    char mode[8];    /* "sms" or "voice" */
};

struct twofactor_phones {
    struct twofactor_phone items[TWOFACTOR_MAX_PHONES];
    size_t count;
    bool sms_sent; /* asking for the list made Apple send a message already */
};

/* Six digits. */
bool twofactor_code_valid(const char *code);

/* All return LOGIN_AUTHENTICATED when Apple agreed. None is ever repeated by itself: each may send a message,
 * and Apple counts them. */
enum login_outcome twofactor_push(struct provider *provider, struct anisette_state *state,
                                  const struct gsa_session *session, struct login_result *result);
enum login_outcome twofactor_submit_push(struct provider *provider, struct anisette_state *state,
                                         const struct gsa_session *session, const char *code,
                                         struct login_result *result);
enum login_outcome twofactor_list_phones(struct provider *provider, struct anisette_state *state,
                                         const struct gsa_session *session, struct twofactor_phones *phones,
                                         struct login_result *result);
enum login_outcome twofactor_send_sms(struct provider *provider, struct anisette_state *state,
                                      const struct gsa_session *session, int64_t phone,
                                      struct login_result *result);
enum login_outcome twofactor_submit_sms(struct provider *provider, struct anisette_state *state,
                                        const struct gsa_session *session, int64_t phone, const char *code,
                                        struct login_result *result);

/* For tests: phones from JSON, or from a page with a JSON block in a script of class boot_args. False when
 * there is no list. */
MUST_CHECK bool twofactor_read_phones(const char *body, size_t len, struct twofactor_phones *phones);

#endif
