/* Static Find My keys and their Bluetooth side. */
#include "findmy/keys.h"

#include <string.h>

#include "findmy/crypto.h"

/* A random number is out of range once in 2^113 draws; a generator that does it twice is broken. */
#define GENERATE_TRIES 2

bool findmy_hash(const uint8_t adv[FINDMY_ADV_SIZE], uint8_t hash[FINDMY_HASH_SIZE])
{
    return crypto_sha256(adv, FINDMY_ADV_SIZE, hash);
}

bool findmy_derive(const uint8_t private_key[FINDMY_PRIVATE_SIZE], struct findmy_public *public_key,
                   struct error *err)
{
    uint8_t point[P224_POINT_SIZE];
    struct findmy_public made;
    if (!p224_scalar_valid(private_key))
        return error_set(err, "key", "the private key is out of range (zero, or not below the group order)");
    if (!p224_public(private_key, point))
        return error_set(err, "internal", "OpenSSL cannot compute a public key");
    memcpy(made.adv, point + 1, FINDMY_ADV_SIZE);
    if (!findmy_hash(made.adv, made.hash))
        return error_set(err, "internal", "OpenSSL cannot hash");
    *public_key = made;
    return true;
}

bool findmy_generate(uint8_t private_key[FINDMY_PRIVATE_SIZE], struct findmy_public *public_key,
                     struct error *err)
{
    for (int i = 0; i < GENERATE_TRIES; i++) {
        if (!crypto_random(private_key, FINDMY_PRIVATE_SIZE))
            break;
        if (p224_scalar_valid(private_key))
            return findmy_derive(private_key, public_key, err);
    }
    return error_set(err, "internal", "the random number generator failed");
}

/* ---- text ---- */

static bool all_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (strchr("0123456789abcdefABCDEF", text[i]) == NULL || text[i] == '\0')
            return false;
    return true;
}

bool findmy_private_parse(const char *text, size_t len, uint8_t private_key[FINDMY_PRIVATE_SIZE],
                          struct error *err)
{
    /* Room for a few more bytes than a key, so that a wrong length can be told: a P-256 key has 32, the
     * OpenHaystack form 85. Hex first: 56 hex digits are also valid base64, of 42 bytes. */
    uint8_t bytes[128];
    size_t got = 0;
    bool good = false;
    if (len == FINDMY_PRIVATE_SIZE * 2 && all_hex(text, len))
        good = hex_decode(text, len, bytes, sizeof(bytes), &got);
    else if (!base64_decode(text, len, bytes, sizeof(bytes), &got))
        error_set(err, "key", "the private key is neither base64 nor 56 hex digits");
    else if (got != FINDMY_PRIVATE_SIZE)
        error_set(err, "key", "the private key has %zu bytes, not %d", got, FINDMY_PRIVATE_SIZE);
    else
        good = true;
    if (good && !p224_scalar_valid(bytes))
        good = error_set(err, "key", "the private key is out of range (zero, or not below the group order)");
    if (good)
        memcpy(private_key, bytes, FINDMY_PRIVATE_SIZE);
    wipe(bytes, sizeof(bytes));
    return good;
}

bool findmy_id_parse(const char *text, uint8_t hash[FINDMY_HASH_SIZE])
{
    return base64_decode_exact(text, hash, FINDMY_HASH_SIZE);
}

/* ---- Bluetooth ---- */

enum {
    AD_MANUFACTURER = 0xff,
    APPLE_LOW = 0x4c, /* company 0x004C, little-endian */
    APPLE_HIGH = 0x00,
    TYPE_UNPAIRED = 0x07,
    TYPE_OFFLINE_FINDING = 0x12,
    LEN_SEPARATED = 0x19,
    LEN_NEARBY = 0x02,
};

void findmy_mac(const uint8_t adv[FINDMY_ADV_SIZE], uint8_t mac[FINDMY_MAC_SIZE])
{
    memcpy(mac, adv, FINDMY_MAC_SIZE);
    mac[0] |= 0xc0;
}

char *findmy_mac_text(const uint8_t mac[FINDMY_MAC_SIZE], char out[FINDMY_MAC_TEXT])
{
    static const char digits[] = "0123456789ABCDEF";
    char *p = out;
    for (int i = 0; i < FINDMY_MAC_SIZE; i++) {
        *p++ = digits[mac[i] >> 4];
        *p++ = digits[mac[i] & 15];
        *p++ = i + 1 < FINDMY_MAC_SIZE ? ':' : '\0';
    }
    return out;
}

void ble_encode(const uint8_t adv[FINDMY_ADV_SIZE], uint8_t status, uint8_t hint,
                uint8_t out[BLE_ADVERTISEMENT_SIZE])
{
    const uint8_t head[] = { BLE_ADVERTISEMENT_SIZE - 1, AD_MANUFACTURER, APPLE_LOW, APPLE_HIGH,
                             TYPE_OFFLINE_FINDING,       LEN_SEPARATED,   status };
    memcpy(out, head, sizeof(head));
    memcpy(out + sizeof(head), adv + FINDMY_MAC_SIZE, BLE_TAIL_SIZE);
    out[29] = adv[0] >> 6;
    out[30] = hint;
}

void ble_encode_nearby(const uint8_t adv[FINDMY_ADV_SIZE], uint8_t status, uint8_t out[BLE_NEARBY_SIZE])
{
    out[0] = TYPE_OFFLINE_FINDING;
    out[1] = LEN_NEARBY;
    out[2] = status;
    out[3] = adv[0] >> 6;
}

/* Step over length and AD type when they are there: manufacturer data starts with the company instead. */
static bool skip_header(const uint8_t **data, size_t *len)
{
    const uint8_t *p = *data;
    if (*len < 2 || p[1] != AD_MANUFACTURER)
        return true;
    if (p[0] != *len - 1)
        return false;
    *data += 2;
    *len -= 2;
    return true;
}

bool ble_parse(const uint8_t *data, size_t len, struct ble_advertisement *out, struct error *err)
{
    if (!skip_header(&data, &len) || len < 4)
        return error_set(err, "length", "the advertisement's length does not fit its content");
    if (data[0] != APPLE_LOW || data[1] != APPLE_HIGH)
        return error_set(err, "company", "the manufacturer is not Apple");
    if (data[2] == TYPE_UNPAIRED)
        return error_set(err, "type", "the accessory is not paired yet");
    if (data[2] != TYPE_OFFLINE_FINDING)
        return error_set(err, "type", "type 0x%02x is not offline finding", data[2]);
    if ((data[3] != LEN_SEPARATED && data[3] != LEN_NEARBY) || len != (size_t)data[3] + 4)
        return error_set(err, "length", "the advertisement's length does not fit its content");

    struct ble_advertisement ad = { .type = data[2], .len = data[3], .status = data[4] };
    if (ad.len == LEN_SEPARATED) {
        memcpy(ad.tail, data + 5, BLE_TAIL_SIZE);
        ad.key_bits = data[27] & 3;
        ad.hint = data[28];
    } else {
        ad.key_bits = data[5] & 3;
    }
    *out = ad;
    return true;
}

bool ble_adv_key(const struct ble_advertisement *ad, const uint8_t mac[FINDMY_MAC_SIZE],
                 uint8_t adv[FINDMY_ADV_SIZE])
{
    if (ad->len != LEN_SEPARATED)
        return false;
    memcpy(adv, mac, FINDMY_MAC_SIZE);
    adv[0] = (uint8_t)(ad->key_bits << 6 | (mac[0] & 0x3f));
    memcpy(adv + FINDMY_MAC_SIZE, ad->tail, BLE_TAIL_SIZE);
    return true;
}
