/* Lines of GeoNames' files: which are taken, how they are written for COPY, which are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "geocode/geonames.h"

#define HAMBURG                                                                                              \
    "2911298\tHamburg\tHamburg\tHamborg,Hambourg\t53.55073\t9.99302\tP\tPPLA\tDE\t\t04\t00\t02000\t02000000" \
    "\t1845229\t\t2\tEurope/Berlin\t2022-10-13"

static enum geonames_line place(const char *text, struct buf *out)
{
    char line[GEONAMES_MAX_LINE + 1];
    struct error err = { .code = "" };
    size_t len = strlen(text);
    memcpy(line, text, len + 1);
    enum geonames_line kind = geonames_place(line, len, out, &err);
    assert_int_equal(kind == GEONAMES_BAD, error_is(&err, "geonames"));
    return kind;
}

/* HAMBURG with one field replaced. */
static const char *with(size_t field, const char *value)
{
    static char text[GEONAMES_MAX_LINE];
    const char *at = HAMBURG;
    for (size_t i = 0; i < field; i++)
        at = strchr(at, '\t') + 1;
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - HAMBURG), HAMBURG, value, at + strcspn(at, "\t"));
    return text;
}

static void a_town_becomes_a_row(void **state)
{
    (void)state;
    struct buf out = { 0 };
    assert_int_equal(place(HAMBURG, &out), GEONAMES_ROW);
    assert_string_equal(buf_text(&out),
                        "2911298\tHamburg\tHamburg\tHamborg,Hambourg\t53.55073\t9.99302\tf\tDE."
                        "04\tDE\t1845229\n");
    buf_clear(&out);
    assert_int_equal(place(with(7, "PPLX"), &out), GEONAMES_ROW); /* a part of a town */
    assert_non_null(strstr(buf_text(&out), "\tt\tDE.04"));
    buf_clear(&out);
    assert_int_equal(place(with(14, ""), &out), GEONAMES_ROW); /* nobody counted */
    assert_non_null(strstr(buf_text(&out), "\tDE\t0\n"));
    buf_clear(&out);
    assert_int_equal(place(with(1, "a\\b"), &out), GEONAMES_ROW);
    assert_non_null(strstr(buf_text(&out), "\ta\\\\b\t"));
    buf_free(&out);
}

static void what_names_nothing_is_skipped(void **state)
{
    (void)state;
    char name[202];
    struct buf out = { 0 };
    memset(name, 'n', sizeof(name) - 1);
    name[201] = '\0';
    assert_int_equal(place(with(6, "T"), &out), GEONAMES_SKIPPED);
    assert_int_equal(place(with(7, "PPLH"), &out), GEONAMES_SKIPPED);
    assert_int_equal(place(with(7, "PPLW"), &out), GEONAMES_SKIPPED);
    assert_int_equal(place(with(8, ""), &out), GEONAMES_SKIPPED);
    assert_int_equal(place(with(8, "de"), &out), GEONAMES_SKIPPED);
    assert_int_equal(place(with(1, ""), &out), GEONAMES_SKIPPED);
    assert_int_equal(place(with(1, name), &out), GEONAMES_SKIPPED);
    assert_int_equal(out.len, 0);
    name[200] = '\0';
    assert_int_equal(place(with(1, name), &out), GEONAMES_ROW);
    buf_free(&out);
}

static void too_many_names_are_left_out(void **state)
{
    (void)state;
    static char names[10002];
    struct buf out = { 0 };
    memset(names, 'n', 10001);
    assert_int_equal(place(with(3, names), &out), GEONAMES_ROW);
    assert_null(strstr(buf_text(&out), "nnn"));
    buf_clear(&out);
    names[10000] = '\0';
    assert_int_equal(place(with(3, names), &out), GEONAMES_ROW);
    assert_non_null(strstr(buf_text(&out), names));
    buf_free(&out);
}

static void other_lines_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t field;
        const char *value;
    } bad[] = {
        { 0, "" },       { 0, "x" },     { 0, "0" },         { 0, "-1" },       { 4, "" },
        { 4, "90.001" }, { 4, "-91" },   { 4, "nan" },       { 5, "180.0001" }, { 5, "1e999" },
        { 14, "-1" },    { 14, "many" }, { 18, "x\textra" },
    };
    struct buf out = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (place(with(bad[i].field, bad[i].value), &out) != GEONAMES_BAD)
            fail_msg("field %zu: %s", bad[i].field, bad[i].value);
    assert_int_equal(place("", &out), GEONAMES_BAD);
    assert_int_equal(place("Hamburg", &out), GEONAMES_BAD);
    char line[] = HAMBURG;
    line[9] = '\0';
    struct error err;
    assert_int_equal(geonames_place(line, sizeof(line) - 1, &out, &err), GEONAMES_BAD);
    assert_int_equal(place(with(1, "a\rb"), &out), GEONAMES_BAD);
    assert_int_equal(place(with(1, "\xff"), &out), GEONAMES_BAD);
    assert_int_equal(out.len, 0);
    assert_int_equal(place(with(4, "90"), &out), GEONAMES_ROW);
    assert_int_equal(place(with(5, "-180"), &out), GEONAMES_ROW);
    buf_free(&out);
}

static void regions_come_in_two_forms(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum geonames_line kind;
        const char *row;
    } cases[] = {
        { "DE.04\tHamburg\tHamburg\t2911297", GEONAMES_ROW, "DE.04\tHamburg\n" },
        { "DE.04\tHamburg", GEONAMES_ROW, "DE.04\tHamburg\n" },
        { "DE.04\t", GEONAMES_SKIPPED, "" },
        { "\tHamburg", GEONAMES_SKIPPED, "" },
        { "DE.04", GEONAMES_BAD, "" },
        { "DE.04\tHamburg\tHamburg", GEONAMES_BAD, "" },
        { "DE.04\tHamburg\tHamburg\t1\t2", GEONAMES_BAD, "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char line[64];
        struct buf out = { 0 };
        struct error err;
        strcpy(line, cases[i].line);
        if (geonames_region(line, strlen(line), &out, &err) != cases[i].kind)
            fail_msg("%s", cases[i].line);
        assert_string_equal(buf_text(&out), cases[i].row);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_town_becomes_a_row),        cmocka_unit_test(what_names_nothing_is_skipped),
        cmocka_unit_test(too_many_names_are_left_out), cmocka_unit_test(other_lines_are_refused),
        cmocka_unit_test(regions_come_in_two_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
