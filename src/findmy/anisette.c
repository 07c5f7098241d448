/* Anisette client for v1 and v3 servers with failover. Provisioning is in anisette_provision.c. */
#include "findmy/anisette.h"

#include <jansson.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/parse.h"
#include "findmy/anisette_private.h"
#include "findmy/jsonx.h"
#include "findmy/plistx.h"

const char *const anisette_mode_names[] = { "unknown", "v1", "v3", NULL };

/* ---- life ---- */

static bool add_server(struct anisette *anisette, const char *url, size_t len, struct error *err)
{
    while (len > 0 && (url[len - 1] == '/' || url[len - 1] == ' '))
        len--;
    while (len > 0 && *url == ' ') {
        url++;
        len--;
    }
    if (len == 0)
        return true;
    if (anisette->server_count == ANISETTE_MAX_SERVERS)
        return error_set(err, "anisette_invalid", "more than %d Anisette servers are given",
                         ANISETTE_MAX_SERVERS);
    if (len >= ANISETTE_MAX_URL || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))
        return error_set(
            err, "anisette_invalid",
            "the address of an Anisette server must begin with http:// or https:// and be shorter than %d",
            ANISETTE_MAX_URL);
    if (memchr(url, '@', len) != NULL) /* the address is logged */
        return error_set(err, "anisette_invalid",
                         "the address of an Anisette server must hold no user or password");
    struct anisette_server *server = &anisette->servers[anisette->server_count++];
    memcpy(server->url, url, len);
    server->url[len] = '\0';
    return true;
}

struct anisette *anisette_new(const char *urls, const struct profile *profile, struct http_client *http,
                              struct websocket_client *websocket, const struct clock *clock,
                              struct error *err)
{
    struct anisette *anisette = calloc(1, sizeof(*anisette));
    if (anisette == NULL) {
        error_set(err, "anisette_invalid", "out of memory");
        return NULL;
    }
    anisette->profile = profile;
    anisette->http = http;
    anisette->websocket = websocket;
    anisette->clock = clock;
    anisette->arena = arena_new();
    for (const char *at = urls; *at != '\0';) {
        size_t len = strcspn(at, ",");
        if (!add_server(anisette, at, len, err)) {
            anisette_free(anisette);
            return NULL;
        }
        at += len + (at[len] == ',');
    }
    if (anisette->server_count == 0) {
        error_set(err, "anisette_invalid", "no Anisette server is given (ANISETTE_URL)");
        anisette_free(anisette);
        return NULL;
    }
    return anisette;
}

void anisette_free(struct anisette *anisette)
{
    if (anisette == NULL)
        return;
    arena_free(anisette->arena);
    wipe(anisette, sizeof(*anisette));
    free(anisette);
}

bool anisette_state_new(struct anisette_state *state, struct error *err)
{
    memset(state, 0, sizeof(*state));
    state->changed = true;
    return RAND_priv_bytes(state->identifier, sizeof(state->identifier)) == 1 ||
           error_set(err, "internal", "no random numbers");
}

void anisette_forget(struct anisette *anisette)
{
    wipe(&anisette->cached, sizeof(anisette->cached));
    anisette->is_cached = false;
}

void anisette_reprovision(struct anisette *anisette, struct anisette_state *state)
{
    anisette_forget(anisette);
    wipe(state->blob, sizeof(state->blob));
    state->blob_len = 0;
    state->changed = true;
}

/* ---- identity ---- */

void anisette_device_id(const uint8_t identifier[ANISETTE_ID_SIZE], char out[ANISETTE_DEVICE_SIZE])
{
    static const size_t dashes[] = { 4, 6, 8, 10 };
    size_t at = 0, dash = 0;
    for (size_t i = 0; i < ANISETTE_ID_SIZE; i++) {
        if (dash < ARRAY_LEN(dashes) && i == dashes[dash]) {
            out[at++] = '-';
            dash++;
        }
        snprintf(out + at, 3, "%02X", identifier[i]);
        at += 2;
    }
}

void anisette_local_user(const uint8_t identifier[ANISETTE_ID_SIZE], char out[ANISETTE_USER_SIZE])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(identifier, ANISETTE_ID_SIZE, digest);
    hex_encode(digest, sizeof(digest), out);
}

/* ---- reading answers ---- */

static bool take_value(const json_t *root, const char *name, char *out, size_t size)
{
    return httpc_take_value(out, size, jsonx_text_nocase(root, name));
}

static bool take_values(const json_t *root, struct anisette_values *values)
{
    struct anisette_values read = { 0 };
    const json_t *routing = jsonx_member_nocase(root, "X-Apple-I-MD-RINFO");
    if (!take_value(root, "X-Apple-I-MD", read.otp, sizeof(read.otp)) ||
        !take_value(root, "X-Apple-I-MD-M", read.machine, sizeof(read.machine)))
        return false;
    if (json_is_integer(routing))
        snprintf(read.routing, sizeof(read.routing), "%lld", (long long)json_integer_value(routing));
    else if (routing != NULL && !take_value(root, "X-Apple-I-MD-RINFO", read.routing, sizeof(read.routing)))
        return false;
    *values = read;
    return true;
}

enum anisette_answer anisette_read_v1(int status, const char *body, size_t len,
                                      struct anisette_values *values, struct error *err)
{
    json_t *root = status == 200 ? jsonx_parse(body, len, ANISETTE_MAX_ANSWER) : NULL;
    bool ok = json_is_object(root) && take_values(root, values);
    jsonx_free(root);
    if (ok)
        return ANISETTE_ANSWER_OK;
    error_set(err, "anisette_refused", "the Anisette server gave no usable headers (HTTP %d)", status);
    return ANISETTE_ANSWER_ERROR;
}

enum anisette_answer anisette_read_v3(int status, const char *body, size_t len,
                                      struct anisette_values *values, struct error *err)
{
    enum anisette_answer answer = ANISETTE_ANSWER_ERROR;
    json_t *root = status == 200 ? jsonx_parse(body, len, ANISETTE_MAX_ANSWER) : NULL;
    const char *result = jsonx_text(root, "result"), *message = jsonx_text(root, "message");

    error_set(err, "anisette_refused", "the Anisette server gave no usable headers (HTTP %d)", status);
    if (result != NULL && strcmp(result, "Headers") == 0 && take_values(root, values)) {
        answer = ANISETTE_ANSWER_OK;
    } else if (result != NULL && strcmp(result, "GetHeadersError") == 0 && message != NULL) {
        if (strstr(message, "-45061") != NULL) /* "not provisioned" of Apple's library */
            answer = ANISETTE_ANSWER_REPROVISION;
        error_set(err, "anisette_refused", "the Anisette server reports: %.120s", message);
    }
    jsonx_free(root);
    return answer;
}

enum anisette_answer anisette_read_client_info(int status, const char *body, size_t len, struct arena *arena,
                                               const char **client_info, const char **user_agent,
                                               struct error *err)
{
    json_t *root = status == 200 ? jsonx_parse(body, len, ANISETTE_MAX_ANSWER) : NULL;
    const char *info = jsonx_text(root, "client_info"), *agent = jsonx_text(root, "user_agent");
    bool ok = info != NULL && agent != NULL && httpc_value_safe(info) && httpc_value_safe(agent);
    if (ok) {
        *client_info = arena_strdup(arena, info);
        *user_agent = arena_strdup(arena, agent);
    }
    jsonx_free(root);
    if (ok)
        return ANISETTE_ANSWER_OK;
    error_set(err, "anisette_refused", "the Anisette server gave no client info (HTTP %d)", status);
    return ANISETTE_ANSWER_ERROR;
}

/* ---- asking one server ---- */

static bool server_request(struct anisette *anisette, const struct anisette_server *server, const char *path,
                           const char *body, struct http_in *resp, struct arena *arena, struct error *err)
{
    const struct httpc_header json[] = { { "Content-Type", "application/json" } };
    const struct http_out req = {
        .url = arena_printf(arena, "%s%s", server->url, path),
        .headers = body != NULL ? json : NULL,
        .header_count = body != NULL ? ARRAY_LEN(json) : 0,
        .body = body,
        .body_len = body != NULL ? strlen(body) : 0,
        .timeout = anisette->profile->anisette.timeout,
        .max_body = ANISETTE_MAX_ANSWER,
    };
    return httpc_request(anisette->http, &req, resp, arena, err) ||
           error_prefix(err, "Anisette server %s", server->url);
}

/* Does this server speak v3? Only asked while the account's mode is not known. */
static bool find_mode(struct anisette *anisette, const struct anisette_server *server,
                      struct anisette_state *state, struct arena *arena, enum anisette_mode *mode,
                      struct error *err)
{
    struct http_in resp;
    const char *info, *agent;
    if (state->mode != ANISETTE_UNKNOWN) {
        *mode = state->mode;
        return true;
    }
    if (!server_request(anisette, server, "/v3/client_info", NULL, &resp, arena, err))
        return false;
    if (anisette_read_client_info(resp.status, resp.body, resp.body_len, arena, &info, &agent, err) ==
        ANISETTE_ANSWER_OK)
        *mode = ANISETTE_V3;
    else if (resp.status == 404 || resp.status == 405 || resp.status == 501)
        *mode = ANISETTE_V1;
    else
        return false;
    return true;
}

static enum anisette_answer ask_v1(struct anisette *anisette, const struct anisette_server *server,
                                   struct anisette_values *values, struct arena *arena, struct error *err)
{
    struct http_in resp;
    if (!server_request(anisette, server, "/", NULL, &resp, arena, err))
        return ANISETTE_ANSWER_ERROR;
    return anisette_read_v1(resp.status, resp.body, resp.body_len, values, err);
}

static enum anisette_answer ask_v3(struct anisette *anisette, const struct anisette_server *server,
                                   const struct anisette_state *state, struct anisette_values *values,
                                   struct arena *arena, struct error *err)
{
    struct http_in resp;
    char identifier[BASE64_SIZE(ANISETTE_ID_SIZE)];
    size_t size = BASE64_SIZE(state->blob_len);
    char *blob = arena_secret(arena, size);
    base64_encode(state->identifier, ANISETTE_ID_SIZE, identifier);
    base64_encode(state->blob, state->blob_len, blob);

    size_t body_size = size + sizeof(identifier) + 64;
    char *body = arena_secret(arena, body_size);
    snprintf(body, body_size, "{\"identifier\":\"%s\",\"adi_pb\":\"%s\"}", identifier, blob);
    if (!server_request(anisette, server, "/v3/get_headers", body, &resp, arena, err))
        return ANISETTE_ANSWER_ERROR;
    return anisette_read_v3(resp.status, resp.body, resp.body_len, values, err);
}

/* v3: provision when there is nothing yet or the server says so, at most once per call. */
static bool get_v3(struct anisette *anisette, const struct anisette_server *server,
                   struct anisette_state *state, struct anisette_values *values, struct arena *arena,
                   struct error *err)
{
    bool provisioned = false;
    for (;;) {
        if (state->blob_len == 0) {
            if (provisioned || !anisette_provision(anisette, server, state, err))
                return false;
            provisioned = true;
        }
        enum anisette_answer answer = ask_v3(anisette, server, state, values, arena, err);
        if (answer == ANISETTE_ANSWER_OK)
            return true;
        if (answer != ANISETTE_ANSWER_REPROVISION || provisioned)
            return false;
        LOG_WARN("anisette machine is not provisioned any more", LOG_TEXT("server", server->url));
        anisette_reprovision(anisette, state);
    }
}

static bool ask_server(struct anisette *anisette, const struct anisette_server *server,
                       struct anisette_state *state, struct anisette_values *values, struct error *err)
{
    struct arena *arena = arena_new();
    enum anisette_mode mode = ANISETTE_UNKNOWN;
    bool ok = find_mode(anisette, server, state, arena, &mode, err);
    if (ok && mode == ANISETTE_V3)
        ok = get_v3(anisette, server, state, values, arena, err);
    else if (ok)
        ok = ask_v1(anisette, server, values, arena, err) == ANISETTE_ANSWER_OK;

    /* From the first success on the account keeps to the mode, and in v1 to the server. */
    if (ok && state->mode == ANISETTE_UNKNOWN) {
        state->mode = mode;
        if (mode == ANISETTE_V1)
            memcpy(state->server, server->url, sizeof(state->server));
        state->changed = true;
    }
    arena_free(arena);
    return ok;
}

/* ---- choosing a server ---- */

/* The next server to try: in order of preference those that are not resting, then the one that rests least
 * longer. tried is a bit set. */
static struct anisette_server *next_server(struct anisette *anisette, const struct anisette_state *state,
                                           unsigned *tried, int64_t now)
{
    struct anisette_server *best = NULL;
    size_t best_index = 0;
    for (size_t i = 0; i < anisette->server_count; i++) {
        struct anisette_server *server = &anisette->servers[i];
        if ((*tried & 1u << i) != 0 ||
            (state->mode == ANISETTE_V1 && strcmp(server->url, state->server) != 0))
            continue;
        bool resting = server->not_before > now;
        if (best == NULL || (best->not_before > now && (!resting || server->not_before < best->not_before))) {
            best = server;
            best_index = i;
        }
    }
    if (best != NULL)
        *tried |= 1u << best_index;
    return best;
}

static void server_failed(struct anisette *anisette, struct anisette_server *server, int64_t now,
                          const struct error *err)
{
    int64_t pause = anisette->profile->anisette.retry;
    for (int i = 0; i < server->failures && pause < anisette->profile->anisette.max_retry; i++)
        pause *= 2;
    if (pause > anisette->profile->anisette.max_retry)
        pause = anisette->profile->anisette.max_retry;
    server->failures += server->failures < 30;
    server->not_before = now + pause;
    LOG_WARN("anisette server failed", LOG_TEXT("server", server->url), LOG_TEXT("code", err->code),
             LOG_TEXT("reason", err->message));
}

bool anisette_get(struct anisette *anisette, struct anisette_state *state, struct anisette_values *values,
                  struct error *err)
{
    int64_t now = clock_now(anisette->clock);
    const struct anisette_values *cached = &anisette->cached;
    if (anisette->is_cached && now >= cached->fetched_at &&
        now - cached->fetched_at < anisette->profile->anisette.cache &&
        memcmp(anisette->cached_for, state->identifier, ANISETTE_ID_SIZE) == 0) {
        *values = *cached;
        return true;
    }

    unsigned tried = 0;
    struct anisette_server *server;
    struct error last = { .code = "" };
    while ((server = next_server(anisette, state, &tried, now)) != NULL) {
        if (ask_server(anisette, server, state, values, &last)) {
            server->failures = 0;
            server->not_before = 0;
            values->fetched_at = now;
            anisette->cached = *values;
            anisette->is_cached = true;
            memcpy(anisette->cached_for, state->identifier, ANISETTE_ID_SIZE);
            return true;
        }
        if (error_is(&last, "anisette_provisioning"))
            return error_set(err, last.code, "%s",
                             last.message); /* Apple's fault, no other server would do better */
        server_failed(anisette, server, now, &last);
    }
    if (tried == 0)
        return error_set(err, "anisette_unavailable",
                         "this account's machine is the Anisette server %s, which is not configured",
                         state->server);
    bool refused = error_is(&last, "anisette_refused");
    return error_set(err, refused ? "anisette_refused" : "anisette_unavailable", "%s", last.message);
}

/* ---- putting the set into requests ---- */

/* Calls put(self, name, value) for each member of facts 8.1. */
static void each_member(const struct anisette_values *values, const struct anisette_state *state,
                        const struct profile *profile, int64_t now, struct arena *arena,
                        void (*put)(void *self, const char *name, const char *value), void *self)
{
    char device[ANISETTE_DEVICE_SIZE], user[ANISETTE_USER_SIZE], time[RFC3339_SIZE];
    anisette_device_id(state->identifier, device);
    anisette_local_user(state->identifier, user);
    time_format(now - now % USEC_PER_SEC, time);

    put(self, "X-Apple-I-MD", arena_strdup(arena, values->otp));
    put(self, "X-Apple-I-MD-M", arena_strdup(arena, values->machine));
    put(self, "X-Apple-I-MD-RINFO",
        values->routing[0] != '\0' ? arena_strdup(arena, values->routing) : profile->identity.routing);
    put(self, "X-Apple-I-MD-LU", arena_strdup(arena, user));
    put(self, "X-Mme-Device-Id", arena_strdup(arena, device));
    put(self, "X-Apple-I-SRL-NO", profile->identity.serial);
    put(self, "X-Apple-I-Client-Time", arena_strdup(arena, time));
    put(self, "X-Apple-I-TimeZone", profile->identity.time_zone);
    put(self, "X-Apple-Locale", profile->identity.locale);
    put(self, "loc", profile->identity.locale);
}

static void put_header(void *self, const char *name, const char *value)
{
    httpc_put(self, name, value);
}

static void put_entry(void *self, const char *name, const char *value)
{
    plist_dict_set_item(self, name, plist_new_string(value));
}

void anisette_put_headers(struct httpc_header_list *list, const struct anisette_values *values,
                          const struct anisette_state *state, const struct profile *profile, int64_t now,
                          struct arena *arena)
{
    each_member(values, state, profile, now, arena, put_header, list);
}

void anisette_put_dict(plist_t dict, const struct anisette_values *values, const struct anisette_state *state,
                       const struct profile *profile, int64_t now, struct arena *arena)
{
    each_member(values, state, profile, now, arena, put_entry, dict);
}
