/* Ids of the live bus: what is taken, what is refused, and their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/live.h"

static void good_ids_come_back_as_they_were(void **state)
{
    (void)state;
    static const char *const good[] = { "0-0", "1-0", "0-1", "1526919030474-55",
                                        "18446744073709551615-18446744073709551615" };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct live_id id;
        char text[LIVE_ID_SIZE];
        assert_true(live_id_parse(good[i], &id));
        assert_string_equal(live_id_format(id, text), good[i]);
    }
}

static void others_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "1",
                                       "-",
                                       "1-",
                                       "-1",
                                       "1-1-1",
                                       "01-1",
                                       "1-01",
                                       " 1-1",
                                       "1-1 ",
                                       "+1-1",
                                       "$",
                                       "a-b",
                                       "18446744073709551616-0",
                                       "0-18446744073709551616",
                                       "99999999999999999999-0" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct live_id id = { 7, 8 };
        assert_false(live_id_parse(bad[i], &id));
        assert_true(id.ms == 7 && id.sequence == 8);
    }
}

static void they_are_ordered_by_time_then_sequence(void **state)
{
    (void)state;
    const struct live_id rising[] = { { 0, 0 },          { 0, 1 }, { 1, 0 },
                                      { 1, UINT64_MAX }, { 2, 0 }, { UINT64_MAX, 0 } };
    for (size_t a = 0; a < ARRAY_LEN(rising); a++)
        for (size_t b = 0; b < ARRAY_LEN(rising); b++)
            assert_int_equal(live_id_compare(rising[a], rising[b]), a < b ? -1 : a > b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ids_come_back_as_they_were),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(they_are_ordered_by_time_then_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
