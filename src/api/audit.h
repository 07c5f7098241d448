/* The audit log for hand-written handlers. Generated writes log in their own statement (resource_sql.c). */
#ifndef API_AUDIT_H
#define API_AUDIT_H

#include "http/request.h"

struct audit_entry {
    const char *action;         /* "set-locations": lower case, dashes */
    const char *resource;       /* as in paths */
    int64_t resource_id;        /* 0: none */
    int64_t client_id;          /* 0: the row belongs to nobody */
    const char *before, *after; /* JSON texts without secrets, or NULL */
};

/* Add an entry with the request's actor; call it in the transaction of the write. False: answered. */
MUST_CHECK bool audit_write(struct request *req, const struct audit_entry *entry);

#endif
