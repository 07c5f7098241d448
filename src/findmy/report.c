/* Takes location reports apart and decrypts them: ECDH, X9.63 KDF, AES-128-GCM. */
#include "findmy/report.h"

#include <string.h>

#include "base/timeutil.h"

/* offsets in the short form; in the long one everything from the confidence on is one byte further */
enum { AT_TIME = 0, AT_CONFIDENCE = 4, AT_POINT = 5, AT_CIPHER = 62, AT_TAG = 72 };

/* offsets in the plaintext */
enum { PLAIN_LAT = 0, PLAIN_LON = 4, PLAIN_ACCURACY = 8, PLAIN_STATUS = 9 };

#define IV_SIZE 16 /* not the usual 12: the first counter block is a GHASH of it */

static const char *const result_names[REPORT_RESULTS] = {
    [REPORT_OK] = "ok",       [REPORT_ENCODING] = "encoding", [REPORT_LENGTH] = "length",
    [REPORT_POINT] = "point", [REPORT_KEY] = "key",           [REPORT_ID] = "id",
    [REPORT_AUTH] = "auth",   [REPORT_RANGE] = "range",       [REPORT_INTERNAL] = "internal",
};

const char *report_result_name(enum report_result result)
{
    return result_names[result];
}

enum battery_level report_battery(uint8_t status)
{
    return (enum battery_level)(status >> 6);
}

const char *battery_name(enum battery_level level)
{
    static const char *const names[] = { "full", "medium", "low", "very_low" };
    return names[level];
}

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

enum report_result report_parse(const uint8_t *payload, size_t len, struct report_envelope *envelope)
{
    if (len != REPORT_SHORT && len != REPORT_LONG)
        return REPORT_LENGTH;
    /* The form is told by length alone: any byte may stand at offset 4 of the short form. */
    const uint8_t *rest = payload + (len - REPORT_SHORT);
    *envelope = (struct report_envelope){
        .form = len,
        .time = SECONDS(REPORT_EPOCH + read_u32(payload + AT_TIME)),
        .confidence = rest[AT_CONFIDENCE],
        .point = rest + AT_POINT,
        .cipher = rest + AT_CIPHER,
        .tag = rest + AT_TAG,
    };
    return REPORT_OK;
}

/* The tag is wrong, or there is no memory: the caller cannot act on the difference, and the second does not
 * happen. */
static bool open_cipher(const struct report_envelope *envelope, const uint8_t shared[P224_SIZE],
                        uint8_t plain[REPORT_CIPHER_SIZE])
{
    uint8_t derived[GCM_KEY_SIZE + IV_SIZE];
    bool opened = crypto_x963(shared, P224_SIZE, envelope->point, P224_POINT_SIZE, derived, sizeof(derived));
    if (opened) {
        const struct gcm_input input = {
            .key = derived,
            .iv = derived + GCM_KEY_SIZE,
            .iv_len = IV_SIZE,
            .cipher = envelope->cipher,
            .cipher_len = REPORT_CIPHER_SIZE,
            .tag = envelope->tag,
        };
        opened = crypto_gcm_open(&input, plain);
    }
    wipe(derived, sizeof(derived));
    return opened;
}

static enum report_result from_ecdh(enum p224_result result)
{
    static const enum report_result results[] = {
        [P224_OK] = REPORT_OK,
        [P224_BAD_SCALAR] = REPORT_KEY,
        [P224_BAD_POINT] = REPORT_POINT,
        [P224_FAILED] = REPORT_INTERNAL,
    };
    return results[result];
}

static bool in_range(const struct report *report)
{
    return report->lat_e7 >= -REPORT_LAT_MAX_E7 && report->lat_e7 <= REPORT_LAT_MAX_E7 &&
           report->lon_e7 >= -REPORT_LON_MAX_E7 && report->lon_e7 <= REPORT_LON_MAX_E7;
}

enum report_result report_open(const uint8_t *payload, size_t len,
                               const uint8_t private_key[FINDMY_PRIVATE_SIZE], struct report *report)
{
    struct report_envelope envelope;
    uint8_t shared[P224_SIZE], plain[REPORT_CIPHER_SIZE];
    *report = (struct report){ 0 };

    enum report_result result = report_parse(payload, len, &envelope);
    if (result != REPORT_OK)
        return result;
    result = from_ecdh(p224_ecdh(private_key, envelope.point, shared));
    if (result != REPORT_OK)
        return result;
    if (!open_cipher(&envelope, shared, plain))
        result = REPORT_AUTH;
    wipe(shared, sizeof(shared));
    if (result != REPORT_OK)
        return result;

    *report = (struct report){
        .time = envelope.time,
        .lat_e7 = (int32_t)read_u32(plain + PLAIN_LAT),
        .lon_e7 = (int32_t)read_u32(plain + PLAIN_LON),
        .accuracy = plain[PLAIN_ACCURACY],
        .confidence = envelope.confidence,
        .status = plain[PLAIN_STATUS],
    };
    return in_range(report) ? REPORT_OK : REPORT_RANGE;
}

enum report_result report_decode(const char *text, size_t text_len, uint8_t payload[REPORT_LONG], size_t *len)
{
    /* A long text is checked as base64 only as far as a line can tell: its length is wrong in any case. */
    uint8_t bytes[258]; /* a multiple of 3: every text below the bound decodes into it */
    size_t got;
    if (text_len >= BASE64_SIZE(sizeof(bytes)))
        return REPORT_LENGTH;
    if (!base64_decode(text, text_len, bytes, sizeof(bytes), &got))
        return REPORT_ENCODING;
    if (got != REPORT_SHORT && got != REPORT_LONG)
        return REPORT_LENGTH;
    memcpy(payload, bytes, got);
    *len = got;
    return REPORT_OK;
}

uint64_t report_failures(const struct report_counts *counts)
{
    uint64_t sum = 0;
    for (int i = 0; i < REPORT_RESULTS; i++)
        sum += i == REPORT_OK ? 0 : counts->of[i];
    return sum;
}
