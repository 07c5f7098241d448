/* What the readers of key files share. Included by keyfile*.c only. */
#ifndef FINDMY_KEYFILE_INTERNAL_H
#define FINDMY_KEYFILE_INTERNAL_H

#include "findmy/keyfile.h"

struct reader {
    struct arena *arena;
    struct keyfile *file;
    size_t key_room;
    uint32_t *slots; /* hash table over keys: index + 1, 0 empty */
    size_t slot_count;
    struct error *err;
};

/* A key as a file states it; texts and bytes are borrowed. */
struct stated_key {
    const uint8_t *private_key; /* FINDMY_PRIVATE_SIZE or fewer bytes: leading zeros may be lost, see below */
    size_t private_len;
    const uint8_t *adv; /* NULL: not stated; may have lost leading zeros too */
    size_t adv_len;
    const uint8_t *hash; /* FINDMY_HASH_SIZE; NULL: not stated */
    const char *name;
    enum key_role role;
    enum key_type type;
};

/* Check a stated key and append it. A private key shorter than 28 bytes is taken only when the stated
 * advertisement key proves that it lost leading zeros: some tools write numbers short. */
MUST_CHECK bool keyfile_add(struct reader *reader, const struct stated_key *stated);

/* Decode a private key's text for keyfile_add(): base64 or hex, at most 28 bytes. bytes has
 * FINDMY_PRIVATE_SIZE. */
MUST_CHECK bool keyfile_private_text(const char *text, size_t text_len, uint8_t *bytes, size_t *len,
                                     struct error *err);

/* One entry of an accessory list, from JSON or plist. */
struct device_record {
    const char *name; /* NULL: none */
    bool derives;
    bool has_seed, has_since, has_interval;
    uint8_t seed[ROLLING_SEED_SIZE];
    double since;    /* seconds since 2001 */
    double interval; /* seconds */
};

/* Append the derivation of a record whose main key was added as keys[main_key]. */
MUST_CHECK bool keyfile_add_derivation(struct reader *reader, const struct device_record *record,
                                       size_t main_key);

/* Seconds since 2001 as microseconds since 1970; false when out of any calendar. */
MUST_CHECK bool keyfile_apple_time(double seconds, int64_t *usec);

/* Error "key" unless the master key of an accessory is in range. */
MUST_CHECK bool keyfile_check_master(const uint8_t master[FINDMY_PRIVATE_SIZE], struct error *err);

/* Text for keeping: NULL for NULL and "". */
const char *keyfile_keep_text(struct reader *reader, const char *text);

/* The readers. data is NUL-terminated behind len. */
MUST_CHECK bool keyfile_read_keys_text(struct reader *reader, const char *data, size_t len);
MUST_CHECK bool keyfile_read_bare_lines(struct reader *reader, const char *data, size_t len);
MUST_CHECK bool keyfile_read_binary(struct reader *reader, const char *data, size_t len);
MUST_CHECK bool keyfile_read_json(struct reader *reader, const char *data, size_t len);
MUST_CHECK bool keyfile_read_plist(struct reader *reader, const char *data, size_t len);

#endif
