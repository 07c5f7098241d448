/* Authenticated sealing with key ids. */
#include "base/seal.h"

#include <sodium.h>
#include <string.h>

#include "base/encode.h"

#define VERSION 1

enum {
    AT_KEY_ID = 1,
    AT_NONCE = AT_KEY_ID + 4,
    AT_BOX = AT_NONCE + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
};

_Static_assert(SEAL_OVERHEAD == AT_BOX + crypto_aead_xchacha20poly1305_ietf_ABYTES, "layout");
_Static_assert(SEAL_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");

static bool add_key(struct sealer *sealer, const char *text, size_t len, struct error *err)
{
    size_t decoded;
    if (sealer->count == SEAL_MAX_KEYS)
        return error_set(err, "master_key_invalid", "MASTER_KEY holds more than %d keys", SEAL_MAX_KEYS);
    uint8_t *key = sealer->keys[sealer->count];
    if (!base64_decode(text, len, key, SEAL_KEY_SIZE, &decoded) || decoded != SEAL_KEY_SIZE)
        return error_set(
            err, "master_key_invalid",
            "MASTER_KEY must be 32 random bytes in base64; make one with: openssl rand -base64 32");
    uint8_t digest[crypto_generichash_BYTES];
    crypto_generichash(digest, sizeof(digest), key, SEAL_KEY_SIZE, NULL, 0);
    memcpy(sealer->key_ids[sealer->count++], digest, 4);
    wipe(digest, sizeof(digest));
    return true;
}

bool sealer_init(struct sealer *sealer, const char *keys_text, struct error *err)
{
    memset(sealer, 0, sizeof(*sealer));
    if (sodium_init() < 0)
        return error_set(err, "internal", "libsodium could not be initialised");
    while (keys_text != NULL && *keys_text != '\0') {
        size_t len = strcspn(keys_text, ",");
        if (!add_key(sealer, keys_text, len, err)) {
            sealer_wipe(sealer);
            return false;
        }
        keys_text += len + (keys_text[len] == ',');
    }
    return true;
}

void sealer_wipe(struct sealer *sealer)
{
    wipe(sealer, sizeof(*sealer));
}

bool seal(const struct sealer *sealer, const char *context, const void *plain, size_t len, uint8_t *out)
{
    if (sealer->count == 0)
        return false;
    out[0] = VERSION;
    memcpy(out + AT_KEY_ID, sealer->key_ids[0], 4);
    randombytes_buf(out + AT_NONCE, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
    return crypto_aead_xchacha20poly1305_ietf_encrypt(out + AT_BOX, NULL, plain, len,
                                                      (const uint8_t *)context, strlen(context), NULL,
                                                      out + AT_NONCE, sealer->keys[0]) == 0;
}

static int find_key(const struct sealer *sealer, const uint8_t *sealed)
{
    for (size_t i = 0; i < sealer->count; i++)
        if (memcmp(sealer->key_ids[i], sealed + AT_KEY_ID, 4) == 0)
            return (int)i;
    return -1;
}

bool unseal(const struct sealer *sealer, const char *context, const uint8_t *sealed, size_t len, void *out,
            struct error *err)
{
    if (len < SEAL_OVERHEAD || sealed[0] != VERSION)
        return error_set(err, "sealed_invalid", "the sealed value is damaged");
    int key = find_key(sealer, sealed);
    if (key < 0)
        return error_set(err, "master_key_unknown", "the value was sealed with a master key that is not set");
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed + AT_BOX, len - AT_BOX,
                                                   (const uint8_t *)context, strlen(context),
                                                   sealed + AT_NONCE, sealer->keys[key]) != 0)
        return error_set(err, "sealed_invalid", "the sealed value is damaged or belongs to another record");
    return true;
}

bool seal_is_stale(const struct sealer *sealer, const uint8_t *sealed, size_t len)
{
    return len < SEAL_OVERHEAD || sealed[0] != VERSION || find_key(sealer, sealed) != 0;
}
