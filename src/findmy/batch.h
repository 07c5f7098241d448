/* Decrypts many reports on all cores.
 *
 * A pool of threads lives as long as the object, each with its own OpenSSL contexts; the thread that calls
 * batch_run() works too. One run at a time; different pools may run at once. */
#ifndef FINDMY_BATCH_H
#define FINDMY_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "findmy/report.h"

#define BATCH_MAX_THREADS 256 /* more cores than any machine this runs on; a bound against nonsense */

/* One report: inputs are borrowed until batch_run() returns, results are written by it. */
struct batch_item {
    const uint8_t *payload; /* NULL: was not base64, gives REPORT_ENCODING */
    size_t len;
    const uint8_t *private_key; /* FINDMY_PRIVATE_SIZE; NULL gives REPORT_KEY */
    const uint8_t
        *filed_under;        /* hash the server filed the report under, FINDMY_HASH_SIZE; NULL: not checked */
    const uint8_t *key_hash; /* hash of private_key's advertisement key; needed only with filed_under */
    enum report_result result;
    struct report report; /* as report_open() leaves it */
};

struct batch;

/* threads: 0 means as many as the machine has cores for this process. */
MUST_CHECK struct batch *batch_new(unsigned threads, struct error *err);
void batch_free(struct batch *batch); /* NULL is allowed */
unsigned batch_threads(const struct batch *batch);

/* Open every item; counts (may be NULL) is added to, not reset. */
void batch_run(struct batch *batch, struct batch_item *items, size_t n, struct report_counts *counts);

#endif
