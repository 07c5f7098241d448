/* Looks for secrets that somebody forgot to replace. */
#include "cli/secrets.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/encode.h"

/* A random secret of the least length has far more; a repeated character or a short word has not. */
#define MIN_DIFFERENT_CHARACTERS 8

/* Longer keys are not read to their end: what matters stands at the beginning. */
#define MAX_KEY 512

/* What placeholders are made of. A random key has one of these less often than once in 10^9. */
static const char *const placeholder_words[] = { "develop",     "change",   "example",
                                                 "placeholder", "password", "default" };

static bool has_placeholder(const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(placeholder_words); i++)
        if (strcasestr(text, placeholder_words[i]) != NULL)
            return true;
    return false;
}

static bool few_characters(const char *key, size_t len)
{
    bool seen[UCHAR_MAX + 1] = { false };
    unsigned different = 0;
    for (size_t i = 0; i < len; i++) {
        different += !seen[(unsigned char)key[i]];
        seen[(unsigned char)key[i]] = true;
    }
    return different < MIN_DIFFERENT_CHARACTERS;
}

/* As it is written, or (a master key) what its base64 stands for. */
static bool guessable(const char *key, size_t len)
{
    char text[MAX_KEY + 1], decoded[MAX_KEY + 1];
    size_t decoded_len = 0;
    if (len > MAX_KEY)
        len = MAX_KEY;
    memcpy(text, key, len);
    text[len] = '\0';
    if (!base64_decode(text, len, decoded, MAX_KEY, &decoded_len))
        decoded_len = 0;
    decoded[decoded_len] = '\0';
    bool found = few_characters(text, len) || has_placeholder(text) || has_placeholder(decoded);
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(decoded, sizeof(decoded));
    return found;
}

/* A secret may be a list of keys. */
static bool check_secret(const char *name, const char *keys, const char *recipe, struct error *err)
{
    for (const char *key = keys; *key != '\0';) {
        size_t len = strcspn(key, ",");
        if (guessable(key, len))
            return error_set(err, "secret_weak", "%s can be guessed; make one with: %s", name, recipe);
        key += len + (key[len] == ',');
    }
    return true;
}

bool secrets_check(const struct config *config, struct error *err)
{
    if (config->master_key[0] == '\0')
        return error_set(err, "master_key_missing",
                         "MASTER_KEY is not set; make one with: openssl rand -base64 32");
    if (strcmp(config->environment, "production") != 0)
        return true;
    if (config->jwt_secret[0] == '\0')
        return error_set(err, "jwt_secret_missing",
                         "JWT_SECRET is not set; make one with: openssl rand -hex 32");
    return check_secret("JWT_SECRET", config->jwt_secret, "openssl rand -hex 32", err) &&
           check_secret("MASTER_KEY", config->master_key, "openssl rand -base64 32", err);
}
