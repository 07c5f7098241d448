/* Turns failed statements into problems, by status and by constraint. */
#include "api/db_problem.h"

#include <string.h>

#include "base/log.h"

/* How long a caller should wait for the database to come back. */
#define AWAY_SECONDS 2

static void log_failure(const struct request *req, const struct rows *rows)
{
    LOG_ERROR("statement failed", LOG_TEXT("request_id", req->id), LOG_TEXT("sqlstate", rows_sqlstate(rows)),
              LOG_TEXT("constraint", rows_constraint(rows)), LOG_TEXT("message", rows_message(rows)));
}

void reply_not_found(struct request *req, const char *label)
{
    reply_problem(req, 404, "not_found", "There is no such %s.", label);
}

void reply_db_problem(struct request *req, const struct rows *rows)
{
    switch (rows_status(rows)) {
    case DB_UNAVAILABLE:
        reply_unavailable(req, "database_unavailable", AWAY_SECONDS,
                          "The database is away; try again in a moment.");
        return;
    case DB_TIMEOUT:
        reply_header(req, "Retry-After", "5");
        reply_problem(req, 504, "database_timeout", "The database took too long; ask for less, or later.");
        return;
    case DB_CONFLICT:
        reply_header(req, "Retry-After", "1");
        reply_problem(req, 409, "write_conflict",
                      "Somebody else changed the same at the same moment; try again.");
        return;
    case DB_UNIQUE:
    case DB_EXCLUSION:
        reply_problem(req, 409, "already_exists", "This would be the second of something that exists once.");
        return;
    case DB_FOREIGN_KEY:
        reply_problem(req, 409, "in_use", "Other rows refer to this one, or one that it refers to is gone.");
        return;
    case DB_DENIED:
        reply_problem(req, 403, "forbidden", "This is not yours to change.");
        return;
    case DB_CHECK:
        log_failure(req, rows);
        reply_problem(req, 422, "validation_failed", "The database does not accept one of the values.");
        return;
    default:
        log_failure(req, rows);
        reply_problem(req, 500, "internal_error",
                      "Something went wrong; the log has it under this request id.");
        return;
    }
}

static const struct constraint *constraint_named(const struct resource *resource, const char *name)
{
    for (size_t i = 0; i < resource->constraint_count; i++)
        if (strcmp(resource->constraints[i].name, name) == 0)
            return &resource->constraints[i];
    return NULL;
}

void reply_write_problem(struct request *req, const struct resource *resource, const struct rows *rows)
{
    enum db_status status = rows_status(rows);
    const struct constraint *constraint = constraint_named(resource, rows_constraint(rows));
    if (constraint != NULL) {
        problem_field(req, constraint->field, constraint->code, "%s", constraint->message);
        if (status == DB_UNIQUE || status == DB_EXCLUSION)
            reply_problem(req, 409, "already_exists", "%s: %s.", constraint->field, constraint->message);
        else
            reply_invalid(req);
        return;
    }
    /* Raised by the trigger refuse_archived() of the database, for every resource. */
    static const char archived[] = "archived_";
    if (strncmp(rows_constraint(rows), archived, strlen(archived)) == 0) {
        problem_field(req, rows_constraint(rows) + strlen(archived), "archived",
                      "is archived; restore it first, or choose another");
        reply_invalid(req);
        return;
    }
    /* Row security refuses a new row of a client that the caller does not see: to them it does not exist. */
    if (status == DB_DENIED && resource->tenant != NULL && req->method == HTTP_POST) {
        problem_field(req, "client_id", "not_found", "no such client");
        reply_invalid(req);
        return;
    }
    /* The owner could not be found through the field that was to tell it. */
    if (strcmp(rows_sqlstate(rows), "23502") == 0 && resource->owners[0].field != NULL) {
        const char *field = resource->owners[1].field == NULL ? resource->owners[0].field : "client_id";
        problem_field(req, field, "not_found", "no such row");
        reply_invalid(req);
        return;
    }
    reply_db_problem(req, rows);
}
