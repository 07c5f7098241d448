/* An open-addressed hash set of fingerprints. */
#include "api/seen.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 1024

static struct seen_slot *place_of(const struct seen *seen, uint64_t print)
{
    size_t at = print & (seen->size - 1);
    while (seen->slots[at].print != 0 && seen->slots[at].print != print)
        at = (at + 1) & (seen->size - 1);
    return &seen->slots[at];
}

static void grow(struct seen *seen)
{
    struct seen old = *seen;
    if (old.size == 0)
        crypto_shorthash_keygen(seen->key);
    seen->size = old.size == 0 ? FIRST_SIZE : old.size * 2;
    seen->slots = calloc(seen->size, sizeof(*seen->slots));
    if (seen->slots == NULL)
        abort();
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].print != 0)
            *place_of(seen, old.slots[i].print) = old.slots[i];
    free(old.slots);
}

int64_t seen_before(struct seen *seen, const void *value, size_t len, int64_t row)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t print;
    if (seen->count * 2 >= seen->size)
        grow(seen);
    crypto_shorthash(hash, value, len, seen->key);
    memcpy(&print, hash, sizeof(print));
    print |= print == 0; /* which marks a free slot */
    struct seen_slot *slot = place_of(seen, print);
    if (slot->print == print)
        return slot->row;
    *slot = (struct seen_slot){ print, row };
    seen->count++;
    return 0;
}

void seen_free(struct seen *seen)
{
    free(seen->slots);
    *seen = (struct seen){ .slots = NULL };
}
