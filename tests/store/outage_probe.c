/* Lets a test look at PostgreSQL and Redis through src/store while it stops and starts the servers behind it.
 *
 * Reads one command a line from standard input and answers each with one line:
 *     read       "standby" or "primary": where db_read went      query      the same for db_query
 *     readtx     the same for db_read inside a transaction
 *     begin, commit, rollback                                    "ok" or the error's code
 *     write TEXT db_query that inserts TEXT into "written": "ok"
 *     shape      db_query of all columns of "shaped": their number
 *     get KEY    the text, "nil", or "failed"                    set KEY VALUE   "ok" or "failed"
 *     unread     sends a command and leaves its reply unread; "ok" or "failed"
 * A statement that fails answers with the number of its db_status ("status 1"). Settings come as arguments:
 * the addresses of primary, replica ("" for none) and Redis ("" for none). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/timeutil.h"
#include "store/db.h"
#include "store/redis.h"

#define REDIS_TIMEOUT (SECONDS(1) / 5)
#define MAX_LINE      256

/* true on a standby: no schema is needed to tell the servers apart */
static const char where_sql[] = "SELECT pg_is_in_recovery()";

static void say_where(const struct rows *rows)
{
    if (!rows_ok(rows))
        printf("status %d\n", (int)rows_status(rows));
    else
        puts(rows_bool(rows, 0, 0) ? "standby" : "primary");
}

static void read_in_transaction(struct db *db)
{
    struct error err;
    if (!db_begin(db, &err)) {
        printf("begin %s\n", err.code);
        return;
    }
    say_where(db_read(db, where_sql, ""));
    db_rollback(db);
}

static void say_done(bool done, const struct error *err)
{
    puts(done ? "ok" : err->code);
}

static void write_text(struct db *db, const char *text)
{
    struct rows *rows = db_query(db, "INSERT INTO written (what) VALUES ($1)", "s", text);
    if (rows_ok(rows))
        puts("ok");
    else
        printf("status %d\n", (int)rows_status(rows));
}

static void say_shape(struct db *db)
{
    struct rows *rows = db_query(db, "SELECT * FROM shaped", "");
    if (rows_ok(rows))
        printf("%zu\n", rows_columns(rows));
    else
        printf("status %d\n", (int)rows_status(rows));
}

static void redis_get(struct redis *redis, struct arena *arena, const char *key)
{
    struct redis_reply reply;
    if (!redis_command(redis, arena, &reply, "GET %s", key) || reply.type == REDIS_FAILED)
        puts("failed");
    else
        puts(reply.type == REDIS_TEXT ? reply.text : "nil");
}

static void redis_set(struct redis *redis, struct arena *arena, const char *key, const char *value)
{
    struct redis_reply reply;
    bool done = redis_command(redis, arena, &reply, "SET %s %s", key, value) && reply.type == REDIS_TEXT;
    puts(done ? "ok" : "failed");
}

static void redis_leave_unread(struct redis *redis)
{
    const char *argv[] = { "ECHO", "stale" };
    puts(redis_append_argv(redis, 2, argv, NULL) ? "ok" : "failed");
}

static bool answer_transaction(struct db *db, const char *command)
{
    struct error err = { .code = "" };
    if (strcmp(command, "begin") == 0)
        say_done(db_begin(db, &err), &err);
    else if (strcmp(command, "commit") == 0)
        say_done(db_commit(db, &err), &err);
    else if (strcmp(command, "rollback") != 0)
        return false;
    else {
        db_rollback(db);
        puts("ok");
    }
    return true;
}

static void answer(struct db *db, struct redis *redis, struct arena *arena, char *line)
{
    char *save = NULL;
    const char *command = strtok_r(line, " ", &save);
    const char *key = strtok_r(NULL, " ", &save), *value = strtok_r(NULL, " ", &save);
    if (command == NULL)
        puts("no command");
    else if (answer_transaction(db, command))
        return;
    else if (strcmp(command, "write") == 0 && key != NULL)
        write_text(db, key);
    else if (strcmp(command, "shape") == 0)
        say_shape(db);
    else if (strcmp(command, "read") == 0)
        say_where(db_read(db, where_sql, ""));
    else if (strcmp(command, "query") == 0)
        say_where(db_query(db, where_sql, ""));
    else if (strcmp(command, "readtx") == 0)
        read_in_transaction(db);
    else if (strcmp(command, "unread") == 0)
        redis_leave_unread(redis);
    else if (strcmp(command, "get") == 0 && key != NULL)
        redis_get(redis, arena, key);
    else if (strcmp(command, "set") == 0 && value != NULL)
        redis_set(redis, arena, key, value);
    else
        puts("unknown command");
}

int main(int argc, char **argv)
{
    struct error err;
    if (argc != 4) {
        fputs("usage: outage_probe PRIMARY REPLICA REDIS\n", stderr);
        return 2;
    }
    struct redis *redis = redis_new(argv[3], REDIS_TIMEOUT, &err);
    if (redis == NULL) {
        fprintf(stderr, "outage_probe: %s\n", err.message);
        return 2;
    }
    struct db *db = db_new(&(struct db_options){
        .url = argv[1],
        .replica_url = argv[2],
        .statement_timeout = SECONDS(5),
        .connect_timeout = SECONDS(2),
        .replica_max_lag = SECONDS(2),
        .application_name = "outage_probe",
    });
    struct arena *arena = arena_new();

    char line[MAX_LINE];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (!db_in_transaction(db)) { /* one unit of work, as a request is, holds all of a transaction */
            arena_reset(arena);
            db_use(db, arena, NULL);
        }
        answer(db, redis, arena, line);
        fflush(stdout);
    }

    arena_free(arena);
    db_free(db);
    redis_free(redis);
    return 0;
}
