/* Location reports: the payload that a finder uploads, taken apart and decrypted.
 *
 * Two forms, told apart by length alone: 88 bytes, and since 2023 89 bytes with one byte more after the
 * timestamp. The timestamp and confidence are not authenticated: they are outside what the tag covers. */
#ifndef FINDMY_REPORT_H
#define FINDMY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "findmy/crypto.h"
#include "findmy/keys.h"

#define REPORT_SHORT       88
#define REPORT_LONG        89
#define REPORT_CIPHER_SIZE 10
#define REPORT_MAX_BASE64  BASE64_SIZE(REPORT_LONG)

/* 2001-01-01T00:00:00Z, where Apple's clock starts, in seconds since 1970 */
#define REPORT_EPOCH INT64_C(978307200)

#define REPORT_LAT_MAX_E7 900000000  /* 90 degrees */
#define REPORT_LON_MAX_E7 1800000000 /* 180 degrees */

/* What came of one payload. The names of report_result_name() are stable: scripts, metrics and the database
 * use them. */
enum report_result {
    REPORT_OK,
    REPORT_ENCODING, /* not base64 */
    REPORT_LENGTH,   /* neither 88 nor 89 bytes */
    REPORT_POINT,    /* the finder's public point is not a point of the curve */
    REPORT_KEY,      /* our private key is out of range */
    REPORT_ID,       /* the report was filed under another key than the one it is to be opened with */
    REPORT_AUTH,     /* tag is wrong: damaged, or encrypted to another key */
    REPORT_RANGE,    /* opened, but |latitude| > 90 or |longitude| > 180: garbage, never a position */
    REPORT_INTERNAL, /* OpenSSL is out of memory */
    REPORT_RESULTS
};

const char *report_result_name(enum report_result result); /* "ok", "encoding", "length", "point", ... */

/* Charge as told by the top two bits of the status byte. Only some tags set them; 00 also means not measured.
 */
enum battery_level { BATTERY_FULL, BATTERY_MEDIUM, BATTERY_LOW, BATTERY_VERY_LOW };

enum battery_level report_battery(uint8_t status);
const char *battery_name(enum battery_level level); /* "full", "medium", "low", "very_low" */

/* The parts that can be read without a key; pointers lead into the payload. */
struct report_envelope {
    size_t form;           /* REPORT_SHORT or REPORT_LONG */
    int64_t time;          /* when the finder met the tag, microseconds since 1970 */
    uint8_t confidence;    /* 0 to 3 mostly; higher ones have been seen */
    const uint8_t *point;  /* ephemeral public point, P224_POINT_SIZE; not checked yet */
    const uint8_t *cipher; /* REPORT_CIPHER_SIZE */
    const uint8_t *tag;    /* GCM_TAG_SIZE */
};

struct report {
    int64_t time;   /* microseconds since 1970 */
    int32_t lat_e7; /* degrees times 10^7 */
    int32_t lon_e7;
    uint8_t accuracy; /* horizontal, metres; 255: 255 or more */
    uint8_t confidence;
    uint8_t status; /* raw byte of the tag */
};

/* REPORT_OK or REPORT_LENGTH. */
MUST_CHECK enum report_result report_parse(const uint8_t *payload, size_t len,
                                           struct report_envelope *envelope);

/* Decrypt. *report is filled for REPORT_OK and REPORT_RANGE, and zeroed for everything else. */
MUST_CHECK enum report_result report_open(const uint8_t *payload, size_t len,
                                          const uint8_t private_key[FINDMY_PRIVATE_SIZE],
                                          struct report *report);

/* Decode base64 as the server writes it; REPORT_OK, REPORT_ENCODING or REPORT_LENGTH. *len is the number of
 * bytes; payload has room for REPORT_LONG. */
MUST_CHECK enum report_result report_decode(const char *text, size_t text_len, uint8_t payload[REPORT_LONG],
                                            size_t *len);

/* Results counted by kind. */
struct report_counts {
    uint64_t of[REPORT_RESULTS];
};

uint64_t report_failures(const struct report_counts *counts); /* all but REPORT_OK */

#endif
