/* Rolling keys: index arithmetic, and chains that remember the seeds they passed. */
#include "findmy/rolling.h"

#include <stdlib.h>
#include <string.h>

#include "findmy/crypto.h"

/* A seed is kept every so many steps: two days of primary keys, 6 KB a year, at most 0.1 ms of walking. */
#define CHECKPOINT_EVERY 192

#define WIDE_SIZE 36 /* u and v are reduced from 288 bits */

/* OpenHaystack asks for the running interval's key and ten more. */
#define OPENHAYSTACK_AHEAD 10

static const char update_info[] = { 'u', 'p', 'd', 'a', 't', 'e' };
static const char diversify_info[] = { 'd', 'i', 'v', 'e', 'r', 's', 'i', 'f', 'y' };

const char *rolling_kind_name(enum rolling_kind kind)
{
    return kind == ROLLING_PRIMARY ? "primary" : "secondary";
}

/* ---- which index when ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t at_least_0(int64_t index)
{
    return index < 0 ? 0 : index;
}

int64_t rolling_index_at(const struct rolling_alignment *alignment, int64_t time)
{
    return alignment->index + floor_div(time - alignment->at, ROLLING_SLOT);
}

int64_t rolling_max_index(const struct rolling_alignment *alignment, int64_t time)
{
    return time > alignment->at ? alignment->index + (time - alignment->at) / ROLLING_SLOT : alignment->index;
}

int64_t rolling_min_index(const struct rolling_alignment *alignment, int64_t time)
{
    return time >= alignment->at ? alignment->index
                                 : alignment->index - (alignment->at - time) / ROLLING_SLOT;
}

bool rolling_observe(struct rolling_alignment *alignment, int64_t time, int64_t index)
{
    if (time < alignment->at || index < alignment->index)
        return false;
    *alignment = (struct rolling_alignment){ time, index };
    return true;
}

struct rolling_range rolling_expected(const struct rolling_alignment *alignment, int64_t from, int64_t to)
{
    return (struct rolling_range){ at_least_0(rolling_index_at(alignment, from)),
                                   rolling_index_at(alignment, to) };
}

struct rolling_range rolling_possible(const struct rolling_alignment *alignment, int64_t from, int64_t to)
{
    return (struct rolling_range){ at_least_0(rolling_min_index(alignment, from)),
                                   rolling_max_index(alignment, to) + ROLLING_SLACK };
}

struct rolling_range rolling_secondary(struct rolling_range primary)
{
    if (primary.to < 0 || primary.to < primary.from)
        return (struct rolling_range){ 0, -1 };
    return (struct rolling_range){ at_least_0(primary.from) / ROLLING_SLOTS_PER_DAY + 1,
                                   primary.to / ROLLING_SLOTS_PER_DAY + 2 };
}

struct rolling_range rolling_openhaystack(int64_t since, int64_t interval, int64_t from, int64_t to)
{
    /* The key of the first interval has one update behind it. */
    return (struct rolling_range){ at_least_0(floor_div(from - since, interval)) + 1,
                                   floor_div(to - since, interval) + 1 + OPENHAYSTACK_AHEAD };
}

/* ---- the keys ---- */

struct mark {
    int64_t index;
    uint8_t seed[ROLLING_SEED_SIZE];
};

struct rolling_chain {
    uint8_t master[FINDMY_PRIVATE_SIZE];
    struct mark *marks; /* ascending; marks[0] is index 0 */
    size_t count, room;
    struct mark here; /* the seed used last: the next one is mostly the next index */
};

struct rolling_chain *rolling_chain_new(const uint8_t master[FINDMY_PRIVATE_SIZE],
                                        const uint8_t seed[ROLLING_SEED_SIZE], struct error *err)
{
    if (!p224_scalar_valid(master)) {
        error_set(err, "key", "the master key is out of range (zero, or not below the group order)");
        return NULL;
    }
    struct rolling_chain *chain = calloc(1, sizeof(*chain));
    struct mark *marks = calloc(1, sizeof(*marks));
    if (chain == NULL || marks == NULL) {
        free(chain);
        free(marks);
        error_set(err, "internal", "out of memory");
        return NULL;
    }
    memcpy(chain->master, master, sizeof(chain->master));
    memcpy(marks[0].seed, seed, ROLLING_SEED_SIZE);
    chain->marks = marks;
    chain->count = chain->room = 1;
    chain->here = marks[0];
    return chain;
}

void rolling_chain_free(struct rolling_chain *chain)
{
    if (chain == NULL)
        return;
    wipe(chain->marks, chain->room * sizeof(*chain->marks));
    free(chain->marks);
    wipe(chain, sizeof(*chain));
    free(chain);
}

/* Number of marks at or below index. */
static size_t marks_upto(const struct rolling_chain *chain, int64_t index)
{
    size_t low = 0, high = chain->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (chain->marks[middle].index <= index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Twice the room, without leaving seeds behind as realloc would. */
static bool grow(struct rolling_chain *chain)
{
    size_t room = chain->room * 2 + 1;
    struct mark *marks = calloc(room, sizeof(*marks));
    if (marks == NULL)
        return false;
    memcpy(marks, chain->marks, chain->count * sizeof(*marks));
    wipe(chain->marks, chain->count * sizeof(*marks));
    free(chain->marks);
    chain->marks = marks;
    chain->room = room;
    return true;
}

/* Keep a seed; one that is already there stays. */
static bool keep(struct rolling_chain *chain, const struct mark *mark)
{
    size_t at = marks_upto(chain, mark->index);
    if (at > 0 && chain->marks[at - 1].index == mark->index)
        return true;
    if (chain->count == chain->room && !grow(chain))
        return false;
    memmove(&chain->marks[at + 1], &chain->marks[at], (chain->count - at) * sizeof(*mark));
    chain->marks[at] = *mark;
    chain->count++;
    return true;
}

static bool check_index(int64_t index, struct error *err)
{
    return (index >= 0 && index <= ROLLING_MAX_INDEX) ||
           error_set(err, "index", "no key has this index (0 to %lld)", (long long)ROLLING_MAX_INDEX);
}

/* Move chain->here to index, from the nearest seed below it. */
static bool walk(struct rolling_chain *chain, int64_t index)
{
    const struct mark *below = &chain->marks[marks_upto(chain, index) - 1];
    if (chain->here.index > index || chain->here.index < below->index)
        chain->here = *below;
    while (chain->here.index < index) {
        uint8_t next[ROLLING_SEED_SIZE];
        bool done = crypto_x963(chain->here.seed, ROLLING_SEED_SIZE, update_info, sizeof(update_info), next,
                                sizeof(next));
        if (done) {
            memcpy(chain->here.seed, next, sizeof(next));
            chain->here.index++;
            done = chain->here.index % CHECKPOINT_EVERY != 0 || keep(chain, &chain->here);
        }
        wipe(next, sizeof(next));
        if (!done)
            return false;
    }
    return true;
}

bool rolling_chain_seed(struct rolling_chain *chain, int64_t index, uint8_t seed[ROLLING_SEED_SIZE],
                        struct error *err)
{
    if (!check_index(index, err))
        return false;
    if (!walk(chain, index))
        return error_set(err, "internal", "out of memory");
    memcpy(seed, chain->here.seed, ROLLING_SEED_SIZE);
    return true;
}

bool rolling_chain_resume(struct rolling_chain *chain, int64_t index, const uint8_t seed[ROLLING_SEED_SIZE],
                          struct error *err)
{
    if (!check_index(index, err))
        return false;
    struct mark mark = { .index = index };
    memcpy(mark.seed, seed, ROLLING_SEED_SIZE);
    bool kept = keep(chain, &mark);
    wipe(&mark, sizeof(mark));
    return kept || error_set(err, "internal", "out of memory");
}

bool rolling_factors(const uint8_t seed[ROLLING_SEED_SIZE], uint8_t u[FINDMY_PRIVATE_SIZE],
                     uint8_t v[FINDMY_PRIVATE_SIZE])
{
    uint8_t wide[2 * WIDE_SIZE];
    bool done = crypto_x963(seed, ROLLING_SEED_SIZE, diversify_info, sizeof(diversify_info), wide,
                            sizeof(wide)) &&
                p224_reduce(wide, WIDE_SIZE, u) && p224_reduce(wide + WIDE_SIZE, WIDE_SIZE, v);
    wipe(wide, sizeof(wide));
    return done;
}

bool rolling_chain_key(struct rolling_chain *chain, int64_t index, struct rolling_key *key, struct error *err)
{
    uint8_t seed[ROLLING_SEED_SIZE], u[FINDMY_PRIVATE_SIZE], v[FINDMY_PRIVATE_SIZE];
    if (!rolling_chain_seed(chain, index, seed, err))
        return false;
    struct rolling_key made = { .index = index };
    bool done = (rolling_factors(seed, u, v) && p224_combine(u, chain->master, v, made.private_key)) ||
                error_set(err, "internal", "the key of this index cannot be computed");
    done = done && findmy_derive(made.private_key, &made.public_key, err);
    if (done)
        *key = made;
    wipe(seed, sizeof(seed));
    wipe(u, sizeof(u));
    wipe(v, sizeof(v));
    wipe(&made, sizeof(made));
    return done;
}
