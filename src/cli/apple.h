/* What commands that talk to Apple share: everything from the settings to an account that is ready to be
 * used. */
#ifndef CLI_APPLE_H
#define CLI_APPLE_H

#include <stdbool.h>

#include "base/config.h"
#include "base/error.h"
#include "base/seal.h"
#include "findmy/account.h"
#include "findmy/account_store.h"
#include "findmy/provider.h"
#include "findmy/websocket.h"

/* exit statuses besides those of cli.h: a script can tell what to do next */
enum { EXIT_CODE_DUE = 3, EXIT_LATER = 4, EXIT_PERSON = 5 };

/* The same in words, for the help texts. */
#define APPLE_EXIT_HELP                                                                                      \
    "Exit status: 0 done, 1 failed, 2 bad usage, 3 a second-factor code is due, 4 try again later,\n"        \
    "5 the account needs a person.\n"

struct apple {
    struct arena *arena;
    struct sealer sealer;
    struct account_store store;
    const struct profile *profile;
    struct http_client *direct, *tape; /* tape: recording or replaying, NULL for neither */
    struct websocket_client *websocket;
    struct provider provider;
    struct account_env env;
    struct account *account; /* in the arena, wiped with it */
    int lock;                /* -1: none held */
};

struct apple_options {
    const char *record, *replay; /* files; NULL: neither */
};

/* The master key and the folder: enough for add, status, remove. */
MUST_CHECK bool apple_open_store(struct apple *apple, const struct config *config, struct error *err);

/* Lock and load an account. */
MUST_CHECK bool apple_open_account(struct apple *apple, const char *name, struct error *err);

/* Profile, transport, Anisette: enough for login and fetch. */
MUST_CHECK bool apple_connect(struct apple *apple, const struct config *config,
                              const struct apple_options *options, struct error *err);

void apple_close(struct apple *apple); /* also after a failed open; wipes */

/* Exit status that tells of an account's. */
int apple_exit(enum account_status status);

/* One line for a person about how the last step ended and what to do next, on standard error. */
void apple_explain(const struct account *account, enum account_status status);

#endif
