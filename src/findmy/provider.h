/* What every request to Apple needs, in one place: profile, transport, clock, machine.
 *
 * Used by one thread at a time. Everything is borrowed: whoever made it frees it. */
#ifndef FINDMY_PROVIDER_H
#define FINDMY_PROVIDER_H

#include "findmy/anisette.h"
#include "findmy/profile.h"
#include "net/httpc.h"

struct provider {
    const struct profile *profile;
    struct http_client *http;
    const struct clock *clock;
    struct anisette *anisette;
};

/* Why a step of signing in ended as it did. */
struct login_result {
    enum login_outcome outcome;
    int64_t code;      /* Apple's own, 0 when there was none */
    int64_t wait;      /* microseconds to wait before the next try as told by Retry-After; 0: not told */
    char message[256]; /* Apple's words or ours, for a person; no secrets */
};

/* Fill *result; returns the outcome, so that `return login_end(...)` reads well. */
enum login_outcome login_end(struct login_result *result, enum login_outcome outcome, int64_t code,
                             const char *format, ...) PRINTF_LIKE(4, 5);

/* The result of a request that got no answer, from its error. */
enum login_outcome login_no_answer(struct login_result *result, const struct error *err);

/* The result of an HTTP status that is not success, by the profile's table. */
enum login_outcome login_http_status(struct login_result *result, const struct provider *provider,
                                     const struct http_in *resp);

/* Text of Apple's for a person: cut, control characters replaced. */
void login_message(struct login_result *result, const char *text);

/* Anisette headers of the account into list. False: *result is filled. */
MUST_CHECK bool provider_put_anisette(struct provider *provider, struct anisette_state *state,
                                      struct httpc_header_list *list, struct arena *arena,
                                      struct login_result *result);

#endif
