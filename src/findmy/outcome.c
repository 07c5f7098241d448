/* The names of outcomes. */
#include "findmy/outcome.h"

#include <stddef.h>

const char *const login_outcome_names[LOGIN_OUTCOMES + 1] = {
    [LOGIN_AUTHENTICATED] = "authenticated",
    [LOGIN_TRUSTED_DEVICE] = "2fa-trusted-device",
    [LOGIN_SMS] = "2fa-sms",
    [LOGIN_UNSUPPORTED_STEP] = "unsupported-step",
    [LOGIN_BAD_CREDENTIALS] = "bad-credentials",
    [LOGIN_BAD_CODE] = "bad-code",
    [LOGIN_TOO_MANY_CODES] = "too-many-codes",
    [LOGIN_PHONE_REFUSED] = "phone-refused",
    [LOGIN_ACCOUNT_LOCKED] = "account-locked",
    [LOGIN_ACCOUNT_LIMIT] = "account-limit",
    [LOGIN_BAD_ANISETTE] = "bad-anisette",
    [LOGIN_REPROVISION] = "reprovision",
    [LOGIN_BAD_SERVER_PROOF] = "bad-server-proof",
    [LOGIN_UNSUPPORTED_PROTOCOL] = "unsupported-protocol",
    [LOGIN_DELEGATE_ERROR] = "delegate-error",
    [LOGIN_SERVER_ERROR] = "server-error",
    [LOGIN_BAD_RESPONSE] = "bad-response",
    [LOGIN_REFUSED] = "refused",
    [LOGIN_OUTCOMES] = NULL,
};

const char *const fetch_outcome_names[FETCH_OUTCOMES + 1] = {
    [FETCH_OK] = "ok",
    [FETCH_RETRY_EMPTY] = "retry_empty",
    [FETCH_REAUTH] = "reauth",
    [FETCH_AUTH_ERROR] = "auth_error",
    [FETCH_BACKOFF] = "backoff",
    [FETCH_SERVER_ERROR] = "server_error",
    [FETCH_BAD_RESPONSE] = "bad_response",
    [FETCH_BAD_REQUEST] = "bad_request",
    [FETCH_OUTCOMES] = NULL,
};
