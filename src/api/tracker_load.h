/* New trackers with their keys, in batches within one transaction, for imports and for generating.
 *
 * A loader belongs to one request. Items are added one after another; each 1,000 are written in one
 * statement, which says which of them clash with rows that exist. Nothing is visible before the caller
 * commits. Private keys are sealed as they are added and are not kept. */
#ifndef API_TRACKER_LOAD_H
#define API_TRACKER_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "findmy/keyfile.h"
#include "findmy/keys.h"
#include "http/request.h"

/* As many rows as one statement takes: larger ones gain nothing and hold the statement timeout's risk. */
#define LOAD_BATCH 1000

/* Rows of one import; a fingerprint of each name and key is kept to find those that stand in the file twice.
 */
#define LOAD_MAX_ITEMS 200000

#define LOAD_MAX_NAME   200  /* characters, as the table says */
#define LOAD_MAX_ERRORS 1000 /* that are listed; all are counted */

struct load_item {
    int64_t row; /* as the caller's file counts, for errors */
    const char *name;
    const uint8_t *private_key; /* FINDMY_PRIVATE_SIZE */
    struct findmy_public public_key;
    bool more; /* another key of the tracker that was added last; name is ignored */
    const struct keyfile_accessory *accessory; /* its rolling keys instead of a key; otherwise NULL */
};

struct load;

/* Notes problems of the two ids in the request: the client must be visible and the run (0: none) its own,
 * neither archived. False: answered. */
MUST_CHECK bool load_target_valid(struct request *req, int64_t client_id, int64_t run_id);

/* Lives in the request's arena. The transaction is the caller's, and so is audit and commit. */
struct load *load_new(struct request *req, int64_t client_id, int64_t run_id);

/* Add an item, or note what is wrong with it. False: answered (the database failed, or no key to seal with).
 */
MUST_CHECK bool load_add(struct load *load, const struct load_item *item);

/* Note an error of a row; load_skip counts a row that is not added. */
void load_error(struct load *load, int64_t row, const char *field, const char *code, const char *message, ...)
    PRINTF_LIKE(5, 6);
void load_skip(struct load *load);

/* Write what is left. False: answered. */
MUST_CHECK bool load_finish(struct load *load);

struct load_counts {
    int64_t rows;     /* seen, good and bad */
    int64_t trackers; /* that were written */
    int64_t keys;     /* that were written */
    int64_t failed;   /* rows with an error */
    int64_t errors;
};
struct load_counts load_counts(const struct load *load);

/* The listed errors as elements of a JSON array, each {row, field, code, message}. */
void load_write_errors(const struct load *load, struct json *json);

/* Called for each tracker that was written, in the order of adding, if set. The hash is binary. */
typedef void (*load_made)(void *to, int64_t id, const char *name, const struct findmy_public *public_key);
void load_on_made(struct load *load, load_made made, void *to);

/* Write generations and the audit entry; the last statements before the commit. False: answered. */
MUST_CHECK bool load_conclude(struct load *load, const char *action);

#endif
