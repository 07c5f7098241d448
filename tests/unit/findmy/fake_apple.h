/* Apple's and an Anisette server's side inside the test program: an HTTP client, a WebSocket client and a
 * clock that need no network and no time. The server half of SRP is computed here apart from src/findmy. */
#ifndef TESTS_FAKE_APPLE_H
#define TESTS_FAKE_APPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/timeutil.h"
#include "findmy/account.h"

#define FAKE_START INT64_C(1778307200000000) /* 2026-05-09T06:13:20Z */
#define FAKE_PHONE 7                         /* the one phone's id: not 1 */

enum fake_place {
    FAKE_ANISETTE,
    FAKE_LOOKUP,
    FAKE_PROVISION,
    FAKE_GSA_INIT,
    FAKE_GSA_COMPLETE,
    FAKE_PUSH,
    FAKE_VALIDATE,
    FAKE_PHONES,
    FAKE_SMS,
    FAKE_SMS_CODE,
    FAKE_DELEGATES,
    FAKE_FETCH,
    FAKE_PLACES
};

/* One answer instead of the right one. */
struct fake_fault {
    enum fake_place place;
    int skip, count;   /* let this many pass, then strike this often (0: for ever) */
    const char *error; /* fail with this code, or */
    int status;        /* answer with this status and body */
    const char *body;  /* NULL: "" */
    const char *header, *header_value;
};

#define FAKE_MAX_FAULTS   8
#define FAKE_MAX_REQUESTS 512

struct fake_apple {
    struct http_client http; /* first: the client is this struct */
    struct websocket_client websocket;
    struct clock clock;
    int64_t now, slept;
    const char *username, *password, *form; /* form: "s2k" or "s2k_fo" */
    const char *au;                         /* second factor of untrusted devices; NULL: none */
    bool trusted, has_v3, no_v1, bad_m2, bad_np, phones_send_sms, only_bad_s;
    int64_t gsa_ec, gsa_hsc; /* of `complete`, when not 0 */
    const char *code;        /* the right one */
    int token;               /* number of the valid search-party token; the delegate gives ++token */
    const char *fetch_body;  /* of 200; NULL: an empty list */
    struct fake_fault faults[FAKE_MAX_FAULTS];
    size_t fault_count;
    /* seen */
    int calls[FAKE_PLACES];
    int codes_sent;
    const char *last_fetch_body; /* kept in `arena` */
    char last_authorization[512], last_client_info[128], last_security_code[16];
    size_t fetch_ids[FAKE_MAX_REQUESTS]; /* ids per fetch request */
    const char *(*on_fetch)(struct fake_apple *self, const struct http_out *req, struct arena *arena);
    struct arena *arena;
    /* the exchange */
    uint8_t A[256], b[32], B[256], salt[16];
    bool provisioned;
};

void fake_apple_init(struct fake_apple *fake);
void fake_apple_free(struct fake_apple *fake);
void fake_fault(struct fake_apple *fake, struct fake_fault fault);

/* A profile whose addresses the fake knows is the default one; this makes the rest of an environment. */
struct fake_env {
    struct fake_apple apple;
    struct anisette *anisette;
    struct provider provider;
    struct account_env env;
    struct account account;
    struct buf stored; /* what the last save wrote */
    int saves;
    int crash_at;      /* the save with this number fails ... */
    bool crash_stores; /* ... after it has stored; otherwise before */
};

void fake_env_init(struct fake_env *env, const struct profile *profile);
void fake_env_free(struct fake_env *env);

/* Forget the process: a new Anisette client, the account as it was stored. */
void fake_env_restart(struct fake_env *env);

#endif
