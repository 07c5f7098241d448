/* Edges of the primitives that the vectors do not reach. */
#include <pthread.h>

#include "base/encode.h"
#include "findmy/crypto.h"
#include "testing.h"

/* group order n and field prime p */
#define ORDER  "ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d"
#define PRIME  "ffffffffffffffffffffffffffffffff000000000000000000000001"
#define BASE_X "b70e0cbd6bb4bf7f321390b94a03c1d356c21122343280d6115c1d21"
#define BASE_Y "bd376388b5f723fb4c22dfe6cd4375a05a07476444d5819985007e34"

static void unhex(const char *text, uint8_t *out, size_t size)
{
    assert_true(hex_decode_exact(text, out, size));
}

static void scalar_is_1_to_n_minus_1(void **state)
{
    (void)state;
    uint8_t scalar[P224_SIZE] = { 0 };
    assert_false(p224_scalar_valid(scalar));
    scalar[27] = 1;
    assert_true(p224_scalar_valid(scalar));
    unhex(ORDER, scalar, sizeof(scalar));
    assert_false(p224_scalar_valid(scalar));
    scalar[27]--;
    assert_true(p224_scalar_valid(scalar));
    scalar[27] += 2;
    assert_false(p224_scalar_valid(scalar));
    memset(scalar, 0xff, sizeof(scalar));
    assert_false(p224_scalar_valid(scalar));
    /* a byte above n's in a low place does not matter while a high one is below */
    memset(scalar, 0xff, sizeof(scalar));
    scalar[0] = 0xfe;
    assert_true(p224_scalar_valid(scalar));
}

static void public_of_1_is_the_base_point(void **state)
{
    (void)state;
    uint8_t scalar[P224_SIZE] = { 0 }, point[P224_POINT_SIZE], want[P224_POINT_SIZE];
    assert_false(p224_public(scalar, point));
    scalar[27] = 1;
    assert_true(p224_public(scalar, point));
    unhex("04" BASE_X BASE_Y, want, sizeof(want));
    assert_memory_equal(point, want, sizeof(want));
}

static void point_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *point;
        bool valid;
    } cases[] = {
        { "04" BASE_X BASE_Y, true },
        { "02" BASE_X BASE_Y, false },
        { "06" BASE_X BASE_Y, false }, /* hybrid form: OpenSSL itself would take it */
        { "00" BASE_X BASE_Y, false },
        { "04" BASE_X BASE_X, false },
        { "04" PRIME BASE_Y, false },
        { "04" BASE_X PRIME, false },
        { "0400000000000000000000000000000000000000000000000000000000"
          "00000000000000000000000000000000000000000000000000000000",
          false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t point[P224_POINT_SIZE], scalar[P224_SIZE] = { 0 }, shared[P224_SIZE];
        unhex(cases[i].point, point, sizeof(point));
        scalar[27] = 2;
        memset(shared, 0xaa, sizeof(shared));
        if (p224_point_valid(point) != cases[i].valid)
            fail_msg("case %zu", i);
        enum p224_result result = p224_ecdh(scalar, point, shared);
        assert_int_equal(result, cases[i].valid ? P224_OK : P224_BAD_POINT);
        if (!cases[i].valid)
            for (size_t k = 0; k < sizeof(shared); k++)
                assert_int_equal(shared[k], 0xaa);
    }
}

static void ecdh_refuses_a_bad_scalar(void **state)
{
    (void)state;
    uint8_t point[P224_POINT_SIZE], scalar[P224_SIZE] = { 0 }, shared[P224_SIZE];
    unhex("04" BASE_X BASE_Y, point, sizeof(point));
    assert_int_equal(p224_ecdh(scalar, point, shared), P224_BAD_SCALAR);
    unhex(ORDER, scalar, sizeof(scalar));
    assert_int_equal(p224_ecdh(scalar, point, shared), P224_BAD_SCALAR);
}

static void reduce_lands_in_1_to_n_minus_1(void **state)
{
    (void)state;
    uint8_t wide[65] = { 0 }, scalar[P224_SIZE], want[P224_SIZE] = { 0 };
    assert_true(p224_reduce(wide, 36, scalar)); /* 0 -> 1 */
    want[27] = 1;
    assert_memory_equal(scalar, want, sizeof(want));
    unhex("0000000000000000" ORDER, wide, 36); /* n mod (n-1) + 1 = 2 */
    assert_true(p224_reduce(wide, 36, scalar));
    want[27] = 2;
    assert_memory_equal(scalar, want, sizeof(want));
    wide[35] -= 2; /* n-2 -> n-1 */
    assert_true(p224_reduce(wide, 36, scalar));
    unhex(ORDER, want, sizeof(want));
    want[27]--;
    assert_memory_equal(scalar, want, sizeof(want));
    assert_true(p224_reduce(wide, 64, scalar));
    assert_false(p224_reduce(wide, 65, scalar));
}

static void combine_refuses_zero(void **state)
{
    (void)state;
    uint8_t u[P224_SIZE] = { 0 }, d[P224_SIZE] = { 0 }, v[P224_SIZE], out[P224_SIZE];
    u[27] = 3;
    d[27] = 5;
    unhex(ORDER, v, sizeof(v)); /* 3 * 5 + (n - 15) = 0 */
    v[27] -= 15;
    assert_false(p224_combine(u, d, v, out));
    v[27] += 1;
    assert_true(p224_combine(u, d, v, out));
    assert_int_equal(out[27], 1);
}

static void kdf_cuts_and_continues(void **state)
{
    (void)state;
    uint8_t whole[100] = { 0 }, part[100];
    assert_true(crypto_x963("z", 1, "info", 4, whole, sizeof(whole)));
    for (size_t len = 0; len <= sizeof(whole); len++) {
        memset(part, 0xaa, sizeof(part));
        assert_true(crypto_x963("z", 1, "info", 4, part, len));
        assert_memory_equal(part, whole, len);
        for (size_t i = len; i < sizeof(part); i++)
            assert_int_equal(part[i], 0xaa);
    }
}

static void gcm_bounds_its_iv(void **state)
{
    (void)state;
    uint8_t key[GCM_KEY_SIZE] = { 0 }, iv[GCM_MAX_IV + 1] = { 0 }, tag[GCM_TAG_SIZE] = { 0 },
            text[4] = { 1, 2, 3, 4 };
    struct gcm_input input = { .key = key, .iv = iv, .cipher = text, .cipher_len = sizeof(text), .tag = tag };
    uint8_t plain[4] = { 9, 9, 9, 9 };
    static const size_t lengths[] = { 0, GCM_MAX_IV + 1 };
    for (size_t i = 0; i < 2; i++) {
        input.iv_len = lengths[i];
        assert_false(crypto_gcm_open(&input, plain));
    }
    assert_int_equal(plain[0], 9); /* refused before anything was written */
    input.iv_len = GCM_MAX_IV;
    assert_false(crypto_gcm_open(&input, plain)); /* wrong tag: wiped */
    for (size_t i = 0; i < sizeof(plain); i++)
        assert_int_equal(plain[i], 0);
}

/* The contexts of a thread survive failures, and threads do not share them. */
static char failed[] = "failed";

static void *use_contexts(void *object)
{
    (void)object;
    uint8_t scalar[P224_SIZE] = { 0 }, point[P224_POINT_SIZE], shared[P224_SIZE],
            bad[P224_POINT_SIZE] = { 4 };
    for (int i = 1; i < 50; i++) {
        scalar[27] = (uint8_t)i;
        if (!p224_public(scalar, point) || p224_ecdh(scalar, bad, shared) != P224_BAD_POINT ||
            p224_ecdh(scalar, point, shared) != P224_OK)
            return failed;
    }
    return NULL;
}

static void threads_have_their_own_contexts(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_contexts, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalar_is_1_to_n_minus_1),
        cmocka_unit_test(public_of_1_is_the_base_point),
        cmocka_unit_test(point_is_checked),
        cmocka_unit_test(ecdh_refuses_a_bad_scalar),
        cmocka_unit_test(reduce_lands_in_1_to_n_minus_1),
        cmocka_unit_test(combine_refuses_zero),
        cmocka_unit_test(kdf_cuts_and_continues),
        cmocka_unit_test(gcm_bounds_its_iv),
        cmocka_unit_test(threads_have_their_own_contexts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
