/* CSV: every way to write a field, what is refused, and that pieces of any size give the same rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/csv.h"

/* Rows as "line:[a][b]\n". */
static bool show(void *to, const struct csv_row *row, struct error *err)
{
    struct buf *out = to;
    if (row->count > 0 && strcmp(row->fields[0], "stop") == 0)
        return error_set(err, "stopped", "as asked");
    buf_printf(out, "%lld:", (long long)row->line);
    for (size_t i = 0; i < row->count; i++) {
        assert_int_equal(strlen(row->fields[i]), row->lengths[i]);
        buf_printf(out, "[%s]", row->fields[i]);
    }
    buf_putc(out, '\n');
    return true;
}

static bool read_all(const char *text, size_t len, size_t piece, size_t max, struct buf *out,
                     struct error *err)
{
    struct csv *csv = csv_new(',', max, show, out);
    bool good = true;
    for (size_t at = 0; good && at < len; at += piece)
        good = csv_feed(csv, text + at, len - at < piece ? len - at : piece, err);
    good = good && csv_finish(csv, err);
    csv_free(csv);
    return good;
}

static void gives(const char *text, const char *rows)
{
    for (size_t piece = 1; piece <= strlen(text) + 1; piece++) {
        struct buf out = { 0 };
        struct error err = { "", "" };
        assert_true(read_all(text, strlen(text), piece, 0, &out, &err));
        assert_string_equal(buf_text(&out), rows);
        buf_free(&out);
    }
}

static void refuses_n(const char *text, size_t len, size_t max, const char *code, const char *line)
{
    struct buf out = { 0 };
    struct error err = { "", "" };
    assert_false(read_all(text, len, 3, max, &out, &err));
    assert_string_equal(err.code, code);
    assert_non_null(strstr(err.message, line));
    buf_free(&out);
}

static void refuses(const char *text, const char *line)
{
    refuses_n(text, strlen(text), 0, "csv_syntax", line);
}

static void test_plain(void **state)
{
    (void)state;
    gives("", "");
    gives("a", "1:[a]\n");
    gives("a,b\r\nc,d\r\n", "1:[a][b]\n2:[c][d]\n");
    gives("a,b\nc,d", "1:[a][b]\n2:[c][d]\n");
    gives("a,\n,b\n", "1:[a][]\n2:[][b]\n");
    gives(",", "1:[][]\n");
    gives(" a , b ", "1:[ a ][ b ]\n");
}

static void test_quotes(void **state)
{
    (void)state;
    gives("\"a,b\",\"c\"\"d\"\n", "1:[a,b][c\"d]\n");
    gives("\"a\r\nb\",c\nd\n", "1:[a\r\nb][c]\n3:[d]\n");
    gives("\"\"\n", "1:[]\n");
    gives("\"\",\"\"", "1:[][]\n");
    gives("\"\"\"\"", "1:[\"]\n");
    gives("\"a\"", "1:[a]\n");
}

static void test_empty_lines(void **state)
{
    (void)state;
    gives("\n\r\na\n\nb\n\n", "3:[a]\n5:[b]\n");
}

static void test_mark(void **state)
{
    (void)state;
    gives("\xEF\xBB\xBF"
          "a,b\n",
          "1:[a][b]\n");
    gives("\xEF\xBB\xBF\"a\",b\n", "1:[a][b]\n");
    gives("\xEF\xBB\xBF", "");
    gives("\xEF\xBB", "1:[\xEF\xBB]\n");
    gives("\xEF\xBBx", "1:[\xEF\xBBx]\n");
    gives("a\n\xEF\xBB\xBF\n", "1:[a]\n2:[\xEF\xBB\xBF]\n");
}

static void test_refused(void **state)
{
    (void)state;
    refuses("a\nb\"c\n", "line 2");
    refuses("\"a\"b\n", "line 1");
    refuses("a\n\n\"b\nc\nd", "line 3");
    refuses("a\rb\n", "line 1");
    refuses("a\r", "line 1");
    refuses_n("a\nb\0c\n", 6, 0, "csv_syntax", "line 2");
}

static void test_limits(void **state)
{
    (void)state;
    struct buf out = { 0 };
    struct error err;
    assert_true(read_all("abcd,efgh\nabcdefgh\n", 19, 1, 8, &out, &err));
    buf_free(&out);
    refuses_n("x\nabcd,efghi\n", 13, 8, "csv_size", "line 2");
    refuses_n("\"abcdefghi\"", 11, 8, "csv_size", "line 1");

    char commas[CSV_MAX_FIELDS + 1];
    memset(commas, ',', sizeof(commas));
    assert_true(read_all(commas, CSV_MAX_FIELDS - 1, 5, 0, &out, &err));
    buf_free(&out);
    refuses_n(commas, CSV_MAX_FIELDS, 0, "csv_size", "line 1");
}

static void test_stopped_by_the_taker(void **state)
{
    (void)state;
    refuses_n("a\nstop\nb\n", 9, 0, "stopped", "as asked");
}

static void test_put(void **state)
{
    (void)state;
    static const char *const fields[] = { "", "a b", "a,b", "a\"b", "a\r\nb", "\"" };
    struct buf line = { 0 }, expected = { 0 }, out = { 0 };
    struct error err;
    buf_puts(&expected, "1:");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (i > 0)
            buf_putc(&line, ',');
        csv_put(&line, fields[i], ',');
        buf_printf(&expected, "[%s]", fields[i]);
    }
    buf_putc(&expected, '\n');
    assert_true(read_all(line.data, line.len, 7, 0, &out, &err));
    assert_string_equal(buf_text(&out), buf_text(&expected));
    buf_free(&line);
    buf_free(&expected);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_empty_lines),
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_stopped_by_the_taker),
        cmocka_unit_test(test_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
