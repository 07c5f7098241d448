/* What messages are accepted beyond those that taskiq itself makes, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tasks/message.h"
#include "tasks/value.h"

static bool reads(struct arena *arena, const char *text, struct task_message *message)
{
    struct error err = { .code = "" };
    bool ok = message_read(arena, text, strlen(text), message, &err);
    assert_string_equal(ok ? "message_invalid" : err.code, "message_invalid");
    return ok;
}

#define REST "\"task_id\":\"1\",\"task_name\":\"n\",\"args\":[],\"kwargs\":{}"

static void tolerant_where_python_is(void **state)
{
    static const char *const texts[] = {
        "{" REST ",\"labels\":{}}",
        "{" REST ",\"labels\":{},\"labels_types\":null}",
        "{" REST ",\"labels\":{},\"labels_types\":{\"not there\":2}}",
        "  {\"labels\":{\"a\":[1]}, \"more\": {\"x\":1}, " REST "}\n",
        "{" REST ",\"labels\":{\"n\":5,\"b\":true},\"labels_types\":{\"n\":2,\"b\":5}}",
        "{" REST ",\"labels\":{\"\xc3\xa4\":\"\xf0\x9f\x98\x80\"}}",
    };
    struct task_message message;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena *arena = arena_new();
        if (!reads(arena, texts[i], &message))
            fail_msg("refused: %s", texts[i]);
        arena_free(arena);
    }
}

static void strict_where_python_is(void **state)
{
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "{",
        "{}",
        "{" REST "}",
        "{" REST ",\"labels\":[]}",
        "{" REST ",\"labels\":{}} x",
        "{\"task_id\":1,\"task_name\":\"n\",\"args\":[],\"kwargs\":{},\"labels\":{}}",
        "{\"task_id\":\"\",\"task_name\":\"n\",\"args\":[],\"kwargs\":{},\"labels\":{}}",
        "{\"task_id\":\"1\",\"task_name\":\"n\",\"args\":{},\"kwargs\":{},\"labels\":{}}",
        "{\"task_id\":\"1\",\"task_name\":\"n\",\"args\":[],\"kwargs\":null,\"labels\":{}}",
        "{" REST ",\"labels\":{},\"labels_types\":[]}",
        "{" REST ",\"labels\":{\"i\":\"five\"},\"labels_types\":{\"i\":2}}",
        "{" REST ",\"labels\":{\"i\":\"\"},\"labels_types\":{\"i\":2}}",
        "{" REST ",\"labels\":{\"i\":\"1.5x\"},\"labels_types\":{\"i\":4}}",
        "{" REST ",\"labels\":{\"i\":\"0x10\"},\"labels_types\":{\"i\":4}}",
        "{" REST ",\"labels\":{\"i\":\"***\"},\"labels_types\":{\"i\":6}}",
        "{" REST ",\"labels\":{\"i\":\"1\"},\"labels_types\":{\"i\":9}}",
        "{" REST ",\"labels\":{\"i\":\"1\"},\"labels_types\":{\"i\":0}}",
        "{" REST ",\"labels\":{\"i\":\"1\"},\"labels_types\":{\"i\":\"2\"}}",
    };
    struct task_message message;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena *arena = arena_new();
        if (reads(arena, texts[i], &message))
            fail_msg("accepted: %s", texts[i]);
        arena_free(arena);
    }
}

static void as_long_as_the_table_allows(void **state)
{
    struct task_message message;
    (void)state;
    for (size_t len = 64; len <= 65; len++) {
        struct arena *arena = arena_new();
        char id[66] = { 0 };
        memset(id, 'x', len);
        const char *text = arena_printf(
            arena, "{\"task_id\":\"%s\",\"task_name\":\"n\",\"args\":[],\"kwargs\":{},\"labels\":{}}", id);
        assert_int_equal(reads(arena, text, &message), len == 64);
        arena_free(arena);
    }
    struct arena *arena = arena_new();
    char *large = arena_alloc(arena, MESSAGE_MAX + 1);
    memset(large, ' ', MESSAGE_MAX + 1);
    struct error err;
    assert_false(message_read(arena, large, MESSAGE_MAX + 1, &message, &err));
    assert_non_null(strstr(err.message, "bytes"));
    arena_free(arena);
}

static void labels_take_the_forms_that_python_takes(void **state)
{
    struct arena *arena = arena_new();
    struct task_message m;
    (void)state;
    assert_true(reads(
        arena,
        "{" REST ",\"labels\":{\"a\":\" +007 \",\"b\":\"-0\",\"c\":\"1e3\",\"d\":\"nan\",\"e\":\"TRUE\","
        "\"f\":\"yes\",\"g\":5,\"h\":true,\"i\":\"/w==\"},\"labels_types\":{\"a\":2,\"b\":2,\"c\":4,\"d\":4,"
        "\"e\":5,\"f\":5,\"g\":3,\"h\":2,\"i\":6}}",
        &m));
    assert_int_equal(json_integer_value(json_object_get(m.labels, "a")), 7);
    assert_int_equal(json_integer_value(json_object_get(m.labels, "b")), 0);
    assert_true(json_real_value(json_object_get(m.labels, "c")) == 1000);
    assert_true(json_is_null(json_object_get(m.labels, "d")));
    assert_true(json_is_true(json_object_get(m.labels, "e")));
    assert_true(json_is_false(json_object_get(m.labels, "f")));
    assert_string_equal(json_string_value(json_object_get(m.labels, "g")), "5");
    assert_int_equal(json_integer_value(json_object_get(m.labels, "h")), 1);
    assert_string_equal(json_string_value(json_object_get(m.labels, "i")),
                        "/w=="); /* bytes that are no text */
    arena_free(arena);
}

static void labels_are_looked_up_with_a_fallback(void **state)
{
    json_t *labels = json_pack("{s:i, s:s, s:f, s:s}", "n", 5, "t", "6", "r", 1.5, "x", "six");
    (void)state;
    assert_int_equal(label_int(labels, "n", 1), 5);
    assert_int_equal(label_int(labels, "t", 1), 6);
    assert_int_equal(label_int(labels, "x", 1), 1);
    assert_int_equal(label_int(labels, "none", 1), 1);
    assert_true(label_number(labels, "r", 0) == 1.5);
    assert_true(label_number(labels, "t", 0) == 6);
    assert_true(label_number(labels, "x", 2) == 2);
    json_decref(labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tolerant_where_python_is),
        cmocka_unit_test(strict_where_python_is),
        cmocka_unit_test(as_long_as_the_table_allows),
        cmocka_unit_test(labels_take_the_forms_that_python_takes),
        cmocka_unit_test(labels_are_looked_up_with_a_fallback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
