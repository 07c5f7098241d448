/* Vectors of rolling keys: rolling, alignment. */
#include <string.h>

#include "findmy/rolling.h"
#include "vectors.h"

static void run_key(struct vec *vec)
{
    uint8_t *master = vec_hex(vec, vec->root, "master_hex", FINDMY_PRIVATE_SIZE, NULL);
    uint8_t *seed = vec_hex(vec, vec->root, "initial_sk_hex", ROLLING_SEED_SIZE, NULL);
    const char *stream = vec_opt_text(vec, vec->root,
                                      "stream"); /* the two chains differ in their seed only */
    json_t *expect = vec_object(vec, vec->root, "expect");
    int64_t index = vec_int(vec, expect, "index");
    uint8_t sk[ROLLING_SEED_SIZE], u[FINDMY_PRIVATE_SIZE], v[FINDMY_PRIVATE_SIZE];
    struct rolling_key key;
    struct error err = { "", "" };
    struct rolling_chain *chain = rolling_chain_new(master, seed, &err);

    if (stream != NULL && strcmp(stream, "primary") != 0 && strcmp(stream, "secondary") != 0)
        vec_fail(vec, "unknown stream %s", stream);
    if (chain == NULL || !rolling_chain_seed(chain, index, sk, &err) || !rolling_factors(sk, u, v) ||
        !rolling_chain_key(chain, index, &key, &err)) {
        vec_fail(vec, "failed: %s", err.message);
    } else {
        vec_same_hex(vec, expect, "sk_hex", sk, sizeof(sk));
        vec_same_hex(vec, expect, "u_hex", u, sizeof(u));
        vec_same_hex(vec, expect, "v_hex", v, sizeof(v));
        vec_same_hex(vec, expect, "private_hex", key.private_key, sizeof(key.private_key));
        vec_same_hex(vec, expect, "adv_hex", key.public_key.adv, FINDMY_ADV_SIZE);
        vec_same_b64(vec, expect, "hashed_b64", key.public_key.hash, FINDMY_HASH_SIZE);
    }
    rolling_chain_free(chain);
}

static void same_range(struct vec *vec, json_t *expect, const char *key, struct rolling_range range)
{
    json_t *list = vec_array(vec, expect, key);
    int64_t want = range.to < range.from ? 0 : range.to - range.from + 1;
    if ((int64_t)json_array_size(list) != want)
        vec_fail(vec, "%s: got %lld of them", key, (long long)want);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_integer_value(json_array_get(list, i)) != range.from + (int64_t)i)
            vec_fail(vec, "%s: entry %zu differs", key, i);
}

static void run_candidates(struct vec *vec)
{
    /* one slot long: at the moment of an observation of this index */
    const struct rolling_alignment alignment = { 0, vec_int(vec, vec->root, "primary_index") };
    struct rolling_range primary = rolling_expected(&alignment, 0, 0);
    json_t *expect = vec_object(vec, vec->root, "expect");
    same_range(vec, expect, "primary", primary);
    same_range(vec, expect, "secondary", rolling_secondary(primary));
}

static void run_rolling(struct vec *vec)
{
    const char *kind = vec_text(vec, vec->root, "kind");
    if (strcmp(kind, "key") == 0)
        run_key(vec);
    else if (strcmp(kind, "candidates") == 0)
        run_candidates(vec);
    else
        vec_fail(vec, "unknown kind %s", kind);
}

static void run_range(struct vec *vec, const struct rolling_alignment *alignment)
{
    int64_t at = vec_time(vec, vec->root, "at");
    json_t *expect = vec_object(vec, vec->root, "expect");
    vec_same_int(vec, expect, "min_index", rolling_min_index(alignment, at));
    vec_same_int(vec, expect, "max_index", rolling_max_index(alignment, at));
}

static void run_update(struct vec *vec, struct rolling_alignment *alignment)
{
    json_t *list = vec_array(vec, vec->root, "observations"), *one;
    json_t *expect = vec_object(vec, vec->root, "expect");
    size_t i;
    json_array_foreach(list, i, one)
    {
        int64_t at = vec_time(vec, one, "at"), index = vec_int(vec, one, "index");
        struct rolling_alignment before = *alignment;
        bool taken = rolling_observe(alignment, at, index);
        if (!taken && memcmp(&before, alignment, sizeof(before)) != 0)
            vec_fail(vec, "a refused observation was kept");
    }
    vec_same_time(vec, expect, "alignment_date", alignment->at);
    vec_same_int(vec, expect, "alignment_index", alignment->index);
}

static void run_alignment(struct vec *vec)
{
    const char *kind = vec_text(vec, vec->root, "kind");
    struct rolling_alignment alignment = { vec_time(vec, vec->root, "alignment_date"),
                                           vec_int(vec, vec->root, "alignment_index") };
    if (strcmp(kind, "range") == 0)
        run_range(vec, &alignment);
    else if (strcmp(kind, "update") == 0)
        run_update(vec, &alignment);
    else
        vec_fail(vec, "unknown kind %s", kind);
}

static const struct vec_kind kinds[] = {
    { "rolling", run_rolling },
    { "alignment", run_alignment },
};

const struct vec_group vec_group_rolling = { kinds, sizeof(kinds) / sizeof(kinds[0]) };
