/* The keys of leased trackers as ids of one request: as many trackers as fill it, whole where possible.
 *
 * A tracker with more ids than a request takes is asked for in turns: first those that were asked for longest
 * ago. Ids of trackers that were silent longest stand first, because an answer that is cut off serves the
 * first ones. */
#ifndef JOBS_FETCH_KEYS_H
#define JOBS_FETCH_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/seal.h"
#include "findmy/fetch.h"
#include "findmy/rolling.h"
#include "store/db.h"

struct fetch_tracker {
    int64_t id, client_id;
    int64_t due_at;         /* next_fetch_at as it was leased, microseconds */
    int64_t last_report_at; /* 0: never heard */
    int64_t failures;
    bool taken;    /* stands in the request */
    bool complete; /* all that it could have been asked for stands in the request */
};

/* A key row that is asked for. */
struct fetch_row {
    int64_t id;
    size_t tracker; /* index */
    bool rolling;
    int64_t asked_before; /* as it was read; 0: never */
    int64_t asked_until;  /* as it will be when this request was answered well */
    struct rolling_alignment alignment;
};

/* One id of a row: a static key, or a slot of a rolling one. */
struct fetch_key {
    const uint8_t *private_key;      /* FINDMY_PRIVATE_SIZE */
    int64_t valid_from, valid_until; /* reports of this time are the tracker's, until exclusive */
    uint8_t hash[FINDMY_HASH_SIZE];
    enum fetch_kind kind;
    int64_t slot; /* of a primary rolling key, else -1 */
    size_t row;
};

struct fetch_key_range {
    size_t first, count;
};

struct fetch_keys {
    struct arena *arena;
    struct fetch_row *rows;
    size_t row_count;
    struct fetch_key *keys; /* by hash: keys of one id stand together */
    size_t key_count;
    struct fetch_id *ids; /* in the order in which they are asked */
    size_t id_count;
    struct fetch_key_range *of_id; /* keys of each id */
};

struct fetch_window {
    const struct profile *profile;
    int64_t now;
    size_t max_ids;
};

/* Load, unseal and choose; marks the trackers. A key that cannot be unsealed is left out and told in the log.
 */
MUST_CHECK bool fetch_keys_load(struct fetch_keys *keys, struct db *db, const struct sealer *sealer,
                                const struct fetch_window *window, struct fetch_tracker *trackers,
                                size_t count, struct arena *arena, struct error *err);

#endif
