/* One thread's way to PostgreSQL: queries with typed parameters, transactions, tenant context in the same
 * round trip.
 *
 * A struct db belongs to one thread. It connects on first use and again, with back-off, after the server was
 * away. A statement whose connection breaks fails with DB_UNAVAILABLE; only one that begins with SELECT,
 * outside a transaction, is first tried once more on a new connection, so a SELECT must not call what may not
 * run twice. A transaction whose connection broke runs nothing more until it is rolled back. Results live in
 * the arena given with db_use and die with it. Every query costs one round trip: context, statement and
 * commit travel in one libpq pipeline. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

struct db;
struct rows;

struct db_options {
    const char *url;         /* primary */
    const char *replica_url; /* NULL or "": reads go to the primary */
    bool transaction_pooler; /* behind PgBouncer in transaction mode: no named statements, no session settings
                              */
    int64_t statement_timeout;    /* microseconds; 0: none */
    int64_t connect_timeout;      /* microseconds; 0: 5 s */
    int64_t replica_max_lag;      /* microseconds; 0: 10 s */
    const char *application_name; /* NULL: "trackerd" */
    bool explain; /* for a command line, whose user owns the settings: messages say why the server was not
                     reached, and the log does not */
};

/* Whose eyes the following statements see through (row-level security). All NULL: no context is sent
 * (workers, migrations). */
struct db_context {
    const char *role;    /* "admin", "manager", "user", "auth", or "" for nobody */
    const char *clients; /* PostgreSQL array text, e.g. "{1,2}" */
    const char *user;    /* user id as text, or "" */
};

/* create, use, destroy */
struct db *db_new(const struct db_options *options); /* does not connect; texts are copied */
void db_free(struct db *db);                         /* NULL is allowed */

/* Begin a unit of work (a request, a task): results and texts go to arena; the context holds until the next
 * db_use; an open transaction of the last unit is rolled back; statistics start from zero. A long unit may
 * reset the arena in its middle, when it needs no earlier result any more. */
void db_use(struct db *db, struct arena *arena, const struct db_context *context);

/* Results of what follows go to another arena, in the middle of a unit of work or of a transaction: a long
 * one goes by pages, each with an arena that is reset after it. */
void db_use_arena(struct db *db, struct arena *arena);

/* Change the context in the middle of a unit of work, outside a transaction. Texts are not copied and must
 * outlive their use. */
void db_set_context(struct db *db, const struct db_context *context);

/* statements: one letter in types for each parameter
 *     i int64_t    t int64_t microseconds, sent as timestamptz    d double    b int (bool)
 *     s const char *, NULL is null    I const int64_t *: bigint, or null when NULL
 *     x const void *, size_t: bytea
 * and arrays, each a pointer and a size_t count:
 *     a const int64_t *: bigint[]    T const int64_t * microseconds: timestamptz[]    F const double *:
 * float8[] R const float *: real[]    N const int32_t *: integer[]    H const int16_t *: smallint[] B const
 * bool *: boolean[]    S const char *const *: text[], NULL elements are null The result is never NULL; ask
 * rows_ok. SQL texts are prepared once per connection and recognised by content. */
struct rows *db_query(struct db *db, const char *sql, const char *types, ...);

/* The same for a read that may be a little stale: goes to the replica when there is a healthy one. */
struct rows *db_read(struct db *db, const char *sql, const char *types, ...);

/* The same with parameters built at run time. */
struct db_param {
    char type; /* as above */
    union {
        int64_t number;
        double real;
        const void *data; /* s, x, I and arrays */
    } value;
    size_t count; /* bytes of x, elements of an array */
};
struct rows *db_query_params(struct db *db, const char *sql, const struct db_param *params, size_t n);
struct rows *db_read_params(struct db *db, const char *sql, const struct db_param *params, size_t n);

/* Several statements of one text, without parameters or context (migrations, maintenance). */
struct rows *db_execute(struct db *db, const char *sql);

/* COPY … FROM STDIN: begin, rows of text as PostgreSQL's COPY text format wants them, end (the result tells
 * the count). */
MUST_CHECK bool db_copy_begin(struct db *db, const char *sql, struct error *err);
MUST_CHECK bool db_copy_data(struct db *db, const char *data, size_t len, struct error *err);
struct rows *db_copy_end(struct db *db, const char *abort_reason); /* NULL: commit the copy */

/* transactions: a failed statement leaves only rollback (commit then reports it) */
MUST_CHECK bool db_begin(struct db *db, struct error *err);
MUST_CHECK bool db_commit(struct db *db, struct error *err);
void db_rollback(struct db *db);
bool db_in_transaction(const struct db *db);

/* results */
enum db_status {
    DB_OK,
    DB_UNAVAILABLE, /* no connection, or it broke: whether a write took effect is unknown */
    DB_TIMEOUT,     /* statement or lock timeout, cancelled */
    DB_UNIQUE,      /* 23505 */
    DB_FOREIGN_KEY, /* 23503 */
    DB_CHECK,       /* 23514, 23502, 22xxx: a value that the database refuses */
    DB_EXCLUSION,   /* 23P01 */
    DB_DENIED,      /* 42501: privilege or row-level security */
    DB_CONFLICT,    /* 40001, 40P01: try the transaction again */
    DB_ERROR,       /* anything else: a mistake of ours, logged */
};

bool rows_ok(const struct rows *rows);
enum db_status rows_status(const struct rows *rows);
const char *rows_constraint(const struct rows *rows); /* name of the violated constraint, or "" */
const char *rows_message(const struct rows *rows);    /* the server's primary message, for logs only */
const char *rows_sqlstate(const struct rows *rows);   /* five characters, or "" */

size_t rows_count(const struct rows *rows);
size_t rows_affected(const struct rows *rows); /* of INSERT, UPDATE, DELETE, COPY */
size_t rows_columns(const struct rows *rows);
struct arena *rows_arena(const struct rows *rows); /* where it lives */
const char *rows_name(const struct rows *rows, size_t column);
uint32_t rows_type(const struct rows *rows, size_t column); /* type OID */

/* Row and column count from 0 and must be in range. Values are in PostgreSQL's text form; NULL is SQL null.
 */
const char *rows_text(const struct rows *rows, size_t row, size_t column);
size_t rows_length(const struct rows *rows, size_t row, size_t column);
bool rows_null(const struct rows *rows, size_t row, size_t column);
int64_t rows_int(const struct rows *rows, size_t row, size_t column);   /* 0 for null */
double rows_double(const struct rows *rows, size_t row, size_t column); /* 0 for null */
bool rows_bool(const struct rows *rows, size_t row, size_t column);     /* false for null */
int64_t rows_time(const struct rows *rows, size_t row, size_t column);  /* microseconds; 0 for null */
const void *rows_bytes(const struct rows *rows, size_t row, size_t column,
                       size_t *len); /* bytea, in the arena */
const int64_t *rows_ints(const struct rows *rows, size_t row, size_t column,
                         size_t *n); /* bigint[], in the arena */

/* What this unit of work asked of the database, for logs and metrics. */
struct db_statement {
    const char *sql;
    int64_t usec;
    size_t rows;
};
struct db_stats {
    size_t statements; /* also those beyond the list */
    int64_t usec;      /* time spent waiting for the server */
    size_t listed;
    struct db_statement list[32];
};
const struct db_stats *db_stats(const struct db *db);

/* True when a connection to the primary is open or can be opened now (health checks). */
bool db_ping(struct db *db);

/* Refuses logins that row-level security does not bind: superuser, BYPASSRLS, or owner of the tables. For the
 * API's start. */
MUST_CHECK bool db_check_confined(struct db *db, struct error *err);

#endif
