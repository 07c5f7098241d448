/* The command line's own connection to the database. */
#include "cli/database.h"

#include <string.h>

struct db *cli_database(const struct config *config, const char *name, struct error *err)
{
    if (config->database_url[0] == '\0') {
        error_set(err, "database_url", "DATABASE_URL is not set; `trackerd config` tells what it means");
        return NULL;
    }
    return db_new(&(struct db_options){
        .url = config->database_url,
        .transaction_pooler = strcmp(config->database_pooler, "transaction") == 0,
        .connect_timeout = config->database_connect_timeout,
        .application_name = name,
        .explain = true,
    });
}

bool cli_rows_failed(const struct rows *rows, struct error *err)
{
    if (rows_status(rows) == DB_UNAVAILABLE)
        return error_set(err, "unavailable", "%s", rows_message(rows));
    if (rows_status(rows) == DB_DENIED)
        return error_set(err, "denied",
                         "the login of DATABASE_URL may not do this: it must be a member of tracker_worker");
    return error_set(err, "database", "the database refused: %s", rows_message(rows));
}
