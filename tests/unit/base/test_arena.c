/* Arenas: lifetime of memory and clean-ups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"

static int order[4], calls;

static void record(void *object)
{
    order[calls++] = (int)(intptr_t)object;
}

static void test_alignment_and_growth(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    for (size_t size = 0; size < 300; size++)
        assert_int_equal((uintptr_t)arena_alloc(arena, size) % 16, 0);
    /* Larger than a block, and still whole. */
    char *big = arena_alloc(arena, 100000);
    memset(big, 'x', 100000);
    char *small = arena_strdup(arena, "after");
    assert_string_equal(small, "after");
    assert_int_equal(big[99999], 'x');
    arena_free(arena);
}

static void test_zeroed(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    memset(arena_alloc(arena, 4096), 0xff, 4096);
    arena_reset(arena);
    const unsigned char *bytes = arena_zalloc(arena, 64, 64);
    for (size_t i = 0; i < 4096; i++)
        assert_int_equal(bytes[i], 0);
    arena_free(arena);
}

static void test_texts(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    assert_null(arena_strdup(arena, NULL));
    assert_string_equal(arena_strndup(arena, "hello", 2), "he");
    assert_string_equal(arena_printf(arena, "%d-%s", 7, "x"), "7-x");
    assert_memory_equal(arena_memdup(arena, "a\0b", 3), "a\0b", 3);
    arena_free(arena);
}

static void test_cleanups_run_once_last_first(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    calls = 0;
    for (int i = 1; i <= 3; i++)
        arena_defer(arena, record, (void *)(intptr_t)i);
    arena_reset(arena);
    assert_int_equal(calls, 3);
    assert_int_equal(order[0], 3);
    assert_int_equal(order[2], 1);
    arena_free(arena);
    assert_int_equal(calls, 3);
}

static void defer_again(void *object)
{
    arena_defer(object, record, (void *)9);
}

static void test_cleanup_may_defer(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    calls = 0;
    arena_defer(arena, defer_again, arena);
    arena_free(arena);
    assert_int_equal(calls, 1);
    assert_int_equal(order[0], 9);
}

/* Registered before the secret is made, so it runs after the secret was wiped and before its block is freed.
 */
static const unsigned char *watched;
static int wiped;

static void look(void *object)
{
    (void)object;
    wiped = watched[0] == 0 && watched[31] == 0;
}

static void test_secrets_are_wiped(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    arena_defer(arena, look, NULL);
    unsigned char *secret = arena_secret(arena, 32);
    memset(secret, 0xaa, 32);
    watched = secret;
    wiped = 0;
    arena_free(arena);
    assert_true(wiped);
}

static void test_used_counts(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    assert_int_equal(arena_used(arena), 0);
    arena_alloc(arena, 17);
    assert_int_equal(arena_used(arena), 32);
    arena_reset(arena);
    assert_int_equal(arena_used(arena), 0);
    arena_free(arena);
    arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment_and_growth),
        cmocka_unit_test(test_zeroed),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_cleanups_run_once_last_first),
        cmocka_unit_test(test_cleanup_may_defer),
        cmocka_unit_test(test_secrets_are_wiped),
        cmocka_unit_test(test_used_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
