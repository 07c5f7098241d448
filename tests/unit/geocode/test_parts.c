/* What of an address may name a town, and which questions are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "geocode/answers.h"
#include "geocode/offline.h"

static void parts_of_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *query, *parts;
    } cases[] = {
        { "Hamburg", "Hamburg" },
        { "  New   York  ", "New York" },
        { "Lange Reihe 5, 20099 Hamburg, DE", "Lange Reihe\nHamburg\nDE" },
        { "20099 Hamburg", "Hamburg" },
        { "10 Downing St; London SW1A\nUK", "Downing St\nLondon\nUK" },
        { "", "" },
        { " ,, ; 12345 , ", "" },
        { "a,b,c,d,e,f,g,h,i", "a\nb\nc\nd\ne\nf" },
        { ",,,a", "a" },
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (strcmp(offline_parts(arena, cases[i].query), cases[i].parts) != 0)
            fail_msg("%s: %s", cases[i].query, offline_parts(arena, cases[i].query));
    arena_free(arena);
}

static void same_questions_have_one_key(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    assert_string_equal(answers_query_key(arena, "  Lange  Reihe\t5, HAMBURG , "), "lange reihe 5, hamburg");
    assert_string_equal(answers_query_key(arena, "Zürich"), "zürich");
    assert_null(answers_query_key(arena, " ., "));
    char text[502];
    memset(text, 'a', 501);
    text[501] = '\0';
    assert_null(answers_query_key(arena, text));
    text[500] = '\0';
    assert_string_equal(answers_query_key(arena, text), text);
    assert_string_equal(answers_position_key(arena, 53.55004, -9.99), "@53.5500,-9.9900");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_addresses),
        cmocka_unit_test(same_questions_have_one_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
