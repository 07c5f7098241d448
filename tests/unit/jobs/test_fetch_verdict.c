/* What the end of a request means for trackers and accounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "jobs/fetch_verdict.h"

static void every_end_has_its_meaning(void **state)
{
    (void)state;
    static const struct {
        enum fetch_verdict verdict;
        enum fetch_outcome outcome;
        int64_t requests;
        bool suspicious;
        enum fetch_ending ending;
        const char *word;
    } cases[] = {
        { FETCH_DONE, FETCH_OK, 1, false, ENDED_WELL, "ok" },
        { FETCH_DONE, FETCH_OK, 1, true, ENDED_BY_PROVIDER, "empty" },
        /* the answer was too large, and the bound on requests leaves no second one */
        { FETCH_DONE, FETCH_SERVER_ERROR, 1, false, ENDED_BY_PROVIDER, "server_error" },
        { FETCH_LATER, FETCH_SERVER_ERROR, 1, false, ENDED_BY_PROVIDER, "server_error" },
        { FETCH_LATER, FETCH_BAD_RESPONSE, 1, false, ENDED_BY_PROVIDER, "bad_response" },
        { FETCH_LATER, FETCH_RETRY_EMPTY, 1, false, ENDED_BY_PROVIDER, "empty" },
        { FETCH_LATER, FETCH_BACKOFF, 1, false, ENDED_BY_ACCOUNT, "throttled" },
        { FETCH_LATER, FETCH_REAUTH, 1, false, ENDED_BY_ACCOUNT, "signed_in_again" },
        { FETCH_LATER, FETCH_SERVER_ERROR, 0, false, ENDED_BY_ACCOUNT, "not_sent" }, /* Anisette is away */
        { FETCH_LATER, FETCH_OK, 0, false, ENDED_BY_ACCOUNT, "not_sent" },
        { FETCH_SECOND_FACTOR, FETCH_REAUTH, 1, false, ENDED_BY_ACCOUNT, "second_factor" },
        { FETCH_LOCKED, FETCH_AUTH_ERROR, 1, false, ENDED_BY_ACCOUNT, "locked" },
        { FETCH_SIGN_IN, FETCH_OK, 0, false, ENDED_BY_ACCOUNT, "sign_in" },
        { FETCH_OUR_FAULT, FETCH_BAD_REQUEST, 1, false, ENDED_BY_PROVIDER, "our_fault" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct fetch_result result = { .verdict = cases[i].verdict,
                                             .outcome = cases[i].outcome,
                                             .requests = cases[i].requests };
        assert_int_equal(fetch_ending(&result, cases[i].suspicious), cases[i].ending);
        assert_string_equal(fetch_result_word(&result, cases[i].suspicious), cases[i].word);
    }
}

static void every_combination_has_a_word(void **state)
{
    (void)state;
    for (int verdict = 0; verdict < FETCH_VERDICTS; verdict++)
        for (int outcome = 0; outcome < FETCH_OUTCOMES; outcome++)
            for (int requests = 0; requests < 2; requests++) {
                const struct fetch_result result = { .verdict = (enum fetch_verdict)verdict,
                                                     .outcome = (enum fetch_outcome)outcome,
                                                     .requests = requests };
                assert_non_null(fetch_result_word(&result, requests == 0));
            }
}

static void back_off_doubles_up_to_sixteen(void **state)
{
    (void)state;
    static const int64_t expected[] = { 2, 2, 4, 8, 16, 16, 16 };
    for (int64_t failures = 0; failures < (int64_t)ARRAY_LEN(expected); failures++)
        assert_int_equal(fetch_back_off(failures), expected[failures]);
    assert_int_equal(fetch_back_off(INT64_MAX), 16);
    assert_int_equal(fetch_back_off(INT64_MIN), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_has_its_meaning),
        cmocka_unit_test(every_combination_has_a_word),
        cmocka_unit_test(back_off_doubles_up_to_sixteen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
