/* Encrypts location reports with OpenSSL's own interfaces, not with ours. */
#include "make_report.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int done)
{
    if (done != 1) {
        fputs("make_report: OpenSSL failed\n", stderr);
        abort();
    }
}

/* ephemeral point E and X of e * (d * G), for a random e */
static void agree(const uint8_t private_key[FINDMY_PRIVATE_SIZE], uint8_t point[P224_POINT_SIZE],
                  uint8_t shared[P224_SIZE])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_secp224r1);
    EC_POINT *tag = EC_POINT_new(group), *ephemeral = EC_POINT_new(group);
    BIGNUM *d = BN_bin2bn(private_key, FINDMY_PRIVATE_SIZE, NULL), *e = BN_new(), *x = BN_new();
    must(BN_rand_range(e, EC_GROUP_get0_order(group)));
    must(EC_POINT_mul(group, tag, d, NULL, NULL, NULL));
    must(EC_POINT_mul(group, ephemeral, e, NULL, NULL, NULL));
    must(EC_POINT_point2oct(group, ephemeral, POINT_CONVERSION_UNCOMPRESSED, point, P224_POINT_SIZE, NULL) ==
         P224_POINT_SIZE);
    must(EC_POINT_mul(group, tag, NULL, tag, e, NULL));
    must(EC_POINT_get_affine_coordinates(group, tag, x, NULL, NULL));
    must(BN_bn2binpad(x, shared, P224_SIZE) == P224_SIZE);
    BN_free(x);
    BN_free(e);
    BN_free(d);
    EC_POINT_free(ephemeral);
    EC_POINT_free(tag);
    EC_GROUP_free(group);
}

static void derive(const uint8_t shared[P224_SIZE], const uint8_t point[P224_POINT_SIZE], uint8_t out[32])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "X963KDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("digest", digest, 0),
        OSSL_PARAM_construct_octet_string("key", (void *)(uintptr_t)shared, P224_SIZE),
        OSSL_PARAM_construct_octet_string("info", (void *)(uintptr_t)point, P224_POINT_SIZE),
        OSSL_PARAM_construct_end(),
    };
    must(EVP_KDF_derive(context, out, 32, params));
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

static void put_u32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

void make_report(const uint8_t private_key[FINDMY_PRIVATE_SIZE], const struct plain_report *plain,
                 size_t form, uint8_t payload[REPORT_LONG])
{
    uint8_t shared[P224_SIZE], derived[32], text[REPORT_CIPHER_SIZE];
    uint8_t *rest = payload + 4 + (form == REPORT_LONG);
    int len;
    memset(payload, 0, REPORT_LONG);
    put_u32(payload, plain->seconds);
    rest[0] = plain->confidence;
    agree(private_key, rest + 1, shared);
    derive(shared, rest + 1, derived);
    put_u32(text, (uint32_t)plain->lat_e7);
    put_u32(text + 4, (uint32_t)plain->lon_e7);
    text[8] = plain->accuracy;
    text[9] = plain->status;

    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    must(EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, NULL, NULL));
    must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_IVLEN, 16, NULL));
    must(EVP_EncryptInit_ex(context, NULL, NULL, derived, derived + 16));
    must(EVP_EncryptUpdate(context, rest + 58, &len, text, sizeof(text)));
    must(EVP_EncryptFinal_ex(context, rest + 68, &len));
    must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, GCM_TAG_SIZE, rest + 68));
    EVP_CIPHER_CTX_free(context);
}
