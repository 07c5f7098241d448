/* Vectors of static keys and of their Bluetooth side: keys, keys-invalid, adv. */
#include <string.h>

#include "findmy/crypto.h"
#include "findmy/keys.h"
#include "vectors.h"

static void same_mac(struct vec *vec, json_t *object, const char *key, const uint8_t adv[FINDMY_ADV_SIZE])
{
    uint8_t mac[FINDMY_MAC_SIZE];
    char text[FINDMY_MAC_TEXT];
    findmy_mac(adv, mac);
    vec_same_text(vec, object, key, findmy_mac_text(mac, text));
}

static void run_keys(struct vec *vec)
{
    uint8_t *private_key = vec_hex(vec, vec->root, "private_hex", FINDMY_PRIVATE_SIZE, NULL);
    uint8_t point[P224_POINT_SIZE], parsed[FINDMY_PRIVATE_SIZE] = { 0 };
    struct findmy_public public_key;
    if (!findmy_derive(private_key, &public_key, NULL) || !p224_public(private_key, point)) {
        vec_fail(vec, "the key was refused");
        return;
    }
    vec_same_hex(vec, vec->root, "adv_hex", public_key.adv, FINDMY_ADV_SIZE);
    vec_same_b64(vec, vec->root, "adv_b64", public_key.adv, FINDMY_ADV_SIZE);
    vec_same_b64(vec, vec->root, "hashed_b64", public_key.hash, FINDMY_HASH_SIZE);
    vec_same_hex(vec, vec->root, "y_hex", point + 1 + P224_SIZE, P224_SIZE);
    same_mac(vec, vec->root, "mac", public_key.adv);

    /* the two texts are read back alike */
    static const char *const texts[] = { "private_hex", "private_b64" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *text = vec_text(vec, vec->root, texts[i]);
        if (!findmy_private_parse(text, strlen(text), parsed, NULL) ||
            memcmp(parsed, private_key, sizeof(parsed)) != 0)
            vec_fail(vec, "%s is not read as the key", texts[i]);
    }
}

static void run_keys_invalid(struct vec *vec)
{
    const char *encoding = vec_text(vec, vec->root, "encoding");
    const char *text = vec_text(vec, vec->root, "text");
    uint8_t key[FINDMY_PRIVATE_SIZE];
    struct error err = { "", "" };
    if (strcmp(encoding, "base64") != 0 && strcmp(encoding, "hex") != 0)
        vec_fail(vec, "unknown encoding %s", encoding);
    if (strcmp(vec_text(vec, vec->root, "expect"), "reject") != 0)
        vec_fail(vec, "unknown expectation");
    if (findmy_private_parse(text, strlen(text), key, &err))
        vec_fail(vec, "the key was taken");
    else if (!error_is(&err, "key") || err.message[0] == '\0')
        vec_fail(vec, "refused without a reason");
}

static void run_parse_only(struct vec *vec)
{
    size_t len;
    uint8_t *data = vec_hex(vec, vec->root, "manufacturer_data_hex", 0, &len);
    json_t *expect = vec_object(vec, vec->root, "expect");
    struct ble_advertisement ad;
    if (!vec_bool(vec, vec->root, "parse_only") || !ble_parse(data, len, &ad, NULL)) {
        vec_fail(vec, "the advertisement was refused");
        return;
    }
    vec_same_int(vec, expect, "type", ad.type);
    vec_same_int(vec, expect, "len", ad.len);
    vec_same_int(vec, expect, "status", ad.status);
    vec_same_int(vec, expect, "key_bits", ad.key_bits);
    if (vec_has(expect, "adv_tail_hex"))
        vec_same_hex(vec, expect, "adv_tail_hex", ad.tail, sizeof(ad.tail));
    if (vec_has(expect, "hint"))
        vec_same_int(vec, expect, "hint", ad.hint);
}

/* Encoding gives the bytes of the case, and both long forms lead back to the key. */
static void run_adv(struct vec *vec)
{
    if (vec_has(vec->root, "parse_only")) {
        run_parse_only(vec);
        return;
    }
    uint8_t *adv = vec_hex(vec, vec->root, "adv_hex", FINDMY_ADV_SIZE, NULL);
    uint8_t status = (uint8_t)vec_int(vec, vec->root, "status"),
            hint = (uint8_t)vec_int(vec, vec->root, "hint");
    uint8_t hash[FINDMY_HASH_SIZE], mac[FINDMY_MAC_SIZE], back[FINDMY_ADV_SIZE];
    uint8_t payload[BLE_ADVERTISEMENT_SIZE], nearby[BLE_NEARBY_SIZE];

    if (!findmy_hash(adv, hash))
        vec_fail(vec, "no hash");
    vec_same_b64(vec, vec->root, "hashed_b64", hash, sizeof(hash));
    same_mac(vec, vec->root, "mac", adv);
    ble_encode(adv, status, hint, payload);
    vec_same_hex(vec, vec->root, "ad_hex", payload, sizeof(payload));
    vec_same_hex(vec, vec->root, "manufacturer_data_hex", payload + 2, BLE_MANUFACTURER_SIZE);
    ble_encode_nearby(adv, status, nearby);
    vec_same_hex(vec, vec->root, "nearby_hex", nearby, sizeof(nearby));

    findmy_mac(adv, mac);
    for (size_t skip = 0; skip <= 2; skip += 2) {
        struct ble_advertisement ad;
        if (!ble_parse(payload + skip, sizeof(payload) - skip, &ad, NULL) || ad.status != status ||
            ad.hint != hint || !ble_adv_key(&ad, mac, back) || memcmp(adv, back, sizeof(back)) != 0)
            vec_fail(vec, "the way back from the advertisement differs");
    }
}

static const struct vec_kind kinds[] = {
    { "keys", run_keys },
    { "keys-invalid", run_keys_invalid },
    { "adv", run_adv },
};

const struct vec_group vec_group_keys = { kinds, sizeof(kinds) / sizeof(kinds[0]) };
