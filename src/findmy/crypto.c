/* The primitives below the Find My protocol, each on contexts that the calling thread reuses. */
#include "findmy/crypto.h"

#include <limits.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"

/* n, the order of the group */
static const uint8_t order[P224_SIZE] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x16, 0xa2, 0xe0, 0xb8, 0xf0, 0x3e, 0x13, 0xdd, 0x29, 0x45, 0x5c, 0x5c, 0x2a, 0x3d,
};

#define WIDE_MAX 64 /* bytes p224_reduce takes */

/* ---- contexts of a thread ---- */

struct contexts {
    EC_GROUP *group;
    BN_CTX *bn;
    EC_POINT *in, *out;
    BIGNUM *scalar, *x, *y, *n, *n_minus_1;
    EVP_MD *sha256;
    EVP_MD_CTX *hash;
    EVP_CIPHER *gcm;
    EVP_CIPHER_CTX *cipher;
};

static pthread_key_t contexts_key;
static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;

static void free_contexts(void *object)
{
    struct contexts *c = object;
    EVP_CIPHER_CTX_free(c->cipher);
    EVP_CIPHER_free(c->gcm);
    EVP_MD_CTX_free(c->hash);
    EVP_MD_free(c->sha256);
    BN_free(c->n_minus_1);
    BN_free(c->n);
    BN_clear_free(c->y);
    BN_clear_free(c->x);
    BN_clear_free(c->scalar);
    EC_POINT_clear_free(c->out);
    EC_POINT_free(c->in);
    BN_CTX_free(c->bn);
    EC_GROUP_free(c->group);
    free(c);
}

static void make_key(void)
{
    if (pthread_key_create(&contexts_key, free_contexts) != 0)
        abort();
}

static bool fill_contexts(struct contexts *c)
{
    c->group = EC_GROUP_new_by_curve_name(NID_secp224r1);
    c->bn = BN_CTX_new();
    if (c->group == NULL || c->bn == NULL)
        return false;
    c->in = EC_POINT_new(c->group);
    c->out = EC_POINT_new(c->group);
    c->scalar = BN_new();
    c->x = BN_new();
    c->y = BN_new();
    c->n = BN_bin2bn(order, sizeof(order), NULL);
    c->n_minus_1 = c->n == NULL ? NULL : BN_dup(c->n);
    c->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    c->hash = EVP_MD_CTX_new();
    c->gcm = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    c->cipher = EVP_CIPHER_CTX_new();
    if (c->in == NULL || c->out == NULL || c->scalar == NULL || c->x == NULL || c->y == NULL ||
        c->n_minus_1 == NULL || c->sha256 == NULL || c->hash == NULL || c->gcm == NULL || c->cipher == NULL)
        return false;
    BN_set_flags(c->scalar, BN_FLG_CONSTTIME);
    BN_set_flags(c->x, BN_FLG_CONSTTIME);
    return BN_sub_word(c->n_minus_1, 1) == 1 && EVP_DecryptInit_ex2(c->cipher, c->gcm, NULL, NULL, NULL) == 1;
}

/* The calling thread's contexts, or NULL when OpenSSL cannot make them. */
static struct contexts *contexts(void)
{
    /* The thread that calls exit() keeps its contexts: freeing them there would race OpenSSL's own end. */
    pthread_once(&contexts_once, make_key);
    struct contexts *c = pthread_getspecific(contexts_key);
    if (c != NULL)
        return c;
    c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    if (!fill_contexts(c) || pthread_setspecific(contexts_key, c) != 0) {
        free_contexts(c);
        ERR_clear_error();
        return NULL;
    }
    return c;
}

/* ---- P-224 ---- */

bool p224_scalar_valid(const uint8_t scalar[P224_SIZE])
{
    /* scalar - n borrows exactly when scalar < n; no branch looks at a byte of the scalar */
    unsigned any = 0, borrow = 0;
    for (int i = P224_SIZE - 1; i >= 0; i--) {
        any |= scalar[i];
        borrow = ((unsigned)scalar[i] - order[i] - borrow) >> 31;
    }
    return (borrow & (unsigned)(any != 0)) == 1;
}

/* Decode and check; OpenSSL refuses coordinates >= p and points off the curve. */
static bool set_point(struct contexts *c, const uint8_t point[P224_POINT_SIZE])
{
    if (point[0] == POINT_CONVERSION_UNCOMPRESSED &&
        EC_POINT_oct2point(c->group, c->in, point, P224_POINT_SIZE, c->bn) == 1)
        return true;
    ERR_clear_error();
    return false;
}

bool p224_point_valid(const uint8_t point[P224_POINT_SIZE])
{
    struct contexts *c = contexts();
    return c != NULL && set_point(c, point);
}

bool p224_public(const uint8_t scalar[P224_SIZE], uint8_t point[P224_POINT_SIZE])
{
    struct contexts *c = contexts();
    if (c == NULL || !p224_scalar_valid(scalar))
        return false;
    bool done = BN_bin2bn(scalar, P224_SIZE, c->scalar) != NULL &&
                EC_POINT_mul(c->group, c->out, c->scalar, NULL, NULL, c->bn) == 1 &&
                EC_POINT_point2oct(c->group, c->out, POINT_CONVERSION_UNCOMPRESSED, point, P224_POINT_SIZE,
                                   c->bn) == P224_POINT_SIZE;
    BN_clear(c->scalar);
    if (!done)
        ERR_clear_error();
    return done;
}

enum p224_result p224_ecdh(const uint8_t scalar[P224_SIZE], const uint8_t point[P224_POINT_SIZE],
                           uint8_t shared[P224_SIZE])
{
    struct contexts *c = contexts();
    if (c == NULL)
        return P224_FAILED;
    if (!p224_scalar_valid(scalar))
        return P224_BAD_SCALAR;
    if (!set_point(c, point))
        return P224_BAD_POINT;
    bool done = BN_bin2bn(scalar, P224_SIZE, c->scalar) != NULL &&
                EC_POINT_mul(c->group, c->out, NULL, c->in, c->scalar, c->bn) == 1 &&
                EC_POINT_get_affine_coordinates(c->group, c->out, c->x, NULL, c->bn) == 1 &&
                BN_bn2binpad(c->x, shared, P224_SIZE) == P224_SIZE;
    BN_clear(c->scalar);
    BN_clear(c->x);
    if (!done)
        ERR_clear_error();
    return done ? P224_OK : P224_FAILED;
}

bool p224_reduce(const uint8_t *wide, size_t len, uint8_t scalar[P224_SIZE])
{
    struct contexts *c = contexts();
    if (c == NULL || len > WIDE_MAX)
        return false;
    bool done = BN_bin2bn(wide, (int)len, c->scalar) != NULL &&
                BN_mod(c->x, c->scalar, c->n_minus_1, c->bn) == 1 && BN_add_word(c->x, 1) == 1 &&
                BN_bn2binpad(c->x, scalar, P224_SIZE) == P224_SIZE;
    BN_clear(c->scalar);
    BN_clear(c->x);
    if (!done)
        ERR_clear_error();
    return done;
}

bool p224_combine(const uint8_t u[P224_SIZE], const uint8_t d[P224_SIZE], const uint8_t v[P224_SIZE],
                  uint8_t out[P224_SIZE])
{
    struct contexts *c = contexts();
    if (c == NULL)
        return false;
    bool done = BN_bin2bn(u, P224_SIZE, c->x) != NULL && BN_bin2bn(d, P224_SIZE, c->scalar) != NULL &&
                BN_mod_mul(c->x, c->x, c->scalar, c->n, c->bn) == 1 &&
                BN_bin2bn(v, P224_SIZE, c->y) != NULL && BN_mod_add(c->x, c->x, c->y, c->n, c->bn) == 1 &&
                BN_bn2binpad(c->x, out, P224_SIZE) == P224_SIZE;
    BN_clear(c->scalar);
    BN_clear(c->x);
    BN_clear(c->y);
    if (!done)
        ERR_clear_error();
    return done && p224_scalar_valid(out);
}

/* ---- hashes and cipher ---- */

bool crypto_sha256(const void *data, size_t len, uint8_t hash[SHA256_SIZE])
{
    struct contexts *c = contexts();
    return c != NULL && EVP_DigestInit_ex2(c->hash, c->sha256, NULL) == 1 &&
           EVP_DigestUpdate(c->hash, data, len) == 1 && EVP_DigestFinal_ex(c->hash, hash, NULL) == 1;
}

bool crypto_x963(const void *z, size_t z_len, const void *info, size_t info_len, uint8_t *out, size_t out_len)
{
    struct contexts *c = contexts();
    if (c == NULL)
        return false;
    uint8_t block[SHA256_SIZE];
    uint32_t counter = 1;
    bool done = true;
    for (size_t at = 0; done && at < out_len; at += SHA256_SIZE, counter++) {
        uint8_t number[4] = { (uint8_t)(counter >> 24), (uint8_t)(counter >> 16), (uint8_t)(counter >> 8),
                              (uint8_t)counter };
        done = EVP_DigestInit_ex2(c->hash, c->sha256, NULL) == 1 &&
               EVP_DigestUpdate(c->hash, z, z_len) == 1 &&
               EVP_DigestUpdate(c->hash, number, sizeof(number)) == 1 &&
               EVP_DigestUpdate(c->hash, info, info_len) == 1 &&
               EVP_DigestFinal_ex(c->hash, block, NULL) == 1;
        if (done)
            memcpy(out + at, block, out_len - at < SHA256_SIZE ? out_len - at : SHA256_SIZE);
    }
    wipe(block, sizeof(block));
    return done;
}

/* The IV's length must be set before key and IV are: OpenSSL assumes 12. */
static bool start_gcm(struct contexts *c, const struct gcm_input *input)
{
    return EVP_CIPHER_CTX_ctrl(c->cipher, EVP_CTRL_AEAD_SET_IVLEN, (int)input->iv_len, NULL) == 1 &&
           EVP_DecryptInit_ex2(c->cipher, NULL, input->key, input->iv, NULL) == 1;
}

bool crypto_gcm_open(const struct gcm_input *input, uint8_t *plain)
{
    struct contexts *c = contexts();
    int len = 0, rest = 0;
    if (c == NULL || input->iv_len < 1 || input->iv_len > GCM_MAX_IV || input->cipher_len > INT_MAX ||
        input->aad_len > INT_MAX)
        return false;
    bool done = start_gcm(c, input) &&
                (input->aad_len == 0 ||
                 EVP_DecryptUpdate(c->cipher, NULL, &len, input->aad, (int)input->aad_len) == 1) &&
                (input->cipher_len == 0 ||
                 EVP_DecryptUpdate(c->cipher, plain, &len, input->cipher, (int)input->cipher_len) == 1) &&
                EVP_CIPHER_CTX_ctrl(c->cipher, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_SIZE, (void *)input->tag) ==
                    1 &&
                EVP_DecryptFinal_ex(c->cipher, plain + input->cipher_len, &rest) == 1;
    if (!done) {
        wipe(plain, input->cipher_len);
        ERR_clear_error();
    }
    return done;
}

bool crypto_random(uint8_t *out, size_t len)
{
    return len <= INT_MAX && RAND_priv_bytes(out, (int)len) == 1;
}
