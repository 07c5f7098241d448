/* Rolling keys of paired accessories: which keys a tag may show, and what they are.
 *
 * A chain is a master private key and a seed SK[0]; SK[i+1] = X963(SK[i], "update", 32), and key i is
 * (u * master + v) mod n with u and v from X963(SK[i], "diversify", 72). An accessory has two chains over one
 * master key: the primary one (seed SKN) moves every 15 minutes since pairing, the secondary one (SKS) once a
 * day. The tag counts for itself and loses time without power: its true index may lag behind the calculated
 * one.
 *
 * Index 0 is the seed as the pairing record holds it. */
#ifndef FINDMY_ROLLING_H
#define FINDMY_ROLLING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/timeutil.h"
#include "findmy/keys.h"

#define ROLLING_SEED_SIZE     32
#define ROLLING_SLOT          MINUTES(15)
#define ROLLING_SLOTS_PER_DAY 96

/* What is sealed of an accessory: master key, SKN, SKS, one behind the other. */
#define ROLLING_SECRET_SIZE (FINDMY_PRIVATE_SIZE + 2 * ROLLING_SEED_SIZE)

/* Apple has been seen one slot ahead of what the clock says; a few more cost next to nothing. */
#define ROLLING_SLACK 4

/* 50 years of slots: a bound on the steps that a wrong pairing date can cost. */
#define ROLLING_MAX_INDEX INT64_C(1753200)

enum rolling_kind { ROLLING_PRIMARY, ROLLING_SECONDARY };

const char *rolling_kind_name(enum rolling_kind kind); /* "primary", "secondary" */

/* ---- which index when ---- */

/* The last sure observation: at `at` the tag was at primary index `index`. At first (pairing time, 0). */
struct rolling_alignment {
    int64_t at; /* microseconds since 1970 */
    int64_t index;
};

/* Indices from..to, both included; empty when to < from. */
struct rolling_range {
    int64_t from, to;
};

/* Where the clock puts the tag: index + floor((t - at) / 15 min). Negative before pairing: no key. */
int64_t rolling_index_at(const struct rolling_alignment *alignment, int64_t time);

/* Bounds for a tag that may have lost time since the observation. */
int64_t rolling_min_index(const struct rolling_alignment *alignment, int64_t time);
int64_t rolling_max_index(const struct rolling_alignment *alignment, int64_t time);

/* Take an observation unless its time or index goes back. True when it was taken. */
bool rolling_observe(struct rolling_alignment *alignment, int64_t time, int64_t index);

/* Primary indices of a tag that kept time, and of one that may not have (with ROLLING_SLACK above), in a
 * period. Both are cut at 0. */
struct rolling_range rolling_expected(const struct rolling_alignment *alignment, int64_t from, int64_t to);
struct rolling_range rolling_possible(const struct rolling_alignment *alignment, int64_t from, int64_t to);

/* Secondary indices that belong to primary ones: index / 96 + 1 and + 2. Empty for an empty range. */
struct rolling_range rolling_secondary(struct rolling_range primary);

/* Home-made tags of OpenHaystack with derivation: indices on a chain whose seed was current at `since`, one
 * key an interval (1 h or 24 h), with 10 more ahead in case the tag is. Such a tag may also show its master
 * key. */
struct rolling_range rolling_openhaystack(int64_t since, int64_t interval, int64_t from, int64_t to);

/* ---- the keys ---- */

struct rolling_key {
    int64_t index;
    uint8_t private_key[FINDMY_PRIVATE_SIZE]; /* the caller wipes it */
    struct findmy_public public_key;
};

/* A chain remembers seeds on the way, so that going back and forth in a window costs no walk from the start.
 * Used by one thread at a time. */
struct rolling_chain;

/* Error "key": the master key is out of range. */
MUST_CHECK struct rolling_chain *rolling_chain_new(const uint8_t master[FINDMY_PRIVATE_SIZE],
                                                   const uint8_t seed[ROLLING_SEED_SIZE], struct error *err);
void rolling_chain_free(struct rolling_chain *chain); /* wipes; NULL is allowed */

/* Errors: "index" (below 0 or above ROLLING_MAX_INDEX), "internal". */
MUST_CHECK bool rolling_chain_key(struct rolling_chain *chain, int64_t index, struct rolling_key *key,
                                  struct error *err);
MUST_CHECK bool rolling_chain_seed(struct rolling_chain *chain, int64_t index,
                                   uint8_t seed[ROLLING_SEED_SIZE], struct error *err);

/* Give the chain a seed that was stored (sealed) by an earlier process, so that it need not walk there. It
 * must be of this chain: nothing can tell a foreign one. */
MUST_CHECK bool rolling_chain_resume(struct rolling_chain *chain, int64_t index,
                                     const uint8_t seed[ROLLING_SEED_SIZE], struct error *err);

/* The two factors of a seed, for tests. */
MUST_CHECK bool rolling_factors(const uint8_t seed[ROLLING_SEED_SIZE], uint8_t u[FINDMY_PRIVATE_SIZE],
                                uint8_t v[FINDMY_PRIVATE_SIZE]);

#endif
