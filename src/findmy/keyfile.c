/* Key files: which format a content is of, adding keys with their checks, and the text and binary forms. */
#include "findmy/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/parse.h"
#include "findmy/crypto.h"
#include "findmy/keyfile_internal.h"
#include "findmy/report.h"

static const char *const format_names[KEYFILE_FORMATS + 1] = {
    [KEYFILE_AUTO] = "auto",
    [KEYFILE_KEYS_TEXT] = "keys-text",
    [KEYFILE_BARE_LINES] = "bare-lines",
    [KEYFILE_DEVICES_JSON] = "devices-json",
    [KEYFILE_FINDMYPY_JSON] = "findmypy-json",
    [KEYFILE_ACCESSORY_PLIST] = "accessory-plist",
    [KEYFILE_ALIGNMENT_PLIST] = "alignment-plist",
    [KEYFILE_NAMING_PLIST] = "naming-plist",
    [KEYFILE_OPENHAYSTACK_PLIST] = "openhaystack-plist",
    [KEYFILE_DEVICES_PLIST] = "devices-plist",
    [KEYFILE_BINARY] = "keyfile-bin",
};

const char *keyfile_format_name(enum keyfile_format format)
{
    return format_names[format];
}

bool keyfile_format_parse(const char *name, enum keyfile_format *format)
{
    int index = word_index(format_names, name);
    if (index >= 0)
        *format = (enum keyfile_format)index;
    return index >= 0;
}

/* ---- adding keys ---- */

const char *keyfile_keep_text(struct reader *reader, const char *text)
{
    return text == NULL || *text == '\0' ? NULL : arena_strdup(reader->arena, text);
}

bool keyfile_private_text(const char *text, size_t text_len, uint8_t *bytes, size_t *len, struct error *err)
{
    uint8_t decoded[128];
    size_t got;
    if (findmy_private_parse(text, text_len, bytes, err)) {
        *len = FINDMY_PRIVATE_SIZE;
        return true;
    }
    /* Only a short one is left to the caller: its advertisement key may prove it. */
    bool is_short = base64_decode(text, text_len, decoded, sizeof(decoded), &got) && got > 0 &&
                    got < FINDMY_PRIVATE_SIZE;
    if (is_short) {
        memcpy(bytes, decoded, got);
        *len = got;
    }
    wipe(decoded, sizeof(decoded));
    return is_short;
}

bool keyfile_check_master(const uint8_t master[FINDMY_PRIVATE_SIZE], struct error *err)
{
    return p224_scalar_valid(master) ||
           error_set(err, "key", "the master key is out of range (zero, or not below the group order)");
}

/* Number with its leading zeros put back. False when it has more than size bytes. */
static bool pad(const uint8_t *number, size_t len, uint8_t *out, size_t size)
{
    if (len > size)
        return false;
    memset(out, 0, size - len);
    memcpy(out + size - len, number, len);
    return true;
}

static bool check_stated(const struct stated_key *stated, const struct findmy_public *made, struct error *err)
{
    uint8_t adv[FINDMY_ADV_SIZE];
    if (stated->adv != NULL &&
        (!pad(stated->adv, stated->adv_len, adv, sizeof(adv)) || memcmp(adv, made->adv, sizeof(adv)) != 0)) {
        /* The commonest mistake is worth its own words. */
        if (stated->adv_len == stated->private_len &&
            memcmp(stated->adv, stated->private_key, stated->adv_len) == 0)
            return error_set(err, "mismatch", "the advertisement key was given as the private key");
        return error_set(err, "mismatch", "the advertisement key does not belong to the private key");
    }
    if (stated->hash != NULL && memcmp(stated->hash, made->hash, FINDMY_HASH_SIZE) != 0)
        return error_set(err, "mismatch", "the hashed key does not belong to the private key");
    return true;
}

/* Position in the hash table of a key with this hash, or of the free place for it. */
static uint32_t *find_slot(const struct reader *reader, const uint8_t hash[FINDMY_HASH_SIZE])
{
    /* The hash is a SHA-256 already; whoever chooses keys to collide here only slows down the own import. */
    uint32_t start;
    memcpy(&start, hash, sizeof(start));
    for (size_t i = start % reader->slot_count;; i = (i + 1) % reader->slot_count) {
        uint32_t *slot = &reader->slots[i];
        if (*slot == 0 || memcmp(reader->file->keys[*slot - 1].public_key.hash, hash, FINDMY_HASH_SIZE) == 0)
            return slot;
    }
}

/* Room for one more key, and a hash table at most half full. */
static void make_room(struct reader *reader)
{
    struct keyfile *file = reader->file;
    if (file->key_count < reader->key_room)
        return;
    size_t room = reader->key_room == 0 ? 8 : reader->key_room * 2;
    struct keyfile_key *keys = arena_secret(reader->arena, room * sizeof(*keys));
    if (file->key_count > 0) {
        memcpy(keys, file->keys, file->key_count * sizeof(*keys));
        wipe(file->keys, file->key_count * sizeof(*keys));
    }
    file->keys = keys;
    reader->key_room = room;
    reader->slot_count = room * 2;
    reader->slots = arena_zalloc(reader->arena, reader->slot_count, sizeof(*reader->slots));
    for (size_t i = 0; i < file->key_count; i++)
        *find_slot(reader, keys[i].public_key.hash) = (uint32_t)i + 1;
}

static bool append_key(struct reader *reader, const struct keyfile_key *key)
{
    if (reader->file->key_count == KEYFILE_MAX_KEYS)
        return error_set(reader->err, "size", "more than %d keys", KEYFILE_MAX_KEYS);
    make_room(reader);
    uint32_t *slot = find_slot(reader, key->public_key.hash);
    if (*slot != 0)
        return true;
    reader->file->keys[reader->file->key_count++] = *key;
    *slot = (uint32_t)reader->file->key_count;
    return true;
}

bool keyfile_add(struct reader *reader, const struct stated_key *stated)
{
    struct keyfile_key key = { .has_private = true, .role = stated->role, .type = stated->type };
    if (stated->private_len > FINDMY_PRIVATE_SIZE ||
        (stated->private_len < FINDMY_PRIVATE_SIZE && stated->adv == NULL))
        return error_set(reader->err, "key", "the private key has %zu bytes, not %d", stated->private_len,
                         FINDMY_PRIVATE_SIZE);
    bool done = pad(stated->private_key, stated->private_len, key.private_key, sizeof(key.private_key)) &&
                findmy_derive(key.private_key, &key.public_key, reader->err) &&
                check_stated(stated, &key.public_key, reader->err);
    if (done) {
        key.name = keyfile_keep_text(reader, stated->name);
        done = append_key(reader, &key);
    }
    wipe(&key, sizeof(key));
    return done;
}

bool keyfile_apple_time(double seconds, int64_t *usec)
{
    double unix_seconds = seconds + (double)REPORT_EPOCH;
    double micros = unix_seconds * (double)USEC_PER_SEC;
    if (!isfinite(micros) || micros < (double)TIME_MIN || micros > (double)TIME_MAX)
        return false;
    *usec = (int64_t)micros;
    return true;
}

bool keyfile_add_derivation(struct reader *reader, const struct device_record *record, size_t main_key)
{
    struct keyfile *file = reader->file;
    struct keyfile_derivation derivation = { 0 };
    if (!record->has_seed || !record->has_since || !record->has_interval)
        return error_set(reader->err, "syntax",
                         "a tag that derives its keys needs symmetricKey, "
                         "lastDerivationTimestamp and updateInterval");
    /* from one minute to a year: everything else is a mistake, and 0 would never end */
    if (!(record->interval >= 60) || record->interval > 366.0 * 86400 ||
        !keyfile_apple_time(record->since, &derivation.since))
        return error_set(reader->err, "syntax", "lastDerivationTimestamp or updateInterval is out of range");
    derivation.name = keyfile_keep_text(reader, record->name);
    derivation.interval = (int64_t)(record->interval * (double)USEC_PER_SEC);
    memcpy(derivation.master, file->keys[main_key].private_key, sizeof(derivation.master));
    memcpy(derivation.seed, record->seed, sizeof(derivation.seed));

    /* such tags are few in a file: one more place each time is good enough */
    size_t n = file->derivation_count;
    struct keyfile_derivation *list = arena_secret(reader->arena, (n + 1) * sizeof(*list));
    if (n > 0)
        memcpy(list, file->derivations, n * sizeof(*list));
    list[n] = derivation;
    wipe(&derivation, sizeof(derivation));
    file->derivations = list;
    file->derivation_count = n + 1;
    return true;
}

/* ---- lines ---- */

struct line {
    const char *text;
    size_t len;
    unsigned number; /* from 1 */
};

static void trim(struct line *line)
{
    while (line->len > 0 && strchr(" \t\r\f\v", line->text[line->len - 1]) != NULL)
        line->len--;
    while (line->len > 0 && strchr(" \t\r\f\v", *line->text) != NULL) {
        line->text++;
        line->len--;
    }
}

/* Take the next line off the content, without blanks at its ends. */
static bool next_line(const char **data, size_t *len, struct line *line)
{
    if (*len == 0)
        return false;
    const char *end = memchr(*data, '\n', *len);
    size_t size = end == NULL ? *len : (size_t)(end - *data);
    line->text = *data;
    line->len = size;
    line->number++;
    size += end != NULL;
    *data += size;
    *len -= size;
    trim(line);
    return true;
}

bool keyfile_read_bare_lines(struct reader *reader, const char *data, size_t len)
{
    struct line line = { 0 };
    while (next_line(&data, &len, &line)) {
        const char *comment = memchr(line.text, '#', line.len);
        if (comment != NULL)
            line.len = (size_t)(comment - line.text);
        trim(&line);
        if (line.len == 0)
            continue;
        uint8_t bytes[FINDMY_PRIVATE_SIZE];
        struct stated_key stated = { .private_key = bytes };
        bool added = keyfile_private_text(line.text, line.len, bytes, &stated.private_len, reader->err) &&
                     keyfile_add(reader, &stated);
        wipe(bytes, sizeof(bytes));
        if (!added)
            return error_prefix(reader->err, "line %u", line.number);
    }
    return true;
}

enum label { LABEL_PRIVATE, LABEL_ADV, LABEL_HASH, LABELS };

static const char *const labels[LABELS] = { "Private key", "Advertisement key", "Hashed adv key" };

/* Lines of one key, in any order. */
struct triple {
    struct line values[LABELS]; /* number 0: not there */
};

static bool is_empty(const struct triple *triple)
{
    return triple->values[LABEL_PRIVATE].number == 0 && triple->values[LABEL_ADV].number == 0 &&
           triple->values[LABEL_HASH].number == 0;
}

/* "Label: value"; LABELS when it is none of ours. */
static enum label split_label(const struct line *line, struct line *value)
{
    for (int i = 0; i < LABELS; i++) {
        size_t size = strlen(labels[i]);
        if (line->len <= size || strncasecmp(line->text, labels[i], size) != 0)
            continue;
        *value = (struct line){ line->text + size, line->len - size, line->number };
        trim(value);
        if (value->len == 0 || value->text[0] != ':')
            continue;
        value->text++;
        value->len--;
        trim(value);
        return (enum label)i;
    }
    return LABELS;
}

static bool add_triple(struct reader *reader, const struct triple *triple)
{
    const struct line *private_line = &triple->values[LABEL_PRIVATE], *adv_line = &triple->values[LABEL_ADV],
                      *hash_line = &triple->values[LABEL_HASH];
    uint8_t bytes[FINDMY_PRIVATE_SIZE], adv[FINDMY_ADV_SIZE], hash[FINDMY_HASH_SIZE];
    struct stated_key stated = { .private_key = bytes };
    size_t hash_len;

    if (private_line->number == 0) {
        unsigned number = adv_line->number != 0 ? adv_line->number : hash_line->number;
        return error_set(reader->err, "syntax", "line %u: no private key belongs to this line", number);
    }
    if (adv_line->number != 0) {
        if (!base64_decode(adv_line->text, adv_line->len, adv, sizeof(adv), &stated.adv_len))
            return error_set(reader->err, "key", "line %u: the advertisement key is not base64 of 28 bytes",
                             adv_line->number);
        stated.adv = adv;
    }
    if (hash_line->number != 0) {
        if (!base64_decode(hash_line->text, hash_line->len, hash, sizeof(hash), &hash_len) ||
            hash_len != sizeof(hash))
            return error_set(reader->err, "key", "line %u: the hashed key is not base64 of 32 bytes",
                             hash_line->number);
        stated.hash = hash;
    }
    bool added = keyfile_private_text(private_line->text, private_line->len, bytes, &stated.private_len,
                                      reader->err) &&
                 keyfile_add(reader, &stated);
    wipe(bytes, sizeof(bytes));
    return added || error_prefix(reader->err, "line %u", private_line->number);
}

bool keyfile_read_keys_text(struct reader *reader, const char *data, size_t len)
{
    struct line line = { 0 };
    struct triple triple = { 0 };
    while (next_line(&data, &len, &line)) {
        if (line.len == 0 || line.text[0] == '#')
            continue;
        struct line value;
        enum label label = split_label(&line, &value);
        if (label == LABELS)
            return error_set(reader->err, "syntax",
                             "line %u: neither a private key, an advertisement key nor "
                             "a hashed key",
                             line.number);
        /* A label that is there already starts the next key. */
        if (triple.values[label].number != 0) {
            if (!add_triple(reader, &triple))
                return false;
            triple = (struct triple){ 0 };
        }
        triple.values[label] = value;
    }
    return is_empty(&triple) || add_triple(reader, &triple);
}

/* ---- binary ---- */

static bool has_binary_size(const char *data, size_t len)
{
    return len > 0 && data[0] != 0 && len == 1 + (size_t)(uint8_t)data[0] * FINDMY_ADV_SIZE;
}

bool keyfile_read_binary(struct reader *reader, const char *data, size_t len)
{
    if (!has_binary_size(data, len))
        return error_set(reader->err, "syntax", "the first byte does not count the %d-byte keys after it",
                         FINDMY_ADV_SIZE);
    for (size_t at = 1; at < len; at += FINDMY_ADV_SIZE) {
        struct keyfile_key key = { 0 };
        memcpy(key.public_key.adv, data + at, FINDMY_ADV_SIZE);
        if (!findmy_hash(key.public_key.adv, key.public_key.hash))
            return error_set(reader->err, "internal", "OpenSSL cannot hash");
        if (!append_key(reader, &key))
            return false;
    }
    return true;
}

/* ---- which format ---- */

static bool looks_like_text(const char *data, size_t len)
{
    static const char blanks[] = { '\t', '\r', '\n', '\f', '\v' };
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)data[i] < ' ' && memchr(blanks, data[i], sizeof(blanks)) == NULL)
            return false;
    return true;
}

static bool has_label(const char *data, size_t len)
{
    struct line line = { 0 }, value;
    while (next_line(&data, &len, &line))
        if (split_label(&line, &value) != LABELS)
            return true;
    return false;
}

/* The family that reads a content: one of KEYS_TEXT, BARE_LINES, DEVICES_JSON (all JSON), ACCESSORY_PLIST
 * (all plists), BINARY. */
static enum keyfile_format guess(const char *data, size_t len)
{
    if (len >= 8 && memcmp(data, "bplist00", 8) == 0)
        return KEYFILE_ACCESSORY_PLIST;
    if (has_binary_size(data, len) && !looks_like_text(data, len))
        return KEYFILE_BINARY;
    const char *first = data + strspn(data, " \t\r\n");
    if (*first == '<')
        return KEYFILE_ACCESSORY_PLIST;
    if (*first == '{' || *first == '[')
        return KEYFILE_DEVICES_JSON;
    return has_label(data, len) ? KEYFILE_KEYS_TEXT : KEYFILE_BARE_LINES;
}

typedef bool read_fn(struct reader *reader, const char *data, size_t len);

static read_fn *const readers[KEYFILE_FORMATS] = {
    [KEYFILE_KEYS_TEXT] = keyfile_read_keys_text,   [KEYFILE_BARE_LINES] = keyfile_read_bare_lines,
    [KEYFILE_DEVICES_JSON] = keyfile_read_json,     [KEYFILE_FINDMYPY_JSON] = keyfile_read_json,
    [KEYFILE_ACCESSORY_PLIST] = keyfile_read_plist, [KEYFILE_ALIGNMENT_PLIST] = keyfile_read_plist,
    [KEYFILE_NAMING_PLIST] = keyfile_read_plist,    [KEYFILE_OPENHAYSTACK_PLIST] = keyfile_read_plist,
    [KEYFILE_DEVICES_PLIST] = keyfile_read_plist,   [KEYFILE_BINARY] = keyfile_read_binary,
};

static bool holds_nothing(const struct keyfile *file)
{
    return file->key_count == 0 && file->accessory_count == 0 && file->alignment_count == 0 &&
           file->naming_count == 0;
}

bool keyfile_parse(struct arena *arena, enum keyfile_format format, const void *data, size_t len,
                   struct keyfile *file, struct error *err)
{
    if (len > KEYFILE_MAX_SIZE)
        return error_set(err, "size", "the file has more than %u bytes", KEYFILE_MAX_SIZE);
    /* A copy with a NUL behind it; files of Windows' Notepad start with a byte order mark. */
    char *copy = arena_secret(arena, len + 1);
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    if (len >= 3 && memcmp(copy, "\xef\xbb\xbf", 3) == 0) {
        copy += 3;
        len -= 3;
    }
    struct keyfile found = { 0 };
    struct error reason = { "", "" };
    struct reader reader = { .arena = arena, .file = &found, .err = err != NULL ? err : &reason };
    enum keyfile_format read_as = format == KEYFILE_AUTO ? guess(copy, len) : format;

    found.format = read_as;
    if (!readers[read_as](&reader, copy, len))
        return false;
    if (format != KEYFILE_AUTO && found.format != format)
        return error_set(err, "format", "this is %s, not %s", format_names[found.format],
                         format_names[format]);
    if (holds_nothing(&found))
        return error_set(err, "syntax", "no keys in it");
    *file = found;
    return true;
}

static bool read_all(int fd, char *data, size_t size, size_t *len)
{
    *len = 0;
    while (*len < size) {
        ssize_t got = read(fd, data + *len, size - *len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        *len += (size_t)got;
    }
    return true;
}

/* Whole content of a path, at most one byte more than is allowed: enough to see that it is too long. */
static bool load(struct arena *arena, const char *path, char **data, size_t *len, struct error *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, "read", "cannot open %s: %s", path, strerror(errno));
    const size_t size = (size_t)KEYFILE_MAX_SIZE + 1;
    *data = arena_secret(arena, size);
    bool done = read_all(fd, *data, size, len) ||
                error_set(err, "read", "cannot read %s: %s", path, strerror(errno));
    if (!is_stdin)
        close(fd);
    return done;
}

bool keyfile_load(struct arena *arena, enum keyfile_format format, const char *path, struct keyfile *file,
                  struct error *err)
{
    char *data = NULL;
    size_t len = 0;
    if (!load(arena, path, &data, &len, err))
        return false;
    return keyfile_parse(arena, format, data, len, file, err) || error_prefix(err, "%s", path);
}

bool keyfile_load_record(struct arena *arena, const uint8_t key[KEYFILE_RECORD_KEY_SIZE], const char *path,
                         struct keyfile *file, struct error *err)
{
    char *data = NULL;
    size_t len = 0;
    if (!load(arena, path, &data, &len, err))
        return false;
    return keyfile_parse_record(arena, key, data, len, file, err) || error_prefix(err, "%s", path);
}
