/* Asking Apple for reports: requests of both interfaces, reading of answers, retries, and what is to be done
 * next (facts 3). */
#ifndef FINDMY_FETCH_H
#define FINDMY_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "findmy/account.h"
#include "findmy/keys.h"
#include "findmy/profile.h"

#define FETCH_MAX_IDS 1000000u /* of one fetch: what one process can sensibly hold */
#define FETCH_NO_TIME INT64_MIN

enum fetch_kind { FETCH_STATIC, FETCH_PRIMARY, FETCH_SECONDARY };

struct fetch_id {
    uint8_t hash[FINDMY_HASH_SIZE];
    enum fetch_kind kind; /* which of v2's lists; static keys go where the profile says */
};

struct fetch_report {
    size_t id;              /* index into the ids that were asked for */
    const uint8_t *payload; /* 88 or 89 bytes; in the arena */
    size_t len;
    int64_t time;      /* when the finder met the tag, from the payload; microseconds */
    int64_t published; /* FETCH_NO_TIME since March 2026; microseconds */
};

struct fetch_counts {
    uint64_t duplicates; /* the same report again */
    uint64_t ignored;    /* of ids that were not asked for */
    uint64_t malformed;  /* no base64, or no length that a report has */
};

/* One answer, read. */
struct fetch_answer {
    enum fetch_outcome outcome;
    bool foreign;                 /* bad_response: well-formed JSON of a shape we do not know */
    struct fetch_report *reports; /* by time, then by SHA-256 of the payload */
    size_t count;
    struct fetch_counts counts;
    char message[160];
};

/* ---- one request ---- */

/* Body for one interface. from, to: microseconds. NUL-terminated. */
char *fetch_body(const struct profile *profile, enum profile_api api, const struct fetch_id *ids,
                 size_t count, int64_t from, int64_t to, struct arena *arena, size_t *len);

const char *fetch_url(const struct profile *profile, enum profile_api api);

/* Read an answer of any status. Never fails: the outcome tells. Ids are compared as bytes, in whatever
 * spelling they come back. */
void fetch_read(const struct profile *profile, enum profile_api api, int status, const char *body, size_t len,
                const struct fetch_id *ids, size_t count, struct arena *arena, struct fetch_answer *answer);

/* How many of `left` ids go into the next request. */
size_t fetch_batch(size_t left, int64_t limit);

/* ---- a whole fetch ---- */

/* What the caller does next. */
enum fetch_verdict {
    FETCH_DONE,
    FETCH_LATER,         /* retry at retry_at */
    FETCH_SIGN_IN,       /* sign in again (only when the fetch could not do so itself) */
    FETCH_SECOND_FACTOR, /* a person must give a code */
    FETCH_LOCKED,        /* the account needs a person */
    FETCH_OUR_FAULT,     /* Apple does not understand us or we it: profile or program are outdated */
    FETCH_VERDICTS
};

extern const char *const fetch_verdict_names[FETCH_VERDICTS + 1]; /* "done", "later", "sign_in", ... */

struct fetch_job {
    const struct fetch_id *ids;
    size_t count;
    int64_t from, to;
    int64_t max_requests; /* 0: as many as are needed */
};

struct fetch_result {
    enum fetch_verdict verdict;
    enum fetch_outcome outcome; /* of the last request */
    int64_t retry_at;           /* with FETCH_LATER; microseconds */
    struct fetch_report *reports;
    size_t count; /* also after a failure: what was read before it stays good */
    struct fetch_counts counts;
    bool *asked;       /* per id: it stood in a request that was answered well */
    size_t unsure;     /* silent ids in answers that looked full and could not be asked again */
    int64_t requests;  /* sent, retries included */
    char message[256]; /* for a person; no secrets */
};

/* Fetch reports for any number of ids: signs in when needed, splits into requests, retries empty answers,
 * signs in again once on 401, asks silent ids again in smaller groups when an answer looks full. Everything
 * in *result lives in the arena. */
void fetch_run(struct account *account, const struct account_env *env, const struct fetch_job *job,
               struct arena *arena, struct fetch_result *result);

/* Start of the window for a tag: since its last success less the overlap, at most the profile's look-back. */
int64_t fetch_from(const struct profile *profile, int64_t now, int64_t last_success);

/* False for a report of a finder with a wrong clock: beyond 12 hours ahead or older than 8 days (facts 3.7).
 */
bool fetch_time_plausible(int64_t time, int64_t now);

#endif
