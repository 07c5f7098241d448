/* Requests for reports and reading of answers: pure functions of their inputs. */
#include <jansson.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/json.h"
#include "base/parse.h"
#include "findmy/fetch.h"
#include "findmy/jsonx.h"
#include "findmy/report.h"

/* ---- requests ---- */

static bool in_list(const struct profile *profile, const struct fetch_id *id, bool secondary)
{
    if (id->kind != FETCH_STATIC)
        return (id->kind == FETCH_SECONDARY) == secondary;
    return profile->fetch.list == PROFILE_LIST_BOTH ||
           (profile->fetch.list == PROFILE_LIST_SECONDARY) == secondary;
}

static void write_id(struct json *json, const struct fetch_id *id)
{
    char text[BASE64_SIZE(FINDMY_HASH_SIZE)];
    base64_encode(id->hash, FINDMY_HASH_SIZE, text);
    json_text(json, text);
}

static void write_list(struct json *json, const char *key, const struct profile *profile,
                       const struct fetch_id *ids, size_t count, bool secondary)
{
    json_key(json, key);
    json_start_array(json);
    for (size_t i = 0; i < count; i++)
        if (in_list(profile, &ids[i], secondary))
            write_id(json, &ids[i]);
    json_end_array(json);
}

static void write_v1(struct json *json, const struct fetch_id *ids, size_t count, int64_t from_ms,
                     int64_t to_ms)
{
    json_key(json, "search");
    json_start_array(json);
    json_start_object(json);
    json_put_int(json, "startDate", from_ms);
    json_put_int(json, "endDate", to_ms);
    json_key(json, "ids");
    json_start_array(json);
    for (size_t i = 0; i < count; i++)
        write_id(json, &ids[i]);
    json_end_array(json);
    json_end_object(json);
    json_end_array(json);
}

/* All ids stand in one object of `fetch`: of several only the first is answered (facts 3.5). */
static void write_v2(struct json *json, const struct profile *profile, const struct fetch_id *ids,
                     size_t count, int64_t from_ms, int64_t to_ms)
{
    json_key(json, "clientContext");
    json_start_object(json);
    json_put_text(json, "clientBundleIdentifier", profile->fetch.bundle);
    json_put_text(json, "policy", profile->fetch.policy);
    json_end_object(json);
    json_key(json, "fetch");
    json_start_array(json);
    json_start_object(json);
    json_key(json, "ownedDeviceIds");
    json_start_array(json);
    json_end_array(json);
    json_put_int(json, "keyType", 1);
    json_put_int(json, "startDate", from_ms);
    json_put_int(json, "startDateSecondary", from_ms);
    json_put_int(json, "endDate", to_ms);
    write_list(json, "primaryIds", profile, ids, count, false);
    write_list(json, "secondaryIds", profile, ids, count, true);
    json_end_object(json);
    json_end_array(json);
}

char *fetch_body(const struct profile *profile, enum profile_api api, const struct fetch_id *ids,
                 size_t count, int64_t from, int64_t to, struct arena *arena, size_t *len)
{
    struct buf out = { 0 };
    struct json json;
    json_begin(&json, &out);
    json_start_object(&json);
    if (api == PROFILE_API_V1)
        write_v1(&json, ids, count, from / 1000, to / 1000);
    else
        write_v2(&json, profile, ids, count, from / 1000, to / 1000);
    json_end_object(&json);
    *len = out.len;
    char *body = arena_strndup(arena, buf_text(&out), out.len);
    buf_free(&out);
    return body;
}

const char *fetch_url(const struct profile *profile, enum profile_api api)
{
    return api == PROFILE_API_V1 ? profile->endpoints.fetch_v1 : profile->endpoints.fetch_v2;
}

size_t fetch_batch(size_t left, int64_t limit)
{
    return left < (size_t)limit ? left : (size_t)limit;
}

/* ---- answers ---- */

struct reader {
    struct fetch_answer *answer;
    const struct fetch_id *ids;
    size_t *order; /* indices of ids, sorted by hash */
    size_t count, room;
    struct arena *arena;
};

static int compare_hashes(const void *a, const void *b, void *self)
{
    const struct reader *reader = self;
    return memcmp(reader->ids[*(const size_t *)a].hash, reader->ids[*(const size_t *)b].hash,
                  FINDMY_HASH_SIZE);
}

static void sort_ids(struct reader *reader)
{
    reader->order = arena_zalloc(reader->arena, reader->count + 1, sizeof(size_t));
    for (size_t i = 0; i < reader->count; i++)
        reader->order[i] = i;
    qsort_r(reader->order, reader->count, sizeof(size_t), compare_hashes, reader);
}

/* Index of the id with that text, in any spelling of base64. */
static bool find_id(const struct reader *reader, const char *text, size_t *index)
{
    uint8_t hash[FINDMY_HASH_SIZE];
    size_t low = 0, high = reader->count;
    if (text == NULL || !base64_decode_exact(text, hash, sizeof(hash)))
        return false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(reader->ids[reader->order[middle]].hash, hash, FINDMY_HASH_SIZE) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == reader->count || memcmp(reader->ids[reader->order[low]].hash, hash, FINDMY_HASH_SIZE) != 0)
        return false;
    *index = reader->order[low];
    return true;
}

static struct fetch_report *new_report(struct reader *reader)
{
    struct fetch_answer *answer = reader->answer;
    if (answer->count == reader->room) {
        size_t room = reader->room != 0 ? reader->room * 2 : 64;
        struct fetch_report *grown = arena_alloc(reader->arena, room * sizeof(*grown));
        if (answer->count > 0)
            memcpy(grown, answer->reports, answer->count * sizeof(*grown));
        answer->reports = grown;
        reader->room = room;
    }
    return &answer->reports[answer->count++];
}

static void take_report(struct reader *reader, const char *id_text, const char *payload, int64_t published)
{
    uint8_t bytes[REPORT_LONG];
    struct report_envelope envelope;
    size_t index, len;
    if (!find_id(reader, id_text, &index)) {
        reader->answer->counts.ignored++;
    } else if (payload == NULL || report_decode(payload, strlen(payload), bytes, &len) != REPORT_OK ||
               report_parse(bytes, len, &envelope) != REPORT_OK) {
        reader->answer->counts.malformed++;
    } else {
        *new_report(reader) = (struct fetch_report){
            .id = index,
            .payload = arena_memdup(reader->arena, bytes, len),
            .len = len,
            .time = envelope.time,
            .published = published,
        };
    }
}

static int64_t publication(const json_t *item)
{
    const json_t *value = json_object_get(item, "datePublished");
    int64_t ms = json_integer_value(value);
    return json_is_integer(value) && ms > 0 && ms < TIME_MAX / 1000 ? ms * 1000 : FETCH_NO_TIME;
}

static void read_v1(struct reader *reader, const json_t *results)
{
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *item = json_array_get(results, i);
        take_report(reader, jsonx_text(item, "id"), jsonx_text(item, "payload"), publication(item));
    }
}

static void read_v2(struct reader *reader, const json_t *payloads)
{
    for (size_t i = 0; i < json_array_size(payloads); i++) {
        const json_t *item = json_array_get(payloads, i), *infos = json_object_get(item, "locationInfo");
        for (size_t k = 0; k < json_array_size(infos); k++)
            take_report(reader, jsonx_text(item, "id"), json_string_value(json_array_get(infos, k)),
                        FETCH_NO_TIME);
    }
}

/* ---- order and doubles ---- */

static int compare_payloads(const struct fetch_report *a, const struct fetch_report *b)
{
    uint8_t hash_a[SHA256_DIGEST_LENGTH], hash_b[SHA256_DIGEST_LENGTH];
    if (a->len == b->len && memcmp(a->payload, b->payload, a->len) == 0)
        return 0;
    SHA256(a->payload, a->len, hash_a);
    SHA256(b->payload, b->len, hash_b);
    return memcmp(hash_a, hash_b, sizeof(hash_a));
}

static int compare_reports(const void *left, const void *right)
{
    const struct fetch_report *a = left, *b = right;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    int order = compare_payloads(a, b);
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

static void sort_reports(struct fetch_answer *answer)
{
    size_t kept = 0;
    if (answer->count == 0)
        return;
    qsort(answer->reports, answer->count, sizeof(answer->reports[0]), compare_reports);
    for (size_t i = 0; i < answer->count; i++) {
        const struct fetch_report *report = &answer->reports[i],
                                  *last = &answer->reports[kept > 0 ? kept - 1 : 0];
        if (kept > 0 && last->id == report->id && compare_payloads(last, report) == 0)
            answer->counts.duplicates++;
        else
            answer->reports[kept++] = *report;
    }
    answer->count = kept;
}

/* ---- status ---- */

static void end(struct fetch_answer *answer, enum fetch_outcome outcome, const char *message)
{
    answer->outcome = outcome;
    snprintf(answer->message, sizeof(answer->message), "%s", message);
}

static enum fetch_outcome outcome_of(const struct profile *profile, int64_t status)
{
    int fallback = status >= 500   ? FETCH_SERVER_ERROR
                   : status >= 400 ? FETCH_BAD_REQUEST
                                   : FETCH_BAD_RESPONSE;
    return (enum fetch_outcome)profile_outcome(&profile->status_fetch, status, fallback);
}

static bool blank(const char *body, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (body[i] != ' ' && body[i] != '\t' && body[i] != '\r' && body[i] != '\n')
            return false;
    return true;
}

/* The inner status is text, at times a number; absent counts as good when the list is there. */
static bool inner_status_good(const struct profile *profile, const json_t *where, struct fetch_answer *answer)
{
    const json_t *value = json_object_get(where, "statusCode");
    int64_t status = json_integer_value(value);
    if (value == NULL)
        return true;
    if (json_is_string(value) && !parse_i64(json_string_value(value), &status))
        status = 0;
    if (status == 200)
        return true;
    enum fetch_outcome outcome = outcome_of(profile, status);
    char message[80];
    snprintf(message, sizeof(message), "the answer reports status %lld inside", (long long)status);
    end(answer, outcome != FETCH_OK ? outcome : FETCH_SERVER_ERROR, message);
    return false;
}

static void unknown_shape(struct fetch_answer *answer)
{
    answer->foreign = true;
    end(answer, FETCH_BAD_RESPONSE, "the answer has a form that is not known");
}

static void read_document(const struct profile *profile, enum profile_api api, const json_t *root,
                          struct reader *reader)
{
    struct fetch_answer *answer = reader->answer;
    const json_t *where = api == PROFILE_API_V1 ? root : json_object_get(root, "acsnLocations");
    const json_t *list = json_object_get(where, api == PROFILE_API_V1 ? "results" : "locationPayload");
    if (!json_is_object(where)) {
        unknown_shape(answer);
        return;
    }
    if (!inner_status_good(profile, where, answer))
        return;
    bool empty_v2 = api == PROFILE_API_V2 && (list == NULL || json_is_null(list));
    if (!json_is_array(list) && !empty_v2) {
        unknown_shape(answer);
        return;
    }
    sort_ids(reader);
    if (api == PROFILE_API_V1)
        read_v1(reader, list);
    else
        read_v2(reader, list);
    sort_reports(answer);
    end(answer, FETCH_OK, "");
}

void fetch_read(const struct profile *profile, enum profile_api api, int status, const char *body, size_t len,
                const struct fetch_id *ids, size_t count, struct arena *arena, struct fetch_answer *answer)
{
    memset(answer, 0, sizeof(*answer));
    enum fetch_outcome by_status = outcome_of(profile, status);
    if (by_status != FETCH_OK) {
        char message[48];
        snprintf(message, sizeof(message), "HTTP status %d", status);
        end(answer, by_status, message);
        return;
    }
    if (blank(body, len)) {
        end(answer, FETCH_RETRY_EMPTY, "the answer is empty");
        return;
    }
    json_t *root = jsonx_parse(body, len, (size_t)profile->fetch.max_answer);
    if (root == NULL) {
        end(answer, FETCH_BAD_RESPONSE, "the answer is not JSON, or cut off");
        return;
    }
    struct reader reader = { .answer = answer, .ids = ids, .count = count, .arena = arena };
    read_document(profile, api, root, &reader);
    jsonx_free(root);
}
