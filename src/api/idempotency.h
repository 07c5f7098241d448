/* Idempotency-Key on POST: the effect happens once, and every repetition gets the first answer. */
#ifndef API_IDEMPOTENCY_H
#define API_IDEMPOTENCY_H

#include "http/request.h"

/* Run a handler. With the header, it runs in a transaction that also keeps its answer (2xx only: what failed
 * had no effect and may be tried again). The handler must write through req->db and reply once; its reply is
 * withdrawn when the commit fails. The same key with another request is answered 422, one that still runs 409
 * with Retry-After. */
void idempotent(struct request *req, void (*handle)(struct request *req));

#endif
