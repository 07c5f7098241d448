/* What a failed statement means to the caller of the API. */
#ifndef API_DB_PROBLEM_H
#define API_DB_PROBLEM_H

#include "api/resource.h"
#include "http/request.h"
#include "store/db.h"

/* Answer for a statement that failed, whatever it was about. */
void reply_db_problem(struct request *req, const struct rows *rows);

/* The same for a write to a resource, whose constraints name the field at fault. */
void reply_write_problem(struct request *req, const struct resource *resource, const struct rows *rows);

void reply_not_found(struct request *req, const char *label);

#endif
