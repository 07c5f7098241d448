/* Key files as property lists: records of macOS, encrypted or not, and OpenHaystack's exports. */
#include <openssl/evp.h>
#include <string.h>

#include "findmy/keyfile_internal.h"
#include "findmy/plistx.h"
#include "findmy/report.h"

/* 04 | X | Y | d, as Apple and OpenHaystack store a key pair */
#define FULL_KEY_SIZE (P224_POINT_SIZE + P224_SIZE)

/* ---- fields ---- */

static bool date_field(plist_t dict, const char *key, int64_t *usec)
{
    plist_t node = plistx_get(dict, key);
    int32_t seconds = 0, micros = 0;
    if (node == NULL || plist_get_node_type(node) != PLIST_DATE)
        return false;
    plist_get_date_val(node, &seconds, &micros); /* since 2001, without zone: UTC */
    *usec = SECONDS(REPORT_EPOCH + seconds) + micros;
    return true;
}

/* <name>.key.data */
static const uint8_t *key_data(plist_t root, const char *name, size_t *len)
{
    return plistx_data(plistx_get(plistx_get(root, name), "key"), "data", len);
}

static bool copy_exact(const uint8_t *data, size_t len, uint8_t *out, size_t size)
{
    if (data == NULL || len != size)
        return false;
    memcpy(out, data, size);
    return true;
}

/* The last 28 bytes of a key pair, or a bare private key. The rest of the pair is not looked at: only the
 * scalar is used, and records whose owner blanked the point are around. */
static const uint8_t *private_part(const uint8_t *data, size_t len)
{
    if (data == NULL || (len != FULL_KEY_SIZE && len != FINDMY_PRIVATE_SIZE))
        return NULL;
    return data + len - FINDMY_PRIVATE_SIZE;
}

/* ---- records of macOS ---- */

/* Serial of AirPods: hex of its ASCII characters. */
static const char *hex_serial(struct reader *reader, const char *hex, size_t len)
{
    char *text = arena_zalloc(reader->arena, len / 2 + 1, 1);
    size_t got;
    if (!hex_decode(hex, len, text, len / 2, &got))
        return NULL;
    for (size_t i = 0; i < got; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return NULL;
    return keyfile_keep_text(reader, text);
}

/* "2006~#<hardware>~#<serial>", "a:/<uuid>~#<serial>", or for AirPods
 * "...~#¶<model>§<hardware>§<serial in hex>§<position>". NULL when there is none. */
static const char *find_serial(struct reader *reader, plist_t root)
{
    static const char pilcrow[] = "\xc2\xb6", section[] = "\xc2\xa7";
    plist_t list = plistx_get(root, "stableIdentifier");
    plist_t first = list != NULL && plist_get_node_type(list) == PLIST_ARRAY ? plist_array_get_item(list, 0)
                                                                             : NULL;
    if (first == NULL || plist_get_node_type(first) != PLIST_STRING)
        return NULL;
    const char *last = NULL;
    for (const char *at = plist_get_string_ptr(first, NULL); (at = strstr(at, "~#")) != NULL;)
        last = at += 2;
    if (last == NULL)
        return NULL;
    if (strncmp(last, pilcrow, strlen(pilcrow)) != 0)
        return keyfile_keep_text(reader, last);
    for (int skip = 0; skip < 2; skip++) {
        last = strstr(last, section);
        if (last == NULL)
            return NULL;
        last += strlen(section);
    }
    const char *end = strstr(last, section);
    return hex_serial(reader, last, end == NULL ? strlen(last) : (size_t)(end - last));
}

static bool read_accessory(struct reader *reader, plist_t root)
{
    struct keyfile_accessory *a = arena_secret(reader->arena, sizeof(*a));
    size_t len = 0;
    reader->file->format = KEYFILE_ACCESSORY_PLIST;
    if (plistx_get(root, "privateKey") == NULL && plistx_get(root, "peerTrustSharedSecret") != NULL)
        return error_set(reader->err, "key",
                         "this accessory is shared by somebody else: its record has no "
                         "private key");
    const uint8_t *private_key = key_data(root, "privateKey", &len);
    private_key = private_part(private_key, len);
    if (private_key == NULL)
        return error_set(reader->err, "key", "privateKey.key.data has neither %d nor %d bytes", FULL_KEY_SIZE,
                         FINDMY_PRIVATE_SIZE);
    memcpy(a->master, private_key, sizeof(a->master));
    if (!keyfile_check_master(a->master, reader->err))
        return false;

    const uint8_t *seed = key_data(root, "sharedSecret", &len);
    if (!copy_exact(seed, len, a->skn, sizeof(a->skn)))
        return error_set(reader->err, "key", "sharedSecret.key.data has not %d bytes", ROLLING_SEED_SIZE);
    seed = key_data(root, "secondarySharedSecret", &len);
    if (seed == NULL) /* iPhones and Macs */
        seed = key_data(root, "secureLocationsSharedSecret", &len);
    if (!copy_exact(seed, len, a->sks, sizeof(a->sks)))
        return error_set(reader->err, "key", "secondarySharedSecret.key.data has not %d bytes",
                         ROLLING_SEED_SIZE);
    if (!date_field(root, "pairingDate", &a->paired_at))
        return error_set(reader->err, "syntax", "pairingDate is missing");

    a->alignment = (struct rolling_alignment){ a->paired_at, 0 };
    a->name = keyfile_keep_text(reader, plistx_text(root, "name"));
    a->model = keyfile_keep_text(reader, plistx_text(root, "model"));
    a->identifier = keyfile_keep_text(reader, plistx_text(root, "identifier"));
    a->group_identifier = keyfile_keep_text(reader, plistx_text(root, "groupIdentifier"));
    a->serial = find_serial(reader, root);
    reader->file->accessories = a;
    reader->file->accessory_count = 1;
    return true;
}

static bool read_alignment(struct reader *reader, plist_t root)
{
    struct keyfile_alignment *a = arena_zalloc(reader->arena, 1, sizeof(*a));
    reader->file->format = KEYFILE_ALIGNMENT_PLIST;
    a->beacon = keyfile_keep_text(reader, plistx_text(root, "beaconIdentifier"));
    if (a->beacon == NULL)
        return error_set(reader->err, "syntax", "beaconIdentifier is missing");
    if (!date_field(root, "lastIndexObservationDate", &a->alignment.at))
        return error_set(reader->err, "syntax", "lastIndexObservationDate is missing");
    if (!plistx_int(root, "lastIndexObserved", &a->alignment.index) || a->alignment.index < 0 ||
        a->alignment.index > ROLLING_MAX_INDEX)
        return error_set(reader->err, "syntax", "lastIndexObserved is missing or out of range");
    reader->file->alignments = a;
    reader->file->alignment_count = 1;
    return true;
}

static bool read_naming(struct reader *reader, plist_t root)
{
    struct keyfile_naming *naming = arena_zalloc(reader->arena, 1, sizeof(*naming));
    reader->file->format = KEYFILE_NAMING_PLIST;
    naming->beacon = keyfile_keep_text(reader, plistx_text(root, "associatedBeacon"));
    naming->name = keyfile_keep_text(reader, plistx_text(root, "name"));
    naming->emoji = keyfile_keep_text(reader, plistx_text(root, "emoji"));
    if (naming->beacon == NULL)
        return error_set(reader->err, "syntax", "associatedBeacon is missing");
    reader->file->namings = naming;
    reader->file->naming_count = 1;
    return true;
}

/* ---- OpenHaystack ---- */

static bool read_findmy_key(struct reader *reader, plist_t dict, const char *device)
{
    struct stated_key stated = { .name = device, .private_len = FINDMY_PRIVATE_SIZE };
    size_t len = 0, hash_len = 0;
    const uint8_t *data = plistx_data(dict, "privateKey", &len);
    if (data == NULL)
        data = plistx_data(dict, "fullKey", &len);
    stated.private_key = private_part(data, len);
    if (stated.private_key == NULL)
        return error_set(reader->err, "key", "privateKey has neither %d nor %d bytes", FULL_KEY_SIZE,
                         FINDMY_PRIVATE_SIZE);
    stated.adv = plistx_data(dict, "advertisedKey", &stated.adv_len);
    stated.hash = plistx_data(dict, "hashedKey", &hash_len);
    if (stated.hash != NULL && hash_len != FINDMY_HASH_SIZE)
        return error_set(reader->err, "key", "hashedKey has not %d bytes", FINDMY_HASH_SIZE);
    return keyfile_add(reader, &stated);
}

static bool read_findmy_device(struct reader *reader, plist_t dict)
{
    const char *device = plistx_text(dict, "deviceId");
    plist_t keys = plistx_get(dict, "keys");
    if (keys == NULL || plist_get_node_type(keys) != PLIST_ARRAY)
        return error_set(reader->err, "syntax", "keys is not a list");
    for (uint32_t i = 0; i < plist_array_get_size(keys); i++)
        if (!read_findmy_key(reader, plist_array_get_item(keys, i), device))
            return error_prefix(reader->err, "key %u", i + 1);
    return true;
}

/* A number or date of a derivation record, in seconds (dates: since 2001). */
static bool seconds_field(plist_t dict, const char *key, double *value)
{
    plist_t node = plistx_get(dict, key);
    int64_t integer, usec;
    if (node != NULL && plist_get_node_type(node) == PLIST_REAL) {
        plist_get_real_val(node, value);
        return true;
    }
    if (plistx_int(dict, key, &integer)) {
        *value = (double)integer;
        return true;
    }
    if (!date_field(dict, key, &usec))
        return false;
    *value = (double)usec / (double)USEC_PER_SEC - (double)REPORT_EPOCH;
    return true;
}

static bool is_true(plist_t dict, const char *key)
{
    plist_t node = plistx_get(dict, key);
    uint8_t value = 0;
    if (node != NULL && plist_get_node_type(node) == PLIST_BOOLEAN)
        plist_get_bool_val(node, &value);
    return value != 0;
}

static bool add_data(struct reader *reader, const uint8_t *data, size_t len, const char *name,
                     enum key_role role)
{
    struct stated_key stated = { .private_key = data, .private_len = len, .name = name, .role = role };
    return data == NULL ? error_set(reader->err, "syntax", "privateKey is missing")
                        : keyfile_add(reader, &stated);
}

static bool read_additional(struct reader *reader, plist_t list, const char *name)
{
    if (list == NULL)
        return true;
    if (plist_get_node_type(list) != PLIST_ARRAY)
        return error_set(reader->err, "syntax", "additionalKeys is not a list");
    for (uint32_t i = 0; i < plist_array_get_size(list); i++) {
        plist_t one = plist_array_get_item(list, i);
        uint64_t len = 0;
        const char *data = plist_get_node_type(one) == PLIST_DATA ? plist_get_data_ptr(one, &len) : NULL;
        if (!add_data(reader, (const uint8_t *)data, (size_t)len, name, KEY_ROLE_ADDITIONAL))
            return error_prefix(reader->err, "additionalKeys");
    }
    return true;
}

static bool read_device(struct reader *reader, plist_t dict)
{
    struct device_record record = { .name = plistx_text(dict, "name") };
    size_t len = 0, main_key = reader->file->key_count;
    const uint8_t *data = plistx_data(dict, "privateKey", &len);
    if (!add_data(reader, data, len, record.name, KEY_ROLE_MAIN) ||
        !read_additional(reader, plistx_get(dict, "additionalKeys"), record.name))
        return false;
    if (!is_true(dict, "usesDerivation"))
        return true;
    if (reader->file->key_count == main_key)
        return error_set(reader->err, "syntax", "the key of this record stands in the file twice");
    const uint8_t *seed = plistx_data(dict, "oldestRelevantSymmetricKey", &len);
    if (seed == NULL)
        seed = plistx_data(dict, "symmetricKey", &len);
    record.has_seed = copy_exact(seed, len, record.seed, sizeof(record.seed));
    record.has_since = seconds_field(dict, "lastDerivationTimestamp", &record.since);
    record.has_interval = seconds_field(dict, "updateInterval", &record.interval);
    bool done = keyfile_add_derivation(reader, &record, main_key);
    wipe(record.seed, sizeof(record.seed));
    return done;
}

static bool read_list(struct reader *reader, plist_t root)
{
    uint32_t count = plist_array_get_size(root);
    plist_t first = count > 0 ? plist_array_get_item(root, 0) : NULL;
    if (count == 3 && plist_get_node_type(first) == PLIST_DATA)
        return error_set(reader->err, "format",
                         "this record is encrypted: open it with the key of the keychain "
                         "item BeaconStore first");
    bool full = plistx_get(first, "keys") != NULL;
    reader->file->format = full ? KEYFILE_OPENHAYSTACK_PLIST : KEYFILE_DEVICES_PLIST;
    for (uint32_t i = 0; i < count; i++) {
        plist_t dict = plist_array_get_item(root, i);
        if (!(full ? read_findmy_device : read_device)(reader, dict))
            return error_prefix(reader->err, "record %u", i + 1);
    }
    return true;
}

/* ---- which record ---- */

bool keyfile_read_plist(struct reader *reader, const char *data, size_t len)
{
    static const struct {
        const char *key; /* only this record has it */
        bool (*read)(struct reader *reader, plist_t root);
    } records[] = {
        { "lastIndexObserved", read_alignment }, { "lastIndexObservationDate", read_alignment },
        { "associatedBeacon", read_naming },     { "privateKey", read_accessory },
        { "sharedSecret", read_accessory },      { "peerTrustSharedSecret", read_accessory },
    };
    plist_t root = plistx_parse_any(reader->arena, data, len, reader->err);
    if (root == NULL)
        return error_set(reader->err, "syntax", "not a property list");
    if (plist_get_node_type(root) == PLIST_ARRAY)
        return read_list(reader, root);
    for (size_t i = 0; i < ARRAY_LEN(records); i++)
        if (plistx_get(root, records[i].key) != NULL)
            return records[i].read(reader, root);
    return error_set(reader->err, "format", "this property list is none of the known records");
}

/* ---- encrypted records ---- */

#define NONCE_SIZE 16

/* Item of an array, as bytes; NULL when it is no data. */
static const uint8_t *item_data(plist_t array, uint32_t index, size_t *len)
{
    plist_t item = plist_array_get_item(array, index);
    uint64_t size = 0;
    const char *data = plist_get_node_type(item) == PLIST_DATA ? plist_get_data_ptr(item, &size) : NULL;
    *len = (size_t)size;
    return (const uint8_t *)data;
}

/* AES-256-GCM with a 16-byte nonce. Done once a file, so with a context of its own. */
static bool open_gcm(const uint8_t *key, const uint8_t *nonce, const uint8_t *tag, const uint8_t *cipher,
                     int len, uint8_t *plain)
{
    int got = 0, rest = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool opened = context != NULL && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, NULL, NULL) == 1 &&
                  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, NONCE_SIZE, NULL) == 1 &&
                  EVP_DecryptInit_ex(context, NULL, NULL, key, nonce) == 1 &&
                  EVP_DecryptUpdate(context, plain, &got, cipher, len) == 1 &&
                  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_SIZE, (void *)(uintptr_t)tag) ==
                      1 &&
                  EVP_DecryptFinal_ex(context, plain + got, &rest) == 1;
    EVP_CIPHER_CTX_free(context);
    return opened;
}

bool keyfile_parse_record(struct arena *arena, const uint8_t key[KEYFILE_RECORD_KEY_SIZE], const void *data,
                          size_t len, struct keyfile *file, struct error *err)
{
    size_t nonce_len = 0, tag_len = 0, cipher_len = 0;
    plist_t root = plistx_parse_any(arena, data, len, err);
    if (root == NULL)
        return error_set(err, "syntax", "not a property list");
    if (plist_get_node_type(root) != PLIST_ARRAY || plist_array_get_size(root) != 3)
        return error_set(err, "format", "this is no encrypted record (nonce, tag, ciphertext)");
    const uint8_t *nonce = item_data(root, 0, &nonce_len), *tag = item_data(root, 1, &tag_len),
                  *cipher = item_data(root, 2, &cipher_len);
    if (nonce == NULL || tag == NULL || cipher == NULL || nonce_len != NONCE_SIZE || tag_len != GCM_TAG_SIZE)
        return error_set(err, "format", "this is no encrypted record (nonce, tag, ciphertext)");

    uint8_t *plain = arena_secret(arena, cipher_len + 1);
    if (!open_gcm(key, nonce, tag, cipher, (int)cipher_len, plain))
        return error_set(err, "auth", "the record does not open with this key");
    return keyfile_parse(arena, KEYFILE_AUTO, plain, cipher_len, file, err);
}
