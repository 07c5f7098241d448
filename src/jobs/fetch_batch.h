/* One request for reports, from the queue of due trackers to stored reports.
 *
 *     lease trackers and an account (1 transaction) - ask Apple - open - store and settle (1 transaction)
 *
 * Nothing is held while Apple is asked but two leases, which run out by themselves. What the answer means for
 * the trackers and for the account is in fetch_verdict.h. */
#ifndef JOBS_FETCH_BATCH_H
#define JOBS_FETCH_BATCH_H

#include <stdint.h>

#include "base/error.h"
#include "tasks/task.h"

/* Why a request is made; stands in fetch_batches.kind. */
#define FETCH_KIND_CYCLE   "cycle"
#define FETCH_KIND_NOW     "now"
#define FETCH_KIND_HISTORY "history"

/* Do the request that is due. Answers how many trackers it was about; 0: none is due, or no account may be
 * used now; -1 with err: something of ours failed (database, master key, profile), which punishes nobody. A
 * failure of Apple's or of the account's is an answer like any other. */
int64_t fetch_batch_run(struct task_context *task, const char *kind, struct error *err);

#endif
