/* Key files of the projects in use, read into one shape.
 *
 * An import is all or nothing: the first problem refuses the file and names the line or record. What a file
 * states beside a private key (advertisement key, hash) must follow from it. A key that stands in a file
 * twice is taken once. No message repeats key material.
 *
 * Layouts: biemster/FindMy, macless-haystack, OpenHaystack, FindMy.py, and the decrypted records of macOS;
 * see docs/developers/findmy-keys.md. */
#ifndef FINDMY_KEYFILE_H
#define FINDMY_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "findmy/keys.h"
#include "findmy/rolling.h"

#define KEYFILE_MAX_SIZE (4u * 1024 * 1024) /* 25,000 keys in the longest text form */
#define KEYFILE_MAX_KEYS 20000              /* half a second of derivation */

enum keyfile_format {
    KEYFILE_AUTO,            /* told by the content */
    KEYFILE_KEYS_TEXT,       /* .keys: "Private key: ...", "Advertisement key: ...", "Hashed adv key: ..." */
    KEYFILE_BARE_LINES,      /* one private key a line, base64 or hex, # starts a comment */
    KEYFILE_DEVICES_JSON,    /* accessory list of macless-haystack and OpenHaystack mobile */
    KEYFILE_FINDMYPY_JSON,   /* one object with a "type" */
    KEYFILE_ACCESSORY_PLIST, /* decrypted OwnedBeacons record */
    KEYFILE_ALIGNMENT_PLIST, /* decrypted KeyAlignmentRecords record */
    KEYFILE_NAMING_PLIST,    /* decrypted BeaconNamingRecord */
    KEYFILE_OPENHAYSTACK_PLIST, /* array of FindMyDevice */
    KEYFILE_DEVICES_PLIST,      /* accessory list of OpenHaystack for the desktop */
    KEYFILE_BINARY,             /* for flashing: count byte, then advertisement keys; public only */
    KEYFILE_FORMATS
};

const char *keyfile_format_name(enum keyfile_format format); /* "auto", "keys-text", "bare-lines", ... */
MUST_CHECK bool keyfile_format_parse(const char *name, enum keyfile_format *format);

/* Place of a key among those of one tag. */
enum key_role { KEY_ROLE_NONE, KEY_ROLE_MAIN, KEY_ROLE_ADDITIONAL };

/* FindMy.py's key_type: of which chain a single key was. */
enum key_type { KEY_TYPE_UNKNOWN, KEY_TYPE_PRIMARY, KEY_TYPE_SECONDARY };

struct keyfile_key {
    uint8_t private_key[FINDMY_PRIVATE_SIZE]; /* zeros unless has_private */
    bool has_private;
    struct findmy_public public_key;
    const char *name; /* of the tag; NULL: the file gives none */
    enum key_role role;
    enum key_type type;
};

/* An OpenHaystack tag that derives its keys: see rolling_openhaystack(). Its master key is also among the
 * keys. */
struct keyfile_derivation {
    const char *name;
    uint8_t master[FINDMY_PRIVATE_SIZE];
    uint8_t seed[ROLLING_SEED_SIZE]; /* the oldest that matters, current at `since` */
    int64_t since;                   /* microseconds since 1970 */
    int64_t interval;                /* microseconds */
};

/* A paired accessory. Texts are NULL where the file has none (or an empty one). */
struct keyfile_accessory {
    uint8_t master[FINDMY_PRIVATE_SIZE];
    uint8_t skn[ROLLING_SEED_SIZE]; /* seed of the primary keys */
    uint8_t sks[ROLLING_SEED_SIZE]; /* seed of the secondary keys */
    int64_t paired_at;              /* microseconds since 1970 */
    bool aligned;                   /* the file holds an observation; otherwise alignment is (paired_at, 0) */
    struct rolling_alignment alignment;
    const char *name, *model, *identifier, *group_identifier, *serial;
};

struct keyfile_alignment {
    const char *beacon; /* identifier of the accessory */
    struct rolling_alignment alignment;
};

struct keyfile_naming {
    const char *beacon, *name, *emoji; /* name and emoji may be NULL */
};

struct keyfile {
    enum keyfile_format format; /* as found */
    struct keyfile_key *keys;
    size_t key_count;
    struct keyfile_derivation *derivations;
    size_t derivation_count;
    struct keyfile_accessory *accessories;
    size_t accessory_count;
    struct keyfile_alignment *alignments;
    size_t alignment_count;
    struct keyfile_naming *namings;
    size_t naming_count;
};

/* Read a file's content. Everything in *file lives in the arena; secrets there are wiped with it. Error
 * codes: "format" (unknown or not this one), "syntax", "key" (out of range, wrong length, not base64),
 * "mismatch" (a stated value does not follow from the key), "size". */
MUST_CHECK bool keyfile_parse(struct arena *arena, enum keyfile_format format, const void *data, size_t len,
                              struct keyfile *file, struct error *err);

/* The same for a path; "-" is standard input. Error "read" besides those above. */
MUST_CHECK bool keyfile_load(struct arena *arena, enum keyfile_format format, const char *path,
                             struct keyfile *file, struct error *err);

/* Records as macOS stores them, below com.apple.icloud.searchpartyd, are encrypted (AES-256-GCM) with the
 * generic attribute of the keychain item BeaconStore. */
#define KEYFILE_RECORD_KEY_SIZE 32

/* Open an encrypted record and read what is in it, as KEYFILE_AUTO. Error "auth": another key, or damaged. */
MUST_CHECK bool keyfile_parse_record(struct arena *arena, const uint8_t key[KEYFILE_RECORD_KEY_SIZE],
                                     const void *data, size_t len, struct keyfile *file, struct error *err);
MUST_CHECK bool keyfile_load_record(struct arena *arena, const uint8_t key[KEYFILE_RECORD_KEY_SIZE],
                                    const char *path, struct keyfile *file, struct error *err);

#endif
