/* Vectors of Apple's report server and of Anisette servers: fetch-requests, fetch-responses, anisette. */
#include <inttypes.h>
#include <openssl/sha.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "base/timeutil.h"
#include "findmy/anisette.h"
#include "findmy/fetch.h"
#include "findmy/keys.h"
#include "findmy/report.h"
#include "vectors.h"

/* ---- fetch-requests ---- */

static size_t add_ids(struct vec *vec, const char *key, enum fetch_kind kind, struct fetch_id *ids,
                      size_t count)
{
    json_t *list = vec_array(vec, vec->root, key);
    for (size_t i = 0; i < json_array_size(list); i++, count++) {
        ids[count].kind = kind;
        if (!base64_decode_exact(json_string_value(json_array_get(list, i)), ids[count].hash,
                                 FINDMY_HASH_SIZE))
            vec_fail(vec, "%s holds no id", key);
    }
    return count;
}

static void request(struct vec *vec, enum profile_api api)
{
    const struct profile *profile = profile_default();
    json_t *expect = vec_object(vec, vec->root, "expect");
    int64_t to = vec_int(vec, vec->root, "now_unix") * USEC_PER_SEC;
    int64_t from = to - DAYS(vec_int(vec, vec->root, "days"));
    struct fetch_id *ids = arena_zalloc(vec->arena, 10000, sizeof(*ids));
    size_t count = 0, len;
    if (vec_has(vec->root, "ids"))
        count = add_ids(vec, "ids", FETCH_STATIC, ids, count);
    if (vec_has(vec->root, "primary_ids"))
        count = add_ids(vec, "primary_ids", FETCH_PRIMARY, ids, count);
    if (vec_has(vec->root, "secondary_ids"))
        count = add_ids(vec, "secondary_ids", FETCH_SECONDARY, ids, count);

    char *body = fetch_body(profile, api, ids, count, from, to, vec->arena, &len);
    json_t *got = json_loadb(body, len, 0, NULL);
    if (!json_equal(got, vec_whole(vec, expect, "body")))
        vec_fail(vec, "another body: %s", body);
    json_decref(got);
    vec_same_text(vec, expect, "url", fetch_url(profile, api));
    vec_same_text(vec, expect, "method", "POST");
}

static void batches(struct vec *vec)
{
    json_t *expect = vec_array(vec, vec_object(vec, vec->root, "expect"), "batches");
    size_t left = (size_t)vec_int(vec, vec->root, "count"), i = 0;
    int64_t limit = vec_int(vec, vec->root, "limit");
    for (size_t n; left > 0; left -= n, i++) {
        n = fetch_batch(left, limit);
        if (json_integer_value(json_array_get(expect, i)) != (json_int_t)n)
            vec_fail(vec, "request %zu has %zu ids", i, n);
    }
    if (i != json_array_size(expect))
        vec_fail(vec, "%zu requests", i);
}

static void run_requests(struct vec *vec)
{
    const char *api = vec_text(vec, vec->root, "api");
    if (strcmp(api, "v1") == 0) {
        request(vec, PROFILE_API_V1);
    } else if (strcmp(api, "v2") == 0) {
        request(vec, PROFILE_API_V2);
    } else if (strcmp(api, "batch") == 0) {
        batches(vec);
    } else if (strcmp(api, "auth") == 0) {
        const char *dsid = vec_text(vec, vec->root, "dsid"),
                   *token = vec_text(vec, vec->root, "search_party_token");
        vec_same_text(vec, vec_object(vec, vec->root, "expect"), "authorization",
                      httpc_basic(vec->arena, dsid, token));
    } else {
        vec_fail(vec, "unknown api %s", api);
    }
}

/* ---- fetch-responses ---- */

struct known {
    struct fetch_id *ids;
    uint8_t (*private_keys)[FINDMY_PRIVATE_SIZE];
    size_t count;
};

static void read_known(struct vec *vec, struct known *known)
{
    json_t *list = vec_array(vec, vec->root, "known_private_hex");
    struct findmy_public public_key;
    struct error err;
    known->count = json_array_size(list);
    known->ids = arena_zalloc(vec->arena, known->count + 1, sizeof(*known->ids));
    known->private_keys = arena_zalloc(vec->arena, known->count + 1, FINDMY_PRIVATE_SIZE);
    for (size_t i = 0; i < known->count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text == NULL || !hex_decode_exact(text, known->private_keys[i], FINDMY_PRIVATE_SIZE) ||
            !findmy_derive(known->private_keys[i], &public_key, &err))
            vec_fail(vec, "known_private_hex holds no key");
        else
            memcpy(known->ids[i].hash, public_key.hash, FINDMY_HASH_SIZE);
    }
}

static void same_report(struct vec *vec, json_t *want, const struct fetch_report *got,
                        const struct report *report, const struct known *known)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(got->payload, got->len, digest);
    vec_same_b64(vec, want, "hashed_b64", known->ids[got->id].hash, FINDMY_HASH_SIZE);
    vec_same_hex(vec, want, "payload_sha256", digest, sizeof(digest));
    vec_same_int(vec, want, "timestamp_unix", got->time / USEC_PER_SEC);
    vec_same_time(vec, want, "timestamp", report->time);
    if (got->published == FETCH_NO_TIME)
        vec_same_text(vec, want, "published_ms", NULL);
    else
        vec_same_int(vec, want, "published_ms", got->published / 1000);
    vec_same_int(vec, want, "confidence", report->confidence);
    vec_same_int(vec, want, "lat_e7", report->lat_e7);
    vec_same_int(vec, want, "lon_e7", report->lon_e7);
    vec_same_int(vec, want, "accuracy", report->accuracy);
    vec_same_int(vec, want, "status", report->status);
}

static void same_count(struct vec *vec, json_t *expect, const char *key, uint64_t got)
{
    if (vec_has(expect, key))
        vec_same_int(vec, expect, key, (int64_t)got);
    else if (got != 0)
        vec_fail(vec, "%s: want none, got %" PRIu64, key, got);
}

static void run_responses(struct vec *vec)
{
    const char *api = vec_text(vec, vec->root, "api"), *body = vec_text(vec, vec->root, "body");
    json_t *expect = vec_object(vec, vec->root, "expect"), *reports = vec_array(vec, expect, "reports");
    struct known known;
    struct fetch_answer answer;
    struct report report;
    size_t opened = 0, failed = 0;
    if (strcmp(api, "v1") != 0 && strcmp(api, "v2") != 0)
        vec_fail(vec, "unknown api %s", api);
    read_known(vec, &known);
    fetch_read(profile_default(), strcmp(api, "v1") == 0 ? PROFILE_API_V1 : PROFILE_API_V2,
               (int)vec_int(vec, vec->root, "http_status"), body, strlen(body), known.ids, known.count,
               vec->arena, &answer);
    vec_same_text(vec, expect, "outcome", fetch_outcome_names[answer.outcome]);
    for (size_t i = 0; i < answer.count; i++) {
        const struct fetch_report *got = &answer.reports[i];
        if (report_open(got->payload, got->len, known.private_keys[got->id], &report) != REPORT_OK)
            failed++;
        else if (opened < json_array_size(reports))
            same_report(vec, json_array_get(reports, opened++), got, &report, &known);
        else
            opened++;
    }
    if (opened != json_array_size(reports))
        vec_fail(vec, "%zu reports, not %zu", opened, json_array_size(reports));
    same_count(vec, expect, "duplicates", answer.counts.duplicates);
    same_count(vec, expect, "ignored", answer.counts.ignored);
    same_count(vec, expect, "malformed", answer.counts.malformed);
    same_count(vec, expect, "undecryptable", failed);
}

/* ---- anisette ---- */

static void same_values(struct vec *vec, json_t *expect, const struct anisette_values *values)
{
    vec_same_text(vec, expect, "otp", values->otp);
    vec_same_text(vec, expect, "machine", values->machine);
    vec_same_text(vec, expect, "rinfo", values->routing);
}

/* The user and device of a v1 server stand in its answer; we never pass them on, so only their presence is
 * seen. */
static void headers(struct vec *vec, bool v1)
{
    static const char *const results[] = { "ok", "reprovision", "error" };
    const char *body = vec_text(vec, vec->root, "body");
    int status = (int)vec_int(vec, vec->root, "http_status");
    json_t *expect = vec_object(vec, vec->root, "expect");
    struct anisette_values values = { 0 };
    struct error err;
    enum anisette_answer answer = v1 ? anisette_read_v1(status, body, strlen(body), &values, &err)
                                     : anisette_read_v3(status, body, strlen(body), &values, &err);
    vec_same_text(vec, expect, "result", results[answer]);
    if (answer == ANISETTE_ANSWER_OK)
        same_values(vec, expect, &values);
    if (v1 && answer == ANISETTE_ANSWER_OK) {
        json_t *root = json_loads(body, 0, NULL);
        vec_same_text(vec, expect, "local_user", json_string_value(json_object_get(root, "X-Apple-I-MD-LU")));
        vec_same_text(vec, expect, "device", json_string_value(json_object_get(root, "X-Mme-Device-Id")));
        json_decref(root);
    }
}

static void client_info(struct vec *vec)
{
    const char *body = vec_text(vec, vec->root, "body"), *info = NULL, *agent = NULL;
    json_t *expect = vec_object(vec, vec->root, "expect");
    struct error err;
    enum anisette_answer answer = anisette_read_client_info((int)vec_int(vec, vec->root, "http_status"), body,
                                                            strlen(body), vec->arena, &info, &agent, &err);
    vec_same_text(vec, expect, "result", answer == ANISETTE_ANSWER_OK ? "ok" : "error");
    if (answer == ANISETTE_ANSWER_OK) {
        vec_same_text(vec, expect, "client_info", info);
        vec_same_text(vec, expect, "user_agent", agent);
    }
}

static void ids(struct vec *vec)
{
    json_t *expect = vec_object(vec, vec->root, "expect");
    uint8_t *identifier = vec_hex(vec, vec->root, "identifier_hex", ANISETTE_ID_SIZE, NULL);
    char device[ANISETTE_DEVICE_SIZE], user[ANISETTE_USER_SIZE];
    const char *compare = vec_text(vec, vec->root, "compare");
    if (strcmp(compare, "case-insensitive") != 0)
        vec_fail(vec, "unknown comparison %s", compare);
    anisette_device_id(identifier, device);
    anisette_local_user(identifier, user);
    vec_same_b64(vec, expect, "identifier_b64", identifier, ANISETTE_ID_SIZE);
    if (strcasecmp(vec_text(vec, expect, "device_id"), device) != 0)
        vec_fail(vec, "device id %s", device);
    if (strcasecmp(vec_text(vec, expect, "local_user"), user) != 0)
        vec_fail(vec, "local user %s", user);
}

/* Other projects' form of the local user, which accounts that come from them may have. */
static void local_user_of_uuid(struct vec *vec)
{
    const char *uuid = vec_text(vec, vec->root, "user_id");
    json_t *list = vec_array(vec, vec_object(vec, vec->root, "expect"), "any_of_b64");
    char upper[64] = "", as_given[BASE64_SIZE(64)], in_upper[BASE64_SIZE(64)];
    bool found = false;
    for (size_t i = 0; uuid[i] != '\0' && i < sizeof(upper) - 1; i++)
        upper[i] = (char)(uuid[i] >= 'a' && uuid[i] <= 'z' ? uuid[i] - 32 : uuid[i]);
    base64_encode(uuid, strnlen(uuid, 63), as_given);
    base64_encode(upper, strlen(upper), in_upper);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *form = json_string_value(json_array_get(list, i));
        found |= form != NULL && (strcmp(form, as_given) == 0 || strcmp(form, in_upper) == 0);
    }
    if (!found)
        vec_fail(vec, "neither %s nor %s", as_given, in_upper);
}

static void run_anisette(struct vec *vec)
{
    const char *kind = vec_text(vec, vec->root, "kind");
    if (strcmp(kind, "v1") == 0 || strcmp(kind, "v3-headers") == 0)
        headers(vec, strcmp(kind, "v1") == 0);
    else if (strcmp(kind, "v3-client-info") == 0)
        client_info(vec);
    else if (strcmp(kind, "v3-ids") == 0)
        ids(vec);
    else if (strcmp(kind, "lu-base64") == 0)
        local_user_of_uuid(vec);
    else
        vec_fail(vec, "unknown kind %s", kind);
}

static const struct vec_kind kinds[] = {
    { "fetch-requests", run_requests },
    { "fetch-responses", run_responses },
    { "anisette", run_anisette },
};

const struct vec_group vec_group_apple = { kinds, sizeof(kinds) / sizeof(kinds[0]) };
