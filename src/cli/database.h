/* The command line's own connection to the database. */
#ifndef CLI_DATABASE_H
#define CLI_DATABASE_H

#include "base/config.h"
#include "store/db.h"

/* Not connected yet; to be ended with db_free. name is shown by PostgreSQL. NULL: DATABASE_URL is not set,
 * err says so. */
MUST_CHECK struct db *cli_database(const struct config *config, const char *name, struct error *err);

/* What a failed statement means to an operator; false. */
bool cli_rows_failed(const struct rows *rows, struct error *err);

#endif
