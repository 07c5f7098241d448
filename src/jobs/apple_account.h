/* Apple accounts in the database: taken by one worker at a time, never more often than the interval allows,
 * stored sealed after each step of a sign-in.
 *
 * Taking moves next_allowed_at in the same transaction, so any number of workers keeps the rate. A worker
 * that dies leaves a lease that runs out; one that was too slow finds its lease gone when it stores the
 * account, and stops. */
#ifndef JOBS_APPLE_ACCOUNT_H
#define JOBS_APPLE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/seal.h"
#include "findmy/account.h"
#include "store/db.h"

/* Who uses accounts. All borrowed. */
struct apple_user {
    struct db *db;
    const struct sealer *sealer;
    const char *worker; /* lease owner */
    int64_t interval;   /* FETCH_INTERVAL */
    int64_t lease;      /* FETCH_LEASE */
};

struct apple_account {
    const struct apple_user *user;
    struct arena *arena;
    int64_t id;
    bool counted;                                   /* taken for a request for reports, not only held */
    const char *name, *state;                       /* as the admin knows it; state before it was taken */
    struct account *account;                        /* in the arena, wiped with it */
    struct account_env env;                         /* the provider is set by whoever opens one */
    const uint8_t *credentials, *session, *machine; /* sealed, NULL: none; until apple_account_open */
    size_t credentials_len, session_len, machine_len;
};

enum apple_taken { APPLE_TAKEN, APPLE_NONE, APPLE_BUSY, APPLE_FAILED /* err */ };

/* The ready account that has rested longest, within the caller's transaction. APPLE_NONE: none may be used
 * now. */
enum apple_taken apple_account_take(struct apple_account *taken, const struct apple_user *user,
                                    struct arena *arena, struct error *err);

/* A certain account for a sign-in, whatever its state, in a statement of its own. APPLE_BUSY: a worker has
 * it. */
enum apple_taken apple_account_hold(struct apple_account *taken, const struct apple_user *user, int64_t id,
                                    struct arena *arena, struct error *err);

/* Unseal. Outside of transactions. "account_invalid", unseal's codes. */
MUST_CHECK bool apple_account_open(struct apple_account *taken, struct provider *provider, bool attended,
                                   struct error *err);

/* How a use ended. */
struct apple_use {
    bool sent;           /* a request for reports went out: the interval counts from now */
    bool worked;         /* it was answered well */
    int64_t not_before;  /* microseconds; as Apple or the state machine told; 0: nothing told */
    const char *trouble; /* for the admin; NULL: none */
};

/* Give it back with its new state, in the open transaction or in a statement of its own. An account that was
 * disabled or taken away meanwhile stays as it is. */
MUST_CHECK bool apple_account_release(const struct apple_account *taken, const struct apple_use *use,
                                      struct error *err);

/* The same when it could not be opened or nothing was done with it: the state stays, the reason (NULL: none)
 * is noted. sent: a request went out all the same, so the time to which taking moved next_allowed_at stays,
 * too. */
MUST_CHECK bool apple_account_give_up(const struct apple_account *taken, bool sent, const char *reason,
                                      struct error *err);

#endif
