/* Keeps answers in Redis: signature, ETag, content type, body. */
#include "api/answer_share.h"

#include <sodium.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"

#define NAME_SIZE      16
#define SIGNATURE_SIZE 32

static const char *name_of(struct arena *arena, const uint8_t key[CACHE_KEY_SIZE], uint64_t stamp)
{
    uint8_t digest[NAME_SIZE];
    char hex[HEX_SIZE(sizeof(digest))];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof(digest));
    crypto_generichash_update(&state, key, CACHE_KEY_SIZE);
    crypto_generichash_update(&state, (const uint8_t *)&stamp, sizeof(stamp));
    crypto_generichash_final(&state, digest, sizeof(digest));
    hex_encode(digest, sizeof(digest), hex);
    return arena_printf(arena, "answer:%s", hex);
}

/* Bound to the name, so that one answer cannot be given for another. */
static void sign(const struct auth *auth, const char *name, const void *content, size_t len,
                 uint8_t signature[SIGNATURE_SIZE])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, auth->copy_key, sizeof(auth->copy_key), SIGNATURE_SIZE);
    crypto_generichash_update(&state, (const uint8_t *)name, strlen(name) + 1);
    crypto_generichash_update(&state, content, len);
    crypto_generichash_final(&state, signature, SIGNATURE_SIZE);
}

/* "etag NUL type NUL body" */
static bool take_apart(const char *content, size_t len, struct cached_answer *answer)
{
    size_t etag = strnlen(content, len);
    size_t type = etag < len ? strnlen(content + etag + 1, len - etag - 1) : 0;
    size_t head = etag + type + 2;
    if (head > len)
        return false;
    *answer = (struct cached_answer){ content, content + etag + 1, content + head, len - head };
    return true;
}

bool answer_share_get(const struct auth *auth, struct redis *redis, struct arena *arena,
                      const uint8_t key[CACHE_KEY_SIZE], uint64_t stamp, struct cached_answer *answer)
{
    const char *name = name_of(arena, key, stamp);
    struct redis_reply reply;
    uint8_t signature[SIGNATURE_SIZE];
    if (!redis_command(redis, arena, &reply, "GET %s", name) || reply.type != REDIS_TEXT ||
        reply.len <= sizeof(signature))
        return false;
    const char *content = reply.text + sizeof(signature);
    size_t len = reply.len - sizeof(signature);
    sign(auth, name, content, len, signature);
    return sodium_memcmp(signature, reply.text, sizeof(signature)) == 0 && take_apart(content, len, answer);
}

void answer_share_put(const struct auth *auth, struct redis *redis, struct arena *arena,
                      const uint8_t key[CACHE_KEY_SIZE], uint64_t stamp, const struct cached_answer *answer)
{
    if (answer->len > CACHE_MAX_BODY)
        return;
    const char *name = name_of(arena, key, stamp);
    const uint8_t room[SIGNATURE_SIZE] = { 0 };
    struct buf value = { 0 };
    struct redis_reply reply;
    buf_append(&value, room, sizeof(room));
    buf_append(&value, answer->etag, strlen(answer->etag) + 1);
    buf_append(&value, answer->content_type, strlen(answer->content_type) + 1);
    buf_append(&value, answer->body, answer->len);
    sign(auth, name, value.data + sizeof(room), value.len - sizeof(room), (uint8_t *)value.data);
    (void)!redis_command(redis, arena, &reply, "SET %s %b PX %lld", name, value.data, value.len,
                         (long long)(CACHE_LIFE / 1000));
    buf_free(&value);
}
