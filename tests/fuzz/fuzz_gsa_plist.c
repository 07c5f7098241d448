/* Apple's answers while signing in: GrandSlam, delegates, second factor. Without the password nothing may be
 * accepted. */
#include <stdlib.h>
#include <string.h>

#include "findmy/delegates.h"
#include "findmy/gsa.h"
#include "findmy/plistx.h"
#include "findmy/twofactor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_login(const char *text, size_t len, struct arena *arena)
{
    static struct srp srp; /* as after an exchange: some secret */
    static const struct gsa_session nothing;
    struct gsa_challenge challenge;
    struct gsa_session session;
    struct login_result result;
    struct error err;
    if (srp.group == NULL && !srp_start(&srp, &srp_gsa, (const uint8_t *)"a secret", 8, &err))
        abort();
    if (gsa_read_init(profile_default(), text, len, arena, &challenge, &result) == LOGIN_AUTHENTICATED &&
        (challenge.form == NULL || challenge.salt == NULL || challenge.B == NULL || challenge.cookie == NULL))
        abort();
    enum login_outcome outcome = gsa_read_complete(profile_default(), text, len, &srp, "s2k", arena, &session,
                                                   &result);
    if (outcome == LOGIN_AUTHENTICATED || outcome == LOGIN_TRUSTED_DEVICE || outcome == LOGIN_SMS ||
        memcmp(&session, &nothing, sizeof(session)) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    const char *text = arena_strndup(arena, (const char *)data, size); /* answers end with a NUL */
    struct delegates delegates;
    struct twofactor_phones phones;
    struct login_result result;
    read_login(text, size, arena);
    if (delegates_read(text, size, &delegates, &result) == LOGIN_AUTHENTICATED &&
        (delegates.dsid[0] == '\0' || delegates.search_party_token[0] == '\0'))
        abort();
    if (twofactor_read_phones(text, size, &phones) && phones.count > TWOFACTOR_MAX_PHONES)
        abort();
    for (const char *p = result.message; *p != '\0'; p++)
        if ((unsigned char)*p < ' ')
            abort(); /* it is logged and shown */
    arena_free(arena);
    return 0;
}
