/* Results of steps of signing in, and the headers they share. */
#include "findmy/provider.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum login_outcome login_end(struct login_result *result, enum login_outcome outcome, int64_t code,
                             const char *format, ...)
{
    va_list args;
    char text[sizeof(result->message)];
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    *result = (struct login_result){ .outcome = outcome, .code = code };
    login_message(result, text);
    return outcome;
}

void login_message(struct login_result *result, const char *text)
{
    size_t len = strnlen(text, sizeof(result->message) - 1);
    memcpy(result->message, text, len);
    result->message[len] = '\0';
    for (char *p = result->message; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' ';
}

enum login_outcome login_no_answer(struct login_result *result, const struct error *err)
{
    return login_end(result, LOGIN_SERVER_ERROR, 0, "no answer: %s", err->message);
}

enum login_outcome login_http_status(struct login_result *result, const struct provider *provider,
                                     const struct http_in *resp)
{
    int fallback = resp->status >= 500 ? LOGIN_SERVER_ERROR : LOGIN_REFUSED;
    int outcome = profile_outcome(&provider->profile->status_http, resp->status, fallback);
    login_end(result, (enum login_outcome)outcome, resp->status, "HTTP status %d", resp->status);
    result->wait = httpc_retry_after(resp, clock_now(provider->clock));
    return result->outcome;
}

bool provider_put_anisette(struct provider *provider, struct anisette_state *state,
                           struct httpc_header_list *list, struct arena *arena, struct login_result *result)
{
    struct anisette_values values;
    struct error err;
    if (!anisette_get(provider->anisette, state, &values, &err)) {
        login_end(result, LOGIN_SERVER_ERROR, 0, "%s: %s", err.code, err.message);
        return false;
    }
    anisette_put_headers(list, &values, state, provider->profile, clock_now(provider->clock), arena);
    return true;
}
