/* Which values of a large file were seen before, and in which row: 16 bytes a value instead of the values.
 *
 * Values are told apart by keyed 64-bit fingerprints: two of 200,000 collide with probability 10^-9. A struct
 * of zeros is an empty set. */
#ifndef API_SEEN_H
#define API_SEEN_H

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

struct seen {
    uint8_t key[crypto_shorthash_KEYBYTES];
    struct seen_slot {
        uint64_t print; /* 0: free */
        int64_t row;    /* where it was seen first */
    } * slots;
    size_t size, count; /* size is a power of two */
};

/* The row where the value was seen before; or 0, and from now on it is seen in `row`. */
int64_t seen_before(struct seen *seen, const void *value, size_t len, int64_t row);

void seen_free(struct seen *seen);

#endif
