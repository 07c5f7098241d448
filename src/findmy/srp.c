/* SRP-6a on OpenSSL's big numbers. */
#include "findmy/srp.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/encode.h"

/* RFC 5054, appendix A, 2048-bit group */
static const uint8_t prime_2048[SRP_MAX_GROUP] = {
    0xac, 0x6b, 0xdb, 0x41, 0x32, 0x4a, 0x9a, 0x9b, 0xf1, 0x66, 0xde, 0x5e, 0x13, 0x89, 0x58, 0x2f,
    0xaf, 0x72, 0xb6, 0x65, 0x19, 0x87, 0xee, 0x07, 0xfc, 0x31, 0x92, 0x94, 0x3d, 0xb5, 0x60, 0x50,
    0xa3, 0x73, 0x29, 0xcb, 0xb4, 0xa0, 0x99, 0xed, 0x81, 0x93, 0xe0, 0x75, 0x77, 0x67, 0xa1, 0x3d,
    0xd5, 0x23, 0x12, 0xab, 0x4b, 0x03, 0x31, 0x0d, 0xcd, 0x7f, 0x48, 0xa9, 0xda, 0x04, 0xfd, 0x50,
    0xe8, 0x08, 0x39, 0x69, 0xed, 0xb7, 0x67, 0xb0, 0xcf, 0x60, 0x95, 0x17, 0x9a, 0x16, 0x3a, 0xb3,
    0x66, 0x1a, 0x05, 0xfb, 0xd5, 0xfa, 0xaa, 0xe8, 0x29, 0x18, 0xa9, 0x96, 0x2f, 0x0b, 0x93, 0xb8,
    0x55, 0xf9, 0x79, 0x93, 0xec, 0x97, 0x5e, 0xea, 0xa8, 0x0d, 0x74, 0x0a, 0xdb, 0xf4, 0xff, 0x74,
    0x73, 0x59, 0xd0, 0x41, 0xd5, 0xc3, 0x3e, 0xa7, 0x1d, 0x28, 0x1e, 0x44, 0x6b, 0x14, 0x77, 0x3b,
    0xca, 0x97, 0xb4, 0x3a, 0x23, 0xfb, 0x80, 0x16, 0x76, 0xbd, 0x20, 0x7a, 0x43, 0x6c, 0x64, 0x81,
    0xf1, 0xd2, 0xb9, 0x07, 0x87, 0x17, 0x46, 0x1a, 0x5b, 0x9d, 0x32, 0xe6, 0x88, 0xf8, 0x77, 0x48,
    0x54, 0x45, 0x23, 0xb5, 0x24, 0xb0, 0xd5, 0x7d, 0x5e, 0xa7, 0x7a, 0x27, 0x75, 0xd2, 0xec, 0xfa,
    0x03, 0x2c, 0xfb, 0xdb, 0xf5, 0x2f, 0xb3, 0x78, 0x61, 0x60, 0x27, 0x90, 0x04, 0xe5, 0x7a, 0xe6,
    0xaf, 0x87, 0x4e, 0x73, 0x03, 0xce, 0x53, 0x29, 0x9c, 0xcc, 0x04, 0x1c, 0x7b, 0xc3, 0x08, 0xd8,
    0x2a, 0x56, 0x98, 0xf3, 0xa8, 0xd0, 0xc3, 0x82, 0x71, 0xae, 0x35, 0xf8, 0xe9, 0xdb, 0xfb, 0xb6,
    0x94, 0xb5, 0xc8, 0x03, 0xd8, 0x9f, 0x7a, 0xe4, 0x35, 0xde, 0x23, 0x6d, 0x52, 0x5f, 0x54, 0x75,
    0x9b, 0x65, 0xe3, 0x72, 0xfc, 0xd6, 0x8e, 0xf2, 0x0f, 0xa7, 0x11, 0x1f, 0x9e, 0x4a, 0xff, 0x73,
};

const struct srp_group srp_gsa = {
    .prime = prime_2048,
    .prime_len = sizeof(prime_2048),
    .generator = 2,
    .digest = "SHA256",
    .username_in_x = false,
    .generator_padded = true,
};

/* ---- hashing of pieces ---- */

struct hash {
    EVP_MD_CTX *context;
    bool ok;
};

static struct hash hash_begin(const struct srp_group *group)
{
    struct hash hash = { .context = EVP_MD_CTX_new() };
    EVP_MD *digest = EVP_MD_fetch(NULL, group->digest, NULL);
    hash.ok = hash.context != NULL && digest != NULL && EVP_DigestInit_ex(hash.context, digest, NULL) == 1;
    EVP_MD_free(digest);
    return hash;
}

static void hash_add(struct hash *hash, const void *data, size_t len)
{
    hash->ok = hash->ok && EVP_DigestUpdate(hash->context, data, len) == 1;
}

/* A number without its leading zero bytes, as the projects do inside K, M1 and M2. */
static void hash_add_minimal(struct hash *hash, const uint8_t *number, size_t len)
{
    while (len > 0 && *number == 0) {
        number++;
        len--;
    }
    hash_add(hash, number, len);
}

static bool hash_end(struct hash *hash, uint8_t *out)
{
    bool ok = hash->ok && EVP_DigestFinal_ex(hash->context, out, NULL) == 1;
    EVP_MD_CTX_free(hash->context);
    return ok;
}

static void hash_add_generator(struct hash *hash, const struct srp_group *group, bool padded)
{
    static const uint8_t zeros[SRP_MAX_GROUP];
    uint8_t generator = (uint8_t)group->generator;
    if (padded)
        hash_add(hash, zeros, group->prime_len - 1);
    hash_add(hash, &generator, 1);
}

/* ---- the hashes of the protocol ---- */

/* k = H(N | PAD(g)) */
static bool compute_k(struct srp *srp)
{
    struct hash hash = hash_begin(srp->group);
    hash_add(&hash, srp->group->prime, srp->group->prime_len);
    hash_add_generator(&hash, srp->group, true);
    return hash_end(&hash, srp->k);
}

/* u = H(PAD(A) | PAD(B)) */
static bool compute_u(struct srp *srp)
{
    struct hash hash = hash_begin(srp->group);
    hash_add(&hash, srp->A, srp->group->prime_len);
    hash_add(&hash, srp->B, srp->group->prime_len);
    return hash_end(&hash, srp->u);
}

/* x = H(salt | H([user] ":" key)) */
static bool compute_x(struct srp *srp, const char *username, const uint8_t *key, size_t key_len,
                      const uint8_t *salt, size_t salt_len)
{
    uint8_t inner[SRP_MAX_HASH];
    struct hash hash = hash_begin(srp->group);
    if (srp->group->username_in_x)
        hash_add(&hash, username, strlen(username));
    hash_add(&hash, ":", 1);
    hash_add(&hash, key, key_len);
    bool ok = hash_end(&hash, inner);

    hash = hash_begin(srp->group);
    hash_add(&hash, salt, salt_len);
    hash_add(&hash, inner, srp->hash_len);
    ok = hash_end(&hash, srp->x) && ok;
    wipe(inner, sizeof(inner));
    return ok;
}

/* K = H(S) */
static bool compute_K(struct srp *srp)
{
    struct hash hash = hash_begin(srp->group);
    hash_add_minimal(&hash, srp->S, srp->group->prime_len);
    return hash_end(&hash, srp->K);
}

/* M1 = H((H(N) xor H(g)) | H(user) | salt | A | B | K) */
static bool compute_M1(struct srp *srp, const char *username, const uint8_t *salt, size_t salt_len)
{
    const struct srp_group *group = srp->group;
    uint8_t of_prime[SRP_MAX_HASH], of_generator[SRP_MAX_HASH], of_user[SRP_MAX_HASH];

    struct hash hash = hash_begin(group);
    hash_add(&hash, group->prime, group->prime_len);
    bool ok = hash_end(&hash, of_prime);
    hash = hash_begin(group);
    hash_add_generator(&hash, group, group->generator_padded);
    ok = hash_end(&hash, of_generator) && ok;
    hash = hash_begin(group);
    hash_add(&hash, username, strlen(username));
    ok = hash_end(&hash, of_user) && ok;
    if (!ok)
        return false;
    for (size_t i = 0; i < srp->hash_len; i++)
        of_prime[i] ^= of_generator[i];

    hash = hash_begin(group);
    hash_add(&hash, of_prime, srp->hash_len);
    hash_add(&hash, of_user, srp->hash_len);
    hash_add(&hash, salt, salt_len);
    hash_add_minimal(&hash, srp->A, group->prime_len);
    hash_add_minimal(&hash, srp->B, group->prime_len);
    hash_add(&hash, srp->K, srp->hash_len);
    return hash_end(&hash, srp->M1);
}

/* M2 = H(A | M1 | K) */
static bool compute_M2(struct srp *srp)
{
    struct hash hash = hash_begin(srp->group);
    hash_add_minimal(&hash, srp->A, srp->group->prime_len);
    hash_add(&hash, srp->M1, srp->hash_len);
    hash_add(&hash, srp->K, srp->hash_len);
    return hash_end(&hash, srp->M2);
}

/* ---- the arithmetic ---- */

/* Numbers of one computation; all are cleared together. */
struct numbers {
    BN_CTX *context;
    BIGNUM *prime, *generator, *one, *two, *three;
};

static void numbers_end(struct numbers *n)
{
    BN_free(n->prime);
    BN_free(n->generator);
    BN_clear_free(n->one);
    BN_clear_free(n->two);
    BN_clear_free(n->three);
    BN_CTX_free(n->context);
}

static bool numbers_begin(struct numbers *n, const struct srp_group *group)
{
    *n = (struct numbers){
        .context = BN_CTX_secure_new(),
        .prime = BN_bin2bn(group->prime, (int)group->prime_len, NULL),
        .generator = BN_new(),
        .one = BN_new(),
        .two = BN_new(),
        .three = BN_new(),
    };
    if (n->context != NULL && n->prime != NULL && n->generator != NULL && n->one != NULL && n->two != NULL &&
        n->three != NULL && BN_set_word(n->generator, group->generator) == 1)
        return true;
    numbers_end(n);
    return false;
}

/* out = base ^ exponent mod N in time that does not depend on the exponent's bits */
static bool power(struct numbers *n, BIGNUM *out, const BIGNUM *base, BIGNUM *exponent)
{
    BN_set_flags(exponent, BN_FLG_CONSTTIME);
    return BN_mod_exp_mont_consttime(out, base, exponent, n->prime, n->context, NULL) == 1;
}

/* A = g^a mod N */
static bool compute_A(struct srp *srp)
{
    struct numbers n;
    int len = (int)srp->group->prime_len;
    if (!numbers_begin(&n, srp->group))
        return false;
    bool ok = BN_bin2bn(srp->a, (int)srp->a_len, n.one) != NULL && power(&n, n.two, n.generator, n.one) &&
              BN_bn2binpad(n.two, srp->A, len) == len;
    numbers_end(&n);
    return ok;
}

/* S = (B - k * g^x) ^ (a + u * x) mod N */
static bool compute_S(struct srp *srp)
{
    struct numbers n;
    int len = (int)srp->group->prime_len, hash_len = (int)srp->hash_len;
    if (!numbers_begin(&n, srp->group))
        return false;

    BIGNUM *x = n.one, *base = n.two, *other = n.three;
    bool ok = BN_bin2bn(srp->x, hash_len, x) != NULL && power(&n, base, n.generator, x) &&
              BN_bin2bn(srp->k, hash_len, other) != NULL &&
              BN_mod_mul(base, base, other, n.prime, n.context) == 1 &&
              BN_bin2bn(srp->B, len, other) != NULL && BN_mod_sub(base, other, base, n.prime, n.context) == 1;

    BIGNUM *exponent = x;
    ok = ok && BN_bin2bn(srp->u, hash_len, other) != NULL && BN_mul(exponent, other, x, n.context) == 1 &&
         BN_bin2bn(srp->a, (int)srp->a_len, other) != NULL && BN_add(exponent, exponent, other) == 1 &&
         power(&n, other, base, exponent) && BN_bn2binpad(other, srp->S, len) == len;
    numbers_end(&n);
    return ok;
}

/* B padded; false unless 0 < B < N (no honest server sends another, and B = 0 mod N would give the secret
 * away). */
static bool take_B(struct srp *srp, const uint8_t *B, size_t b_len)
{
    struct numbers n;
    int len = (int)srp->group->prime_len;
    if (b_len > SRP_MAX_GROUP || !numbers_begin(&n, srp->group))
        return false;
    bool ok = BN_bin2bn(B, (int)b_len, n.one) != NULL && BN_cmp(n.one, n.prime) < 0 && !BN_is_zero(n.one) &&
              BN_bn2binpad(n.one, srp->B, len) == len;
    numbers_end(&n);
    return ok;
}

/* ---- the exchange ---- */

bool srp_start(struct srp *srp, const struct srp_group *group, const uint8_t *secret, size_t secret_len,
               struct error *err)
{
    memset(srp, 0, sizeof(*srp));
    EVP_MD *digest = EVP_MD_fetch(NULL, group->digest, NULL);
    srp->group = group;
    srp->hash_len = digest != NULL ? (size_t)EVP_MD_get_size(digest) : 0;
    EVP_MD_free(digest);
    if (srp->hash_len == 0 || group->prime_len > SRP_MAX_GROUP || secret_len > SRP_MAX_GROUP)
        return error_set(err, "internal", "this SRP group or hash is not supported");

    do {
        srp->a_len = secret != NULL ? secret_len : SRP_MAX_GROUP;
        if (secret != NULL)
            memcpy(srp->a, secret, secret_len);
        else if (RAND_priv_bytes(srp->a, SRP_MAX_GROUP) != 1)
            return error_set(err, "internal", "no random numbers");
        if (!compute_A(srp))
            return error_set(err, "internal", "SRP arithmetic failed");
    } while (secret == NULL && srp->A[0] == 0);
    return true;
}

bool srp_answer(struct srp *srp, const char *username, const uint8_t *key, size_t key_len,
                const uint8_t *salt, size_t salt_len, const uint8_t *B, size_t b_len, struct error *err)
{
    if (!take_B(srp, B, b_len))
        return error_set(err, "srp_refused", "the server's SRP value is not acceptable");
    bool ok = compute_k(srp) && compute_u(srp) && compute_x(srp, username, key, key_len, salt, salt_len) &&
              compute_S(srp) && compute_K(srp) && compute_M1(srp, username, salt, salt_len) &&
              compute_M2(srp);
    return ok || error_set(err, "internal", "SRP arithmetic failed");
}

bool srp_ambiguous(const struct srp *srp)
{
    return srp->A[0] == 0 || srp->B[0] == 0 || srp->S[0] == 0;
}

bool srp_verify(const struct srp *srp, const uint8_t *m2, size_t len)
{
    return len == srp->hash_len && equal_secret(srp->M2, m2, len);
}

void srp_wipe(struct srp *srp)
{
    wipe(srp, sizeof(*srp));
}

/* ---- passwords ---- */

bool srp_prehash(const char *form, const char *password, uint8_t *out, size_t *out_len)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    char digits[HEX_SIZE(SHA256_DIGEST_LENGTH)];
    bool raw = strcmp(form, "s2k") == 0;
    if (!raw && strcmp(form, "s2k_fo") != 0)
        return false;

    SHA256((const unsigned char *)password, strlen(password), digest);
    hex_encode(digest, sizeof(digest), digits);
    *out_len = raw ? sizeof(digest) : sizeof(digits) - 1;
    memcpy(out, raw ? (const void *)digest : digits, *out_len);
    wipe(digest, sizeof(digest));
    wipe(digits, sizeof(digits));
    return true;
}

bool srp_pbkdf2(const uint8_t *password, size_t password_len, const uint8_t *salt, size_t salt_len,
                int64_t iterations, uint8_t *out, size_t out_len)
{
    return iterations > 0 && iterations <= SRP_MAX_ITERATIONS && out_len <= INT32_MAX &&
           PKCS5_PBKDF2_HMAC((const char *)password, (int)password_len, salt, (int)salt_len, (int)iterations,
                             EVP_sha256(), (int)out_len, out) == 1;
}

bool srp_password_key(const char *form, const char *password, const uint8_t *salt, size_t salt_len,
                      int64_t iterations, uint8_t *out, struct error *err)
{
    uint8_t prehash[64];
    size_t len;
    if (salt_len == 0 || salt_len > SRP_MAX_SALT)
        return error_set(err, "srp_refused", "the server sent no usable salt");
    if (iterations < SRP_MIN_ITERATIONS || iterations > SRP_MAX_ITERATIONS)
        return error_set(err, "srp_refused", "the server asks for an unsafe number of iterations");
    if (!srp_prehash(form, password, prehash, &len))
        return error_set(err, "srp_refused", "the server asks for an unknown password form");
    bool ok = srp_pbkdf2(prehash, len, salt, salt_len, iterations, out, SRP_KEY_SIZE);
    wipe(prehash, sizeof(prehash));
    return ok || error_set(err, "internal", "PBKDF2 failed");
}
