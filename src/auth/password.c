/* Passwords: policy, Argon2id hashes (libsodium), and a bound on how many are computed at once. */
#include "auth/password.h"

#include <ctype.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "base/log.h"

/* Passes over the memory. Two with 19 MiB or more is OWASP's recommendation; memory is the setting. */
#define PASSES 2

/* Bytes of the longest acceptable password: four for each character. */
#define PASSWORD_MAX_BYTES (PASSWORD_MAX * 4)

/* Fewer different characters than this is a repetition, whatever the length. */
#define MIN_DIFFERENT 4

_Static_assert(PASSWORD_HASH_SIZE >= crypto_pwhash_STRBYTES, "a PHC string must fit");

struct password_hasher {
    size_t memory;
    unsigned slots, busy, max_waiting, waiting;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    char dummy[PASSWORD_HASH_SIZE]; /* of a random password: what unknown users are compared with */
};

/* The commonest passwords of public leaks among those that are long enough for the policy. */
static const char *const common[] = {
    "0123456789",   "01234567890",  "0987654321",       "1029384756",       "1122334455",    "1234567890",
    "12345678900",  "12345678901",  "123456789012",     "1234567891",       "12345678910",   "123456789a",
    "123456789q",   "1234512345",   "1234554321",       "1234567890a",      "1234567890q",   "123qwe123qwe",
    "123qweasdzxc", "1q2w3e4r5t",   "1q2w3e4r5t6y",     "1q2w3e4r5t6y7u",   "1qaz2wsx3edc",  "1qazxsw23edc",
    "9876543210",   "abc1234567",   "abcd123456",       "abcdefghij",       "administrator", "asdfghjkl1",
    "asdfghjkl123", "baseball123",  "basketball",       "butterfly1",       "changeme123",   "changeme1234",
    "chocolate1",   "computer123",  "corvette123",      "dragon12345",      "football123",   "iloveyou12",
    "iloveyou123",  "iloveyou1234", "letmein123",       "letmein1234",      "liverpool1",    "manchester1",
    "mypassword",   "mypassword1",  "p@ssw0rd123",      "p@ssword123",      "pa$$w0rd123",   "passw0rd12",
    "passw0rd123",  "passwort123",  "passwort1234",     "password00",       "password01",    "password10",
    "password11",   "password12",   "password123",      "password1234",     "password12345", "password123456",
    "password1!",   "password123!", "password!1",       "password2020",     "password2021",  "password2022",
    "password2023", "password2024", "password2025",     "passwordpassword", "princess123",   "q1w2e3r4t5",
    "q1w2e3r4t5y6", "qazwsxedc1",   "qazwsxedcrfv",     "qwer123456",       "qwerasdfzxcv",  "qwert12345",
    "qwertyuiop",   "qwertyuiop1",  "qwertyuiop123",    "qwerty1234",       "qwerty12345",   "qwerty123456",
    "qwertzuiop",   "qwertz12345",  "qwertz123456",     "sommer2024",       "starwars123",   "sunshine123",
    "superman123",  "trackerd123",  "trustno1trustno1", "unbelievable",     "welcome123",    "welcome1234",
    "zaq12wsxcde3", "zxcvbnm123",   "hallo12345",       "geheim1234",       "hallohallo",    "passwort12",
    "motdepasse",   "contrasena",
};

struct password_hasher *password_hasher_new(size_t memory, unsigned slots, unsigned waiting)
{
    struct password_hasher *hasher = calloc(1, sizeof(*hasher));
    if (hasher == NULL)
        abort();
    hasher->memory = memory;
    hasher->slots = slots > 0 ? slots : 1;
    hasher->max_waiting = waiting;
    pthread_mutex_init(&hasher->lock, NULL);
    pthread_cond_init(&hasher->freed, NULL);

    char random[33];
    uint8_t bytes[16];
    randombytes_buf(bytes, sizeof(bytes));
    hex_encode(bytes, sizeof(bytes), random);
    if (!password_hash(hasher, random, hasher->dummy)) {
        password_hasher_free(hasher);
        return NULL;
    }
    return hasher;
}

void password_hasher_free(struct password_hasher *hasher)
{
    if (hasher == NULL)
        return;
    pthread_cond_destroy(&hasher->freed);
    pthread_mutex_destroy(&hasher->lock);
    free(hasher);
}

/* ---- policy ---- */

static size_t different_characters(const char *password)
{
    bool seen[256] = { false };
    size_t n = 0;
    for (const unsigned char *p = (const unsigned char *)password; *p != '\0'; p++)
        if (!seen[tolower(*p)]) {
            seen[tolower(*p)] = true;
            n++;
        }
    return n;
}

static bool is_common(const char *password)
{
    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        if (strcasecmp(password, common[i]) == 0)
            return true;
    return false;
}

/* The address, or what stands before its @, alone or only with digits and marks around it. */
static bool is_from_email(const char *password, const char *email)
{
    if (strcasecmp(password, email) == 0)
        return true;
    size_t local = strcspn(email, "@");
    if (local < 3) /* so short that it stands in good passwords by chance */
        return false;
    char name[65];
    if (local >= sizeof(name))
        return false;
    memcpy(name, email, local);
    name[local] = '\0';
    const char *at = strcasestr(password, name);
    if (at == NULL)
        return false;
    size_t letters = 0;
    for (const char *p = password; *p != '\0'; p++)
        if ((p < at || p >= at + local) && (isalpha((unsigned char)*p) || (unsigned char)*p >= 0x80))
            letters++;
    return letters == 0;
}

bool password_acceptable(const char *password, const char *email, struct error *err)
{
    size_t bytes = strlen(password);
    if (bytes > PASSWORD_MAX_BYTES)
        return error_set(err, "too_long", "must have at most %d characters", PASSWORD_MAX);
    if (!utf8_valid(password, bytes))
        return error_set(err, "invalid", "must be valid UTF-8");
    size_t length = utf8_length(password, bytes);
    if (length < PASSWORD_MIN)
        return error_set(err, "too_short", "must have at least %d characters", PASSWORD_MIN);
    if (length > PASSWORD_MAX)
        return error_set(err, "too_long", "must have at most %d characters", PASSWORD_MAX);
    if (email != NULL && is_from_email(password, email))
        return error_set(err, "too_common", "must not be made of the e-mail address");
    if (is_common(password) || different_characters(password) < MIN_DIFFERENT)
        return error_set(err, "too_common", "is among the first that an attacker tries; choose another");
    return true;
}

/* ---- hashing ---- */

static bool take_slot(struct password_hasher *hasher)
{
    pthread_mutex_lock(&hasher->lock);
    bool admitted = hasher->busy < hasher->slots || hasher->waiting < hasher->max_waiting;
    if (admitted) {
        hasher->waiting++;
        while (hasher->busy >= hasher->slots)
            pthread_cond_wait(&hasher->freed, &hasher->lock);
        hasher->waiting--;
        hasher->busy++;
    }
    pthread_mutex_unlock(&hasher->lock);
    return admitted;
}

static void give_slot(struct password_hasher *hasher)
{
    pthread_mutex_lock(&hasher->lock);
    hasher->busy--;
    pthread_cond_signal(&hasher->freed);
    pthread_mutex_unlock(&hasher->lock);
}

bool password_hash(struct password_hasher *hasher, const char *password, char out[PASSWORD_HASH_SIZE])
{
    if (!take_slot(hasher))
        return false;
    int failed = crypto_pwhash_str_alg(out, password, strlen(password), PASSES, hasher->memory,
                                       crypto_pwhash_ALG_ARGON2ID13);
    give_slot(hasher);
    if (failed != 0)
        LOG_ERROR("password not hashed", LOG_TEXT("reason", "not enough memory for PASSWORD_MEMORY"));
    return failed == 0;
}

enum password_verdict password_verify(struct password_hasher *hasher, const char *password, const char *hash,
                                      bool *stale)
{
    if (stale != NULL)
        *stale = false;
    size_t len = strlen(password);
    bool known = hash != NULL && strlen(hash) < PASSWORD_HASH_SIZE;

    /* libsodium reads a fixed-size buffer, and a longer password than we accept cannot be right. */
    char padded[PASSWORD_HASH_SIZE] = { 0 };
    snprintf(padded, sizeof(padded), "%s", known ? hash : hasher->dummy);
    if (len > PASSWORD_MAX_BYTES) {
        len = PASSWORD_MAX_BYTES;
        known = false;
    }

    if (!take_slot(hasher))
        return PASSWORD_BUSY;
    bool right = crypto_pwhash_str_verify(padded, password, len) == 0;
    give_slot(hasher);

    if (right && known && stale != NULL)
        *stale = crypto_pwhash_str_needs_rehash(padded, PASSES, hasher->memory) != 0;
    return right && known ? PASSWORD_RIGHT : PASSWORD_WRONG;
}
