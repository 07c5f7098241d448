/* Base64, hex, UTF-8 and comparison of secrets. */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* characters needed for n bytes, with the NUL */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
#define HEX_SIZE(n)    ((n)*2 + 1)

/* Encoders write a NUL-terminated text into out, which must have the room named above. */
void base64_encode(const void *data, size_t len, char *out);    /* standard alphabet, padded */
void base64url_encode(const void *data, size_t len, char *out); /* URL alphabet, not padded */
void hex_encode(const void *data, size_t len, char *out);       /* lowercase */

/* Decoders accept only canonical text of at most max decoded bytes; *out_len is set on success.
 * base64_decode takes both alphabets, padded or not, without white space. */
MUST_CHECK bool base64_decode(const char *text, size_t len, void *out, size_t max, size_t *out_len);
MUST_CHECK bool hex_decode(const char *text, size_t len, void *out, size_t max, size_t *out_len);

/* The same for values whose length is known: true only when exactly size bytes come out. */
MUST_CHECK bool base64_decode_exact(const char *text, void *out, size_t size);
MUST_CHECK bool hex_decode_exact(const char *text, void *out, size_t size);

/* Valid UTF-8 without NUL: no overlong forms, no surrogates, at most U+10FFFF. */
MUST_CHECK bool utf8_valid(const char *text, size_t len);

/* characters (code points) in valid UTF-8 */
size_t utf8_length(const char *text, size_t len);

/* Compare in time that depends on len only. */
bool equal_secret(const void *a, const void *b, size_t len);

/* Overwrite so that the compiler cannot leave it out. */
void wipe(void *data, size_t len);

#endif
