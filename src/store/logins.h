/* Logins of the processes: made from the connection addresses that the processes themselves will use. */
#ifndef STORE_LOGINS_H
#define STORE_LOGINS_H

#include "base/arena.h"
#include "base/error.h"
#include "store/db.h"

/* Makes the login that url names (user and password), or gives it that password, and makes it a member of
 * group
 * ("tracker_api", "tracker_worker"). *login is its name, in the arena. db must be allowed to make roles. */
MUST_CHECK bool login_ensure(struct db *db, struct arena *arena, const char *url, const char *group,
                             const char **login, struct error *err);

#endif
