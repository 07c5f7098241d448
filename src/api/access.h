/* The gate before every handler: who is asking, are they within their rate, may they use this route. */
#ifndef API_ACCESS_H
#define API_ACCESS_H

#include "auth/auth.h"
#include "http/request.h"
#include "http/route.h"

/* For the server's `before` hook. Sets req->principal and the database context; false: answered (401, 403,
 * 429 or 503). Calls db_use(req->db, req->arena, …) itself. Routes with ROUTE_FAST are let through untouched.
 */
MUST_CHECK bool access_check(struct auth *auth, struct request *req);

/* For answers from a cache on the network thread: the principal if it is certain at this moment and within
 * its rate, else NULL (then let the request go to a handler). */
const struct principal *access_fast(struct auth *auth, struct request *req);

/* For handlers of public routes that need a login after all: false (answered 401 or 403) without one. */
MUST_CHECK bool access_required(struct request *req);

/* False (answered 403) when the principal is an API key: passwords, sessions and keys need a person. */
MUST_CHECK bool access_person(struct request *req);

/* False (answered 403) when a browser sends this from a page of another site. Browsers say so themselves
 * (Sec-Fetch-Site, Origin); other clients carry no ambient cookie and are let through. */
MUST_CHECK bool access_same_site(const struct config *config, struct request *req);

/* The resource that a path belongs to, for scopes: "/api/v1/trackers/7/history" → "trackers"; "" when none.
 */
const char *access_resource(struct arena *arena, const char *path);

#endif
