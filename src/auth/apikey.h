/* API keys: made once, shown once, stored as a hash; and the scopes that narrow them. */
#ifndef AUTH_APIKEY_H
#define AUTH_APIKEY_H

#include <stdint.h>

#include "base/error.h"

#define APIKEY_PREFIX_SIZE 13 /* "tk_" and 8 letters, NUL, rounded up */
#define APIKEY_SIZE        64 /* "tk_XXXXXXXX_" and 43 characters of 32 random bytes, NUL */
#define APIKEY_HASH_SIZE   32

struct apikey {
    char prefix[APIKEY_PREFIX_SIZE]; /* to tell keys apart; not secret */
    char secret[APIKEY_SIZE];        /* the whole key; wipe after showing it */
    uint8_t hash[APIKEY_HASH_SIZE];  /* SHA-256 of the whole key: 256 random bits need nothing slower */
};

void apikey_generate(struct apikey *key);

/* False when the text does not have the form of a key. */
MUST_CHECK bool apikey_hash(const char *secret, uint8_t hash[APIKEY_HASH_SIZE]);

/* "*", "read", "write", or "RESOURCE:read" / "RESOURCE:write" for a resource of the API. */
MUST_CHECK bool apikey_scope_valid(const char *scope);

/* Names of the resources that scopes may name, NULL-terminated. */
extern const char *const apikey_resources[];

#endif
