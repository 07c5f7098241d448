/* Titles, phrases and the JSON of problems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "http/problem.h"

static struct arena *arena;

static json_t *write(const char *detail, const char *errors)
{
    struct buf out = { 0 };
    problem_write(&out, 422, "validation_failed", "Validation failed", detail, "r1", errors);
    json_t *value = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    buf_free(&out);
    assert_non_null(value);
    return value;
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < problem_count; i++) {
        const struct problem *problem = &problems[i];
        assert_int_equal(strspn(problem->code, "abcdefghijklmnopqrstuvwxyz_"), strlen(problem->code));
        assert_string_not_equal(problem->title, "");
        if (strcmp(status_phrase(problem->status), "Error") == 0)
            fail_msg("%s has status %d, which has no phrase", problem->code, problem->status);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(problem->code, problems[j].code);
    }
}

static void test_titles(void **state)
{
    (void)state;
    assert_string_equal(problem_title(arena, "invalid_json"), "Malformed JSON");
    assert_string_equal(problem_title(arena, "in_use"), "In use");
    assert_string_equal(problem_title(arena, "x"), "X");
    assert_string_equal(problem_title(arena, ""), "");
}

static void test_phrases(void **state)
{
    (void)state;
    assert_string_equal(status_phrase(404), "Not Found");
    assert_string_equal(status_phrase(422), "Unprocessable Content");
    assert_string_equal(status_phrase(299), "Error");
    assert_string_equal(status_phrase(0), "Error");
}

static void test_members(void **state)
{
    (void)state;
    json_t *problem = write("\"name\" is a\nline <b>", NULL);
    assert_int_equal(json_object_size(problem), 6);
    assert_string_equal(json_string_value(json_object_get(problem, "request_id")), "r1");
    assert_string_equal(json_string_value(json_object_get(problem, "type")), "about:blank");
    assert_string_equal(json_string_value(json_object_get(problem, "title")), "Validation failed");
    assert_int_equal(json_integer_value(json_object_get(problem, "status")), 422);
    assert_string_equal(json_string_value(json_object_get(problem, "code")), "validation_failed");
    assert_string_equal(json_string_value(json_object_get(problem, "detail")), "\"name\" is a\nline <b>");
    json_decref(problem);
}

static void test_errors(void **state)
{
    (void)state;
    json_t *problem = write("no", "[{\"field\":\"name\"}]");
    json_t *errors = json_object_get(problem, "errors");
    assert_int_equal(json_array_size(errors), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(errors, 0), "field")), "name");
    json_decref(problem);
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),   cmocka_unit_test(test_titles), cmocka_unit_test(test_phrases),
        cmocka_unit_test(test_members), cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
