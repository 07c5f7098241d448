/* Answers to reads, kept in the process for as long as nobody writes to what they show.
 *
 * Every write raises the generation of its tenant in the transaction that it belongs to (table
 * cache_generations). An answer is kept with a stamp: a sum over the generations of all tenants that its
 * caller sees, as known before the rows were read. It is used while the stamp is still the same.
 *
 * Generations are learned by looking at the table, and answers are used while that look is younger than
 * CACHE_LEASE and no write was heard of since. Writers do not answer before every process that keeps answers
 * has heard of the write, or its lease has ended (store/settle.h). So no read that begins after a write was
 * answered is given what was true before it, whichever process either of them reaches. A process of which
 * writers do not know uses no answers (cache_peers_trusted). */
#ifndef API_ANSWER_CACHE_H
#define API_ANSWER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/principal.h"
#include "base/arena.h"
#include "base/error.h"
#include "store/db.h"
#include "store/settle.h"

#define CACHE_LEASE SETTLE_LEASE

/* Rows may also change without a write (a plan whose time has come), so nothing is kept for long. */
#define CACHE_LIFE (10 * INT64_C(1000000))

#define CACHE_KEY_SIZE 32
#define CACHE_MAX_BODY                                                                                       \
    (64 * 1024) /* larger answers are rare and cost the database little beside the network */
#define CACHE_MAX_TOTAL (16 * 1024 * 1024) /* bytes of all bodies */
#define CACHE_SLOTS     4096               /* power of two */

struct answer_cache;

struct answer_cache *answer_cache_new(void);
void answer_cache_free(struct answer_cache *cache);

/* Callers with the same role and clients share answers. url is the path with its query. */
void answer_key(const struct principal *principal, const char *url, uint8_t key[CACHE_KEY_SIZE]);

/* ---- generations ---- */

/* Look at the table if the last look is too old. now: monotonic. False: the database could not be asked, and
 * nothing of the cache may be used. Leaves db in the context `auth`. */
MUST_CHECK bool answer_cache_confirm(struct answer_cache *cache, struct db *db, int64_t now);
bool answer_cache_confirmed(struct answer_cache *cache, int64_t now);

/* Call after the commit of a write and before answering: nothing is used until the next look, and a look that
 * began before does not count. */
void answer_cache_expire(struct answer_cache *cache);

/* A generation as it was seen; lower ones than known are ignored, because looks may overtake each other. */
void answer_cache_learn(struct answer_cache *cache, int64_t client_id, int64_t generation);

/* The stamp for a caller's answers, the same in every process that knows the same generations; take it before
 * reading the rows. */
uint64_t answer_stamp(struct answer_cache *cache, const struct principal *principal);

/* ---- answers ---- */

struct cached_answer {
    const char *etag;         /* in the arena */
    const char *content_type; /* in the arena */
    const char *body; /* in the arena; NULL unless want_body, or when only the tag is known, from a 304 */
    size_t len;
};

/* Confirm first. False: not there, or not valid any more. */
MUST_CHECK bool answer_cache_get(struct answer_cache *cache, const uint8_t key[CACHE_KEY_SIZE],
                                 uint64_t stamp, int64_t now, bool want_body, struct arena *arena,
                                 struct cached_answer *answer);
/* The answer is copied. False: it is what was known already, whose life begins anew, or it is not kept. */
bool answer_cache_put(struct answer_cache *cache, const uint8_t key[CACHE_KEY_SIZE], uint64_t stamp,
                      int64_t now, const struct cached_answer *answer);

/* Empties it, for tests. */
void answer_cache_clear(struct answer_cache *cache);

#endif
