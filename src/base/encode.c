/* Text encodings of bytes, on libsodium where it has them. */
#include "base/encode.h"

#include <sodium.h>
#include <string.h>

void base64_encode(const void *data, size_t len, char *out)
{
    sodium_bin2base64(out, sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL), data, len,
                      sodium_base64_VARIANT_ORIGINAL);
}

void base64url_encode(const void *data, size_t len, char *out)
{
    sodium_bin2base64(out, sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING), data,
                      len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void hex_encode(const void *data, size_t len, char *out)
{
    sodium_bin2hex(out, HEX_SIZE(len), data, len);
}

bool base64_decode(const char *text, size_t len, void *out, size_t max, size_t *out_len)
{
    bool padded = len > 0 && text[len - 1] == '=';
    bool url = memchr(text, '-', len) != NULL || memchr(text, '_', len) != NULL;
    int variant = url ? (padded ? sodium_base64_VARIANT_URLSAFE : sodium_base64_VARIANT_URLSAFE_NO_PADDING)
                      : (padded ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    /* Without an end pointer libsodium itself refuses trailing characters. */
    return sodium_base642bin(out, max, text, len, NULL, out_len, NULL, variant) == 0;
}

bool hex_decode(const char *text, size_t len, void *out, size_t max, size_t *out_len)
{
    return len % 2 == 0 && sodium_hex2bin(out, max, text, len, NULL, out_len, NULL) == 0;
}

bool base64_decode_exact(const char *text, void *out, size_t size)
{
    size_t len;
    return base64_decode(text, strlen(text), out, size, &len) && len == size;
}

bool hex_decode_exact(const char *text, void *out, size_t size)
{
    size_t len;
    return hex_decode(text, strlen(text), out, size, &len) && len == size;
}

/* Length of the UTF-8 sequence at p (of at most left bytes), or 0 when it is malformed. Unicode 15, table
 * 3-7. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t need = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    if (need == 0 || need > left)
        return 0;
    unsigned char low = 0x80, high = 0xbf;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

bool utf8_valid(const char *text, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_sequence((const unsigned char *)text + i, len - i);
        if (n == 0 || text[i] == '\0')
            return false;
    }
    return true;
}

size_t utf8_length(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

bool equal_secret(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

void wipe(void *data, size_t len)
{
    sodium_memzero(data, len);
}
