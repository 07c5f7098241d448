/* Requests of the second factor. */
#include "findmy/twofactor.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/parse.h"
#include "findmy/jsonx.h"
#include "findmy/plistx.h"

#define MAX_ANSWER (512u * 1024) /* the page with the phone numbers */

bool twofactor_code_valid(const char *code)
{
    return strlen(code) == TWOFACTOR_CODE_SIZE - 1 && strspn(code, "0123456789") == TWOFACTOR_CODE_SIZE - 1;
}

/* What the requests have in common. */
struct call {
    struct provider *provider;
    struct anisette_state *state;
    const struct gsa_session *session;
    struct arena *arena;
    struct login_result *result;
};

static bool send_call(struct call *call, const char *method, const char *url, const char *type,
                      const char *code, const char *body, struct http_in *resp)
{
    const struct profile *profile = call->provider->profile;
    struct httpc_header_list list = { 0 };
    struct error err;
    httpc_put(&list, "Accept", type);
    httpc_put(&list, "Content-Type", type);
    httpc_put(&list, "User-Agent", profile->identity.auth_user_agent);
    httpc_put(&list, "Accept-Language", "en-us");
    httpc_put(&list, "X-Apple-App-Info", profile->identity.app_info);
    httpc_put(&list, "X-Xcode-Version", profile->identity.xcode_version);
    httpc_put(&list, "X-MMe-Client-Info", profile->identity.client_info);
    httpc_put(&list, "X-Apple-Identity-Token", gsa_identity_token(call->arena, call->session));
    httpc_put(&list, "security-code", code);
    if (!provider_put_anisette(call->provider, call->state, &list, call->arena, call->result))
        return false;
    profile_put_headers(profile, PROFILE_AUTH, &list);
    const struct http_out req = {
        .method = method,
        .url = url,
        .headers = list.items,
        .header_count = list.count,
        .body = body,
        .body_len = body != NULL ? strlen(body) : 0,
        .timeout = profile->login.timeout,
        .max_body = MAX_ANSWER,
    };
    if (httpc_request(call->provider->http, &req, resp, call->arena, &err))
        return true;
    login_no_answer(call->result, &err);
    return false;
}

static enum login_outcome end_call(struct call *call, const char *step)
{
    arena_free(call->arena);
    LOG_INFO("apple second factor", LOG_TEXT("step", step),
             LOG_TEXT("outcome", login_outcome_names[call->result->outcome]),
             LOG_NUM("code", call->result->code));
    return call->result->outcome;
}

static bool success(int status)
{
    return status >= 200 && status < 300;
}

/* ---- trusted devices ---- */

enum login_outcome twofactor_push(struct provider *provider, struct anisette_state *state,
                                  const struct gsa_session *session, struct login_result *result)
{
    struct call call = { provider, state, session, arena_new(), result };
    struct http_in resp;
    if (send_call(&call, "GET", provider->profile->endpoints.trusted_device, "text/x-xml-plist", NULL, NULL,
                  &resp)) {
        if (success(resp.status))
            login_end(result, LOGIN_AUTHENTICATED, 0, "%s", "");
        else
            login_http_status(result, provider, &resp);
    }
    return end_call(&call, "push");
}

enum login_outcome twofactor_submit_push(struct provider *provider, struct anisette_state *state,
                                         const struct gsa_session *session, const char *code,
                                         struct login_result *result)
{
    struct call call = { provider, state, session, arena_new(), result };
    struct http_in resp;
    struct error err;
    if (send_call(&call, "GET", provider->profile->endpoints.validate, "text/x-xml-plist", code, NULL,
                  &resp)) {
        plist_t root = plistx_parse(call.arena, resp.body, resp.body_len, &err);
        plist_t response = plistx_get(root, "Response");
        if (root != NULL) /* the status says more than HTTP does */
            gsa_read_status(provider->profile, response != NULL ? response : root, result);
        else if (!success(resp.status))
            login_http_status(result, provider, &resp);
        else
            login_end(result, LOGIN_BAD_RESPONSE, 0, "the answer to the code is not a property list");
    }
    return end_call(&call, "code");
}

/* ---- phones ---- */

/* The list may stand at the top or below one or two wrappers. */
static const json_t *find_phones(const json_t *root)
{
    const json_t *direct = json_object_get(root, "direct");
    const json_t *verification = json_object_get(direct != NULL ? direct : root, "phoneNumberVerification");
    return json_object_get(verification != NULL ? verification : root, "trustedPhoneNumbers");
}

static void take_phone(const json_t *item, struct twofactor_phones *phones)
{
    const json_t *id = json_object_get(item, "id");
    const char *number = jsonx_text(item, "numberWithDialCode"), *mode = jsonx_text(item, "pushMode");
    const char *digits = jsonx_text(item, "lastTwoDigits");
    if (!json_is_integer(id) || phones->count == TWOFACTOR_MAX_PHONES)
        return;
    struct twofactor_phone *phone = &phones->items[phones->count++];
    *phone = (struct twofactor_phone){ .id = json_integer_value(id) };
    /* Only the end of the number is kept: it is shown and stored. */
    snprintf(phone->number, sizeof(phone->number), "...%.4s",
             digits != NULL                         ? digits
             : number != NULL && strlen(number) > 2 ? number + strlen(number) - 2
                                                    : "");
    snprintf(phone->mode, sizeof(phone->mode), "%.7s", mode != NULL ? mode : "sms");
}

/* The JSON block of the page: <script ... class="boot_args" ...> JSON </script> */
static const char *find_block(const char *body, size_t len, size_t *block_len)
{
    const char *end = body + len;
    const char *mark = memmem(body, len, "boot_args", strlen("boot_args"));
    const char *start = mark != NULL ? memchr(mark, '>', (size_t)(end - mark)) : NULL;
    const char *stop = start != NULL ? memmem(start, (size_t)(end - start), "</script", strlen("</script"))
                                     : NULL;
    if (stop == NULL)
        return NULL;
    *block_len = (size_t)(stop - start - 1);
    return start + 1;
}

bool twofactor_read_phones(const char *body, size_t len, struct twofactor_phones *phones)
{
    size_t block_len = 0;
    memset(phones, 0, sizeof(*phones));
    json_t *root = jsonx_parse(body, len, MAX_ANSWER);
    if (root == NULL) {
        const char *block = find_block(body, len, &block_len);
        root = block != NULL ? jsonx_parse(block, block_len, MAX_ANSWER) : NULL;
    }
    const json_t *list = find_phones(root);
    for (size_t i = 0; i < json_array_size(list); i++)
        take_phone(json_array_get(list, i), phones);
    bool found = json_is_array(list);
    jsonx_free(root);
    return found;
}

/* serviceErrors[].code, as text or number */
static enum login_outcome read_errors(struct call *call, const struct http_in *resp)
{
    json_t *root = jsonx_parse(resp->body, resp->body_len, MAX_ANSWER);
    const json_t *list = json_object_get(root, "serviceErrors");
    const json_t *first = json_array_get(list != NULL ? list : json_object_get(root, "service_errors"), 0);
    const json_t *code = json_object_get(first, "code");
    const char *message = jsonx_text(first, "message");
    int64_t number = json_integer_value(code);
    bool known = json_is_integer(code) ||
                 (json_is_string(code) && parse_i64(json_string_value(code), &number));

    if (known) {
        int outcome = profile_outcome(&call->provider->profile->status_sms, number, LOGIN_REFUSED);
        login_end(call->result, (enum login_outcome)outcome, number, "%.200s",
                  message != NULL ? message : "");
    } else {
        login_http_status(call->result, call->provider, resp);
    }
    jsonx_free(root);
    return call->result->outcome;
}

static void judge_phone_answer(struct call *call, const struct http_in *resp)
{
    if (success(resp->status))
        login_end(call->result, LOGIN_AUTHENTICATED, 0, "%s", "");
    else
        read_errors(call, resp);
}

enum login_outcome twofactor_list_phones(struct provider *provider, struct anisette_state *state,
                                         const struct gsa_session *session, struct twofactor_phones *phones,
                                         struct login_result *result)
{
    struct call call = { provider, state, session, arena_new(), result };
    struct http_in resp;
    memset(phones, 0, sizeof(*phones));
    if (send_call(&call, "GET", provider->profile->endpoints.phones, "application/json", NULL, NULL, &resp)) {
        judge_phone_answer(&call, &resp);
        if (success(resp.status) && !twofactor_read_phones(resp.body, resp.body_len, phones))
            login_end(result, LOGIN_BAD_RESPONSE, 0, "the answer holds no list of phones");
        phones->sms_sent = resp.status == 201;
    }
    return end_call(&call, "phones");
}

enum login_outcome twofactor_send_sms(struct provider *provider, struct anisette_state *state,
                                      const struct gsa_session *session, int64_t phone,
                                      struct login_result *result)
{
    struct call call = { provider, state, session, arena_new(), result };
    struct http_in resp;
    const char *body = arena_printf(call.arena, "{\"phoneNumber\":{\"id\":%lld},\"mode\":\"sms\"}",
                                    (long long)phone);
    if (send_call(&call, "PUT", provider->profile->endpoints.phone, "application/json", NULL, body, &resp))
        judge_phone_answer(&call, &resp);
    return end_call(&call, "sms");
}

enum login_outcome twofactor_submit_sms(struct provider *provider, struct anisette_state *state,
                                        const struct gsa_session *session, int64_t phone, const char *code,
                                        struct login_result *result)
{
    struct call call = { provider, state, session, arena_new(), result };
    struct http_in resp;
    char *body = arena_secret(call.arena, 128);
    snprintf(body, 128,
             "{\"phoneNumber\":{\"id\":%lld},\"mode\":\"sms\",\"securityCode\":{\"code\":\"%.6s\"}}",
             (long long)phone, code);
    if (send_call(&call, "POST", provider->profile->endpoints.phone_code, "application/json", NULL, body,
                  &resp))
        judge_phone_answer(&call, &resp);
    return end_call(&call, "sms code");
}
