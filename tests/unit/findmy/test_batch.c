/* Batches: results in place and counted, for any number of threads, runs and pools. */
#include <pthread.h>

#include "findmy/batch.h"
#include "make_report.h"
#include "testing.h"

#define ITEMS 300
#define KINDS 7 /* of good and bad items, in turn */

struct fixture {
    uint8_t key[FINDMY_PRIVATE_SIZE], zero[FINDMY_PRIVATE_SIZE];
    struct findmy_public public_key, other;
    uint8_t payloads[ITEMS][REPORT_LONG];
    struct batch_item items[ITEMS];
    enum report_result want[ITEMS];
};

static void fill_item(struct fixture *f, size_t i)
{
    struct plain_report plain = { (uint32_t)i, 1, (int32_t)i, -(int32_t)i, 10, 0 };
    struct batch_item item = { .payload = f->payloads[i], .len = REPORT_LONG, .private_key = f->key };
    enum report_result want = REPORT_OK;
    make_report(f->key, &plain, REPORT_LONG, f->payloads[i]);
    switch (i % KINDS) {
    case 1:
        item.payload = NULL;
        want = REPORT_ENCODING;
        break;
    case 2:
        item.len = 87;
        want = REPORT_LENGTH;
        break;
    case 3:
        item.private_key = i % 2 == 0 ? NULL : f->zero;
        want = REPORT_KEY;
        break;
    case 4:
        item.filed_under = f->other.hash;
        item.key_hash = f->public_key.hash;
        want = REPORT_ID;
        break;
    case 5:
        f->payloads[i][REPORT_LONG - 1] ^= 1;
        want = REPORT_AUTH;
        break;
    case 6:
        item.filed_under = f->public_key.hash;
        item.key_hash = f->public_key.hash;
        break;
    }
    f->items[i] = item;
    f->want[i] = want;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    uint8_t key[FINDMY_PRIVATE_SIZE];
    if (f == NULL || !findmy_generate(f->key, &f->public_key, NULL) || !findmy_generate(key, &f->other, NULL))
        return -1;
    for (size_t i = 0; i < ITEMS; i++)
        fill_item(f, i);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void check(const struct fixture *f, const struct batch_item *items, size_t n,
                  const struct report_counts *counts)
{
    static const struct report nothing;
    struct report_counts want = { { 0 } };
    for (size_t i = 0; i < n; i++) {
        want.of[f->want[i]]++;
        if (items[i].result != f->want[i])
            fail_msg("item %zu: %s", i, report_result_name(items[i].result));
        if (items[i].result == REPORT_OK)
            assert_int_equal(items[i].report.lat_e7, i);
        else
            assert_memory_equal(&items[i].report, &nothing, sizeof(nothing));
    }
    assert_memory_equal(counts, &want, sizeof(want));
}

static void any_number_of_threads_and_items(void **state)
{
    struct fixture *f = *state;
    static const unsigned threads[] = { 1, 2, 3, 16 };
    static const size_t sizes[] = { 0, 1, 7, 8, 9, 16, 17, 64, 65, ITEMS };
    for (size_t t = 0; t < sizeof(threads) / sizeof(threads[0]); t++) {
        struct batch *batch = batch_new(threads[t], NULL);
        assert_non_null(batch);
        assert_int_equal(batch_threads(batch), threads[t]);
        for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
            struct report_counts counts = { { 0 } };
            batch_run(batch, f->items, sizes[s], &counts);
            check(f, f->items, sizes[s], &counts);
        }
        batch_free(batch);
    }
}

static void counts_add_up(void **state)
{
    struct fixture *f = *state;
    struct report_counts once = { { 0 } }, twice = { { 0 } };
    struct batch *batch = batch_new(0, NULL);
    assert_non_null(batch);
    assert_true(batch_threads(batch) >= 1);
    batch_run(batch, f->items, ITEMS, &once);
    batch_run(batch, f->items, ITEMS, &twice);
    batch_run(batch, f->items, ITEMS, &twice);
    batch_run(batch, f->items, ITEMS, NULL);
    for (int i = 0; i < REPORT_RESULTS; i++)
        assert_int_equal(twice.of[i], 2 * once.of[i]);
    batch_free(batch);
}

static char failed[] = "failed";

static void *run_pool(void *object)
{
    const struct fixture *f = object;
    struct batch_item *items = malloc(sizeof(f->items));
    struct batch *batch = batch_new(2, NULL);
    void *result = failed;
    if (items != NULL && batch != NULL) {
        result = NULL;
        memcpy(items, f->items, sizeof(f->items));
        for (int i = 0; i < 3; i++)
            batch_run(batch, items, ITEMS, NULL);
        for (size_t i = 0; i < ITEMS; i++)
            if (items[i].result != f->want[i])
                result = failed;
    }
    batch_free(batch);
    free(items);
    return result;
}

static void pools_do_not_disturb_each_other(void **state)
{
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_pool, *state), 0);
    for (size_t i = 0; i < 3; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_threads_and_items),
        cmocka_unit_test(counts_add_up),
        cmocka_unit_test(pools_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
