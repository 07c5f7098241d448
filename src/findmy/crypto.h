/* The primitives below the Find My protocol, on OpenSSL: P-224, SHA-256, the X9.63 KDF and AES-128-GCM.
 *
 * Every thread keeps its own OpenSSL contexts, made at first use and freed when the thread ends, so that
 * nothing is fetched or allocated per call. Calls are constant time in their secrets as far as OpenSSL's
 * P-224 is (it is where the library was built with enable-ec_nistp_64_gcc_128, as Debian's is on 64-bit
 * machines, and elsewhere falls back to the Montgomery ladder). Temporaries that hold secrets are wiped.
 *
 * Numbers are big-endian and padded to full length: about one in 256 starts with a zero byte. */
#ifndef FINDMY_CRYPTO_H
#define FINDMY_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define P224_SIZE       28 /* a scalar or a coordinate */
#define P224_POINT_SIZE 57 /* 04 | X | Y */
#define SHA256_SIZE     32
#define GCM_KEY_SIZE    16
#define GCM_TAG_SIZE    16
#define GCM_MAX_IV      128 /* what OpenSSL takes; reports use 16, most others 12 */

/* ---- P-224 ---- */

/* 1 <= scalar < n, in constant time. */
MUST_CHECK bool p224_scalar_valid(const uint8_t scalar[P224_SIZE]);

/* 04, both coordinates below p, on the curve. */
MUST_CHECK bool p224_point_valid(const uint8_t point[P224_POINT_SIZE]);

/* The point scalar * G. False for an invalid scalar. */
MUST_CHECK bool p224_public(const uint8_t scalar[P224_SIZE], uint8_t point[P224_POINT_SIZE]);

enum p224_result {
    P224_OK,
    P224_BAD_SCALAR,
    P224_BAD_POINT,
    P224_FAILED /* OpenSSL refused: out of memory */
};

/* X coordinate of scalar * point. shared is untouched unless P224_OK. */
MUST_CHECK enum p224_result p224_ecdh(const uint8_t scalar[P224_SIZE], const uint8_t point[P224_POINT_SIZE],
                                      uint8_t shared[P224_SIZE]);

/* A wide number reduced into 1..n-1: wide mod (n-1) + 1. Rolling keys need it for 36 bytes (at most 64). */
MUST_CHECK bool p224_reduce(const uint8_t *wide, size_t len, uint8_t scalar[P224_SIZE]);

/* (u * d + v) mod n. False when the result is 0, which is no key. */
MUST_CHECK bool p224_combine(const uint8_t u[P224_SIZE], const uint8_t d[P224_SIZE],
                             const uint8_t v[P224_SIZE], uint8_t out[P224_SIZE]);

/* ---- hashes and cipher; false only when OpenSSL is out of memory, or for lengths it cannot take ---- */

MUST_CHECK bool crypto_sha256(const void *data, size_t len, uint8_t hash[SHA256_SIZE]);

/* ANSI X9.63 KDF with SHA-256: SHA-256(z | 1 | info) | SHA-256(z | 2 | info) ..., cut to out_len. */
MUST_CHECK bool crypto_x963(const void *z, size_t z_len, const void *info, size_t info_len, uint8_t *out,
                            size_t out_len);

struct gcm_input {
    const uint8_t *key; /* GCM_KEY_SIZE */
    const uint8_t *iv;
    size_t iv_len; /* 1 to GCM_MAX_IV */
    const uint8_t *aad;
    size_t aad_len; /* 0: none */
    const uint8_t *cipher;
    size_t cipher_len;
    const uint8_t *tag; /* GCM_TAG_SIZE */
};

/* Open AES-128-GCM. plain has cipher_len bytes; it holds zeros unless the tag was right. */
MUST_CHECK bool crypto_gcm_open(const struct gcm_input *input, uint8_t *plain);

/* Bytes from the operating system's generator by way of OpenSSL's private one. */
MUST_CHECK bool crypto_random(uint8_t *out, size_t len);

#endif
