/* The JSON writer: what it writes reads back the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/json.h"

static void test_structure(void **state)
{
    (void)state;
    struct buf out = { 0 };
    struct json json;
    json_begin(&json, &out);
    json_start_object(&json);
    json_put_int(&json, "a", INT64_MIN);
    json_key(&json, "b");
    json_start_array(&json);
    json_bool(&json, true);
    json_write_null(&json);
    json_start_object(&json);
    json_end_object(&json);
    json_raw(&json, "[1]", 3);
    json_end_array(&json);
    json_put_text(&json, "c", NULL);
    json_put_null(&json, "d");
    json_put_bool(&json, "e", false);
    json_put_time(&json, "f", 0);
    json_put_double(&json, "g", 0.1);
    json_end_object(&json);
    assert_string_equal(
        buf_text(&out),
        "{\"a\":-9223372036854775808,\"b\":[true,null,{},[1]],\"c\":null,\"d\":null,\"e\":false,"
        "\"f\":\"1970-01-01T00:00:00Z\",\"g\":0.1}");
    buf_free(&out);
}

static const char *written(struct buf *out, const char *text, size_t len)
{
    struct json json;
    buf_clear(out);
    json_begin(&json, out);
    json_text_n(&json, text, len);
    return buf_text(out);
}

static void test_reopened_objects(void **state)
{
    (void)state;
    struct buf out = { 0 };
    struct json json;
    json_begin(&json, &out);
    json_start_array(&json);
    json_start_object(&json);
    json_put_int(&json, "a", 1);
    json_end_object(&json);
    json_reopen_object(&json);
    json_put_int(&json, "b", 2);
    json_end_object(&json);
    json_start_object(&json);
    json_end_object(&json);
    json_reopen_object(&json);
    json_put_int(&json, "c", 3);
    json_end_object(&json);
    json_reopen_object(&json);
    json_end_object(&json);
    json_end_array(&json);
    json_reopen_object(&json); /* no object: nothing is taken back */
    assert_string_equal(buf_text(&out), "[{\"a\":1,\"b\":2},{\"c\":3}]");
    buf_free(&out);
}

static void test_escapes(void **state)
{
    (void)state;
    struct buf out = { 0 };
    assert_string_equal(written(&out, "q\"b\\n\n\t\x01\x0b\x7f", 10),
                        "\"q\\\"b\\\\n\\n\\t\\u0001\\u000b\\u007f\"");
    /* Malformed bytes become U+FFFD, NUL an escape; the document stays valid. */
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[3] = { 'a', (char)byte, 'z' };
        json_error_t error;
        const char *document = written(&out, text, 3);
        json_t *value = json_loads(document, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        if (value == NULL)
            fail_msg("byte %u gives %s: %s", byte, document, error.text);
        json_decref(value);
    }
    buf_free(&out);
}

/* Plain texts are recognised by words of eight bytes: every byte at every place of one, and beside it. */
static void test_escapes_anywhere(void **state)
{
    (void)state;
    struct buf out = { 0 };
    for (unsigned byte = 1; byte < 128; byte++) {
        for (size_t place = 0; place < 19; place++) {
            char text[] = "abcdefghijklmnopqrs";
            text[place] = (char)byte;
            json_t *value = json_loads(written(&out, text, sizeof(text) - 1), JSON_DECODE_ANY, NULL);
            assert_string_equal(json_string_value(value), text);
            json_decref(value);
        }
    }
    buf_free(&out);
}

static void test_doubles(void **state)
{
    (void)state;
    static const double values[] = {
        0, -0.0, 1, 0.1, 1.0 / 3, 52.520008, -179.9999999, 1e300, DBL_MIN, DBL_MAX, 123456789012345678.0
    };
    struct buf out = { 0 };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct json json;
        buf_clear(&out);
        json_begin(&json, &out);
        json_double(&json, values[i]);
        json_t *value = json_loads(buf_text(&out), JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        assert_true(json_number_value(value) == values[i]);
        json_decref(value);
    }
    struct json json;
    buf_clear(&out);
    json_begin(&json, &out);
    json_start_array(&json);
    json_double(&json, NAN);
    json_double(&json, INFINITY);
    json_end_array(&json);
    assert_string_equal(buf_text(&out), "[null,null]");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_structure),
                                        cmocka_unit_test(test_reopened_objects),
                                        cmocka_unit_test(test_escapes),
                                        cmocka_unit_test(test_escapes_anywhere),
                                        cmocka_unit_test(test_doubles) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
