/* Static Find My keys: private key, advertisement key, its hash, the Bluetooth address and advertisement.
 *
 * Sizes and layouts: Apple's network as described by the OpenHaystack paper; see
 * docs/developers/findmy-keys.md. */
#ifndef FINDMY_KEYS_H
#define FINDMY_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/encode.h"
#include "base/error.h"

#define FINDMY_PRIVATE_SIZE 28 /* scalar d, 1 <= d < n */
#define FINDMY_ADV_SIZE     28 /* X of d * G */
#define FINDMY_HASH_SIZE    32 /* SHA-256 of the advertisement key */
#define FINDMY_MAC_SIZE     6
#define FINDMY_MAC_TEXT     sizeof("AA:BB:CC:DD:EE:FF")
#define FINDMY_ID_SIZE      BASE64_SIZE(FINDMY_HASH_SIZE) /* "report id": the hash in base64, 44 characters */

/* What may be known of a key without being able to read its reports. */
struct findmy_public {
    uint8_t adv[FINDMY_ADV_SIZE];
    uint8_t hash[FINDMY_HASH_SIZE];
};

/* ---- make and derive ---- */

/* A fresh private key; the caller wipes it. */
MUST_CHECK bool findmy_generate(uint8_t private_key[FINDMY_PRIVATE_SIZE], struct findmy_public *public_key,
                                struct error *err);

/* Error "key": the private key is 0 or not below the group order. */
MUST_CHECK bool findmy_derive(const uint8_t private_key[FINDMY_PRIVATE_SIZE],
                              struct findmy_public *public_key, struct error *err);

/* Hash of an advertisement key: what the report server is asked for. */
MUST_CHECK bool findmy_hash(const uint8_t adv[FINDMY_ADV_SIZE], uint8_t hash[FINDMY_HASH_SIZE]);

/* ---- read and write text ---- */

/* A private key in base64 (either alphabet, padded or not) or 56 hex digits, as people paste it. Exactly 28
 * bytes in range, or an error "key" that says what is wrong without repeating the text. */
MUST_CHECK bool findmy_private_parse(const char *text, size_t len, uint8_t private_key[FINDMY_PRIVATE_SIZE],
                                     struct error *err);

/* An identifier as the server writes it: compared as bytes, since spellings differ (padding, URL alphabet).
 */
MUST_CHECK bool findmy_id_parse(const char *text, uint8_t hash[FINDMY_HASH_SIZE]);

/* ---- Bluetooth ---- */

/* Random static address in reading order: the key's first six bytes with the two top bits set. */
void findmy_mac(const uint8_t adv[FINDMY_ADV_SIZE], uint8_t mac[FINDMY_MAC_SIZE]);
char *findmy_mac_text(const uint8_t mac[FINDMY_MAC_SIZE],
                      char out[FINDMY_MAC_TEXT]); /* uppercase; returns out */

#define BLE_ADVERTISEMENT_SIZE 31 /* the whole advertising payload of a separated tag */
#define BLE_MANUFACTURER_SIZE  29 /* the same without length and AD type */
#define BLE_NEARBY_SIZE        4  /* short form sent beside the owner's device: 12 02 status keybits */
#define BLE_TAIL_SIZE          22 /* adv[6..27] */

/* Fields of an offline-finding advertisement. */
struct ble_advertisement {
    uint8_t type;   /* 0x12 */
    uint8_t len;    /* 0x19: separated, tail is there; 0x02: near its owner, no tail */
    uint8_t status; /* battery in the top two bits for tags that set them */
    uint8_t tail[BLE_TAIL_SIZE];
    uint8_t key_bits; /* top two bits of adv[0], as 0..3 */
    uint8_t hint;     /* 0 for home-made tags; AirTags change it every 15 minutes */
};

void ble_encode(const uint8_t adv[FINDMY_ADV_SIZE], uint8_t status, uint8_t hint,
                uint8_t out[BLE_ADVERTISEMENT_SIZE]);
void ble_encode_nearby(const uint8_t adv[FINDMY_ADV_SIZE], uint8_t status, uint8_t out[BLE_NEARBY_SIZE]);

/* Takes the whole payload (1E FF 4C 00 ...), the manufacturer data (4C 00 ...) or either with the short form.
 * Errors: "length", "company", "type" (0x07 is an accessory not yet paired). */
MUST_CHECK bool ble_parse(const uint8_t *data, size_t len, struct ble_advertisement *out, struct error *err);

/* The advertisement key of a separated tag from its address and advertisement. False for the short form. */
MUST_CHECK bool ble_adv_key(const struct ble_advertisement *ad, const uint8_t mac[FINDMY_MAC_SIZE],
                            uint8_t adv[FINDMY_ADV_SIZE]);

#endif
