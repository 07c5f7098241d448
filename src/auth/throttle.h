/* Failed sign-ins, counted per account and per address in PostgreSQL, so that flushing a cache helps nobody.
 */
#ifndef AUTH_THROTTLE_H
#define AUTH_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/config.h"
#include "store/db.h"

#define THROTTLE_ADDRESS_FACTOR 10 /* many people may sit behind one address */

enum throttle_outcome { THROTTLE_OK, THROTTLE_BLOCKED, THROTTLE_UNAVAILABLE };

/* Count an attempt before it is judged, so that parallel guesses cannot outrun the count. BLOCKED:
 * *retry_after is in seconds. purpose keeps counts apart: "login", "forgot". db is in the context `auth`,
 * outside a transaction. */
enum throttle_outcome throttle_attempt(struct db *db, struct arena *arena, const struct config *config,
                                       const char *purpose, const char *account, const char *address,
                                       int *retry_after);

/* The attempt was good: forget the account's count, and take back the address's. */
void throttle_success(struct db *db, struct arena *arena, const char *purpose, const char *account,
                      const char *address);

/* The part of an address that one party holds: IPv4 as it is, IPv6 cut to its /64, v4-mapped as IPv4. */
const char *address_subject(struct arena *arena, const char *address);

#endif
