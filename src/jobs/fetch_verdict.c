/* Tables of what follows from an answer. */
#include "jobs/fetch_verdict.h"

#define MAX_DOUBLINGS 4 /* x16: with the usual interval 4 hours, well within the cycle */

static bool asked_any(const struct fetch_result *result)
{
    return result->verdict == FETCH_DONE && result->outcome == FETCH_OK;
}

enum fetch_ending fetch_ending(const struct fetch_result *result, bool suspicious)
{
    switch (result->verdict) {
    case FETCH_DONE:
        return asked_any(result) && !suspicious ? ENDED_WELL : ENDED_BY_PROVIDER;
    case FETCH_OUR_FAULT:
        return ENDED_BY_PROVIDER;
    case FETCH_LATER:
        break;
    default:
        return ENDED_BY_ACCOUNT;
    }
    bool own = result->requests == 0 || result->outcome == FETCH_BACKOFF || result->outcome == FETCH_REAUTH ||
               result->outcome == FETCH_AUTH_ERROR;
    return own ? ENDED_BY_ACCOUNT : ENDED_BY_PROVIDER;
}

const char *fetch_result_word(const struct fetch_result *result, bool suspicious)
{
    static const char *const verdicts[FETCH_VERDICTS] = {
        [FETCH_DONE] = "ok",         [FETCH_LATER] = "server_error",
        [FETCH_SIGN_IN] = "sign_in", [FETCH_SECOND_FACTOR] = "second_factor",
        [FETCH_LOCKED] = "locked",   [FETCH_OUR_FAULT] = "our_fault",
    };
    static const char *const later[FETCH_OUTCOMES] = {
        [FETCH_OK] = "server_error",           [FETCH_RETRY_EMPTY] = "empty",
        [FETCH_REAUTH] = "signed_in_again",    [FETCH_AUTH_ERROR] = "locked",
        [FETCH_BACKOFF] = "throttled",         [FETCH_SERVER_ERROR] = "server_error",
        [FETCH_BAD_RESPONSE] = "bad_response", [FETCH_BAD_REQUEST] = "our_fault",
    };
    if (result->verdict == FETCH_DONE && suspicious)
        return "empty";
    if (result->verdict == FETCH_DONE && !asked_any(result))
        return later[result->outcome];
    if (result->verdict != FETCH_LATER)
        return verdicts[result->verdict];
    return result->requests == 0 ? "not_sent" : later[result->outcome];
}

int64_t fetch_back_off(int64_t failures)
{
    int64_t doublings = failures < 1 ? 1 : failures > MAX_DOUBLINGS ? MAX_DOUBLINGS : failures;
    return INT64_C(1) << doublings;
}
