/* Accounts in a folder, one sealed file each, for use without a database. */
#ifndef FINDMY_ACCOUNT_STORE_H
#define FINDMY_ACCOUNT_STORE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/seal.h"
#include "findmy/account.h"

#define ACCOUNT_STORE_MAX 1000 /* accounts listed from one folder */

struct account_store {
    const char *folder;
    const struct sealer *sealer;
};

/* Make the folder (mode 0700) if it is not there. "account_folder". */
MUST_CHECK bool account_store_open(const struct account_store *store, struct error *err);

/* Keep other processes from working with the same account until close(*fd). "account_busy". */
MUST_CHECK bool account_store_lock(const struct account_store *store, const char *name, int *fd,
                                   struct error *err);

bool account_store_exists(const struct account_store *store, const char *name);

/* "account_unknown", or why it cannot be read. */
MUST_CHECK bool account_store_load(const struct account_store *store, const char *name,
                                   struct account *account, struct error *err);

/* Replaces the file in one step and waits for the disk: after a crash there is the old state or the new one.
 * "account_write". */
MUST_CHECK bool account_store_save(const struct account_store *store, const struct account *account,
                                   struct error *err);

/* Overwrites before unlinking, for what that is worth on today's disks. "account_unknown", "account_write".
 */
MUST_CHECK bool account_store_remove(const struct account_store *store, const char *name, struct error *err);

/* Sorted names; NULL-terminated in the arena. */
MUST_CHECK bool account_store_list(const struct account_store *store, struct arena *arena,
                                   const char *const **names, struct error *err);

#endif
