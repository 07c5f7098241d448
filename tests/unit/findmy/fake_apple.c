/* The fake servers. */
#include "fake_apple.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "findmy/gsa.h"
#include "findmy/plistx.h"
#include "findmy/srp.h"

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#define ITERATIONS 1000

/* ---- small helpers ---- */

static void respond(struct http_in *resp, struct arena *arena, int status, const char *body)
{
    *resp = (struct http_in){ .status = status, .body = arena_strdup(arena, body), .body_len = strlen(body) };
}

static const char *header_of(const struct http_out *req, const char *name)
{
    for (size_t i = 0; i < req->header_count; i++)
        if (strcasecmp(req->headers[i].name, name) == 0)
            return req->headers[i].value;
    return NULL;
}

static void sha(uint8_t out[32], size_t n, const void *const *parts, const size_t *lens)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (size_t i = 0; i < n; i++)
        EVP_DigestUpdate(context, parts[i], lens[i]);
    EVP_DigestFinal_ex(context, out, NULL);
    EVP_MD_CTX_free(context);
}

#define SHA(out, ...)                                                                                        \
    do {                                                                                                     \
        const struct piece pieces_[] = { __VA_ARGS__ };                                                      \
        const void *parts_[8];                                                                               \
        size_t lens_[8];                                                                                     \
        for (size_t i_ = 0; i_ < sizeof(pieces_) / sizeof(pieces_[0]); i_++) {                               \
            parts_[i_] = pieces_[i_].data;                                                                   \
            lens_[i_] = pieces_[i_].len;                                                                     \
        }                                                                                                    \
        sha(out, sizeof(pieces_) / sizeof(pieces_[0]), parts_, lens_);                                       \
    } while (0)

struct piece {
    const void *data;
    size_t len;
};

static struct piece minimal(const uint8_t *number)
{
    size_t at = 0;
    while (at < 256 && number[at] == 0)
        at++;
    return (struct piece){ number + at, 256 - at };
}

/* ---- the server half of SRP ---- */

struct server {
    BN_CTX *context;
    BIGNUM *N, *g, *v;
    uint8_t S[256], K[32], M1[32], M2[32];
};

static void server_key(const struct fake_apple *fake, uint8_t key[32])
{
    uint8_t hash[32];
    char digits[65];
    SHA256((const unsigned char *)fake->password, strlen(fake->password), hash);
    hex_encode(hash, 32, digits);
    bool raw = strcmp(fake->form, "s2k") == 0;
    PKCS5_PBKDF2_HMAC(raw ? (const char *)hash : digits, raw ? 32 : 64, fake->salt, sizeof(fake->salt),
                      ITERATIONS, EVP_sha256(), 32, key);
}

static void server_begin(struct fake_apple *fake, struct server *server)
{
    uint8_t key[32], inner[32], x[32];
    server->context = BN_CTX_new();
    server->N = BN_bin2bn(srp_gsa.prime, 256, NULL);
    server->g = BN_new();
    server->v = BN_new();
    BN_set_word(server->g, 2);
    server_key(fake, key);
    SHA(inner, { ":", 1 }, { key, 32 });
    SHA(x, { fake->salt, sizeof(fake->salt) }, { inner, 32 });
    BIGNUM *number = BN_bin2bn(x, 32, NULL);
    BN_mod_exp(server->v, server->g, number, server->N, server->context);
    BN_free(number);
}

static void server_end(struct server *server)
{
    BN_free(server->N);
    BN_free(server->g);
    BN_free(server->v);
    BN_CTX_free(server->context);
}

static void pad_g(uint8_t out[256])
{
    memset(out, 0, 256);
    out[255] = 2;
}

/* B = k*v + g^b */
static void server_challenge(struct fake_apple *fake)
{
    struct server server;
    uint8_t g[256], k[32];
    RAND_bytes(fake->salt, sizeof(fake->salt));
    server_begin(fake, &server);
    pad_g(g);
    SHA(k, { srp_gsa.prime, 256 }, { g, 256 });
    BIGNUM *kv = BN_bin2bn(k, 32, NULL), *gb = BN_new();
    do {
        RAND_bytes(fake->b, sizeof(fake->b));
        BIGNUM *b = BN_bin2bn(fake->b, 32, NULL), *B = BN_new();
        BN_mod_mul(gb, kv, server.v, server.N, server.context);
        BN_mod_exp(B, server.g, b, server.N, server.context);
        BN_mod_add(B, B, gb, server.N, server.context);
        BN_bn2binpad(B, fake->B, 256);
        BN_free(b);
        BN_free(B);
    } while (fake->only_bad_s && fake->B[0] != 0);
    BN_free(kv);
    BN_free(gb);
    server_end(&server);
}

/* S = (A * v^u)^b, and all that follows from it */
static void server_finish(struct fake_apple *fake, struct server *server)
{
    uint8_t u[32], g[256], of_N[32], of_g[32], of_user[32];
    server_begin(fake, server);
    SHA(u, { fake->A, 256 }, { fake->B, 256 });
    BIGNUM *number = BN_bin2bn(u, 32, NULL), *A = BN_bin2bn(fake->A, 256, NULL), *base = BN_new();
    BIGNUM *b = BN_bin2bn(fake->b, 32, NULL);
    BN_mod_exp(base, server->v, number, server->N, server->context);
    BN_mod_mul(base, base, A, server->N, server->context);
    BN_mod_exp(base, base, b, server->N, server->context);
    BN_bn2binpad(base, server->S, 256);
    BN_free(number);
    BN_free(A);
    BN_free(base);
    BN_free(b);

    pad_g(g);
    SHA(server->K, minimal(server->S));
    SHA(of_N, { srp_gsa.prime, 256 });
    SHA(of_g, { g, 256 });
    SHA(of_user, { fake->username, strlen(fake->username) });
    for (size_t i = 0; i < 32; i++)
        of_N[i] ^= of_g[i];
    SHA(server->M1, { of_N, 32 }, { of_user, 32 }, { fake->salt, sizeof(fake->salt) }, minimal(fake->A),
        minimal(fake->B), { server->K, 32 });
    SHA(server->M2, minimal(fake->A), { server->M1, 32 }, { server->K, 32 });
}

/* ---- GrandSlam ---- */

static void put_status(plist_t response, int64_t hsc, int64_t ec, const char *em, const char *au)
{
    plist_t status = plist_new_dict();
    plist_dict_set_item(status, "hsc", plist_new_uint((uint64_t)hsc));
    plist_dict_set_item(status, "ec", plist_new_uint((uint64_t)ec));
    plist_dict_set_item(status, "em", plist_new_string(em));
    if (au != NULL)
        plist_dict_set_item(status, "au", plist_new_string(au));
    plist_dict_set_item(response, "Status", status);
}

static void send_plist(struct http_in *resp, struct arena *arena, plist_t response)
{
    size_t len;
    plist_t root = plistx_own(arena, plist_new_dict());
    plist_dict_set_item(root, "Response", response);
    respond(resp, arena, 200, plistx_write(arena, root, &len));
}

static void gsa_init(struct fake_apple *fake, plist_t request, struct http_in *resp, struct arena *arena)
{
    size_t len;
    const uint8_t *A = plistx_data(request, "A2k", &len);
    plist_t response = plist_new_dict();
    CHECK(A != NULL && len == 256 && strcmp(plistx_text(request, "u"), fake->username) == 0);
    CHECK(A[0] != 0);
    memcpy(fake->A, A, 256);
    server_challenge(fake);
    put_status(response, 200, 0, "", NULL);
    plist_dict_set_item(response, "i", plist_new_uint(ITERATIONS));
    plist_dict_set_item(response, "s", plist_new_data((const char *)fake->salt, sizeof(fake->salt)));
    plist_dict_set_item(response, "sp", plist_new_string(fake->form));
    plist_dict_set_item(response, "c", plist_new_string("cookie-1"));
    plist_dict_set_item(response, "B", plist_new_data((const char *)fake->B, 256));
    send_plist(resp, arena, response);
}

static size_t make_spd(const struct server *server, bool complete, uint8_t out[2048])
{
    static const char base[] =
        "<dict><key>adsid</key><string>000123-08-adsid</string><key>GsIdmsToken</key><string>IDMS-SECRET</string>%s"
        "</dict>";
    static const char pet[] =
        "<key>t</key><dict><key>com.apple.gs.idms.pet</key><dict><key>token</key>"
        "<string>PET-SECRET</string><key>expiry</key><integer>1799999999000</integer></dict></dict>";
    char plain[1024];
    uint8_t key[32], iv[32];
    int len = 0, last = 0;
    snprintf(plain, sizeof(plain), base, complete ? pet : "");
    CHECK(gsa_session_key(server->K, 32, "extra data key:", key) &&
          gsa_session_key(server->K, 32, "extra data iv:", iv));
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key, iv);
    EVP_EncryptUpdate(cipher, out, &len, (const unsigned char *)plain, (int)strlen(plain));
    EVP_EncryptFinal_ex(cipher, out + len, &last);
    EVP_CIPHER_CTX_free(cipher);
    return (size_t)(len + last);
}

static void gsa_complete(struct fake_apple *fake, plist_t request, struct http_in *resp, struct arena *arena)
{
    struct server server;
    size_t len;
    uint8_t spd[2048], np[32], digest[32], key[32];
    const uint8_t *m1 = plistx_data(request, "M1", &len);
    plist_t response = plist_new_dict();
    server_finish(fake, &server);
    server_end(&server);
    CHECK(strcmp(plistx_text(request, "c"), "cookie-1") == 0);

    bool right = m1 != NULL && len == 32 && memcmp(m1, server.M1, 32) == 0;
    if (!right || fake->gsa_ec != 0 || fake->gsa_hsc != 0) {
        int64_t ec = fake->gsa_ec != 0 || fake->gsa_hsc != 0 ? fake->gsa_ec : -22406;
        put_status(response, fake->gsa_hsc != 0 ? fake->gsa_hsc : 401, ec, "Refused by the test.", NULL);
        send_plist(resp, arena, response);
        return;
    }
    const char *au = fake->trusted ? NULL : fake->au;
    size_t spd_len = make_spd(&server, au == NULL, spd);
    CHECK(gsa_session_key(server.K, 32, "HMAC key:", key));
    CHECK(gsa_negotiation_digest(fake->form, spd, spd_len, NULL, 0, digest));
    HMAC(EVP_sha256(), key, 32, digest, 32, np, NULL);
    np[0] ^= fake->bad_np;
    server.M2[31] ^= fake->bad_m2;
    put_status(response, au == NULL ? 200 : 409, 0, "", au);
    plist_dict_set_item(response, "M2", plist_new_data((const char *)server.M2, 32));
    plist_dict_set_item(response, "spd", plist_new_data((const char *)spd, spd_len));
    plist_dict_set_item(response, "np", plist_new_data((const char *)np, 32));
    send_plist(resp, arena, response);
}

static void gsa(struct fake_apple *fake, const struct http_out *req, enum fake_place place,
                struct http_in *resp, struct arena *arena)
{
    struct error err;
    plist_t root = plistx_parse(arena, req->body, req->body_len, &err), request = plistx_get(root, "Request");
    CHECK(plistx_text(plistx_get(request, "cpd"), "X-Apple-I-MD") != NULL);
    snprintf(fake->last_client_info, sizeof(fake->last_client_info), "%s",
             header_of(req, "X-MMe-Client-Info"));
    if (place == FAKE_GSA_INIT)
        gsa_init(fake, request, resp, arena);
    else
        gsa_complete(fake, request, resp, arena);
}

/* ---- second factor, delegates, fetch ---- */

static void take_code(struct fake_apple *fake, const char *code, bool sms, struct http_in *resp,
                      struct arena *arena)
{
    bool right = code != NULL && fake->code != NULL && strcmp(code, fake->code) == 0;
    snprintf(fake->last_security_code, sizeof(fake->last_security_code), "%s", code != NULL ? code : "");
    fake->trusted |= right;
    if (sms) {
        respond(resp, arena, right ? 200 : 412,
                right ? "{}" : "{\"serviceErrors\":[{\"code\":\"-21669\",\"message\":\"Incorrect code.\"}]}");
        return;
    }
    plist_t root = plistx_own(arena, plist_new_dict());
    size_t len;
    plist_dict_set_item(root, "ec", plist_new_uint(right ? 0 : (uint64_t)-21669));
    plist_dict_set_item(root, "em", plist_new_string(right ? "" : "Incorrect code."));
    respond(resp, arena, 200, plistx_write(arena, root, &len));
}

static void take_sms_code(struct fake_apple *fake, const struct http_out *req, struct http_in *resp,
                          struct arena *arena)
{
    json_t *root = json_loadb(req->body, req->body_len, 0, NULL);
    CHECK(json_integer_value(json_object_get(json_object_get(root, "phoneNumber"), "id")) == FAKE_PHONE);
    const char *code = json_string_value(json_object_get(json_object_get(root, "securityCode"), "code"));
    take_code(fake, code, true, resp, arena);
    json_decref(root);
}

static void delegates(struct fake_apple *fake, struct http_in *resp, struct arena *arena)
{
    static const char text[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><plist version=\"1.0\"><dict><key>status</key><integer>0</integer>"
        "<key>dsid</key><integer>12345678901</integer><key>delegates</key><dict><key>com.apple.mobileme</key><dict>"
        "<key>status</key><integer>0</integer><key>service-data</key><dict><key>tokens</key><dict>"
        "<key>searchPartyToken</key><string>SPT-SECRET-%d</string></dict></dict></dict></dict></dict></plist>";
    respond(resp, arena, 200, arena_printf(arena, text, ++fake->token));
}

static size_t count_ids(const struct http_out *req)
{
    json_t *root = json_loadb(req->body, req->body_len, 0, NULL);
    json_t *v2 = json_array_get(json_object_get(root, "fetch"), 0),
           *v1 = json_array_get(json_object_get(root, "search"), 0);
    size_t count = json_array_size(json_object_get(v2, "primaryIds")) +
                   json_array_size(json_object_get(v2, "secondaryIds")) +
                   json_array_size(json_object_get(v1, "ids"));
    json_decref(root);
    return count;
}

static void fetch(struct fake_apple *fake, const struct http_out *req, struct http_in *resp,
                  struct arena *arena)
{
    const char *want = httpc_basic(arena, "12345678901", arena_printf(arena, "SPT-SECRET-%d", fake->token));
    const char *body = fake->fetch_body;
    if (strcmp(header_of(req, "Authorization"), want) != 0) {
        respond(resp, arena, 401, "");
        return;
    }
    if (fake->on_fetch != NULL)
        body = fake->on_fetch(fake, req, arena);
    respond(resp, arena, 200,
            body != NULL ? body : "{\"acsnLocations\":{\"statusCode\":\"200\",\"locationPayload\":[]}}");
}

/* ---- dispatch ---- */

static enum fake_place place_of(const struct http_out *req)
{
    static const struct {
        const char *part;
        enum fake_place place;
    } places[] = {
        { "GsService2/lookup", FAKE_LOOKUP },    { "GsService2/validate", FAKE_VALIDATE },
        { "Provisioning", FAKE_PROVISION },      { "verify/trusteddevice", FAKE_PUSH },
        { "phone/securitycode", FAKE_SMS_CODE }, { "verify/phone", FAKE_SMS },
        { "loginDelegates", FAKE_DELEGATES },    { "fetch", FAKE_FETCH },
        { "gsa.apple.com/auth", FAKE_PHONES },   { "anisette", FAKE_ANISETTE },
    };
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (strstr(req->url, places[i].part) != NULL)
            return places[i].place;
    /* the whole element: "A2k" alone also turns up in the base64 of a proof now and then */
    static const char element[] = "<key>A2k</key>";
    bool init = memmem(req->body, req->body_len, element, strlen(element)) != NULL;
    return init ? FAKE_GSA_INIT : FAKE_GSA_COMPLETE;
}

static void anisette(struct fake_apple *fake, const struct http_out *req, struct http_in *resp,
                     struct arena *arena)
{
    if (strstr(req->url, "/v3/") != NULL && !fake->has_v3)
        respond(resp, arena, 404, "not here");
    else if (strstr(req->url, "client_info") != NULL)
        respond(resp, arena, 200, "{\"client_info\":\"<Mac> <Xcode>\",\"user_agent\":\"akd\"}");
    else if (strstr(req->url, "get_headers") != NULL && !fake->provisioned)
        respond(resp, arena, 200, "{\"result\":\"GetHeadersError\",\"message\":\"ADI error: -45061\"}");
    else if (strstr(req->url, "get_headers") != NULL)
        respond(
            resp, arena, 200,
            "{\"result\":\"Headers\",\"X-Apple-I-MD\":\"OTP3\",\"X-Apple-I-MD-M\":\"MACHINE3\",\"X-Apple-I-MD-RINFO\":"
            "\"17106176\"}");
    else if (fake->no_v1)
        respond(resp, arena, 500, "");
    else
        respond(resp, arena, 200,
                "{\"X-Apple-I-MD\":\"OTP1\",\"X-Apple-I-MD-M\":\"MACHINE1\",\"X-Apple-I-MD-RINFO\":17106176,"
                "\"X-MMe-Client-Info\":\"<Mac> <com.apple.dt.Xcode>\"}");
}

static void answer(struct fake_apple *fake, const struct http_out *req, enum fake_place place,
                   struct http_in *resp, struct arena *arena)
{
    switch (place) {
    case FAKE_ANISETTE:
        anisette(fake, req, resp, arena);
        break;
    case FAKE_LOOKUP:
        respond(resp, arena, 200,
                "<plist version=\"1.0\"><dict><key>urls</key><dict><key>midStartProvisioning</key>"
                "<string>https://gsa.apple.com/startProvisioning</string><key>midFinishProvisioning</key>"
                "<string>https://gsa.apple.com/finishProvisioning</string></dict></dict></plist>");
        break;
    case FAKE_PROVISION:
        respond(
            resp, arena, 200,
            "<plist version=\"1.0\"><dict><key>Response</key><dict><key>spim</key><string>U1BJTQ==</string>"
            "<key>ptm</key><string>UFRN</string><key>tk</key><string>VEs=</string></dict></dict></plist>");
        break;
    case FAKE_GSA_INIT:
    case FAKE_GSA_COMPLETE:
        gsa(fake, req, place, resp, arena);
        break;
    case FAKE_PUSH:
    case FAKE_SMS:
        fake->codes_sent++;
        respond(resp, arena, 200, "{}");
        break;
    case FAKE_VALIDATE:
        take_code(fake, header_of(req, "security-code"), false, resp, arena);
        break;
    case FAKE_PHONES:
        fake->codes_sent += fake->phones_send_sms;
        respond(
            resp, arena, fake->phones_send_sms ? 201 : 200,
            "<html><script type=\"application/json\" class=\"boot_args\">{\"direct\":{\"phoneNumberVerification\":"
            "{\"trustedPhoneNumbers\":[{\"id\":7,\"numberWithDialCode\":\"+49 12\",\"lastTwoDigits\":\"12\","
            "\"pushMode\":\"sms\"}]}}}</script></html>");
        break;
    case FAKE_SMS_CODE:
        take_sms_code(fake, req, resp, arena);
        break;
    case FAKE_DELEGATES:
        delegates(fake, resp, arena);
        break;
    default:
        fetch(fake, req, resp, arena);
        break;
    }
}

/* The fault that strikes now, or NULL. */
static struct fake_fault *strike(struct fake_apple *fake, enum fake_place place)
{
    for (size_t i = 0; i < fake->fault_count; i++) {
        struct fake_fault *fault = &fake->faults[i];
        if (fault->place != place || fault->count < 0)
            continue;
        if (fault->skip > 0) {
            fault->skip--;
            continue;
        }
        if (fault->count == 1)
            fault->count = -1;
        else if (fault->count > 1)
            fault->count--;
        return fault;
    }
    return NULL;
}

static bool request(struct http_client *self, const struct http_out *req, struct http_in *resp,
                    struct arena *arena, struct error *err)
{
    struct fake_apple *fake = (struct fake_apple *)self;
    enum fake_place place = place_of(req);
    if (place == FAKE_FETCH) {
        CHECK(fake->calls[place] < FAKE_MAX_REQUESTS);
        fake->fetch_ids[fake->calls[place]] = count_ids(req);
        fake->last_fetch_body = arena_strndup(fake->arena, req->body, req->body_len);
        snprintf(fake->last_authorization, sizeof(fake->last_authorization), "%s",
                 header_of(req, "Authorization"));
    }
    fake->calls[place]++;
    const struct fake_fault *fault = strike(fake, place);
    if (fault != NULL && fault->error != NULL)
        return error_set(err, fault->error, "made to fail by the test");
    if (fault != NULL) {
        respond(resp, arena, fault->status, fault->body != NULL ? fault->body : "");
        if (fault->header != NULL) {
            struct httpc_header *headers = arena_zalloc(arena, 1, sizeof(*headers));
            *headers = (struct httpc_header){ fault->header, fault->header_value };
            resp->headers = headers;
            resp->header_count = 1;
        }
        return true;
    }
    answer(fake, req, place, resp, arena);
    return true;
}

/* ---- Anisette's conversation ---- */

static bool say(const struct websocket_dialog *dialog, const char *text, const char *want,
                enum websocket_verdict *verdict, struct error *err)
{
    struct buf reply = { 0 };
    *verdict = dialog->message(dialog->self, text, strlen(text), &reply, err);
    bool good = *verdict == WEBSOCKET_GO_ON && strstr(buf_text(&reply), want) != NULL;
    buf_free(&reply);
    return good;
}

static bool converse(struct websocket_client *self, const char *url, int64_t timeout,
                     const struct websocket_dialog *dialog, struct error *err)
{
    struct fake_apple *fake = (struct fake_apple *)((char *)self - offsetof(struct fake_apple, websocket));
    enum websocket_verdict verdict;
    CHECK(strstr(url, "/v3/provisioning_session") != NULL && strncmp(url, "ws", 2) == 0 && timeout > 0);
    if (!say(dialog, "{\"result\":\"GiveIdentifier\"}", "identifier", &verdict, err) ||
        !say(dialog, "{\"result\":\"GiveStartProvisioningData\"}", "\"spim\":\"U1BJTQ==\"", &verdict, err) ||
        !say(dialog, "{\"result\":\"GiveEndProvisioningData\",\"cpim\":\"Q1BJTQ==\"}", "\"ptm\":\"UFRN\"",
             &verdict, err))
        return false;
    say(dialog, "{\"result\":\"ProvisioningSuccess\",\"adi_pb\":\"QURJLVBC\"}", "", &verdict, err);
    fake->provisioned |= verdict == WEBSOCKET_DONE;
    return verdict == WEBSOCKET_DONE;
}

/* ---- clock, life ---- */

static int64_t now(void *self)
{
    return ((struct fake_apple *)self)->now;
}

static void sleep_for(void *self, int64_t usec)
{
    struct fake_apple *fake = self;
    fake->now += usec;
    fake->slept += usec;
}

void fake_apple_init(struct fake_apple *fake)
{
    memset(fake, 0, sizeof(*fake));
    fake->http.request = request;
    fake->websocket.converse = converse;
    fake->clock = (struct clock){ .now = now, .sleep = sleep_for, .self = fake };
    fake->now = FAKE_START;
    fake->username = "user@example.com";
    fake->password = "correct horse";
    fake->form = "s2k";
    fake->code = "012345";
    fake->has_v3 = true;
    fake->arena = arena_new();
}

void fake_apple_free(struct fake_apple *fake)
{
    arena_free(fake->arena);
}

void fake_fault(struct fake_apple *fake, struct fake_fault fault)
{
    CHECK(fake->fault_count < FAKE_MAX_FAULTS);
    fake->faults[fake->fault_count++] = fault;
}

/* ---- an environment around it ---- */

static bool save(void *self, const struct account *account, struct error *err)
{
    struct fake_env *env = self;
    bool crash = ++env->saves == env->crash_at;
    if (!crash || env->crash_stores) {
        buf_clear(&env->stored);
        account_write(account, &env->stored);
    }
    return !crash || error_set(err, "account_write", "the process was killed");
}

static void connect_env(struct fake_env *env, const struct profile *profile)
{
    struct error err;
    env->anisette = anisette_new("http://anisette-a,http://anisette-b", profile, &env->apple.http,
                                 &env->apple.websocket, &env->apple.clock, &err);
    CHECK(env->anisette != NULL);
    env->provider = (struct provider){
        .profile = profile, .http = &env->apple.http, .clock = &env->apple.clock, .anisette = env->anisette
    };
    env->env = (struct account_env){ .provider = &env->provider, .save = save, .self = env };
}

void fake_env_init(struct fake_env *env, const struct profile *profile)
{
    struct error err;
    memset(env, 0, sizeof(*env));
    fake_apple_init(&env->apple);
    env->stored.secret = true;
    connect_env(env, profile);
    CHECK(
        account_init(&env->account, "main", env->apple.username, env->apple.password, env->apple.now, &err));
    account_write(&env->account, &env->stored);
}

void fake_env_free(struct fake_env *env)
{
    anisette_free(env->anisette);
    buf_wipe(&env->stored);
    fake_apple_free(&env->apple);
}

void fake_env_restart(struct fake_env *env)
{
    struct error err;
    bool attended = env->env.attended;
    anisette_free(env->anisette);
    connect_env(env, env->provider.profile);
    env->env.attended = attended;
    env->crash_at = 0;
    CHECK(account_read(&env->account, env->stored.data, env->stored.len, &err));
}
