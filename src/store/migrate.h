/* Brings the schema up to date: forward-only numbered SQL, checksummed, one transaction each, one migrator at
 * a time. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "store/db.h"

struct migrate_options {
    const char *folder;   /* NULL: the migrations built into the binary */
    bool dry_run;         /* only report what would be applied */
    int64_t lock_timeout; /* microseconds to wait for another migrator; 0: 60 s */
};

struct migrate_report {
    size_t applied, already;       /* numbers of migrations */
    int64_t version;               /* newest applied */
    const char *timeseries;        /* "timescale" or "native" */
    const char *timeseries_detail; /* extension version, or why it is native */
};

/* Refuses a migration that was changed after it was applied, a gap, and a database newer than the binary. */
MUST_CHECK bool migrate_run(struct db *db, struct arena *arena, const struct migrate_options *options,
                            struct migrate_report *report, struct error *err);

/* For servers at start: false with a sentence that names `trackerd migrate` unless the schema is at least
 * what this binary needs. */
MUST_CHECK bool migrate_check(struct db *db, struct error *err);

#endif
