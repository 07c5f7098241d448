/* GrandSlam: requests, answers, and the exchange itself. The cryptography around SRP is in gsa_crypto.c. */
#include "findmy/gsa.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "findmy/gsa_crypto.h"
#include "findmy/plistx.h"

/* How often an ambiguous exchange is begun anew; each has a chance below 1 %. */
#define MAX_EXCHANGES 4

/* ---- requests ---- */

/* { Header { Version }, Request { cpd, ... } }; returns the Request dict, *root is owned by the arena. */
static plist_t new_request(struct arena *arena, plist_t cpd, const char *operation, const char *username,
                           plist_t *root)
{
    plist_t header = plist_new_dict(), request = plist_new_dict();
    *root = plistx_own(arena, plist_new_dict());
    plist_dict_set_item(header, "Version", plist_new_string("1.0.1"));
    plist_dict_set_item(*root, "Header", header);
    plist_dict_set_item(*root, "Request", request);
    plist_dict_set_item(request, "cpd", cpd != NULL ? cpd : plist_new_dict());
    plist_dict_set_item(request, "o", plist_new_string(operation));
    plist_dict_set_item(request, "u", plist_new_string(username));
    return request;
}

char *gsa_init_body(struct arena *arena, plist_t cpd, const char *username, const uint8_t *A, size_t a_len,
                    size_t *len)
{
    plist_t root, forms = plist_new_array(), request = new_request(arena, cpd, "init", username, &root);
    plist_array_append_item(forms, plist_new_string("s2k"));
    plist_array_append_item(forms, plist_new_string("s2k_fo"));
    plist_dict_set_item(request, "ps", forms);
    plist_dict_set_item(request, "A2k", plist_new_data((const char *)A, a_len));
    return plistx_write(arena, root, len);
}

char *gsa_complete_body(struct arena *arena, plist_t cpd, const char *username, const char *cookie,
                        const uint8_t *m1, size_t m1_len, size_t *len)
{
    plist_t root, request = new_request(arena, cpd, "complete", username, &root);
    plist_dict_set_item(request, "c", plist_new_string(cookie));
    plist_dict_set_item(request, "M1", plist_new_data((const char *)m1, m1_len));
    return plistx_write(arena, root, len);
}

static plist_t make_cpd(struct provider *provider, const struct anisette_state *state,
                        const struct anisette_values *values, struct arena *arena)
{
    plist_t cpd = plist_new_dict();
    plist_dict_set_item(cpd, "bootstrap", plist_new_bool(1));
    plist_dict_set_item(cpd, "icscrec", plist_new_bool(1));
    plist_dict_set_item(cpd, "pbe", plist_new_bool(0));
    plist_dict_set_item(cpd, "prkgen", plist_new_bool(1));
    plist_dict_set_item(cpd, "svct", plist_new_string("iCloud"));
    anisette_put_dict(cpd, values, state, provider->profile, clock_now(provider->clock), arena);
    return cpd;
}

static bool post(struct provider *provider, const char *body, size_t len, struct http_in *resp,
                 struct arena *arena, struct login_result *result)
{
    struct httpc_header_list list = { 0 };
    struct error err;
    httpc_put(&list, "Content-Type", "text/x-xml-plist");
    httpc_put(&list, "Accept", "*/*");
    httpc_put(&list, "User-Agent", provider->profile->identity.user_agent);
    httpc_put(&list, "X-MMe-Client-Info", provider->profile->identity.client_info);
    profile_put_headers(provider->profile, PROFILE_GSA, &list);
    const struct http_out req = {
        .url = provider->profile->endpoints.gsa,
        .headers = list.items,
        .header_count = list.count,
        .body = body,
        .body_len = len,
        .timeout = provider->profile->login.timeout,
        .max_body = GSA_MAX_ANSWER,
    };
    if (!httpc_request(provider->http, &req, resp, arena, &err)) {
        login_no_answer(result, &err);
        return false;
    }
    if (resp->status != 200) {
        login_http_status(result, provider, resp);
        return false;
    }
    return true;
}

/* ---- answers ---- */

enum login_outcome gsa_read_status(const struct profile *profile, plist_t response,
                                   struct login_result *result)
{
    plist_t status = plistx_get(response, "Status");
    int64_t code = 0, http_code = 200;
    const char *message = plistx_text(status, "em");
    if (status == NULL)
        status = response; /* the answer of `validate` carries the codes at its top */
    if (!plistx_int(status, "ec", &code))
        return login_end(result, LOGIN_BAD_RESPONSE, 0, "the answer has no status");
    if (message == NULL)
        message = plistx_text(status, "em");
    if (!plistx_int(status, "hsc", &http_code))
        http_code = 200;

    enum login_outcome outcome = LOGIN_AUTHENTICATED;
    bool fine = http_code < 300 || http_code == 409; /* 409: a second factor is due */
    int fallback = !fine && http_code >= 500 ? LOGIN_SERVER_ERROR : LOGIN_REFUSED;
    int by_http = profile_outcome(&profile->status_http, http_code, fallback);
    if (!fine && (code == 0 || by_http == LOGIN_REPROVISION)) { /* says more than the code beside it */
        outcome = (enum login_outcome)by_http;
        code = http_code;
    } else if (code != 0) {
        outcome = (enum login_outcome)profile_outcome(&profile->status_gsa, code, by_http);
    }
    login_end(result, outcome, code, "%.200s", message != NULL ? message : "");
    return outcome;
}

/* The Response dict of an answer; NULL: *result is filled. */
static plist_t read_response(const char *body, size_t len, struct arena *arena, struct login_result *result)
{
    struct error err;
    plist_t root = plistx_parse(arena, body, len, &err);
    plist_t response = plistx_get(root, "Response");
    if (response == NULL || plist_get_node_type(response) != PLIST_DICT) {
        login_end(result, LOGIN_BAD_RESPONSE, 0, "the answer is not a GrandSlam property list");
        return NULL;
    }
    return response;
}

enum login_outcome gsa_read_init(const struct profile *profile, const char *body, size_t len,
                                 struct arena *arena, struct gsa_challenge *challenge,
                                 struct login_result *result)
{
    struct gsa_challenge read = { 0 };
    plist_t response = read_response(body, len, arena, result);
    if (response == NULL || gsa_read_status(profile, response, result) != LOGIN_AUTHENTICATED)
        return result->outcome;

    read.form = plistx_text(response, "sp");
    read.cookie = plistx_text(response, "c");
    read.salt = plistx_data(response, "s", &read.salt_len);
    read.B = plistx_data(response, "B", &read.b_len);
    if (read.form == NULL || read.cookie == NULL || read.salt == NULL || read.B == NULL ||
        !plistx_int(response, "i", &read.iterations))
        return login_end(result, LOGIN_BAD_RESPONSE, 0, "the server's half of the exchange is incomplete");
    *challenge = read;
    return login_end(result, LOGIN_AUTHENTICATED, 0, "%s", "");
}

enum login_outcome gsa_answer(struct srp *srp, const struct gsa_challenge *challenge, const char *username,
                              const char *password, struct login_result *result)
{
    uint8_t key[SRP_KEY_SIZE];
    struct error err;
    bool ok = srp_password_key(challenge->form, password, challenge->salt, challenge->salt_len,
                               challenge->iterations, key, &err) &&
              srp_answer(srp, username, key, sizeof(key), challenge->salt, challenge->salt_len, challenge->B,
                         challenge->b_len, &err);
    wipe(key, sizeof(key));
    return login_end(result, ok ? LOGIN_AUTHENTICATED : LOGIN_UNSUPPORTED_PROTOCOL, 0, "%s",
                     ok ? "" : err.message);
}

static bool take_text(plist_t dict, const char *key, char *out, size_t size)
{
    return httpc_take_value(out, size, plistx_text(dict, key));
}

/* The decrypted `spd`. */
static bool read_session(plist_t spd, bool complete, struct gsa_session *session)
{
    int64_t expiry;
    plist_t pet = plistx_get(plistx_get(spd, "t"), "com.apple.gs.idms.pet");
    memset(session, 0, sizeof(*session));
    if (!take_text(spd, "adsid", session->adsid, sizeof(session->adsid)) ||
        !take_text(spd, "GsIdmsToken", session->idms_token, sizeof(session->idms_token)))
        return false;
    if (take_text(pet, "token", session->pet, sizeof(session->pet)) && plistx_int(pet, "expiry", &expiry) &&
        expiry > 0 && expiry < TIME_MAX / 1000)
        session->pet_expiry = expiry * 1000;
    return session->pet[0] != '\0' || !complete;
}

/* `au`: which further step is due. */
static enum login_outcome next_step(plist_t response)
{
    plist_t status = plistx_get(response, "Status");
    const char *au = plistx_text(status, "au");
    int64_t http_code = 200;
    if (au == NULL || au[0] == '\0')
        return plistx_int(status, "hsc", &http_code) && http_code == 409 ? LOGIN_TRUSTED_DEVICE
                                                                         : LOGIN_AUTHENTICATED;
    if (strcmp(au, "trustedDeviceSecondaryAuth") == 0)
        return LOGIN_TRUSTED_DEVICE;
    return strcmp(au, "secondaryAuth") == 0 ? LOGIN_SMS : LOGIN_UNSUPPORTED_STEP;
}

/* Both proofs of the server, then the plain text of `spd` into the arena; NULL unless everything is right. */
static plist_t open_spd(plist_t response, const struct srp *srp, const char *form, struct arena *arena)
{
    size_t m2_len, spd_len, np_len, sc_len = 0, plain_len;
    const uint8_t *m2 = plistx_data(response, "M2", &m2_len), *spd = plistx_data(response, "spd", &spd_len);
    const uint8_t *np = plistx_data(response, "np", &np_len), *sc = plistx_data(response, "sc", &sc_len);
    struct error err;
    if (m2 == NULL || spd == NULL || np == NULL || !srp_verify(srp, m2, m2_len) ||
        !gsa_check_negotiation(srp, form, spd, spd_len, sc, sc_len, np, np_len))
        return NULL;
    uint8_t *plain = arena_secret(arena, spd_len + 1);
    if (!gsa_open_spd(srp, spd, spd_len, plain, &plain_len))
        return NULL;
    return plistx_parse(arena, (const char *)plain, plain_len, &err);
}

enum login_outcome gsa_read_complete(const struct profile *profile, const char *body, size_t len,
                                     const struct srp *srp, const char *form, struct arena *arena,
                                     struct gsa_session *session, struct login_result *result)
{
    plist_t response = read_response(body, len, arena, result);
    memset(session, 0, sizeof(*session));
    if (response == NULL || gsa_read_status(profile, response, result) != LOGIN_AUTHENTICATED)
        return result->outcome;

    /* A step for a person may come without proofs; nothing else of such an answer is used. */
    enum login_outcome step = next_step(response);
    plist_t spd = open_spd(response, srp, form, arena);
    bool bare = step == LOGIN_UNSUPPORTED_STEP && plistx_get(response, "M2") == NULL;
    if (spd == NULL && !bare)
        return login_end(result, LOGIN_BAD_SERVER_PROOF, 0,
                         "the server could not prove that it knows the password");
    if (spd != NULL && !read_session(spd, step == LOGIN_AUTHENTICATED, session)) {
        wipe(session, sizeof(*session));
        return login_end(result, LOGIN_BAD_RESPONSE, 0, "the decrypted answer lacks ids or tokens");
    }
    if (step == LOGIN_UNSUPPORTED_STEP)
        return login_end(result, step, 0, "Apple asks for a step that needs a person: %.80s",
                         plistx_text(plistx_get(response, "Status"), "au"));
    return login_end(result, step, 0, "%s", "");
}

/* ---- the exchange ---- */

/* `init` and our answer to it. *again: nothing was proved yet, and the exchange had better be begun anew. */
static enum login_outcome exchange_init(struct provider *provider, struct anisette_state *state,
                                        struct srp *srp, const struct anisette_values *values,
                                        const char *username, const char *password,
                                        struct gsa_challenge *challenge, struct arena *arena,
                                        struct login_result *result, bool *again)
{
    struct http_in resp;
    struct error err;
    size_t len;
    *again = false;
    if (!srp_start(srp, &srp_gsa, NULL, 0, &err))
        return login_end(result, LOGIN_SERVER_ERROR, 0, "%s", err.message);
    char *body = gsa_init_body(arena, make_cpd(provider, state, values, arena), username, srp->A,
                               sizeof(srp->A), &len);
    if (!post(provider, body, len, &resp, arena, result) ||
        gsa_read_init(provider->profile, resp.body, resp.body_len, arena, challenge, result) !=
            LOGIN_AUTHENTICATED ||
        gsa_answer(srp, challenge, username, password, result) != LOGIN_AUTHENTICATED)
        return result->outcome;
    *again = srp_ambiguous(srp);
    return LOGIN_AUTHENTICATED;
}

static enum login_outcome exchange(struct provider *provider, struct anisette_state *state, struct srp *srp,
                                   const char *username, const char *password, struct gsa_session *session,
                                   struct arena *arena, struct login_result *result)
{
    struct anisette_values values;
    struct gsa_challenge challenge = { 0 };
    struct http_in resp;
    struct error err;
    bool again = true;
    size_t len;

    if (!anisette_get(provider->anisette, state, &values, &err))
        return login_end(result, LOGIN_SERVER_ERROR, 0, "%s: %s", err.code, err.message);
    for (int i = 0; i < MAX_EXCHANGES && again; i++)
        if (exchange_init(provider, state, srp, &values, username, password, &challenge, arena, result,
                          &again) != LOGIN_AUTHENTICATED)
            return result->outcome;
    char *body = gsa_complete_body(arena, make_cpd(provider, state, &values, arena), username,
                                   challenge.cookie, srp->M1, srp->hash_len, &len);
    if (!post(provider, body, len, &resp, arena, result))
        return result->outcome;
    return gsa_read_complete(provider->profile, resp.body, resp.body_len, srp, challenge.form, arena, session,
                             result);
}

enum login_outcome gsa_login(struct provider *provider, struct anisette_state *state, const char *username,
                             const char *password, struct gsa_session *session, struct login_result *result)
{
    struct arena *arena = arena_new();
    struct srp *srp = arena_secret(arena, sizeof(*srp));
    memset(session, 0, sizeof(*session));
    enum login_outcome outcome = exchange(provider, state, srp, username, password, session, arena, result);
    arena_free(arena);
    LOG_INFO("apple sign-in", LOG_TEXT("outcome", login_outcome_names[outcome]),
             LOG_NUM("code", result->code));
    return outcome;
}

const char *gsa_identity_token(struct arena *arena, const struct gsa_session *session)
{
    size_t len = strlen(session->adsid) + 1 + strlen(session->idms_token);
    char *pair = arena_secret(arena, len + 1), *token = arena_secret(arena, BASE64_SIZE(len));
    snprintf(pair, len + 1, "%s:%s", session->adsid, session->idms_token);
    base64_encode(pair, len, token);
    return token;
}
