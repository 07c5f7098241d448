/* Sealing: only the right key, context and bytes open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/seal.h"

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="

static void test_round_trip_and_damage(void **state)
{
    (void)state;
    struct sealer sealer;
    struct error err;
    uint8_t sealed[5 + SEAL_OVERHEAD], plain[5];
    assert_true(sealer_init(&sealer, KEY_A, &err));
    assert_true(seal(&sealer, "row:1", "hello", 5, sealed));
    assert_true(unseal(&sealer, "row:1", sealed, sizeof(sealed), plain, &err));
    assert_memory_equal(plain, "hello", 5);
    assert_false(unseal(&sealer, "row:2", sealed, sizeof(sealed), plain, &err));
    for (size_t i = 0; i < sizeof(sealed); i++) {
        sealed[i] ^= 1;
        assert_false(unseal(&sealer, "row:1", sealed, sizeof(sealed), plain, &err));
        sealed[i] ^= 1;
    }
    for (size_t len = 0; len < sizeof(sealed); len++)
        assert_false(unseal(&sealer, "row:1", sealed, len, plain, &err));
    sealer_wipe(&sealer);
}

static void test_rotation(void **state)
{
    (void)state;
    struct sealer old, new;
    struct error err;
    uint8_t sealed[1 + SEAL_OVERHEAD], plain[1];
    assert_true(sealer_init(&old, KEY_A, &err) && sealer_init(&new, KEY_B "," KEY_A, &err));
    assert_true(seal(&old, "c", "x", 1, sealed));
    assert_false(seal_is_stale(&old, sealed, sizeof(sealed)));
    assert_true(seal_is_stale(&new, sealed, sizeof(sealed)));
    assert_true(unseal(&new, "c", sealed, sizeof(sealed), plain, &err));
    assert_true(seal(&new, "c", "x", 1, sealed));
    assert_false(unseal(&old, "c", sealed, sizeof(sealed), plain, &err));
    assert_true(error_is(&err, "master_key_unknown"));
}

static void test_bad_keys(void **state)
{
    (void)state;
    static const char *const bad[] = { "short", "AAAA", KEY_A "x",
                                       KEY_A "," KEY_A "," KEY_A "," KEY_A "," KEY_A, "," KEY_A };
    struct sealer sealer;
    struct error err;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(sealer_init(&sealer, bad[i], &err));
        assert_true(error_is(&err, "master_key_invalid"));
        assert_null(strstr(err.message, "AAAA"));
    }
    uint8_t out[1 + SEAL_OVERHEAD];
    assert_true(sealer_init(&sealer, "", &err));
    assert_false(seal(&sealer, "c", "x", 1, out));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip_and_damage),
                                        cmocka_unit_test(test_rotation), cmocka_unit_test(test_bad_keys) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
