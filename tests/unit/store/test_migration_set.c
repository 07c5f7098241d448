/* What the binary and a folder hold, and what is made of the time-series marker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/migration_set.h"

static struct arena *arena;
static char folder[64];

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(arena_printf(arena, "%s/%s", folder, name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int make_folder(void **state)
{
    (void)state;
    arena = arena_new();
    snprintf(folder, sizeof(folder), "/tmp/migration-set-XXXXXX");
    static const char *const parts[] = { "migrations", "timeseries", "timeseries/native" };
    if (mkdtemp(folder) == NULL)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (mkdir(arena_printf(arena, "%s/%s", folder, parts[i]), 0700) != 0)
            return -1;
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    int status = system(
        arena_printf(arena, "rm -r '%s'", folder)); /* NOLINT(cert-env33-c): a test's own folder */
    arena_free(arena);
    return status;
}

static void expect_refused(const char *code)
{
    struct migration_set set;
    struct error err;
    assert_false(migration_set_read(arena, folder, &set, &err));
    assert_string_equal(err.code, code);
}

static void test_binary_holds_migrations(void **state)
{
    (void)state;
    struct migration_set set;
    struct error err;
    assert_true(migration_set_read(arena, NULL, &set, &err));
    assert_true(set.count >= 12);
    assert_int_equal(set.list[set.count - 1].version, migration_newest());
    assert_string_equal(set.list[0].name, "0001_foundation");
    for (size_t i = 0; i < set.count; i++) {
        const char *native = migration_assemble(arena, &set, &set.list[i], "native", &err);
        const char *timescale = migration_assemble(arena, &set, &set.list[i], "timescale", &err);
        assert_non_null(native);
        assert_non_null(timescale);
        assert_int_equal(strcmp(native, timescale) != 0, strstr(set.list[i].text, "-- @timeseries ") != NULL);
    }
}

static void test_order_and_numbers(void **state)
{
    (void)state;
    struct migration_set set;
    struct error err;
    expect_refused("migration_none");
    write_file("migrations/0002_b.sql", "two");
    expect_refused("migration_gap");
    write_file("migrations/0001_a.sql", "one");
    write_file("migrations/README.md", "not SQL");
    assert_true(migration_set_read(arena, folder, &set, &err));
    assert_int_equal(set.count, 2);
    assert_string_equal(set.list[0].name, "0001_a");
    assert_string_equal(set.list[1].text, "two");
    write_file("migrations/0002_c.sql", "two again");
    expect_refused("migration_gap");
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = { "1_a.sql",   "00001_a.sql", "0001.sql",
                                       "0001_.sql", "x001_a.sql",  "0001-a.sql" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *name = arena_printf(arena, "migrations/%s", bad[i]);
        write_file(name, "SELECT 1");
        expect_refused("migration_name");
        assert_int_equal(unlink(arena_printf(arena, "%s/%s", folder, name)), 0);
    }
    write_file("migrations/0000_a.sql", "SELECT 1");
    expect_refused("migration_gap");
}

static void test_unreadable(void **state)
{
    (void)state;
    struct migration_set set;
    struct error err;
    assert_false(migration_set_read(arena, "/nonexistent", &set, &err));
    assert_string_equal(err.code, "migration_file");
    FILE *file = fopen(arena_printf(arena, "%s/migrations/0001_a.sql", folder), "w");
    assert_non_null(file);
    assert_int_equal(fwrite("a\0b", 1, 3, file), 3);
    assert_int_equal(fclose(file), 0);
    expect_refused("migration_file");
}

static void test_marker(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "a\n-- @timeseries part\nb\n", "a\nPART\n\nb\n" },
        { "-- @timeseries part", "PART\n\n" },
        { "-- @timeseries part \t\r\nb", "PART\n\nb" },
        /* no markers */
        { "a -- @timeseries part\n", "a -- @timeseries part\n" },
        { "-- @timeseries part of it\n", "-- @timeseries part of it\n" },
        { "-- @timeseries \n", "-- @timeseries \n" },
        { "-- @timeseries ../x\n", "-- @timeseries ../x\n" },
        { "", "" },
    };
    struct migration_set set = { .folder = folder };
    struct error err;
    write_file("timeseries/native/part.sql", "PART\n");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct migration migration = { .version = 1, .name = "0001_a", .text = cases[i].text };
        const char *text = migration_assemble(arena, &set, &migration, "native", &err);
        assert_non_null(text);
        assert_string_equal(text, cases[i].expected);
    }
    struct migration missing = { .version = 1, .name = "0001_a", .text = "-- @timeseries other\n" };
    assert_null(migration_assemble(arena, &set, &missing, "native", &err));
    assert_string_equal(err.code, "migration_file");
}

static void test_digest(void **state)
{
    (void)state;
    char digest[MIGRATION_DIGEST_SIZE];
    migration_digest("abc", digest); /* FIPS 180-2, appendix B.1 */
    assert_string_equal(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_binary_holds_migrations),
        WITH_FOLDER(test_order_and_numbers),
        WITH_FOLDER(test_names),
        WITH_FOLDER(test_unreadable),
        WITH_FOLDER(test_marker),
        WITH_FOLDER(test_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
