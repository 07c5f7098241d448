/* The problems that an answer can be (RFC 9457): titles of codes and phrases of statuses. */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include "base/buf.h"
#include "http/request_private.h"

#define PROBLEM_CONTENT_TYPE "application/problem+json"

/* What the http layer itself answers with; the codes of the application are titled by their status. */
struct problem {
    const char *code, *title;
    int status;
};
extern const struct problem problems[];
extern const size_t problem_count;

/* "Not Found"; "Error" for a status that is not in use. */
const char *status_phrase(int status);

/* Title of a code: from the table, else the code as words ("in_use" is "In use"). Never NULL. */
const char *problem_title(struct arena *arena, const char *code);

/* request_id: NULL when there was no request yet. errors: a JSON array, or NULL. */
void problem_write(struct buf *out, int status, const char *code, const char *title, const char *detail,
                   const char *request_id, const char *errors);

#endif
