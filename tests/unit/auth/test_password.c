/* Tests of src/auth/password.c: the policy at its edges, hashes, equal work for unknown users. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "auth/password.h"
#include "base/timeutil.h"

#define MEMORY (8u * 1024 * 1024)

static void refused(const char *password, const char *email, const char *code)
{
    struct error err;
    if (password_acceptable(password, email, &err))
        fail_msg("%s was accepted", password);
    assert_string_equal(err.code, code);
}

static void accepted(const char *password)
{
    struct error err;
    if (!password_acceptable(password, "jo.miller@example.com", &err))
        fail_msg("%s was refused: %s", password, err.message);
}

static void length_counts_characters(void **state)
{
    (void)state;
    char most[PASSWORD_MAX + 2];
    refused("ninechar5", NULL, "too_short");
    accepted("tenchars10");
    refused("äöüß€äöüß", NULL, "too_short"); /* 9 characters, more bytes */
    accepted("äöüß€äöüßx");
    for (size_t i = 0; i < sizeof(most); i++)
        most[i] = (char)('a' + i % 26);
    most[PASSWORD_MAX] = '\0';
    accepted(most);
    most[PASSWORD_MAX] = 'x';
    most[PASSWORD_MAX + 1] = '\0';
    refused(most, NULL, "too_long");
    refused("bad utf-8 \xff\xfe", NULL, "invalid");
    refused("", NULL, "too_short");
}

static void easy_ones_are_refused(void **state)
{
    (void)state;
    refused("password123", NULL, "too_common");
    refused("PassWord123", NULL, "too_common");
    refused("aaaaaaaaaaaaaaaa", NULL, "too_common");
    refused("abcabcabcabc", NULL, "too_common");
    accepted("abcdabcdabcd");
}

static void parts_of_the_address_are_refused(void **state)
{
    (void)state;
    refused("jo.miller@example.com", "jo.miller@example.com", "too_common");
    refused("JO.MILLER@EXAMPLE.COM", "jo.miller@example.com", "too_common");
    refused("jo.miller2024!", "jo.miller@example.com", "too_common");
    accepted("jo.miller likes tea");
    struct error err;
    assert_true(
        password_acceptable("jo1234567890!", "jo@example.com", &err)); /* "jo" is too short to count */
}

static void hashes_verify_and_go_stale(void **state)
{
    (void)state;
    struct password_hasher *hasher = password_hasher_new(MEMORY, 2, 0);
    struct password_hasher *stronger = password_hasher_new(2 * MEMORY, 2, 0);
    char hash[PASSWORD_HASH_SIZE], other[PASSWORD_HASH_SIZE];
    bool stale;
    assert_true(password_hash(hasher, "correct horse", hash));
    assert_true(password_hash(hasher, "correct horse", other));
    assert_int_equal(strncmp(hash, "$argon2id$", 10), 0);
    assert_string_not_equal(hash, other); /* salted */
    assert_int_equal(password_verify(hasher, "correct horse", hash, &stale), PASSWORD_RIGHT);
    assert_false(stale);
    assert_int_equal(password_verify(stronger, "correct horse", hash, &stale), PASSWORD_RIGHT);
    assert_true(stale);
    assert_int_equal(password_verify(hasher, "correct horsf", hash, &stale), PASSWORD_WRONG);
    assert_false(stale);
    assert_int_equal(password_verify(hasher, "", hash, NULL), PASSWORD_WRONG);
    password_hasher_free(stronger);
    password_hasher_free(hasher);
}

static void what_is_no_hash_matches_nothing(void **state)
{
    (void)state;
    struct password_hasher *hasher = password_hasher_new(MEMORY, 1, 0);
    assert_int_equal(password_verify(hasher, "anything at all", NULL, NULL), PASSWORD_WRONG);
    assert_int_equal(password_verify(hasher, "anything at all", "", NULL), PASSWORD_WRONG);
    assert_int_equal(password_verify(hasher, "anything at all", "$argon2id$nonsense", NULL), PASSWORD_WRONG);
    char longest[2000];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(password_verify(hasher, longest, NULL, NULL), PASSWORD_WRONG);
    assert_int_equal(password_verify(hasher, "anything at all", longest, NULL), PASSWORD_WRONG);
    password_hasher_free(hasher);
}

static int64_t fastest_of(struct password_hasher *hasher, const char *hash)
{
    int64_t best = INT64_MAX;
    for (int i = 0; i < 7; i++) {
        int64_t start = time_monotonic();
        assert_int_equal(password_verify(hasher, "not the password", hash, NULL), PASSWORD_WRONG);
        int64_t took = time_monotonic() - start;
        best = took < best ? took : best;
    }
    return best;
}

/* Not a benchmark: a missing dummy would make the difference a hundredfold. */
static void unknown_users_take_as_long(void **state)
{
    (void)state;
    struct password_hasher *hasher = password_hasher_new(MEMORY, 1, 0);
    char hash[PASSWORD_HASH_SIZE];
    assert_true(password_hash(hasher, "the password", hash));
    int64_t known = fastest_of(hasher, hash), unknown = fastest_of(hasher, NULL);
    assert_true(unknown > known / 2 && unknown < known * 2);
    password_hasher_free(hasher);
}

struct crowd {
    struct password_hasher *hasher;
    const char *hash;
    enum password_verdict verdict;
};

static void *verify_in_crowd(void *user)
{
    struct crowd *one = user;
    one->verdict = password_verify(one->hasher, "the password", one->hash, NULL);
    return NULL;
}

/* One computes, one waits, the others are told at once; afterwards there is room again. */
static void a_flood_is_refused(void **state)
{
    (void)state;
    struct password_hasher *hasher = password_hasher_new(8 * MEMORY, 1, 1); /* slow enough to overlap */
    char hash[PASSWORD_HASH_SIZE];
    assert_true(password_hash(hasher, "the password", hash));
    struct crowd crowd[12];
    pthread_t threads[ARRAY_LEN(crowd)];
    size_t right = 0, busy = 0;
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++) {
        crowd[i] = (struct crowd){ hasher, hash, PASSWORD_WRONG };
        assert_int_equal(pthread_create(&threads[i], NULL, verify_in_crowd, &crowd[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++) {
        pthread_join(threads[i], NULL);
        right += crowd[i].verdict == PASSWORD_RIGHT;
        busy += crowd[i].verdict == PASSWORD_BUSY;
    }
    assert_int_equal(right + busy, ARRAY_LEN(crowd));
    assert_true(right >= 1 && busy >= 1);
    assert_int_equal(password_verify(hasher, "the password", hash, NULL), PASSWORD_RIGHT);
    password_hasher_free(hasher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(length_counts_characters),
        cmocka_unit_test(easy_ones_are_refused),
        cmocka_unit_test(parts_of_the_address_are_refused),
        cmocka_unit_test(hashes_verify_and_go_stale),
        cmocka_unit_test(what_is_no_hash_matches_nothing),
        cmocka_unit_test(unknown_users_take_as_long),
        cmocka_unit_test(a_flood_is_refused),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
