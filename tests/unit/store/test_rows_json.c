/* The writer from result sets to JSON, over rows that are made up here: no server is needed to know what each
 * type of column has to look like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/timeutil.h"
#include "store/rows_json.h"

/* type OIDs, from PostgreSQL's pg_type.dat */
enum {
    BOOL = 16,
    INT8 = 20,
    INT2 = 21,
    INT4 = 23,
    TEXT = 25,
    JSON = 114,
    FLOAT8 = 701,
    TEXT_ARRAY = 1009,
    INT8_ARRAY = 1016,
    DATE = 1082,
    TIMESTAMPTZ = 1184,
    NUMERIC = 1700,
    JSONB = 3802
};

#define MAX_COLUMNS 8
#define MAX_ROWS    2

/* ---- rows as store/db.h promises them, held in a table ---- */

struct rows {
    size_t columns, count;
    const char *names[MAX_COLUMNS];
    uint32_t types[MAX_COLUMNS];
    const char *values[MAX_ROWS][MAX_COLUMNS]; /* PostgreSQL's text form; NULL is SQL null */
};

static struct arena *arena;

struct arena *rows_arena(const struct rows *rows)
{
    (void)rows;
    return arena;
}

size_t rows_count(const struct rows *rows)
{
    return rows->count;
}

size_t rows_columns(const struct rows *rows)
{
    return rows->columns;
}

const char *rows_name(const struct rows *rows, size_t column)
{
    return rows->names[column];
}

uint32_t rows_type(const struct rows *rows, size_t column)
{
    return rows->types[column];
}

bool rows_null(const struct rows *rows, size_t row, size_t column)
{
    return rows->values[row][column] == NULL;
}

const char *rows_text(const struct rows *rows, size_t row, size_t column)
{
    return rows_null(rows, row, column) ? "" : rows->values[row][column];
}

size_t rows_length(const struct rows *rows, size_t row, size_t column)
{
    return strlen(rows_text(rows, row, column));
}

int64_t rows_int(const struct rows *rows, size_t row, size_t column)
{
    return strtoll(rows_text(rows, row, column), NULL, 10);
}

double rows_double(const struct rows *rows, size_t row, size_t column)
{
    return strtod(rows_text(rows, row, column), NULL);
}

bool rows_bool(const struct rows *rows, size_t row, size_t column)
{
    return rows_text(rows, row, column)[0] == 't';
}

/* The session's zone is UTC, so the offset is always "+00", which RFC 3339 wants as "+00:00". */
int64_t rows_time(const struct rows *rows, size_t row, size_t column)
{
    char text[64];
    int64_t usec = 0;
    snprintf(text, sizeof(text), "%s:00", rows_text(rows, row, column));
    return time_parse(text, &usec) ? usec : 0;
}

const int64_t *rows_ints(const struct rows *rows, size_t row, size_t column, size_t *n)
{
    static int64_t values[16];
    *n = 0;
    if (rows_null(rows, row, column))
        return NULL;
    const char *p = rows_text(rows, row, column) + 1;
    while (*p != '}' && *n < ARRAY_LEN(values)) {
        char *end;
        values[(*n)++] = strtoll(p, &end, 10);
        p = *end == ',' ? end + 1 : end;
    }
    return values;
}

/* ---- helpers ---- */

static void assert_object(const struct rows *rows, size_t row, size_t skip_from, const char *expected)
{
    struct buf out = { 0 };
    struct json json;
    json_begin(&json, &out);
    rows_write_object(rows, row, skip_from, &json);
    assert_string_equal(buf_text(&out), expected);
    json_t *parsed = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(parsed);
    json_decref(parsed);
    buf_free(&out);
}

/* One column named v, written as {"v":...}: value is what must follow the colon. */
static void assert_value(uint32_t type, const char *text, const char *value)
{
    struct rows rows = {
        .columns = 1, .count = 1, .names = { "v" }, .types = { type }, .values = { { text } }
    };
    char expected[512];
    snprintf(expected, sizeof(expected), "{\"v\":%s}", value);
    assert_object(&rows, 0, SIZE_MAX, expected);
}

/* ---- tests ---- */

static void test_scalars(void **state)
{
    (void)state;
    assert_value(INT8, "-9223372036854775808", "-9223372036854775808");
    assert_value(INT4, "0", "0");
    assert_value(INT2, "-1", "-1");
    assert_value(BOOL, "t", "true");
    assert_value(BOOL, "f", "false");
    assert_value(FLOAT8, "0.1", "0.1");
    assert_value(FLOAT8, "-1.5e-07", "-1.5e-07");
    assert_value(NUMERIC, "123456789012345678901234567890.5", "123456789012345678901234567890.5");
    assert_value(DATE, "2026-11-24", "\"2026-11-24\"");
}

static void test_null_is_null_in_every_type(void **state)
{
    (void)state;
    const uint32_t types[] = { BOOL,       INT8,       INT4, TEXT,        JSON,    JSONB,
                               TEXT_ARRAY, INT8_ARRAY, DATE, TIMESTAMPTZ, NUMERIC, FLOAT8 };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        assert_value(types[i], NULL, "null");
}

static void test_numbers_json_cannot_say_are_null(void **state)
{
    (void)state;
    assert_value(FLOAT8, "NaN", "null");
    assert_value(FLOAT8, "Infinity", "null");
    assert_value(FLOAT8, "-Infinity", "null");
    assert_value(NUMERIC, "NaN", "null");
}

static void test_texts_are_escaped(void **state)
{
    (void)state;
    assert_value(TEXT, "", "\"\"");
    assert_value(TEXT, "plain", "\"plain\"");
    assert_value(TEXT, "\"\\\n\x01", "\"\\\"\\\\\\n\\u0001\"");
    assert_value(TEXT, "Z\xc3\xbcrich", "\"Z\xc3\xbcrich\"");
    /* not a number, however much it looks like one */
    assert_value(TEXT, "123", "\"123\"");
    assert_value(TEXT, "null", "\"null\"");
}

static void test_times_are_rfc3339(void **state)
{
    (void)state;
    assert_value(TIMESTAMPTZ, "2026-11-24 08:44:44+00", "\"2026-11-24T08:44:44Z\"");
    assert_value(TIMESTAMPTZ, "2026-11-24 08:44:44.12+00", "\"2026-11-24T08:44:44.12Z\"");
    assert_value(TIMESTAMPTZ, "2026-11-24 08:44:44.123456+00", "\"2026-11-24T08:44:44.123456Z\"");
    assert_value(TIMESTAMPTZ, "0001-01-01 00:00:00+00", "\"0001-01-01T00:00:00Z\"");
    assert_value(TIMESTAMPTZ, "9999-12-31 23:59:59.999999+00", "\"9999-12-31T23:59:59.999999Z\"");
}

static void test_json_passes_unchanged(void **state)
{
    (void)state;
    assert_value(JSONB, "{\"a\": [1, \"x\"]}", "{\"a\": [1, \"x\"]}");
    assert_value(JSON, "null", "null");
}

static void test_arrays(void **state)
{
    (void)state;
    assert_value(INT8_ARRAY, "{}", "[]");
    assert_value(INT8_ARRAY, "{1,-2,9223372036854775807}", "[1,-2,9223372036854775807]");
    assert_value(TEXT_ARRAY, "{}", "[]");
    assert_value(TEXT_ARRAY, "{a,b}", "[\"a\",\"b\"]");
    /* quoting as array_out does it: commas, braces, blanks, quotes, the word NULL as a text, an empty text */
    assert_value(TEXT_ARRAY, "{\"a,b\",\"{}\",\"c d\",\"\\\"\",\"\\\\\",\"NULL\",\"\",NULL}",
                 "[\"a,b\",\"{}\",\"c d\",\"\\\"\",\"\\\\\",\"NULL\",\"\",null]");
}

static void test_columns_nest(void **state)
{
    (void)state;
    const struct rows rows = {
        .columns = 5,
        .count = 2,
        .names = { "id", "position.latitude", "position.longitude", "brand.id", "name" },
        .types = { INT8, FLOAT8, FLOAT8, INT8, TEXT },
        .values = { { "1", "47.5", "8.25", NULL, "x" }, { "2", NULL, "8.25", "7", NULL } },
    };
    assert_object(
        &rows, 0, SIZE_MAX,
        "{\"id\":1,\"position\":{\"latitude\":47.5,\"longitude\":8.25},\"brand\":null,\"name\":\"x\"}");
    /* one null column does not make the nest null */
    assert_object(
        &rows, 1, SIZE_MAX,
        "{\"id\":2,\"position\":{\"latitude\":null,\"longitude\":8.25},\"brand\":{\"id\":7},\"name\":null}");
}

static void test_a_prefix_is_not_a_nest(void **state)
{
    (void)state;
    const struct rows rows = {
        .columns = 3,
        .count = 1,
        .names = { "a", "ab.c", "abc.d" },
        .types = { INT8, INT8, INT8 },
        .values = { { "1", "2", "3" } },
    };
    assert_object(&rows, 0, SIZE_MAX, "{\"a\":1,\"ab\":{\"c\":2},\"abc\":{\"d\":3}}");
}

static void test_helper_columns_are_left_out(void **state)
{
    (void)state;
    const struct rows rows = {
        .columns = 4,
        .count = 1,
        .names = { "a", "n.x", "n.y", "cursor" },
        .types = { INT8, INT8, INT8, TEXT },
        .values = { { "1", NULL, "3", "k" } },
    };
    assert_object(&rows, 0, 3, "{\"a\":1,\"n\":{\"x\":null,\"y\":3}}");
    /* the cut may go through a nest: what is left of it decides whether it is null */
    assert_object(&rows, 0, 2, "{\"a\":1,\"n\":null}");
    assert_object(&rows, 0, 0, "{}");
}

static void test_array_of_rows_inside_a_document(void **state)
{
    (void)state;
    struct rows rows = {
        .columns = 1, .count = 2, .names = { "a" }, .types = { INT8 }, .values = { { "1" }, { "2" } }
    };
    struct buf out = { 0 };
    struct json json;
    json_begin(&json, &out);
    json_start_object(&json);
    json_key(&json, "items");
    rows_write_array(&rows, SIZE_MAX, &json);
    rows.count = 0;
    json_key(&json, "none");
    rows_write_array(&rows, SIZE_MAX, &json);
    json_put_null(&json, "next_cursor");
    json_end_object(&json);
    assert_string_equal(buf_text(&out), "{\"items\":[{\"a\":1},{\"a\":2}],\"none\":[],\"next_cursor\":null}");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_null_is_null_in_every_type),
        cmocka_unit_test(test_numbers_json_cannot_say_are_null),
        cmocka_unit_test(test_texts_are_escaped),
        cmocka_unit_test(test_times_are_rfc3339),
        cmocka_unit_test(test_json_passes_unchanged),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_columns_nest),
        cmocka_unit_test(test_a_prefix_is_not_a_nest),
        cmocka_unit_test(test_helper_columns_are_left_out),
        cmocka_unit_test(test_array_of_rows_inside_a_document),
    };
    arena = arena_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(arena);
    return failed;
}
