/* API keys: made once, shown once, stored as a hash; and the scopes that narrow them. */
#include "auth/apikey.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/parse.h"

/* Fixed start: secret scanners and people recognise a key that leaked into a log or a repository. */
#define START        "tk_"
#define PREFIX_CHARS 11 /* START and 8 letters */
#define RANDOM_SIZE  32
#define SECRET_CHARS 43 /* of RANDOM_SIZE bytes in base64url */
#define KEY_CHARS    (PREFIX_CHARS + 1 + SECRET_CHARS)

_Static_assert(KEY_CHARS < APIKEY_SIZE && PREFIX_CHARS < APIKEY_PREFIX_SIZE, "a key must fit");

const char *const apikey_resources[] = {
    "admin",
    "api-keys",
    "audit-log",
    "brands",
    "clients",
    "dashboard",
    "delivery-locations",
    "events",
    "exceptions",
    "exclusion-areas",
    "fetch-batches",
    "geocoding",
    "images",
    "map",
    "notifications",
    "production-runs",
    "rejected-reports",
    "search",
    "share-links",
    "statistics",
    "status-history",
    "storage-locations",
    "stream",
    "subscriptions",
    "tasks",
    "trackers",
    "users",
    "webhooks",
    NULL,
};

void apikey_generate(struct apikey *key)
{
    uint8_t random[RANDOM_SIZE], name[4];
    char tail[BASE64_SIZE(RANDOM_SIZE)], letters[HEX_SIZE(sizeof(name))];
    randombytes_buf(random, sizeof(random));
    randombytes_buf(name, sizeof(name));
    base64url_encode(random, sizeof(random), tail);
    hex_encode(name, sizeof(name), letters);
    snprintf(key->prefix, sizeof(key->prefix), START "%s", letters);
    snprintf(key->secret, sizeof(key->secret), "%s_%s", key->prefix, tail);
    crypto_hash_sha256(key->hash, (const uint8_t *)key->secret, strlen(key->secret));
    wipe(random, sizeof(random));
    wipe(tail, sizeof(tail));
}

bool apikey_hash(const char *secret, uint8_t hash[APIKEY_HASH_SIZE])
{
    if (strlen(secret) != KEY_CHARS || strncmp(secret, START, strlen(START)) != 0 ||
        secret[PREFIX_CHARS] != '_')
        return false;
    crypto_hash_sha256(hash, (const uint8_t *)secret, KEY_CHARS);
    return true;
}

bool apikey_scope_valid(const char *scope)
{
    if (strcmp(scope, "*") == 0 || strcmp(scope, "read") == 0 || strcmp(scope, "write") == 0)
        return true;
    const char *colon = strchr(scope, ':');
    if (colon == NULL || (strcmp(colon, ":read") != 0 && strcmp(colon, ":write") != 0))
        return false;
    char resource[64];
    size_t len = (size_t)(colon - scope);
    if (len == 0 || len >= sizeof(resource))
        return false;
    memcpy(resource, scope, len);
    resource[len] = '\0';
    return word_index(apikey_resources, resource) >= 0;
}
