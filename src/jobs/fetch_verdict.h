/* What the end of a request means: for its trackers, for the account, and as a word for the log. */
#ifndef JOBS_FETCH_VERDICT_H
#define JOBS_FETCH_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "findmy/fetch.h"

enum fetch_ending {
    ENDED_WELL,        /* the trackers were asked for */
    ENDED_BY_PROVIDER, /* Apple's side failed: the trackers back off, so that a broken day costs few requests
                        */
    ENDED_BY_ACCOUNT,  /* the account's own trouble: the trackers stay due, for the next account */
};

/* suspicious: Apple held reports of these keys lately, so an answer without any is no news. */
enum fetch_ending fetch_ending(const struct fetch_result *result, bool suspicious);

/* Stable: stands in fetch_batches.result and in metrics. "ok", "empty", "throttled", "signed_in_again",
 * "not_sent", "server_error", "bad_response", "second_factor", "locked", "sign_in", "our_fault". */
const char *fetch_result_word(const struct fetch_result *result, bool suspicious);

/* Intervals until a tracker is due again after so many failures in a row: 2, 4, 8, 16, and 16 from there on.
 */
int64_t fetch_back_off(int64_t failures);

#endif
