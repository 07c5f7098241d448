/* Cursor bytes: MAC (16) | id (8, big endian) | null flag (1) | sort value; in base64url. */
#include "api/cursor.h"

#include <sodium.h>
#include <string.h>

#include "base/encode.h"

#define MAC_SIZE    16
#define HEADER_SIZE (MAC_SIZE + 8 + 1)

static void sign(const uint8_t *key, const char *scope, const uint8_t *data, size_t len,
                 uint8_t mac[MAC_SIZE])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, CURSOR_KEY_SIZE, MAC_SIZE);
    /* with its NUL, so that scope and data cannot run into each other */
    crypto_generichash_update(&state, (const uint8_t *)scope, strlen(scope) + 1);
    crypto_generichash_update(&state, data, len);
    crypto_generichash_final(&state, mac, MAC_SIZE);
}

const char *cursor_write(struct arena *arena, const uint8_t key[CURSOR_KEY_SIZE], const char *scope,
                         const struct cursor *cursor)
{
    size_t len = cursor->text != NULL ? strlen(cursor->text) : 0;
    if (len > CURSOR_MAX_TEXT)
        len = CURSOR_MAX_TEXT;
    uint8_t bytes[HEADER_SIZE + CURSOR_MAX_TEXT];
    for (int i = 0; i < 8; i++)
        bytes[MAC_SIZE + i] = (uint8_t)((uint64_t)cursor->id >> (56 - 8 * i));
    bytes[MAC_SIZE + 8] = cursor->text == NULL;
    if (len > 0)
        memcpy(bytes + HEADER_SIZE, cursor->text, len);
    sign(key, scope, bytes + MAC_SIZE, HEADER_SIZE - MAC_SIZE + len, bytes);

    char *text = arena_alloc(arena, BASE64_SIZE(HEADER_SIZE + len));
    base64url_encode(bytes, HEADER_SIZE + len, text);
    return text;
}

bool cursor_read(struct arena *arena, const uint8_t key[CURSOR_KEY_SIZE], const char *scope, const char *text,
                 struct cursor *cursor)
{
    uint8_t bytes[HEADER_SIZE + CURSOR_MAX_TEXT], mac[MAC_SIZE];
    size_t len;
    if (!base64_decode(text, strlen(text), bytes, sizeof(bytes), &len) || len < HEADER_SIZE)
        return false;
    sign(key, scope, bytes + MAC_SIZE, len - MAC_SIZE, mac);
    if (!equal_secret(mac, bytes, MAC_SIZE))
        return false;

    uint64_t id = 0;
    for (int i = 0; i < 8; i++)
        id = id << 8 | bytes[MAC_SIZE + i];
    cursor->id = (int64_t)id;
    cursor->text = bytes[MAC_SIZE + 8] != 0
                       ? NULL
                       : arena_strndup(arena, (const char *)bytes + HEADER_SIZE, len - HEADER_SIZE);
    return true;
}
