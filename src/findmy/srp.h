/* SRP-6a, client side, as GrandSlam runs it (facts 7.3), and the two password forms of Apple's. */
#ifndef FINDMY_SRP_H
#define FINDMY_SRP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SRP_MAX_GROUP 256 /* bytes of N: the 2048-bit group of RFC 5054 */
#define SRP_MAX_HASH  64
#define SRP_KEY_SIZE  32 /* of the stretched password */
#define SRP_MAX_SALT  256

/* Fewer is a downgrade, more is an attempt to keep the processor busy. Apple uses about 20,000. */
#define SRP_MIN_ITERATIONS 1000
#define SRP_MAX_ITERATIONS 10000000

/* How the group and the hash are used. Apple's: srp_gsa. The others exist to prove the arithmetic with the
 * published vectors of textbook SRP. */
struct srp_group {
    const uint8_t *prime;
    size_t prime_len;
    unsigned generator;
    const char *digest;    /* OpenSSL's name */
    bool username_in_x;    /* x = H(salt | H(user ":" key)) and not H(salt | H(":" key)) */
    bool generator_padded; /* g is padded to the length of N in M1's xor part */
};

extern const struct srp_group srp_gsa;

/* One exchange with all its intermediate values, big-endian and padded to the group's length where they are
 * numbers. Wipe it after use. */
struct srp {
    const struct srp_group *group;
    size_t hash_len;
    uint8_t a[SRP_MAX_GROUP]; /* our secret */
    size_t a_len;
    uint8_t A[SRP_MAX_GROUP];
    uint8_t B[SRP_MAX_GROUP];
    uint8_t k[SRP_MAX_HASH], u[SRP_MAX_HASH], x[SRP_MAX_HASH];
    uint8_t S[SRP_MAX_GROUP];
    uint8_t K[SRP_MAX_HASH], M1[SRP_MAX_HASH], M2[SRP_MAX_HASH];
};

/* Begin: draw the secret and compute A. With secret == NULL it is drawn until A has no leading zero byte,
 * because nobody knows how Apple hashes such an A. A fixed secret is for tests. */
MUST_CHECK bool srp_start(struct srp *srp, const struct srp_group *group, const uint8_t *secret,
                          size_t secret_len, struct error *err);

/* Take the server's B and compute everything else. Refuses B = 0 mod N ("srp_refused"). */
MUST_CHECK bool srp_answer(struct srp *srp, const char *username, const uint8_t *key, size_t key_len,
                           const uint8_t *salt, size_t salt_len, const uint8_t *B, size_t b_len,
                           struct error *err);

/* True when one of the numbers hashed without padding begins with a zero byte, so that the server might hash
 * it otherwise: better start over than send M1. */
bool srp_ambiguous(const struct srp *srp);

/* True when the server's proof is right. */
MUST_CHECK bool srp_verify(const struct srp *srp, const uint8_t *m2, size_t len);

void srp_wipe(struct srp *srp);

/* What goes into PBKDF2: "s2k" the raw SHA-256 of the password, "s2k_fo" its 64 lowercase hex digits. out has
 * 64 bytes. False: unknown form. */
MUST_CHECK bool srp_prehash(const char *form, const char *password, uint8_t *out, size_t *out_len);

/* PBKDF2-HMAC-SHA256. */
MUST_CHECK bool srp_pbkdf2(const uint8_t *password, size_t password_len, const uint8_t *salt, size_t salt_len,
                           int64_t iterations, uint8_t *out, size_t out_len);

/* The stretched password, SRP_KEY_SIZE bytes. Refuses unknown forms, empty salts and unsafe iteration counts
 * ("srp_refused"). */
MUST_CHECK bool srp_password_key(const char *form, const char *password, const uint8_t *salt, size_t salt_len,
                                 int64_t iterations, uint8_t *out, struct error *err);

#endif
