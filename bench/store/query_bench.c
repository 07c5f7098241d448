/* Runs one one-row query with a tenant's context through db_query for some seconds and prints how many a
 * second there were. run.py compares it with pgbench. Usage: query_bench URL SQL SECONDS */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/parse.h"
#include "base/timeutil.h"
#include "store/db.h"

#define MAX_SECONDS 60
#define IDS         1000 /* rows of the table that run.py makes */
#define CHECK_EVERY 64   /* queries between two looks at the clock */

static const struct db_context context = { .role = "manager", .clients = "{1,2}", .user = "1" };

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "query_bench: %s: %s\n", what, why);
    exit(2);
}

/* One unit of work as a request is one: fresh results, context, query, look at the row. */
static void ask(struct db *db, struct arena *arena, const char *sql, int64_t id)
{
    arena_reset(arena);
    db_use(db, arena, &context);
    struct rows *rows = db_query(db, sql, "i", id);
    if (!rows_ok(rows))
        fail("query", rows_message(rows));
    if (rows_count(rows) != 1 || rows_int(rows, 0, 0) != id)
        fail("query", "not the row that was asked for");
}

static int64_t run_for(struct db *db, struct arena *arena, const char *sql, int64_t usec)
{
    int64_t done = 0, until = time_monotonic() + usec;
    while (time_monotonic() < until)
        for (int i = 0; i < CHECK_EVERY; i++)
            ask(db, arena, sql, done++ % IDS + 1);
    return done;
}

int main(int argc, char **argv)
{
    int64_t seconds;
    if (argc != 4 || !parse_i64_range(argv[3], 1, MAX_SECONDS, &seconds))
        fail("usage", "query_bench URL SQL SECONDS");

    struct db *db = db_new(&(struct db_options){ .url = argv[1], .application_name = "query_bench" });
    struct arena *arena = arena_new();
    run_for(db, arena, argv[2], SECONDS(1) / 4); /* connect, prepare, warm up */

    int64_t begin = time_monotonic();
    int64_t done = run_for(db, arena, argv[2], SECONDS(seconds));
    int64_t usec = time_monotonic() - begin;
    printf("%.1f\n", (double)done * (double)USEC_PER_SEC / (double)usec);

    /* Results live in the arena, so it goes first. */
    arena_free(arena);
    db_free(db);
    return 0;
}
