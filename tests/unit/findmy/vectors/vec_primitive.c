/* Vectors of the primitives: ecdh-p224, kdf-x963, aes-gcm-128. */
#include <string.h>

#include "findmy/crypto.h"
#include "vectors.h"

static bool expects(struct vec *vec, const char *good, const char *bad)
{
    const char *expect = vec_text(vec, vec->root, "expect");
    if (strcmp(expect, good) != 0 && strcmp(expect, bad) != 0)
        vec_fail(vec, "unknown expectation %s", expect);
    return strcmp(expect, good) == 0;
}

static void run_ecdh(struct vec *vec)
{
    size_t point_len, private_len;
    uint8_t shared[P224_SIZE] = { 0 };
    uint8_t *point = vec_hex(vec, vec->root, "public_hex", 0, &point_len);
    uint8_t *scalar = vec_hex(vec, vec->root, "private_hex", 0, &private_len);
    bool want = expects(vec, "accept", "reject");
    /* other lengths never reach the function: reports have room for exactly one form */
    bool got = point_len == P224_POINT_SIZE && private_len == P224_SIZE &&
               p224_ecdh(scalar, point, shared) == P224_OK;
    if (got != want)
        vec_fail(vec, "%s", got ? "was accepted" : "was refused");
    if (got && want)
        vec_same_hex(vec, vec->root, "shared_hex", shared, sizeof(shared));
    else if (vec_opt_text(vec, vec->root, "shared_hex") != NULL)
        vec_fail(vec, "a refused point has no shared secret");
    if (point_len == P224_POINT_SIZE && want != p224_point_valid(point) && p224_scalar_valid(scalar))
        vec_fail(vec, "the point check and the exchange disagree");
}

static void run_kdf(struct vec *vec)
{
    size_t z_len, info_len;
    uint8_t *z = vec_hex(vec, vec->root, "z_hex", 0, &z_len);
    uint8_t *info = vec_hex(vec, vec->root, "shared_info_hex", 0, &info_len);
    int64_t length = vec_int(vec, vec->root, "length");
    if (length < 0 || length > 1 << 20) {
        vec_fail(vec, "length out of range");
        return;
    }
    uint8_t *out = arena_zalloc(vec->arena, (size_t)length + 1, 1);
    if (!crypto_x963(z, z_len, info, info_len, out, (size_t)length))
        vec_fail(vec, "failed");
    if (out[length] != 0)
        vec_fail(vec, "wrote past the end");
    vec_same_hex(vec, vec->root, "out_hex", out, (size_t)length);
}

static void run_gcm(struct vec *vec)
{
    struct gcm_input input = {
        .key = vec_hex(vec, vec->root, "key_hex", GCM_KEY_SIZE, NULL),
        .tag = vec_hex(vec, vec->root, "tag_hex", GCM_TAG_SIZE, NULL),
    };
    size_t plain_len;
    input.iv = vec_hex(vec, vec->root, "iv_hex", 0, &input.iv_len);
    input.aad = vec_hex(vec, vec->root, "aad_hex", 0, &input.aad_len);
    input.cipher = vec_hex(vec, vec->root, "cipher_hex", 0, &input.cipher_len);
    const uint8_t *want = vec_hex(vec, vec->root, "plain_hex", 0, &plain_len);
    bool ok = expects(vec, "ok", "auth-fail");
    uint8_t *plain = arena_alloc(vec->arena, input.cipher_len + 1);
    memset(plain, 0xaa, input.cipher_len);

    if (crypto_gcm_open(&input, plain) != ok)
        vec_fail(vec, "%s", ok ? "did not open" : "opened");
    if (ok && (plain_len != input.cipher_len || memcmp(want, plain, plain_len) != 0))
        vec_fail(vec, "another plaintext");
    for (size_t i = 0; !ok && i < input.cipher_len; i++)
        if (plain[i] != 0)
            vec_fail(vec, "plaintext was handed out");
}

static const struct vec_kind kinds[] = {
    { "ecdh-p224", run_ecdh },
    { "kdf-x963", run_kdf },
    { "aes-gcm-128", run_gcm },
};

const struct vec_group vec_group_primitive = { kinds, sizeof(kinds) / sizeof(kinds[0]) };
