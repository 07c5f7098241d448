/* The provider profile: all that Apple may change under us, as one versioned JSON document.
 *
 * Addresses, client identification, extra headers, ids per request, look-back, retry rules and the meaning of
 * status codes. The built-in default is complete; a document overrides what it names, and `trackerd account
 * profile` prints the effective one in the same form. Unknown names, wrong types and values out of bounds are
 * refused with their place. Source of the defaults: facts 3, 7, 8. */
#ifndef FINDMY_PROFILE_H
#define FINDMY_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "findmy/outcome.h"
#include "net/httpc.h"

#define PROFILE_FORMAT      1             /* value of "format" that this program reads */
#define PROFILE_MAX_SIZE    (256u * 1024) /* of a document: the default has about 5 KiB */
#define PROFILE_MAX_HEADERS 16            /* extra headers per service */
#define PROFILE_MAX_CODES   64            /* codes per table */
#define PROFILE_MAX_STEPS   10            /* retries, group sizes */

enum profile_service { PROFILE_GSA, PROFILE_AUTH, PROFILE_DELEGATES, PROFILE_FETCH, PROFILE_SERVICES };

/* A list of whole numbers (counts, or microseconds). */
struct profile_steps {
    int64_t items[PROFILE_MAX_STEPS];
    size_t count;
};

/* code -> outcome; unknown codes have the table's own fallback in code. */
struct profile_codes {
    struct {
        int64_t code;
        int outcome;
    } items[PROFILE_MAX_CODES];
    size_t count;
};

enum profile_api { PROFILE_API_V1, PROFILE_API_V2 };
enum profile_list { PROFILE_LIST_PRIMARY, PROFILE_LIST_SECONDARY, PROFILE_LIST_BOTH };

/* Read-only after loading. Texts live in the arena that it was loaded into. */
struct profile {
    const char *name;
    int64_t revision;
    bool allow_plain_http; /* http:// to other machines than this one: test set-ups only */
    struct {
        const char *gsa, *lookup, *validate, *trusted_device, *phones, *phone, *phone_code, *delegates,
            *fetch_v1, *fetch_v2;
        const char *provision_start, *provision_finish; /* "": asked for at `lookup` */
    } endpoints;
    struct {
        const char *client_info, *user_agent, *app_info, *xcode_version, *auth_user_agent;
        const char *delegates_client_info, *delegates_user_agent;
        const char *fetch_client_info, *fetch_user_agent; /* "": not sent */
        const char *provision_user_agent;
        const char *locale, *time_zone, *serial, *routing;
    } identity;
    struct httpc_header headers[PROFILE_SERVICES][PROFILE_MAX_HEADERS];
    size_t header_count[PROFILE_SERVICES];
    struct {
        int64_t cache, timeout, provision_timeout, retry, max_retry;
    } anisette;
    struct {
        int64_t timeout, relogin_interval, retry, max_retry;
        int64_t max_relogins; /* in a row without a good answer between them; then a person is asked */
        int64_t max_codes;    /* wrong second-factor codes before a new one must be sent */
    } login;
    struct {
        int api;  /* enum profile_api */
        int list; /* enum profile_list: where keys of no known kind go */
        const char *bundle, *policy;
        int64_t ids_per_request, look_back, overlap;
        int64_t full_answer; /* this many reports, with some ids silent: the answer may have been cut */
        struct profile_steps regroup;
        int64_t follow_ups; /* most requests that one fetch adds for silent ids */
        int64_t pause;      /* between requests of one fetch */
        struct profile_steps empty_retries;
        int64_t retry, max_retry; /* when no Retry-After says otherwise */
        int64_t timeout, max_answer;
    } fetch;
    struct profile_codes status_gsa, status_http, status_sms, status_fetch;
};

/* The built-in one. */
const struct profile *profile_default(void);

/* The built-in one with what the document changes. NULL with "profile_invalid" and the place of the mistake.
 */
MUST_CHECK const struct profile *profile_parse(struct arena *arena, const char *text, size_t len,
                                               struct error *err);

/* The same from a file; "" or NULL gives the built-in one. */
MUST_CHECK const struct profile *profile_load(struct arena *arena, const char *path, struct error *err);

/* The whole effective document. */
void profile_print(const struct profile *profile, struct buf *out);

/* Outcome of a code; fallback when the table does not know it. */
int profile_outcome(const struct profile_codes *codes, int64_t code, int fallback);

/* Put the extra headers of a service into a request's list, over what is there. */
void profile_put_headers(const struct profile *profile, enum profile_service service,
                         struct httpc_header_list *list);

#endif
