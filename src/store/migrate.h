/* Brings the schema up to date: forward-only numbered SQL, checksummed, one transaction each, one migrator at
 * a time. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "store/db.h"

enum migrate_event {
    MIGRATE_WAITING, /* another migrator holds the lock */
    MIGRATE_BUSY,    /* others hold what the migration needs; it is tried again */
    MIGRATE_APPLIED, /* one migration is done and committed */
    MIGRATE_PENDING, /* dry run: it would be applied */
};

struct migrate_options {
    const char *folder; /* a folder like db/ (migrations, timeseries); NULL: what is built into the binary */
    bool dry_run;       /* only report what would be applied */
    int64_t lock_timeout; /* microseconds to wait for another migrator; 0: 60 s */

    /* Told as it happens; NULL is allowed. name is that of the migration, or NULL. */
    void (*notify)(void *self, enum migrate_event event, const char *name, int64_t usec);
    void *self;
};

struct migrate_report {
    size_t applied, already;       /* numbers of migrations; a dry run counts those it would apply */
    int64_t version;               /* newest applied */
    const char *timeseries;        /* "timescale" or "native" */
    const char *timeseries_detail; /* extension version, or why it is native */
};

/* Refuses a migration that was changed after it was applied, a gap, and a database newer than the binary.
 * Begins a unit of work of db in arena, without context. Codes: migration_changed, migration_gap,
 * database_newer, migration_failed (also when others hold a table for two minutes), migration_lock,
 * migration_file, migration_name, migration_none, database_unavailable, database_error. */
MUST_CHECK bool migrate_run(struct db *db, struct arena *arena, const struct migrate_options *options,
                            struct migrate_report *report, struct error *err);

/* For servers at start: false with a sentence that names `trackerd migrate` unless the schema is at least
 * what this binary needs. Ends the unit of work of db: call db_use before its next use. */
MUST_CHECK bool migrate_check(struct db *db, struct error *err);

#endif
