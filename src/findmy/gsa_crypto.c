/* Session keys, the negotiation proof, AES-CBC of `spd`, AES-GCM of app tokens. */
#include "findmy/gsa_crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "findmy/gsa.h"

#define GCM_IV_LEN  16
#define GCM_TAG_LEN 16

static const char token_magic[] = { 'X', 'Y', 'Z' };

bool gsa_session_key(const uint8_t *K, size_t len, const char *label, uint8_t out[32])
{
    return HMAC(EVP_sha256(), K, (int)len, (const unsigned char *)label, strlen(label), out, NULL) != NULL;
}

static bool add(EVP_MD_CTX *hash, const void *data, size_t len)
{
    return EVP_DigestUpdate(hash, data, len) == 1;
}

/* Length in little-endian 32 bits, then the bytes. */
static bool add_block(EVP_MD_CTX *hash, const uint8_t *data, size_t len)
{
    const uint8_t size[4] = { (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16), (uint8_t)(len >> 24) };
    return add(hash, size, sizeof(size)) && add(hash, data, len);
}

/* SHA-256("s2k,s2k_fo" "|" "|" form "|" spd "|" [sc] "|"): the bars are literal. */
bool gsa_negotiation_digest(const char *form, const uint8_t *spd, size_t spd_len, const uint8_t *sc,
                            size_t sc_len, uint8_t out[32])
{
    static const char offered[] = "s2k,s2k_fo||";
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool ok = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
              add(hash, offered, sizeof(offered) - 1) && add(hash, form, strlen(form)) && add(hash, "|", 1) &&
              add_block(hash, spd, spd_len) && add(hash, "|", 1) &&
              (sc == NULL || add_block(hash, sc, sc_len)) && add(hash, "|", 1) &&
              EVP_DigestFinal_ex(hash, out, NULL) == 1;
    EVP_MD_CTX_free(hash);
    return ok;
}

bool gsa_check_negotiation(const struct srp *srp, const char *form, const uint8_t *spd, size_t spd_len,
                           const uint8_t *sc, size_t sc_len, const uint8_t *np, size_t np_len)
{
    uint8_t key[32], digest[32], expected[32];
    bool ok = gsa_session_key(srp->K, srp->hash_len, "HMAC key:", key) &&
              gsa_negotiation_digest(form, spd, spd_len, sc, sc_len, digest) &&
              HMAC(EVP_sha256(), key, sizeof(key), digest, sizeof(digest), expected, NULL) != NULL &&
              np_len == sizeof(expected) && equal_secret(np, expected, sizeof(expected));
    wipe(key, sizeof(key));
    wipe(expected, sizeof(expected));
    return ok;
}

bool gsa_open_spd(const struct srp *srp, const uint8_t *spd, size_t spd_len, uint8_t *plain,
                  size_t *plain_len)
{
    uint8_t key[32], iv[32];
    int len = 0, last = 0;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool ok = cipher != NULL && spd_len > 0 && spd_len <= GSA_MAX_ANSWER && spd_len % 16 == 0 &&
              gsa_session_key(srp->K, srp->hash_len, "extra data key:", key) &&
              gsa_session_key(srp->K, srp->hash_len, "extra data iv:", iv) &&
              EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key, iv) == 1 &&
              EVP_DecryptUpdate(cipher, plain, &len, spd, (int)spd_len) == 1 &&
              EVP_DecryptFinal_ex(cipher, plain + len, &last) == 1;
    EVP_CIPHER_CTX_free(cipher);
    wipe(key, sizeof(key));
    wipe(iv, sizeof(iv));
    *plain_len = ok ? (size_t)(len + last) : 0;
    return ok;
}

bool gsa_apptokens_checksum(const uint8_t *sk, size_t sk_len, const char *adsid, const char *app,
                            uint8_t out[32])
{
    char text[sizeof("apptokens") + GSA_MAX_ID + 256];
    int len = snprintf(text, sizeof(text), "apptokens%s%s", adsid, app);
    return len > 0 && (size_t)len < sizeof(text) &&
           HMAC(EVP_sha256(), sk, (int)sk_len, (const unsigned char *)text, (size_t)len, out, NULL) != NULL;
}

/* "XYZ" | IV 16 | ciphertext | tag 16, with "XYZ" as additional data */
bool gsa_apptokens_open(const uint8_t sk[32], const uint8_t *et, size_t len, uint8_t *plain,
                        size_t *plain_len)
{
    const size_t head = sizeof(token_magic) + GCM_IV_LEN;
    if (len < head + GCM_TAG_LEN || len > GSA_MAX_ANSWER || memcmp(et, token_magic, sizeof(token_magic)) != 0)
        return false;
    int out_len = 0, last = 0;
    size_t cipher_len = len - head - GCM_TAG_LEN;
    uint8_t tag[GCM_TAG_LEN];
    memcpy(tag, et + len - GCM_TAG_LEN, GCM_TAG_LEN);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool ok = cipher != NULL && EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, NULL, NULL) == 1 &&
              EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_IVLEN, GCM_IV_LEN, NULL) == 1 &&
              EVP_DecryptInit_ex(cipher, NULL, NULL, sk, et + sizeof(token_magic)) == 1 &&
              EVP_DecryptUpdate(cipher, NULL, &out_len, et, sizeof(token_magic)) == 1 &&
              EVP_DecryptUpdate(cipher, plain, &out_len, et + head, (int)cipher_len) == 1 &&
              EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_LEN, tag) == 1 &&
              EVP_DecryptFinal_ex(cipher, plain + out_len, &last) == 1;
    EVP_CIPHER_CTX_free(cipher);
    if (!ok)
        wipe(plain, len);
    *plain_len = ok ? (size_t)(out_len + last) : 0;
    return ok;
}
