/* Accept and Content-Type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "http/media.h"

static void test_accept(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        bool matches;
    } cases[] = {
        { NULL, true },
        { "", true },
        { "*/*", true },
        { "application/json", true },
        { "APPLICATION/JSON", true },
        { "application/*", true },
        { "text/html, application/json;q=0.5", true },
        { "text/html , */* ; q=0.1", true },
        { "text/html", false },
        { "text/*", false },
        { "application/json;q=0", false },
        { "application/json;q=0.000, */*", false },
        { "*/*;q=0, application/json;q=0.001", true },
        { "application/*;q=0, */*", false },
        { "application/json;v=\"a,b;q=0\"", true },
        { "application/jsonx", false },
        { "*", false },
        { ",,,", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (accept_matches(cases[i].accept, "application/json") != cases[i].matches)
            fail_msg("Accept: %s", cases[i].accept);
}

static void test_content_type(void **state)
{
    (void)state;
    static const char *const types[] = { "application/json", "text/csv", NULL };
    static const struct {
        const char *header;
        bool matches;
    } cases[] = {
        { "application/json", true },
        { "Application/JSON ; Charset=UTF-8", true },
        { "text/csv; header=present; charset=\"utf-8\"", true },
        { "application/json; charset=latin1", false },
        { "application/json; charset=utf-16", false },
        { "application/jsonp", false },
        { "application/json, text/csv", false },
        { "", false },
        { NULL, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (content_type_is(cases[i].header, types) != cases[i].matches)
            fail_msg("Content-Type: %s", cases[i].header);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_accept), cmocka_unit_test(test_content_type) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
