/* Sealing of secrets at rest with the operator's master key (XChaCha20-Poly1305, libsodium).
 *
 * A sealed value is self-describing: version (1 byte, now 1) | key id (4) | nonce (24) | ciphertext and tag.
 * The key id is the first four bytes of BLAKE2b(master key), so that a value tells which key opens it:
 * rotation adds the new key in front and keeps the old ones for opening. The context ("tracker_key:17") is
 * authenticated: a sealed value moved to another row does not open. */
#ifndef BASE_SEAL_H
#define BASE_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SEAL_KEY_SIZE 32
#define SEAL_OVERHEAD (1 + 4 + 24 + 16)
#define SEAL_MAX_KEYS 4 /* the current one and those before it */

struct sealer {
    size_t count; /* 0: no master key is set */
    uint8_t key_ids[SEAL_MAX_KEYS][4];
    uint8_t keys[SEAL_MAX_KEYS][SEAL_KEY_SIZE]; /* keys[0] seals, all open */
};

/* keys_text: base64 keys of 32 bytes, separated by commas, the current one first. */
MUST_CHECK bool sealer_init(struct sealer *sealer, const char *keys_text, struct error *err);
void sealer_wipe(struct sealer *sealer);

/* out has len + SEAL_OVERHEAD bytes. Fails only when there is no key. */
MUST_CHECK bool seal(const struct sealer *sealer, const char *context, const void *plain, size_t len,
                     uint8_t *out);

/* out has len - SEAL_OVERHEAD bytes; nothing is written unless the value is authentic. The caller wipes out
 * after use. */
MUST_CHECK bool unseal(const struct sealer *sealer, const char *context, const uint8_t *sealed, size_t len,
                       void *out, struct error *err);

/* True when the value was sealed with a key that is no longer the current one (or in an older format). */
bool seal_is_stale(const struct sealer *sealer, const uint8_t *sealed, size_t len);

#endif
