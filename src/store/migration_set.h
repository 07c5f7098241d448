/* The migrations that a binary or a folder holds, in order, ready to be sent. */
#ifndef STORE_MIGRATION_SET_H
#define STORE_MIGRATION_SET_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/* Files below db/ as tools/embed-sql.py put them into the binary; the last has no path. */
struct embedded_sql {
    const char *path; /* "migrations/0001_foundation.sql", "timeseries/native/reports.sql" */
    const char *text;
};
extern const struct embedded_sql embedded_sql[];

struct migration {
    int64_t version;
    const char *name; /* "0001_foundation" */
    const char *text; /* of the file, markers not yet replaced */
};

struct migration_set {
    const char *folder; /* NULL: what the binary holds */
    struct migration *list;
    size_t count; /* versions 1 to count, none missing */
};

/* Read all migrations: from folder/migrations/NNNN_name.sql, or from the binary when folder is NULL. Texts
 * live in the arena. */
MUST_CHECK bool migration_set_read(struct arena *arena, const char *folder, struct migration_set *set,
                                   struct error *err);

/* The text to send: every line `-- @timeseries NAME` replaced by timeseries/FORM/NAME.sql. */
const char *migration_assemble(struct arena *arena, const struct migration_set *set,
                               const struct migration *migration, const char *form, struct error *err);

/* SHA-256 of an assembled text, in hex. */
#define MIGRATION_DIGEST_SIZE 65
void migration_digest(const char *text, char out[MIGRATION_DIGEST_SIZE]);

/* Version of the newest migration in the binary. */
int64_t migration_newest(void);

#endif
