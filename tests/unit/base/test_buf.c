/* Buffers: growth, bounds, sticky overflow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"

static void test_appends(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    assert_string_equal(buf_text(&buf), "");
    buf_puts(&buf, "a");
    buf_putc(&buf, 'b');
    buf_printf(&buf, "%03d", 7);
    buf_append(&buf, NULL, 0);
    assert_string_equal(buf_text(&buf), "ab007");
    assert_int_equal(buf.len, 5);
    for (int i = 0; i < 10000; i++)
        buf_puts(&buf, "0123456789");
    assert_int_equal(buf.len, 100005);
    assert_int_equal(strlen(buf.data), buf.len);
    buf_clear(&buf);
    assert_string_equal(buf_text(&buf), "");
    buf_free(&buf);
    assert_null(buf.data);
}

static void test_bound(void **state)
{
    (void)state;
    struct buf buf = { .max = 8 };
    buf_puts(&buf, "12345678");
    assert_false(buf.overflow);
    buf_putc(&buf, '9');
    assert_true(buf.overflow);
    assert_string_equal(buf_text(&buf), "12345678");
    /* Sticky, also for what would fit. */
    buf_append(&buf, NULL, 0);
    assert_true(buf.overflow);
    assert_null(buf_reserve(&buf, 0));
    buf_clear(&buf);
    buf_puts(&buf, "ok");
    assert_false(buf.overflow);
    buf_free(&buf);
    assert_int_equal(buf.max, 8);
}

static void test_huge_request(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.overflow);
    buf_wipe(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_appends), cmocka_unit_test(test_bound),
                                        cmocka_unit_test(test_huge_request) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
