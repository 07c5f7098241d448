/* Anisette: the proof of a provisioned machine that Apple wants with each request (facts 8).
 *
 * A v3 server only runs Apple's library; the machine belongs to the account and any v3 server can speak for
 * it. A v1 server is itself the machine, so an account that began with one stays with it. From the server's
 * answer only the one-time password, the machine id and the routing number are taken; everything else is made
 * here from stored values, never from the server (its client info may be one that Apple refuses). */
#ifndef FINDMY_ANISETTE_H
#define FINDMY_ANISETTE_H

#include <plist/plist.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/timeutil.h"
#include "findmy/profile.h"
#include "findmy/websocket.h"
#include "net/httpc.h"

#define ANISETTE_ID_SIZE     16
#define ANISETTE_DEVICE_SIZE 37           /* "9E729F61-8F2F-3F92-8A11-B92B0CBF92D4" */
#define ANISETTE_USER_SIZE   65           /* 64 hex digits */
#define ANISETTE_MAX_STATE   (16u * 1024) /* real blobs have a few hundred bytes */
#define ANISETTE_MAX_SERVERS 8
#define ANISETTE_MAX_URL     256
#define ANISETTE_MAX_ANSWER  (64u * 1024)

enum anisette_mode { ANISETTE_UNKNOWN, ANISETTE_V1, ANISETTE_V3 };

extern const char *const anisette_mode_names[]; /* "unknown", "v1", "v3", NULL */

/* What belongs to the account for ever. A new identifier is a new device at Apple's. */
struct anisette_state {
    uint8_t identifier[ANISETTE_ID_SIZE];
    enum anisette_mode mode;
    char server[ANISETTE_MAX_URL];    /* v1: the server that is the machine */
    uint8_t blob[ANISETTE_MAX_STATE]; /* v3: adi_pb; empty until provisioned */
    size_t blob_len;
    bool changed; /* set here, cleared by whoever stores it; not stored itself */
};

/* What an answer holds. */
struct anisette_values {
    char otp[256];      /* X-Apple-I-MD */
    char machine[512];  /* X-Apple-I-MD-M */
    char routing[32];   /* X-Apple-I-MD-RINFO; "" when the server gave none */
    int64_t fetched_at; /* microseconds */
};

struct anisette;

/* urls: http:// or https:// addresses in order of preference, separated by commas. The rest is kept by
 * reference. NULL with "anisette_invalid". */
MUST_CHECK struct anisette *anisette_new(const char *urls, const struct profile *profile,
                                         struct http_client *http, struct websocket_client *websocket,
                                         const struct clock *clock, struct error *err);
void anisette_free(struct anisette *anisette); /* NULL is allowed */

/* Give a new account its identity. */
MUST_CHECK bool anisette_state_new(struct anisette_state *state, struct error *err);

/* Values for the next request: from the cache while fresh, else from the first server that answers,
 * provisioning the machine when it is not yet (state->changed is set then: store it before going on). False
 * with "anisette_unavailable" (no server answers), "anisette_refused" (servers answer but give no values) or
 * "anisette_provisioning" (Apple's side of provisioning failed). */
MUST_CHECK bool anisette_get(struct anisette *anisette, struct anisette_state *state,
                             struct anisette_values *values, struct error *err);

/* Drop what is cached, because Apple did not take it. */
void anisette_forget(struct anisette *anisette);

/* Drop the provisioning too: the next call provisions anew. The identity stays. */
void anisette_reprovision(struct anisette *anisette, struct anisette_state *state);

/* Put the whole set into a request's headers, or as entries into a dict (the `cpd` of a login). Texts are
 * made in the arena. */
void anisette_put_headers(struct httpc_header_list *list, const struct anisette_values *values,
                          const struct anisette_state *state, const struct profile *profile, int64_t now,
                          struct arena *arena);
void anisette_put_dict(plist_t dict, const struct anisette_values *values, const struct anisette_state *state,
                       const struct profile *profile, int64_t now, struct arena *arena);

/* Addresses from GrandSlam's lookup bag by key ("midStartProvisioning"); asked for once and kept. NULL with
 * err. */
MUST_CHECK const char *anisette_lookup(struct anisette *anisette, const struct anisette_state *state,
                                       const char *key, struct error *err);

/* ---- parts, for tests ---- */

void anisette_device_id(const uint8_t identifier[ANISETTE_ID_SIZE], char out[ANISETTE_DEVICE_SIZE]);
void anisette_local_user(const uint8_t identifier[ANISETTE_ID_SIZE], char out[ANISETTE_USER_SIZE]);

enum anisette_answer { ANISETTE_ANSWER_OK, ANISETTE_ANSWER_REPROVISION, ANISETTE_ANSWER_ERROR };

enum anisette_answer anisette_read_v1(int status, const char *body, size_t len,
                                      struct anisette_values *values, struct error *err);
enum anisette_answer anisette_read_v3(int status, const char *body, size_t len,
                                      struct anisette_values *values, struct error *err);

/* client_info and user_agent are copied into the arena. */
enum anisette_answer anisette_read_client_info(int status, const char *body, size_t len, struct arena *arena,
                                               const char **client_info, const char **user_agent,
                                               struct error *err);

#endif
