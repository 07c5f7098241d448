/* Vectors of location reports: reports, reports-parse. */
#include <stdio.h>
#include <string.h>

#include "base/timeutil.h"
#include "findmy/report.h"
#include "vectors.h"

/* Degrees with seven digits, as the files write them. */
static void same_degrees(struct vec *vec, json_t *object, const char *key, int32_t e7)
{
    int64_t size = e7 < 0 ? -(int64_t)e7 : e7;
    char text[32];
    snprintf(text, sizeof(text), "%s%d.%07d", e7 < 0 ? "-" : "", (int)(size / 10000000),
             (int)(size % 10000000));
    vec_same_text(vec, object, key, text);
}

static void same_report(struct vec *vec, json_t *expect, const struct report *report)
{
    vec_same_int(vec, expect, "timestamp_unix", report->time / USEC_PER_SEC);
    vec_same_time(vec, expect, "timestamp", report->time);
    vec_same_int(vec, expect, "confidence", report->confidence);
    vec_same_int(vec, expect, "lat_e7", report->lat_e7);
    vec_same_int(vec, expect, "lon_e7", report->lon_e7);
    same_degrees(vec, expect, "lat", report->lat_e7);
    same_degrees(vec, expect, "lon", report->lon_e7);
    vec_same_int(vec, expect, "accuracy", report->accuracy);
    vec_same_int(vec, expect, "status", report->status);
    vec_same_int(vec, expect, "battery_bits", report_battery(report->status));
}

/* The text form says the same as the bytes. */
static void check_text(struct vec *vec, const uint8_t *payload, size_t len)
{
    const char *text = vec_text(vec, vec->root, "payload_b64");
    uint8_t decoded[REPORT_LONG];
    size_t got = 0;
    enum report_result result = report_decode(text, strlen(text), decoded, &got);
    bool fits = len == REPORT_SHORT || len == REPORT_LONG;
    if (result != (fits ? REPORT_OK : REPORT_LENGTH))
        vec_fail(vec, "payload_b64: %s", report_result_name(result));
    else if (fits && (got != len || memcmp(payload, decoded, len) != 0))
        vec_fail(vec, "payload_b64 and payload_hex differ");
}

static void check_hash(struct vec *vec, const uint8_t *private_key)
{
    struct findmy_public public_key;
    if (findmy_derive(private_key, &public_key, NULL))
        vec_same_b64(vec, vec->root, "hashed_b64", public_key.hash, FINDMY_HASH_SIZE);
}

static void run_reports(struct vec *vec)
{
    static const struct report nothing;
    size_t len, key_len;
    uint8_t *payload = vec_hex(vec, vec->root, "payload_hex", 0, &len);
    uint8_t *private_key = vec_hex(vec, vec->root, "private_hex", 0, &key_len);
    json_t *expect = vec_object(vec, vec->root, "expect");
    struct report report;
    memset(&report, 0xaa, sizeof(report));
    enum report_result result = report_open(payload, len, private_key, &report);
    if (key_len != FINDMY_PRIVATE_SIZE) { /* the import would have refused it */
        result = REPORT_KEY;
        report = nothing;
    }
    check_text(vec, payload, len);

    if (!vec_bool(vec, expect, "ok")) {
        /* hashed_b64 is what the report was filed under, not always the hash of this key */
        vec_whole(vec, vec->root, "hashed_b64");
        vec_same_text(vec, expect, "error", report_result_name(result));
        if (memcmp(&report, &nothing, sizeof(report)) != 0)
            vec_fail(vec, "part of a refused report was handed out");
        return;
    }
    check_hash(vec, private_key);
    if (result != REPORT_OK && result != REPORT_RANGE) {
        vec_fail(vec, "refused: %s", report_result_name(result));
        return;
    }
    vec_same_bool(vec, expect, "in_range", result == REPORT_OK);
    same_report(vec, expect, &report);
}

static void run_parse(struct vec *vec)
{
    size_t len;
    uint8_t *payload = vec_hex(vec, vec->root, "payload_hex", 0, &len);
    json_t *expect = vec_object(vec, vec->root, "expect");
    struct report_envelope envelope;
    check_text(vec, payload, len);
    if (report_parse(payload, len, &envelope) != REPORT_OK) {
        vec_fail(vec, "refused");
        return;
    }
    vec_same_int(vec, expect, "form", (int64_t)envelope.form);
    vec_same_int(vec, expect, "timestamp_unix", envelope.time / USEC_PER_SEC);
    vec_same_time(vec, expect, "timestamp", envelope.time);
    vec_same_int(vec, expect, "confidence", envelope.confidence);
    vec_same_hex(vec, expect, "ephemeral_hex", envelope.point, P224_POINT_SIZE);
    vec_same_hex(vec, expect, "ciphertext_hex", envelope.cipher, REPORT_CIPHER_SIZE);
    vec_same_hex(vec, expect, "tag_hex", envelope.tag, GCM_TAG_SIZE);
    vec_same_bool(vec, expect, "ephemeral_on_curve", p224_point_valid(envelope.point));
}

static const struct vec_kind kinds[] = {
    { "reports", run_reports },
    { "reports-parse", run_parse },
};

const struct vec_group vec_group_report = { kinds, sizeof(kinds) / sizeof(kinds[0]) };
