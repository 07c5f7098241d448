/* What a failed statement means to a job. */
#ifndef JOBS_FAILURE_H
#define JOBS_FAILURE_H

#include "base/error.h"
#include "store/db.h"

/* Fills err with "database_unavailable", which passes, or "database_error", and returns false. what: "storing
 * reports". */
bool database_failed(const struct rows *rows, const char *what, struct error *err);

#endif
