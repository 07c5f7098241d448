/* Rolling keys: ranges at their edges, and chains that give the same keys whichever way they are walked. */
#include "findmy/crypto.h"
#include "findmy/rolling.h"
#include "testing.h"

static const uint8_t master[FINDMY_PRIVATE_SIZE] = { 0x2a, 0x2a, [27] = 0x2a };
static const uint8_t seed[ROLLING_SEED_SIZE] = { 1, 2, 3 };

static void assert_range(struct rolling_range range, int64_t from, int64_t to)
{
    assert_int_equal(range.from, from);
    assert_int_equal(range.to, to);
}

static void expected_range_follows_the_clock(void **state)
{
    (void)state;
    const struct rolling_alignment pairing = { DAYS(1000), 0 }, later = { DAYS(1000), 100 };
    int64_t t = DAYS(1000);
    assert_range(rolling_expected(&pairing, t, t), 0, 0);
    assert_range(rolling_expected(&pairing, t, t + ROLLING_SLOT - 1), 0, 0);
    assert_range(rolling_expected(&pairing, t, t + ROLLING_SLOT), 0, 1);
    assert_range(rolling_expected(&pairing, t - DAYS(1), t + DAYS(1)), 0, 96);
    assert_range(rolling_expected(&later, t - 1, t), 99, 100);
    assert_range(rolling_expected(&later, t - ROLLING_SLOT, t), 99, 100);
    struct rolling_range before = rolling_expected(&pairing, t - DAYS(2), t - DAYS(1));
    assert_true(before.to < before.from);
}

static void possible_range_allows_for_lost_time(void **state)
{
    (void)state;
    const struct rolling_alignment alignment = { DAYS(1000), 100 };
    int64_t t = DAYS(1000);
    assert_range(rolling_possible(&alignment, t, t), 100, 100 + ROLLING_SLACK);
    assert_range(rolling_possible(&alignment, t + DAYS(10), t + DAYS(10)), 100, 1060 + ROLLING_SLACK);
    assert_range(rolling_possible(&alignment, t - DAYS(7), t), 0, 100 + ROLLING_SLACK);
}

static void secondary_covers_the_days(void **state)
{
    (void)state;
    assert_range(rolling_secondary((struct rolling_range){ 0, 0 }), 1, 2);
    assert_range(rolling_secondary((struct rolling_range){ 95, 96 }), 1, 3);
    assert_range(rolling_secondary((struct rolling_range){ 96, 191 }), 2, 3);
    assert_range(rolling_secondary((struct rolling_range){ -5, 3 }), 1, 2);
    assert_range(rolling_secondary((struct rolling_range){ 0, -1 }), 0, -1);
    assert_range(rolling_secondary((struct rolling_range){ 7, 6 }), 0, -1);
}

static void observations_only_move_forward(void **state)
{
    (void)state;
    struct rolling_alignment a = { 1000, 10 };
    assert_true(rolling_observe(&a, 1000, 10));
    assert_false(rolling_observe(&a, 999, 11));
    assert_false(rolling_observe(&a, 1001, 9));
    assert_int_equal(a.at, 1000);
    assert_true(rolling_observe(&a, 1001, 10));
    assert_true(rolling_observe(&a, 1001, 12));
    assert_int_equal(a.index, 12);
}

static void openhaystack_window(void **state)
{
    (void)state;
    int64_t since = DAYS(500), hour = HOURS(1);
    assert_range(rolling_openhaystack(since, hour, since, since), 1, 11);
    assert_range(rolling_openhaystack(since, hour, since + hour - 1, since + hour), 1, 12);
    assert_range(rolling_openhaystack(since, hour, since + DAYS(7), since + DAYS(7)), 169, 179);
    assert_range(rolling_openhaystack(since, hour, since - DAYS(7), since), 1, 11);
}

/* A key as plainly as the definition puts it. */
static void key_by_definition(int64_t index, uint8_t out[FINDMY_PRIVATE_SIZE])
{
    uint8_t sk[ROLLING_SEED_SIZE], wide[72], u[FINDMY_PRIVATE_SIZE], v[FINDMY_PRIVATE_SIZE];
    memcpy(sk, seed, sizeof(sk));
    for (int64_t i = 0; i < index; i++)
        assert_true(crypto_x963(memcpy(wide, sk, sizeof(sk)), sizeof(sk), "update", 6, sk, sizeof(sk)));
    assert_true(crypto_x963(sk, sizeof(sk), "diversify", 9, wide, sizeof(wide)));
    assert_true(p224_reduce(wide, 36, u) && p224_reduce(wide + 36, 36, v));
    assert_true(p224_combine(u, master, v, out));
}

static void any_walk_gives_the_same_keys(void **state)
{
    (void)state;
    static const int64_t walk[] = { 1000, 0, 1, 191, 192, 193, 5, 1000, 999, 384, 383, 2000, 192, 1 };
    struct rolling_chain *chain = rolling_chain_new(master, seed, NULL);
    assert_non_null(chain);
    for (size_t i = 0; i < sizeof(walk) / sizeof(walk[0]); i++) {
        uint8_t want[FINDMY_PRIVATE_SIZE];
        struct rolling_key key;
        struct findmy_public public_key;
        key_by_definition(walk[i], want);
        assert_true(rolling_chain_key(chain, walk[i], &key, NULL));
        assert_int_equal(key.index, walk[i]);
        assert_memory_equal(key.private_key, want, sizeof(want));
        assert_true(findmy_derive(want, &public_key, NULL));
        assert_memory_equal(&key.public_key, &public_key, sizeof(public_key));
    }
    rolling_chain_free(chain);
}

/* A stored seed is used instead of walking: with a false one the keys from there on are false, those before
 * not. */
static void resumed_chain_does_not_walk(void **state)
{
    (void)state;
    static const uint8_t foreign[ROLLING_SEED_SIZE] = { 9 };
    struct rolling_chain *honest = rolling_chain_new(master, seed, NULL);
    struct rolling_chain *resumed = rolling_chain_new(master, seed, NULL);
    struct rolling_chain *fooled = rolling_chain_new(master, seed, NULL);
    struct rolling_key a, b, c;
    uint8_t stored[ROLLING_SEED_SIZE];
    assert_true(rolling_chain_seed(honest, 35000, stored, NULL));
    assert_true(rolling_chain_resume(resumed, 35000, stored, NULL));
    assert_true(rolling_chain_resume(fooled, 35000, foreign, NULL));
    assert_true(rolling_chain_key(honest, 35010, &a, NULL) && rolling_chain_key(resumed, 35010, &b, NULL) &&
                rolling_chain_key(fooled, 35010, &c, NULL));
    assert_memory_equal(&a, &b, sizeof(a));
    assert_memory_not_equal(a.private_key, c.private_key, sizeof(a.private_key));
    assert_true(rolling_chain_key(honest, 7, &a, NULL) && rolling_chain_key(fooled, 7, &c, NULL));
    assert_memory_equal(&a, &c, sizeof(a));
    rolling_chain_free(honest);
    rolling_chain_free(resumed);
    rolling_chain_free(fooled);
}

static void index_is_bounded(void **state)
{
    (void)state;
    struct rolling_chain *chain = rolling_chain_new(master, seed, NULL);
    struct rolling_key key;
    struct error err = { "", "" };
    assert_false(rolling_chain_key(chain, -1, &key, &err));
    assert_true(error_is(&err, "index"));
    err.code = "";
    assert_false(rolling_chain_key(chain, ROLLING_MAX_INDEX + 1, &key, &err));
    assert_true(error_is(&err, "index"));
    assert_false(rolling_chain_resume(chain, -1, seed, &err));
    assert_true(rolling_chain_resume(chain, ROLLING_MAX_INDEX, seed, NULL));
    assert_true(rolling_chain_key(chain, ROLLING_MAX_INDEX, &key, NULL));
    rolling_chain_free(chain);
}

static void bad_master_is_refused(void **state)
{
    (void)state;
    static const uint8_t zero[FINDMY_PRIVATE_SIZE];
    struct error err = { "", "" };
    assert_null(rolling_chain_new(zero, seed, &err));
    assert_true(error_is(&err, "key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expected_range_follows_the_clock),
        cmocka_unit_test(possible_range_allows_for_lost_time),
        cmocka_unit_test(secondary_covers_the_days),
        cmocka_unit_test(observations_only_move_forward),
        cmocka_unit_test(openhaystack_window),
        cmocka_unit_test(any_walk_gives_the_same_keys),
        cmocka_unit_test(resumed_chain_does_not_walk),
        cmocka_unit_test(index_is_bounded),
        cmocka_unit_test(bad_master_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
