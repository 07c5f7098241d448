/* An Apple account as a state machine that survives a restart at every step.
 *
 *     logged_out --password--> code_due --code--> logged_out --password--> authenticated --delegate-->
 * logged_in
 *                     \______________ the machine is trusted ______________/
 *     logged_in --token refused--> logged_out (once per interval); anything a person must do --> parked
 *
 * The whole state is one struct that is stored sealed after each step, and before each step that must not
 * happen twice (a code sent, a code submitted). Nothing here sends a second-factor code by itself, so no loop
 * can: a login that asks for a code stops and waits for a person. */
#ifndef FINDMY_ACCOUNT_H
#define FINDMY_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/seal.h"
#include "findmy/anisette.h"
#include "findmy/delegates.h"
#include "findmy/gsa.h"
#include "findmy/twofactor.h"

#define ACCOUNT_MAX_NAME     64  /* letters, digits, dot, dash, underscore; it names a file */
#define ACCOUNT_MAX_USERNAME 254 /* an e-mail address or a phone number */
#define ACCOUNT_MAX_PASSWORD 512
#define ACCOUNT_MAX_STORED   (96u * 1024) /* serialised; the machine's state is the largest part */

enum account_phase {
    ACCOUNT_LOGGED_OUT,
    ACCOUNT_CODE_DUE,
    ACCOUNT_AUTHENTICATED,
    ACCOUNT_LOGGED_IN,
    ACCOUNT_PARKED /* a person is needed; last.outcome says why */
};

enum account_code { ACCOUNT_CODE_NOT_SENT, ACCOUNT_CODE_SENDING, ACCOUNT_CODE_SENT, ACCOUNT_CODE_SUBMITTING };

extern const char *const account_phase_names[]; /* "logged_out", "code_due", ... */
extern const char *const account_code_names[];  /* "not_sent", "sending", "sent", "submitting" */

/* All of it is stored. Times are microseconds since 1970, 0 for never. */
struct account {
    char name[ACCOUNT_MAX_NAME + 1];
    char username[ACCOUNT_MAX_USERNAME + 1];
    char password[ACCOUNT_MAX_PASSWORD + 1];
    char client_id[ANISETTE_DEVICE_SIZE]; /* a UUID for the delegate service */
    enum account_phase phase;
    struct anisette_state machine;
    struct gsa_session session; /* while signing in */
    struct delegates tokens;    /* while logged in */
    struct login_result last;   /* how the last step ended; wait is not stored */
    bool by_sms;                /* the second factor that Apple asked for, or a person chose */
    enum account_code code;
    int64_t phone, code_sent_at, bad_codes;
    struct twofactor_phones phones; /* as last listed */
    int64_t created_at, logged_in_at, tried_at;
    int64_t not_before; /* no try of the program's own before this */
    int64_t failures;   /* steps in a row that failed for a passing reason */
    int64_t relogins;   /* refused tokens in a row */
};

/* What the caller can do next. */
enum account_status {
    ACCOUNT_READY,        /* logged in: tokens can be used */
    ACCOUNT_NEEDS_CODE,   /* second factor: account_send_code, account_submit_code */
    ACCOUNT_WAITS,        /* a passing fault: again at not_before */
    ACCOUNT_NEEDS_PERSON, /* parked */
    ACCOUNT_UNSAVED       /* the state could not be stored: stop */
};

extern const char
    *const account_status_names[]; /* "ready", "needs_code", "waits", "needs_person", "unsaved" */

struct account_env {
    struct provider *provider;
    bool (*save)(void *self, const struct account *account, struct error *err); /* durable when it returns */
    void *self;
    bool attended; /* a person is there: waits are not kept, and a parked account is tried again */
};

/* A new account with its own machine identity. "account_invalid" for a bad name, user name or password. */
MUST_CHECK bool account_init(struct account *account, const char *name, const char *username,
                             const char *password, int64_t now, struct error *err);
bool account_name_valid(const char *name);
void account_wipe(struct account *account);

/* Sign in as far as it goes without a person, saving after every step. */
MUST_CHECK enum account_status account_login(struct account *account, const struct account_env *env);

/* Have a code sent: pushed to the trusted devices, or by text message to a phone (0: the only or first one).
 * Valid while a code is due. The status is ACCOUNT_NEEDS_CODE when that worked; account->last tells. */
MUST_CHECK enum account_status account_send_code(struct account *account, const struct account_env *env,
                                                 bool by_sms, int64_t phone);

/* Ask which phones can be sent to; Apple may send a message at this. */
MUST_CHECK enum account_status account_list_phones(struct account *account, const struct account_env *env);

/* Hand in the code and sign in further. */
MUST_CHECK enum account_status account_submit_code(struct account *account, const struct account_env *env,
                                                   const char *code);

/* The report server refused the token: sign in again unless that was tried a short while ago. */
MUST_CHECK enum account_status account_token_refused(struct account *account, const struct account_env *env);

/* It refused the token of a sign-in just made, too: no further try before the interval has passed. */
MUST_CHECK enum account_status account_token_useless(struct account *account, const struct account_env *env);

/* It took the token. Saves only when there was something to forget. */
MUST_CHECK enum account_status account_token_worked(struct account *account, const struct account_env *env);

/* The account needs a person for a reason that another part found out. */
MUST_CHECK enum account_status account_park(struct account *account, const struct account_env *env,
                                            enum login_outcome reason, const char *message);

/* Where it stands, without doing anything. */
enum account_status account_status(const struct account *account, int64_t now);

/* As JSON, into a buffer with the secret mark; and back. "account_invalid" for what is no account. */
void account_write(const struct account *account, struct buf *out);
MUST_CHECK bool account_read(struct account *account, const char *text, size_t len, struct error *err);

/* The same sealed with the master key, bound to the account's name. The reader demands the name it expects.
 */
MUST_CHECK bool account_seal(const struct account *account, const struct sealer *sealer, struct buf *out,
                             struct error *err);
MUST_CHECK bool account_unseal(struct account *account, const char *name, const struct sealer *sealer,
                               const uint8_t *sealed, size_t len, struct error *err);

#endif
