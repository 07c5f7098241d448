/* Provisioning of a machine: the server's library and Apple talk to each other through us (facts 8.3). */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/json.h"
#include "base/log.h"
#include "findmy/anisette_private.h"
#include "findmy/jsonx.h"
#include "findmy/plistx.h"

#define MAX_APPLE_ANSWER (256u * 1024)
#define MAX_URL          1024
#define MAX_FIELD        (64u * 1024) /* spim, cpim, ptm, tk: some kilobytes */

/* ---- Apple's side ---- */

static void put_identity(struct httpc_header_list *list, const struct profile *profile,
                         const struct anisette_state *state, int64_t now, struct arena *arena)
{
    char device[ANISETTE_DEVICE_SIZE], user[ANISETTE_USER_SIZE], time[RFC3339_SIZE];
    anisette_device_id(state->identifier, device);
    anisette_local_user(state->identifier, user);
    time_format(now - now % USEC_PER_SEC, time);
    httpc_put(list, "Content-Type", "text/x-xml-plist");
    httpc_put(list, "Accept", "*/*");
    httpc_put(list, "User-Agent", profile->identity.provision_user_agent);
    httpc_put(list, "X-Mme-Client-Info", profile->identity.client_info);
    httpc_put(list, "X-Apple-I-MD-LU", arena_strdup(arena, user));
    httpc_put(list, "X-Mme-Device-Id", arena_strdup(arena, device));
    httpc_put(list, "X-Apple-I-Client-Time", arena_strdup(arena, time));
    httpc_put(list, "X-Apple-I-TimeZone", profile->identity.time_zone);
    httpc_put(list, "X-Apple-Locale", profile->identity.locale);
}

/* One request to Apple; the answer's property list. Failures are Apple's: "anisette_provisioning". */
static plist_t ask_apple(struct anisette *anisette, const struct anisette_state *state, const char *url,
                         const char *body, size_t body_len, struct arena *arena, struct error *err)
{
    struct httpc_header_list list = { 0 };
    struct http_in resp;
    put_identity(&list, anisette->profile, state, clock_now(anisette->clock), arena);
    profile_put_headers(anisette->profile, PROFILE_GSA, &list);
    const struct http_out req = {
        .url = url,
        .headers = list.items,
        .header_count = list.count,
        .body = body,
        .body_len = body_len,
        .timeout = anisette->profile->login.timeout,
        .max_body = MAX_APPLE_ANSWER,
    };
    struct error cause;
    if (!httpc_request(anisette->http, &req, &resp, arena, &cause)) {
        error_set(err, "anisette_provisioning", "provisioning at Apple's: %s", cause.message);
        return NULL;
    }
    plist_t root = resp.status == 200 ? plistx_parse(arena, resp.body, resp.body_len, &cause) : NULL;
    if (root == NULL)
        error_set(err, "anisette_provisioning", "provisioning at Apple's: HTTP %d without a property list",
                  resp.status);
    return root;
}

/* { Header: {}, Request: { cpim } } */
static char *provision_body(struct arena *arena, const char *cpim, size_t *len)
{
    plist_t root = plistx_own(arena, plist_new_dict()), request = plist_new_dict();
    plist_dict_set_item(root, "Header", plist_new_dict());
    plist_dict_set_item(root, "Request", request);
    if (cpim != NULL)
        plist_dict_set_item(request, "cpim", plist_new_string(cpim));
    return plistx_write(arena, root, len);
}

static plist_t provision_step(struct anisette *anisette, const struct anisette_state *state,
                              const char *configured, const char *bag_key, const char *cpim,
                              struct arena *arena, struct error *err)
{
    const char *url = configured[0] != '\0' ? configured : anisette_lookup(anisette, state, bag_key, err);
    size_t len;
    if (url == NULL)
        return NULL;
    char *body = provision_body(arena, cpim, &len);
    plist_t root = ask_apple(anisette, state, url, body, len, arena, err);
    plist_t response = plistx_get(root, "Response");
    int64_t code = 0;
    if (root != NULL && plistx_int(plistx_get(response, "Status"), "ec", &code) && code != 0) {
        error_set(err, "anisette_provisioning", "Apple refused to provision the machine (code %lld)",
                  (long long)code);
        return NULL;
    }
    return response;
}

static const char *kept_address(const struct anisette *anisette, const char *key)
{
    for (size_t i = 0; i < anisette->bag_count; i++)
        if (strcmp(anisette->bag[i].key, key) == 0)
            return anisette->bag[i].url;
    return NULL;
}

static bool address_usable(const struct anisette *anisette, const char *url)
{
    bool http = url != NULL && (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0);
    return http && strlen(url) <= MAX_URL && httpc_value_safe(url) &&
           (!httpc_url_exposed(url) || anisette->profile->allow_plain_http);
}

/* Keep what provisioning needs of the list. */
static void keep_addresses(struct anisette *anisette, plist_t urls)
{
    static const char *const keys[ANISETTE_BAG] = { "midStartProvisioning", "midFinishProvisioning" };
    anisette->bag_count = 0;
    for (size_t i = 0; i < ANISETTE_BAG; i++) {
        const char *url = plistx_text(urls, keys[i]);
        if (!address_usable(anisette, url))
            continue;
        anisette->bag[anisette->bag_count].key = keys[i];
        anisette->bag[anisette->bag_count++].url = arena_strdup(anisette->arena, url);
    }
}

const char *anisette_lookup(struct anisette *anisette, const struct anisette_state *state, const char *key,
                            struct error *err)
{
    const char *url = kept_address(anisette, key);
    if (url != NULL)
        return url;
    struct arena *arena = arena_new();
    plist_t root = ask_apple(anisette, state, anisette->profile->endpoints.lookup, NULL, 0, arena, err);
    if (root != NULL)
        keep_addresses(anisette, plistx_get(root, "urls"));
    url = kept_address(anisette, key);
    if (root != NULL && url == NULL)
        error_set(err, "anisette_provisioning", "Apple's list of addresses has no usable %s", key);
    arena_free(arena);
    return url;
}

/* ---- the conversation ---- */

struct session {
    struct anisette *anisette;
    const struct anisette_state *state;
    struct arena *arena;
    uint8_t *blob; /* the result */
    size_t blob_len;
};

static void reply_pair(struct buf *reply, const char *first, const char *first_value, const char *second,
                       const char *second_value)
{
    struct json json;
    json_begin(&json, reply);
    json_start_object(&json);
    json_put_text(&json, first, first_value);
    if (second != NULL)
        json_put_text(&json, second, second_value);
    json_end_object(&json);
}

static bool give_identifier(struct session *session, struct buf *reply)
{
    char text[BASE64_SIZE(ANISETTE_ID_SIZE)];
    base64_encode(session->state->identifier, ANISETTE_ID_SIZE, text);
    reply_pair(reply, "identifier", text, NULL, NULL);
    return true;
}

static bool usable(const char *field)
{
    return field != NULL && field[0] != '\0' && strlen(field) <= MAX_FIELD;
}

static bool give_start_data(struct session *session, struct buf *reply, struct error *err)
{
    plist_t response = provision_step(session->anisette, session->state,
                                      session->anisette->profile->endpoints.provision_start,
                                      "midStartProvisioning", NULL, session->arena, err);
    const char *spim = plistx_text(response, "spim");
    if (response == NULL)
        return false;
    if (!usable(spim))
        return error_set(err, "anisette_provisioning", "Apple's start of provisioning holds no spim");
    reply_pair(reply, "spim", spim, NULL, NULL);
    return true;
}

static bool give_end_data(struct session *session, const char *cpim, struct buf *reply, struct error *err)
{
    if (!usable(cpim))
        return error_set(err, "anisette_refused", "the Anisette server gave no cpim");
    plist_t response = provision_step(session->anisette, session->state,
                                      session->anisette->profile->endpoints.provision_finish,
                                      "midFinishProvisioning", cpim, session->arena, err);
    if (response == NULL)
        return false;
    const char *ptm = plistx_text(response, "ptm"), *tk = plistx_text(response, "tk");
    if (!usable(ptm) || !usable(tk))
        return error_set(err, "anisette_provisioning", "Apple's end of provisioning holds no ptm and tk");
    reply_pair(reply, "ptm", ptm, "tk", tk);
    return true;
}

static bool take_blob(struct session *session, const char *text, struct error *err)
{
    session->blob = arena_secret(session->arena, ANISETTE_MAX_STATE);
    if (text == NULL ||
        !base64_decode(text, strlen(text), session->blob, ANISETTE_MAX_STATE, &session->blob_len) ||
        session->blob_len == 0)
        return error_set(err, "anisette_refused", "the Anisette server gave no usable machine state");
    return true;
}

static enum websocket_verdict on_message(void *self, const char *text, size_t len, struct buf *reply,
                                         struct error *err)
{
    struct session *session = self;
    json_t *root = jsonx_parse(text, len, WEBSOCKET_MAX_MESSAGE);
    const char *result = jsonx_text(root, "result");
    enum websocket_verdict verdict = WEBSOCKET_GO_ON;
    bool ok = true;

    if (result == NULL) {
        ok = error_set(err, "anisette_refused", "the Anisette server speaks another language");
    } else if (strcmp(result, "GiveIdentifier") == 0) {
        ok = give_identifier(session, reply);
    } else if (strcmp(result, "GiveStartProvisioningData") == 0) {
        ok = give_start_data(session, reply, err);
    } else if (strcmp(result, "GiveEndProvisioningData") == 0) {
        ok = give_end_data(session, jsonx_text(root, "cpim"), reply, err);
    } else if (strcmp(result, "ProvisioningSuccess") == 0) {
        ok = take_blob(session, jsonx_text(root, "adi_pb"), err);
        verdict = WEBSOCKET_DONE;
    } else if (strcmp(result, "Wait") != 0) { /* Timeout, InvalidIdentifier, ...Error */
        const char *message = jsonx_text(root, "message");
        ok = error_set(err, "anisette_refused", "the Anisette server reports %.60s%s%.120s", result,
                       message != NULL ? ": " : "", message != NULL ? message : "");
    }
    jsonx_free(root);
    return ok ? verdict : WEBSOCKET_FAILED;
}

bool anisette_provision(struct anisette *anisette, const struct anisette_server *server,
                        struct anisette_state *state, struct error *err)
{
    if (anisette->websocket == NULL)
        return error_set(err, "anisette_refused", "this program was started without WebSockets");
    /* Look the addresses up first: the server waits only some seconds for each answer. */
    const struct profile *profile = anisette->profile;
    if ((profile->endpoints.provision_start[0] == '\0' &&
         anisette_lookup(anisette, state, "midStartProvisioning", err) == NULL) ||
        (profile->endpoints.provision_finish[0] == '\0' &&
         anisette_lookup(anisette, state, "midFinishProvisioning", err) == NULL))
        return false;

    struct arena *arena = arena_new();
    struct session session = { .anisette = anisette, .state = state, .arena = arena };
    const struct websocket_dialog dialog = { .message = on_message, .self = &session };
    const char *url = arena_printf(arena, "ws%s/v3/provisioning_session", server->url + strlen("http"));
    bool ok = websocket_converse(anisette->websocket, url, profile->anisette.provision_timeout, &dialog, err);
    if (ok) {
        memcpy(state->blob, session.blob, session.blob_len);
        state->blob_len = session.blob_len;
        state->changed = true;
        LOG_INFO("anisette machine provisioned", LOG_TEXT("server", server->url));
    }
    arena_free(arena);
    return ok;
}
