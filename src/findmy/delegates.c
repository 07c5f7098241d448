/* Request and answer of the delegate service. */
#include "findmy/delegates.h"

#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "findmy/plistx.h"

#define SERVICE "com.apple.mobileme"

/* The only status that was ever seen with "Account limit reached" (facts 7.6). */
#define STATUS_ACCOUNT 1

static char *make_body(struct arena *arena, const char *username, const char *pet, const char *client_id,
                       size_t *len)
{
    plist_t root = plistx_own(arena, plist_new_dict()), wanted = plist_new_dict();
    plist_dict_set_item(wanted, SERVICE, plist_new_dict());
    plist_dict_set_item(root, "apple-id", plist_new_string(username));
    plist_dict_set_item(root, "client-id", plist_new_string(client_id));
    plist_dict_set_item(root, "delegates", wanted);
    plist_dict_set_item(root, "password", plist_new_string(pet));
    return plistx_write(arena, root, len);
}

static enum login_outcome refused(plist_t where, int64_t status, bool of_service, struct login_result *result)
{
    const char *message = plistx_text(where, "status-message");
    enum login_outcome outcome = LOGIN_DELEGATE_ERROR;
    if (message == NULL)
        message = "";
    if (strcasestr(message, "server problem") != NULL)
        outcome = LOGIN_SERVER_ERROR;
    else if (of_service && (status == STATUS_ACCOUNT || strcasestr(message, "limit") != NULL))
        outcome = LOGIN_ACCOUNT_LIMIT;
    return login_end(result, outcome, status, "%.200s", message);
}

enum login_outcome delegates_read(const char *body, size_t len, struct delegates *delegates,
                                  struct login_result *result)
{
    struct arena *arena = arena_new();
    struct error err;
    int64_t status = 0;
    memset(delegates, 0, sizeof(*delegates));
    plist_t root = plistx_parse(arena, body, len, &err);
    plist_t service = plistx_get(plistx_get(root, "delegates"), SERVICE);
    plist_t tokens = plistx_get(plistx_get(service, "service-data"), "tokens");

    if (root == NULL || !plistx_int(root, "status", &status))
        login_end(result, LOGIN_BAD_RESPONSE, 0, "the delegate service's answer has no status");
    else if (status != 0)
        refused(root, status, false, result);
    else if (!plistx_int(service, "status", &status))
        login_end(result, LOGIN_DELEGATE_ERROR, 0, "the delegate service left %s out", SERVICE);
    else if (status != 0)
        refused(service, status, true, result);
    else if (httpc_take_value(delegates->dsid, sizeof(delegates->dsid),
                              plistx_text_or_int(arena, root, "dsid")) &&
             httpc_take_value(delegates->search_party_token, sizeof(delegates->search_party_token),
                              plistx_text(tokens, "searchPartyToken")))
        login_end(result, LOGIN_AUTHENTICATED, 0, "%s", "");
    else
        login_end(result, LOGIN_DELEGATE_ERROR, 0, "the delegate service gave no token for reports");
    arena_free(arena);
    return result->outcome;
}

/* Statuses of HTTP: 401 here means that the token is outdated, not that the password is wrong. */
static enum login_outcome judge(struct provider *provider, const struct http_in *resp,
                                struct delegates *delegates, struct login_result *result)
{
    if (resp->status == 200)
        return delegates_read(resp->body, resp->body_len, delegates, result);
    if (resp->status == 401)
        return login_end(result, LOGIN_DELEGATE_ERROR, 401, "the delegate service does not take the token");
    return login_http_status(result, provider, resp);
}

enum login_outcome delegates_get(struct provider *provider, struct anisette_state *state,
                                 const char *username, const struct gsa_session *session,
                                 const char *client_id, struct delegates *delegates,
                                 struct login_result *result)
{
    const struct profile *profile = provider->profile;
    struct arena *arena = arena_new();
    struct httpc_header_list list = { 0 };
    struct http_in resp;
    struct error err;
    size_t len;

    httpc_put(&list, "Content-Type", "text/x-xml-plist");
    httpc_put(&list, "Accept", "*/*");
    httpc_put(&list, "User-Agent", profile->identity.delegates_user_agent);
    httpc_put(&list, "X-Mme-Client-Info", profile->identity.delegates_client_info);
    httpc_put(&list, "X-Apple-ADSID", session->adsid);
    httpc_put(&list, "Authorization", httpc_basic(arena, username, session->pet));
    if (provider_put_anisette(provider, state, &list, arena, result)) {
        profile_put_headers(profile, PROFILE_DELEGATES, &list);
        char *body = make_body(arena, username, session->pet, client_id, &len);
        const struct http_out req = {
            .url = profile->endpoints.delegates,
            .headers = list.items,
            .header_count = list.count,
            .body = body,
            .body_len = len,
            .timeout = profile->login.timeout,
            .max_body = DELEGATES_MAX_ANSWER,
        };
        if (httpc_request(provider->http, &req, &resp, arena, &err))
            judge(provider, &resp, delegates, result);
        else
            login_no_answer(result, &err);
    }
    arena_free(arena);
    LOG_INFO("apple delegates", LOG_TEXT("outcome", login_outcome_names[result->outcome]),
             LOG_NUM("code", result->code));
    return result->outcome;
}
