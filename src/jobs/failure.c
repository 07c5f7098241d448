/* Failed statements as errors of jobs. */
#include "jobs/failure.h"

bool database_failed(const struct rows *rows, const char *what, struct error *err)
{
    bool away = rows_status(rows) == DB_UNAVAILABLE || rows_status(rows) == DB_TIMEOUT ||
                rows_status(rows) == DB_CONFLICT;
    return error_set(err, away ? "database_unavailable" : "database_error", "%s: %s", what,
                     rows_message(rows));
}
