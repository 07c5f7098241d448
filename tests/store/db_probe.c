/* Scenarios of the database client against a real server: db_probe URL none|transaction SCENARIO. Prints the
 * first expectation that does not hold and exits 1. A scenario in which the server must be acted upon prints
 * "ready" and waits for a line. test_db.py makes the servers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/timeutil.h"
#include "store/db.h"

#define EXPECT(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            printf("line %d: %s\n", __LINE__, #condition);                                                   \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

#define EYES_SQL "SELECT current_setting('tracker.role', true), current_setting('tracker.clients', true)"

static bool pooled;
static struct db *db;
static struct arena *arena;
static struct error err;

static const struct db_context manager = { .role = "manager", .clients = "{1,2}", .user = "7" };
static const struct db_context admin = { .role = "admin", .clients = "{}", .user = "1" };

static void use(const struct db_context *context)
{
    db_use(db, arena, context);
}

/* Let the test act on the server. */
static void pause_for_test(void)
{
    char line[16];
    puts("ready");
    fflush(stdout);
    EXPECT(fgets(line, sizeof(line), stdin) != NULL);
}

static bool sees(const char *role, const char *clients)
{
    struct rows *rows = db_query(db, EYES_SQL, "");
    if (!rows_ok(rows))
        return false;
    const char *seen = rows_text(rows, 0, 0), *list = rows_text(rows, 0, 1);
    return strcmp(seen != NULL ? seen : "", role) == 0 && strcmp(list != NULL ? list : "", clients) == 0;
}

static bool sees_nothing(void)
{
    return sees("", "") || sees("", "{}");
}

static int64_t number(const char *sql)
{
    struct rows *rows = db_query(db, sql, "");
    EXPECT(rows_count(rows) == 1);
    return rows_int(rows, 0, 0);
}

static enum db_status status_of(const char *sql)
{
    return rows_status(db_query(db, sql, ""));
}

/* ---- scenarios ---- */

static void contexts(void)
{
    use(&manager);
    EXPECT(sees("manager", "{1,2}"));
    use(NULL);
    EXPECT(sees_nothing());
    use(&admin);
    EXPECT(sees("admin", "{}"));

    /* after an error before, in and at the end of the pipeline */
    use(&manager);
    EXPECT(status_of("SELECT no_such_column") == DB_ERROR);
    use(NULL);
    EXPECT(sees_nothing());
    use(&manager);
    EXPECT(status_of("SELECT 1 / (random() * 0)::int") == DB_CHECK);
    use(NULL);
    EXPECT(sees_nothing());
    use(&manager);
    EXPECT(status_of("INSERT INTO deferred_child VALUES (1, 99)") == DB_FOREIGN_KEY);
    EXPECT(number("SELECT count(*) FROM deferred_child") == 0);
    use(NULL);
    EXPECT(sees_nothing());

    db_set_context(db, &admin);
    EXPECT(sees("admin", "{}"));
    EXPECT(db_begin(db, &err));
    EXPECT(sees("admin", "{}"));
    db_set_context(db, &manager); /* refused: the transaction is over */
    EXPECT(status_of("SELECT 1") == DB_UNAVAILABLE);
    db_rollback(db);
    EXPECT(sees("manager", "{1,2}"));
}

static void statuses(void)
{
    static const struct {
        const char *sql;
        enum db_status status;
    } cases[] = {
        { "SELECT 1", DB_OK },
        { "INSERT INTO parent VALUES (1, 'one', 5, '[1,5)')", DB_OK },
        { "INSERT INTO parent VALUES (1, 'again', 5, '[6,7)')", DB_UNIQUE },
        { "INSERT INTO child VALUES (1, 99)", DB_FOREIGN_KEY },
        { "INSERT INTO parent VALUES (2, 'two', -5, '[6,7)')", DB_CHECK },
        { "INSERT INTO parent VALUES (2, NULL, 5, '[6,7)')", DB_CHECK },
        { "SELECT 'x'::int", DB_CHECK },
        { "INSERT INTO parent VALUES (2, 'two', 5, '[4,7)')", DB_EXCLUSION },
        { "DO $$ BEGIN RAISE insufficient_privilege; END $$", DB_DENIED },
        { "DO $$ BEGIN RAISE serialization_failure; END $$", DB_CONFLICT },
        { "DO $$ BEGIN RAISE deadlock_detected; END $$", DB_CONFLICT },
        { "DO $$ BEGIN RAISE lock_not_available; END $$", DB_TIMEOUT },
        { "SELECT FROM nowhere", DB_ERROR },
        { "SELEC", DB_ERROR },
        { "DO $$ BEGIN RAISE admin_shutdown; END $$", DB_UNAVAILABLE },
        { "SELECT 2", DB_OK },
    };
    use(NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum db_status status = status_of(cases[i].sql);
        if (status != cases[i].status)
            printf("%s: status %d\n", cases[i].sql, status);
        EXPECT(status == cases[i].status);
    }
    struct rows *rows = db_query(db, "INSERT INTO parent VALUES (1, 'again', 5, '[6,7)')", "");
    EXPECT(strcmp(rows_constraint(rows), "parent_pkey") == 0 && strcmp(rows_sqlstate(rows), "23505") == 0);
    EXPECT(rows_count(rows) == 0 && rows_affected(rows) == 0);

    int64_t began = time_monotonic();
    EXPECT(status_of("SELECT pg_sleep(10)") == DB_TIMEOUT);
    EXPECT(time_monotonic() - began < SECONDS(4));
    EXPECT(status_of("SELECT 1") == DB_OK);
}

static void types(void)
{
    use(&manager);
    static const int64_t ids[] = { 1, INT64_MIN, INT64_MAX };
    static const unsigned char bytes[] = { 0, 255, '\\', '\'', 7 };
    int64_t when = INT64_C(1700000000123456), seven = 7;
    struct rows *rows = db_query(
        db, "SELECT $1, $2, $3, $4, $5::text, $6, $7, $8, $9, $10::text, $11, $12::bytea", "itdbsxaIIsax",
        INT64_MIN, when, 0.1, 1, "h\xc3\xa9", bytes, sizeof(bytes), ids, ARRAY_LEN(ids), &seven, NULL, NULL,
        ids, (size_t)0, bytes, (size_t)0);
    EXPECT(rows_ok(rows) && rows_columns(rows) == 12);
    size_t n;
    EXPECT(rows_int(rows, 0, 0) == INT64_MIN && rows_time(rows, 0, 1) == when);
    EXPECT(rows_double(rows, 0, 2) == 0.1 && rows_bool(rows, 0, 3));
    EXPECT(strcmp(rows_text(rows, 0, 4), "h\xc3\xa9") == 0 && rows_length(rows, 0, 4) == 3);
    EXPECT(memcmp(rows_bytes(rows, 0, 5, &n), bytes, sizeof(bytes)) == 0 && n == sizeof(bytes));
    EXPECT(memcmp(rows_ints(rows, 0, 6, &n), ids, sizeof(ids)) == 0 && n == ARRAY_LEN(ids));
    EXPECT(rows_int(rows, 0, 7) == 7 && rows_null(rows, 0, 8) && rows_text(rows, 0, 9) == NULL);
    EXPECT(rows_ints(rows, 0, 10, &n) != NULL && n == 0);
    EXPECT(rows_bytes(rows, 0, 11, &n) != NULL && n == 0);

    rows = db_query(
        db, "SELECT '{1,NULL,3}'::bigint[], NULL::timestamptz, '0001-01-01 00:00:00+00'::timestamptz", "");
    const int64_t *list = rows_ints(rows, 0, 0, &n);
    EXPECT(n == 3 && list[0] == 1 && list[1] == 0 && list[2] == 3);
    EXPECT(rows_time(rows, 0, 1) == 0 && rows_time(rows, 0, 2) == TIME_MIN);

    rows = db_query(db, "SELECT date '2026-11-24', timestamptz '2026-11-24 09:00+09', timestamptz 'infinity'",
                    "");
    EXPECT(rows_time(rows, 0, 0) == INT64_C(1795478400000000) &&
           rows_time(rows, 0, 1) == rows_time(rows, 0, 0));
    EXPECT(rows_time(rows, 0, 2) == TIME_MAX);

    /* one text with other types is another statement */
    EXPECT(rows_int(db_query(db, "SELECT $1 + 1", "i", (int64_t)41), 0, 0) == 42);
    EXPECT(rows_double(db_query(db, "SELECT $1 + 1", "d", 0.5), 0, 0) == 1.5);
    EXPECT(rows_int(db_query(db, "SELECT $1 + 1", "i", (int64_t)1), 0, 0) == 2);
    EXPECT(rows_affected(db_query(db, "INSERT INTO copied SELECT g, 'x' FROM generate_series(1, 3) g", "")) ==
           3);
    EXPECT(db_stats(db)->statements == 7 && db_stats(db)->listed == 7);
}

/* Each kind of array arrives as the literal that PostgreSQL would write for it, with the edges of its type.
 */
static void arrays(void)
{
    const int64_t numbers[] = { INT64_MIN, -1, 0, INT64_MAX };
    const int64_t times[] = { SECONDS(946684800), -1, 0, SECONDS(1764000000) + 123456 };
    const double reals[] = { -1.5, 0, 1e-7, 52.5200066 };
    const float floats[] = { 4, 255, 0.5f };
    const int32_t ints[] = { INT32_MIN, -1, 900000000, INT32_MAX };
    const int16_t smalls[] = { INT16_MIN, 0, 255, INT16_MAX };
    const bool flags[] = { true, false, true };
    const char *texts[] = { "", "a \"b\", {c}", NULL, "grün" };
    use(NULL);
    struct rows *rows = db_query(
        db,
        "SELECT $1 = '{-9223372036854775808,-1,0,9223372036854775807}'::bigint[],"
        " $2 = '{2000-01-01 00:00:00Z,1969-12-31 23:59:59.999999Z,1970-01-01 00:00:00Z,"
        "2025-11-24 16:00:00.123456Z}'::timestamptz[],"
        " $3 = '{-1.5,0,1e-7,52.5200066}'::float8[], $4 = '{4,255,0.5}'::real[],"
        " $5 = '{-2147483648,-1,900000000,2147483647}'::int[], $6 = '{-32768,0,255,32767}'::smallint[],"
        " $7 = '{t,f,t}'::boolean[], $8 IS NOT DISTINCT FROM ARRAY['', 'a \"b\", {c}', NULL, 'grün'],"
        " array_lower($1, 1) = 1, $9 = '{}'::text[], $10 = '{}'::timestamptz[]",
        "aTFRNHBSST", numbers, ARRAY_LEN(numbers), times, ARRAY_LEN(times), reals, ARRAY_LEN(reals), floats,
        ARRAY_LEN(floats), ints, ARRAY_LEN(ints), smalls, ARRAY_LEN(smalls), flags, ARRAY_LEN(flags), texts,
        ARRAY_LEN(texts), NULL, (size_t)0, NULL, (size_t)0);
    EXPECT(rows_ok(rows) && rows_columns(rows) == 11);
    for (size_t i = 0; i < rows_columns(rows); i++) {
        if (!rows_bool(rows, 0, i))
            printf("array %zu\n", i);
        EXPECT(rows_bool(rows, 0, i));
    }
}

static void transactions(void)
{
    use(&manager);
    EXPECT(db_begin(db, &err) && db_in_transaction(db));
    EXPECT(!db_begin(db, &err));
    EXPECT(sees("manager", "{1,2}"));
    EXPECT(status_of("INSERT INTO copied VALUES (1, 'kept')") == DB_OK);
    EXPECT(db_commit(db, &err) && !db_in_transaction(db));
    EXPECT(number("SELECT count(*) FROM copied") == 1);

    EXPECT(db_begin(db, &err));
    EXPECT(status_of("INSERT INTO copied VALUES (2, 'gone')") == DB_OK);
    EXPECT(status_of("SELECT 1/0") == DB_CHECK);
    EXPECT(status_of("SELECT 1") == DB_ERROR);
    EXPECT(!db_commit(db, &err) && !db_in_transaction(db));
    EXPECT(number("SELECT count(*) FROM copied") == 1);

    EXPECT(db_begin(db, &err));
    EXPECT(status_of("INSERT INTO deferred_child VALUES (1, 99)") == DB_OK);
    EXPECT(!db_commit(db, &err)); /* the deferred constraint speaks at the end */

    EXPECT(db_begin(db, &err));
    EXPECT(status_of("INSERT INTO copied VALUES (3, 'gone')") == DB_OK);
    use(NULL); /* the next unit of work rolls back */
    EXPECT(!db_in_transaction(db) && sees_nothing());
    EXPECT(number("SELECT count(*) FROM copied") == 1);
    EXPECT(!db_commit(db, &err));
}

static void copy(void)
{
    use(NULL);
    EXPECT(db_copy_begin(db, "COPY copied FROM STDIN", &err));
    EXPECT(status_of("SELECT 1") == DB_ERROR);
    EXPECT(db_copy_data(db, "1\tone\n2\t\\N\n", 11, &err));
    struct rows *rows = db_copy_end(db, NULL);
    EXPECT(rows_ok(rows) && rows_affected(rows) == 2);

    EXPECT(db_copy_begin(db, "COPY copied FROM STDIN", &err));
    EXPECT(db_copy_data(db, "3\tthree\n", 8, &err));
    EXPECT(!rows_ok(db_copy_end(db, "changed my mind")));

    EXPECT(db_copy_begin(db, "COPY copied FROM STDIN", &err));
    EXPECT(db_copy_data(db, "x\tno number\n", 12, &err));
    EXPECT(rows_status(db_copy_end(db, NULL)) == DB_CHECK);

    EXPECT(db_copy_begin(db, "COPY copied FROM STDIN", &err));
    EXPECT(db_copy_data(db, "4\tfour\n", 7, &err));
    use(NULL); /* the unit of work ends in the middle */
    EXPECT(number("SELECT count(*) FROM copied") == 2);

    EXPECT(!db_copy_begin(db, "COPY nowhere FROM STDIN", &err));
    EXPECT(!db_copy_begin(db, "SELECT 1", &err));
    EXPECT(!db_copy_data(db, "", 0, &err) && !rows_ok(db_copy_end(db, NULL)));
    /* a COPY where none belongs costs the connection, not the process */
    EXPECT(status_of("COPY copied FROM STDIN") == DB_UNAVAILABLE);
    EXPECT(status_of("SELECT 1") == DB_OK);
}

static void plans(void)
{
    use(&manager);
    EXPECT(rows_ok(db_execute(db, "CREATE TABLE shifting (a int); INSERT INTO shifting VALUES (1)")));
    EXPECT(number("SELECT * FROM shifting") == 1);
    EXPECT(rows_ok(db_execute(db, "ALTER TABLE shifting ALTER a TYPE text")));
    EXPECT(number("SELECT * FROM shifting") == 1);
    EXPECT(sees("manager", "{1,2}"));

    /* met first within a transaction, that one fails and the next does not */
    EXPECT(rows_ok(db_execute(db, "ALTER TABLE shifting ALTER a TYPE varchar(9)")));
    EXPECT(rows_ok(db_execute(db, "ALTER TABLE shifting ADD b int")));
    EXPECT(db_begin(db, &err));
    bool first = rows_ok(db_query(db, "SELECT * FROM shifting", ""));
    db_rollback(db);
    EXPECT(!first || pooled);
    EXPECT(db_begin(db, &err));
    EXPECT(rows_columns(db_query(db, "SELECT * FROM shifting", "")) == 2);
    EXPECT(db_commit(db, &err));

    EXPECT(rows_ok(db_execute(db, "DEALLOCATE ALL")));
    EXPECT(number("SELECT count(*) FROM shifting") == 1 && sees("manager", "{1,2}"));
    EXPECT(status_of("SELECT broken FROM shifting") == DB_ERROR); /* a failed Parse leaves no name behind */
    EXPECT(rows_ok(db_execute(db, "ALTER TABLE shifting ADD broken int")));
    EXPECT(status_of("SELECT broken FROM shifting") == DB_OK);
    for (int i = 0; i < 600; i++) /* more texts than are kept */
        EXPECT(number(arena_printf(arena, "SELECT %d", i)) == i);
    int64_t kept = number("SELECT count(*) FROM pg_prepared_statements");
    EXPECT(kept <= 512 && (kept > 0) == !pooled); /* a pooled session is shared: no name may stay in it */
}

static void restart(void)
{
    use(&manager);
    EXPECT(rows_ok(db_execute(db, "CREATE TABLE IF NOT EXISTS survivors (id int)")));
    EXPECT(number("SELECT 1") == 1);
    pause_for_test();                                               /* the server restarts */
    EXPECT(status_of("INSERT INTO survivors VALUES (1)") == DB_OK); /* noticed before it was sent */
    EXPECT(sees("manager", "{1,2}"));

    EXPECT(db_begin(db, &err));
    EXPECT(status_of("INSERT INTO survivors VALUES (2)") == DB_OK);
    pause_for_test(); /* the server restarts */
    EXPECT(status_of("INSERT INTO survivors VALUES (3)") == DB_UNAVAILABLE);
    EXPECT(status_of("INSERT INTO survivors VALUES (4)") == DB_UNAVAILABLE); /* not outside the transaction */
    EXPECT(!db_commit(db, &err));
    EXPECT(number("SELECT count(*) FROM survivors") == 1);

    pause_for_test(); /* the server stops */
    EXPECT(status_of("SELECT 1") == DB_UNAVAILABLE && !db_ping(db));
    int64_t began = time_monotonic();
    for (int i = 0; i < 1000; i++)
        EXPECT(status_of("SELECT 1") == DB_UNAVAILABLE);
    EXPECT(time_monotonic() - began < SECONDS(1)); /* failing is quick */
    EXPECT(!db_begin(db, &err) && !db_copy_begin(db, "COPY survivors FROM STDIN", &err));
    pause_for_test(); /* the server starts */
    int64_t deadline = time_monotonic() + SECONDS(6);
    while (!db_ping(db) && time_monotonic() < deadline)
        clock_sleep(&clock_system, 20000);
    EXPECT(sees("manager", "{1,2}"));
}

/* The server is stopped with SIGSTOP: it neither answers nor hangs up. */
static void hang(void)
{
    use(NULL);
    EXPECT(number("SELECT 1") == 1);
    pause_for_test();
    int64_t began = time_monotonic();
    EXPECT(status_of("SELECT 1") == DB_UNAVAILABLE);
    EXPECT(time_monotonic() - began < SECONDS(10));
}

static void confined(void)
{
    use(NULL);
    bool bound = db_check_confined(db, &err);
    puts(bound ? "confined" : err.message);
}

static void options(void)
{
    use(NULL);
    struct rows *rows = db_query(
        db, "SELECT current_setting('probe.of_url', true), current_setting('TimeZone')", "");
    EXPECT(rows_ok(rows));
    printf("%s %s\n", rows_text(rows, 0, 0), rows_text(rows, 0, 1));
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    { "contexts", contexts }, { "statuses", statuses },         { "types", types },
    { "arrays", arrays },     { "transactions", transactions }, { "copy", copy },
    { "plans", plans },       { "restart", restart },           { "hang", hang },
    { "confined", confined }, { "options", options },
};

int main(int argc, char **argv)
{
    EXPECT(argc == 4);
    pooled = strcmp(argv[2], "transaction") == 0;
    arena = arena_new();
    db = db_new(&(struct db_options){
        .url = argv[1], .transaction_pooler = pooled, .statement_timeout = SECONDS(1) });
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        if (strcmp(scenarios[i].name, argv[3]) == 0) {
            scenarios[i].run();
            found = true;
        }
    EXPECT(found);
    db_free(db);
    arena_free(arena);
    puts("done");
    return 0;
}
