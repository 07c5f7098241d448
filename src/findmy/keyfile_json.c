/* Key files in JSON: accessory lists (macless-haystack, OpenHaystack mobile) and FindMy.py's objects. */
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "findmy/keyfile_internal.h"

/* ---- typed fields; an explicit null counts as absent ---- */

static json_t *get(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

/* Text of a field, NULL when absent. False when it is there with another type. */
static bool opt_text(const json_t *object, const char *key, const char **text, struct error *err)
{
    const json_t *value = get(object, key);
    *text = json_string_value(value);
    return value == NULL || *text != NULL || error_set(err, "syntax", "%s is not a text", key);
}

/* Bytes of a field of fixed size in hex. */
static bool hex_field(const json_t *object, const char *key, uint8_t *out, size_t size, struct error *err)
{
    const char *text;
    if (!opt_text(object, key, &text, err))
        return false;
    if (text == NULL)
        return error_set(err, "syntax", "%s is missing", key);
    return hex_decode_exact(text, out, size) ||
           error_set(err, "key", "%s is not %zu hex digits", key, size * 2);
}

/* A private key in base64 or hex, added with what is known of it. */
static bool add_text(struct reader *reader, const json_t *value, const char *field, struct stated_key stated)
{
    uint8_t bytes[FINDMY_PRIVATE_SIZE];
    if (!json_is_string(value))
        return error_set(reader->err, "syntax", "%s is %s", field, value == NULL ? "missing" : "not a text");
    stated.private_key = bytes;
    bool added = keyfile_private_text(json_string_value(value), json_string_length(value), bytes,
                                      &stated.private_len, reader->err) &&
                 keyfile_add(reader, &stated);
    wipe(bytes, sizeof(bytes));
    return added || error_prefix(reader->err, "%s", field);
}

/* ---- accessory lists ---- */

static bool read_derivation(struct reader *reader, const json_t *object, struct device_record *record)
{
    const char *seed, *oldest;
    if (!opt_text(object, "symmetricKey", &seed, reader->err) ||
        !opt_text(object, "oldestRelevantSymmetricKey", &oldest, reader->err))
        return false;
    const json_t *since = get(object, "lastDerivationTimestamp"), *interval = get(object, "updateInterval");
    /* The timestamp belongs to the oldest seed; OpenHaystack itself falls back to the first one. */
    if (oldest != NULL)
        seed = oldest;
    record->has_seed = seed != NULL;
    if (seed != NULL && !base64_decode_exact(seed, record->seed, sizeof(record->seed)))
        return error_set(reader->err, "key", "symmetricKey is not base64 of %d bytes", ROLLING_SEED_SIZE);
    record->has_since = json_is_number(since);
    record->since = json_number_value(since);
    record->has_interval = json_is_number(interval);
    record->interval = json_number_value(interval);
    return true;
}

static bool read_device(struct reader *reader, const json_t *object, struct device_record *record)
{
    struct stated_key stated = { .role = KEY_ROLE_MAIN };
    if (!opt_text(object, "name", &record->name, reader->err))
        return false;
    stated.name = record->name;
    size_t main_key = reader->file->key_count;
    if (!add_text(reader, get(object, "privateKey"), "privateKey", stated))
        return false;

    const json_t *more = get(object, "additionalKeys"), *one;
    if (more != NULL && !json_is_array(more))
        return error_set(reader->err, "syntax", "additionalKeys is not a list");
    size_t i;
    stated.role = KEY_ROLE_ADDITIONAL;
    json_array_foreach(more, i, one)
    {
        if (!add_text(reader, one, "additionalKeys", stated))
            return false;
    }

    record->derives = json_is_true(get(object, "usesDerivation"));
    if (!record->derives)
        return true;
    if (reader->file->key_count == main_key)
        return error_set(reader->err, "syntax", "the key of this record stands in the file twice");
    return read_derivation(reader, object, record) && keyfile_add_derivation(reader, record, main_key);
}

static bool read_devices(struct reader *reader, const json_t *root)
{
    const json_t *object;
    size_t i;
    reader->file->format = KEYFILE_DEVICES_JSON;
    json_array_foreach(root, i, object)
    {
        if (!json_is_object(object))
            return error_set(reader->err, "syntax", "record %zu is not an object", i + 1);
        struct device_record record = { 0 };
        bool done = read_device(reader, object, &record);
        wipe(record.seed, sizeof(record.seed));
        if (!done)
            return error_prefix(reader->err, record.name == NULL ? "record %zu" : "record %zu (%.60s)", i + 1,
                                record.name == NULL ? "" : record.name);
    }
    return true;
}

/* ---- FindMy.py ---- */

static bool read_keypair(struct reader *reader, const json_t *root)
{
    struct stated_key stated = { 0 };
    const json_t *type = get(root, "key_type");
    double value = json_number_value(type);
    if (type != NULL && value != KEY_TYPE_UNKNOWN && value != KEY_TYPE_PRIMARY && value != KEY_TYPE_SECONDARY)
        return error_set(reader->err, "syntax", "key_type is not 0, 1 or 2");
    stated.type = (enum key_type)value;
    return opt_text(root, "name", &stated.name, reader->err) &&
           add_text(reader, get(root, "private_key"), "private_key", stated);
}

static bool read_custom(struct reader *reader, const json_t *root)
{
    struct stated_key stated = { 0 };
    const json_t *list = get(root, "private_keys"), *one;
    size_t i;
    if (!json_is_array(list))
        return error_set(reader->err, "syntax", "private_keys is not a list");
    if (!opt_text(root, "name", &stated.name, reader->err))
        return false;
    json_array_foreach(list, i, one)
    {
        if (!add_text(reader, one, "private_keys", stated))
            return error_prefix(reader->err, "entry %zu", i + 1);
    }
    return true;
}

/* ISO 8601 as Python writes it. One without a zone is UTC, like the records it came from. */
static bool time_field(const json_t *object, const char *key, bool *there, int64_t *usec, struct error *err)
{
    const char *text;
    char utc[64];
    if (!opt_text(object, key, &text, err))
        return false;
    *there = text != NULL;
    if (text == NULL || time_parse(text, usec))
        return true;
    snprintf(utc, sizeof(utc), "%.60sZ", text);
    return time_parse(utc, usec) || error_set(err, "syntax", "%s is not a time", key);
}

static bool read_alignment(const json_t *root, struct keyfile_accessory *accessory, struct error *err)
{
    const json_t *index = get(root, "alignment_index");
    bool there;
    accessory->alignment = (struct rolling_alignment){ accessory->paired_at, 0 };
    if (!time_field(root, "alignment_date", &there, &accessory->alignment.at, err))
        return false;
    if (there != (index != NULL))
        return error_set(err, "syntax", "alignment_date and alignment_index go together");
    if (!there)
        return true;
    double value = json_number_value(index);
    if (!json_is_number(index) || value < 0 || value > ROLLING_MAX_INDEX || value != (double)(int64_t)value)
        return error_set(err, "syntax", "alignment_index is out of range");
    accessory->aligned = true;
    accessory->alignment.index = (int64_t)value;
    return true;
}

static bool read_accessory(struct reader *reader, const json_t *root)
{
    struct keyfile_accessory *a = arena_secret(reader->arena, sizeof(*a));
    static const struct {
        const char *key;
        size_t offset;
    } texts[] = {
        { "name", offsetof(struct keyfile_accessory, name) },
        { "model", offsetof(struct keyfile_accessory, model) },
        { "identifier", offsetof(struct keyfile_accessory, identifier) },
        { "group_identifier", offsetof(struct keyfile_accessory, group_identifier) },
        { "serial_number", offsetof(struct keyfile_accessory, serial) },
    };
    bool there;
    if (!hex_field(root, "master_key", a->master, sizeof(a->master), reader->err) ||
        !hex_field(root, "skn", a->skn, sizeof(a->skn), reader->err) ||
        !hex_field(root, "sks", a->sks, sizeof(a->sks), reader->err) ||
        !keyfile_check_master(a->master, reader->err) ||
        !time_field(root, "paired_at", &there, &a->paired_at, reader->err))
        return false;
    if (!there)
        return error_set(reader->err, "syntax", "paired_at is missing");
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const char *text;
        if (!opt_text(root, texts[i].key, &text, reader->err))
            return false;
        *(const char **)((char *)a + texts[i].offset) = keyfile_keep_text(reader, text);
    }
    if (!read_alignment(root, a, reader->err))
        return false;
    reader->file->accessories = a;
    reader->file->accessory_count = 1;
    return true;
}

static bool read_decrypted_report(struct reader *reader, const json_t *root)
{
    const json_t *key = get(root, "key");
    return json_is_object(key) ? read_keypair(reader, key)
                               : error_set(reader->err, "syntax", "key is missing");
}

static bool refuse_report(struct reader *reader, const json_t *root)
{
    (void)root;
    return error_set(reader->err, "format", "this is a report without its key, not a key file");
}

static bool refuse_account(struct reader *reader, const json_t *root)
{
    (void)root;
    return error_set(reader->err, "format", "this is an account's sign-in state, not a key file");
}

static bool read_findmypy(struct reader *reader, const json_t *root)
{
    static const struct {
        const char *type;
        bool (*read)(struct reader *reader, const json_t *root);
    } types[] = {
        { "keypair", read_keypair },
        { "custom_rolling_key_accessory", read_custom },
        { "accessory", read_accessory },
        { "locReportDecrypted", read_decrypted_report },
        { "locReportEncrypted", refuse_report },
        { "account", refuse_account },
    };
    reader->file->format = KEYFILE_FINDMYPY_JSON;
    const char *type = json_string_value(get(root, "type"));
    for (size_t i = 0; type != NULL && i < ARRAY_LEN(types); i++)
        if (strcmp(types[i].type, type) == 0)
            return types[i].read(reader, root);
    return error_set(reader->err, "format", "the object's type is unknown");
}

/* Overwrite every text of a tree: jansson frees without wiping. */
static void wipe_texts(json_t *value)
{
    const char *key;
    json_t *child;
    size_t i;
    if (json_is_string(value)) {
        wipe((char *)(uintptr_t)json_string_value(value), json_string_length(value));
        return;
    }
    json_object_foreach(value, key, child)
    {
        wipe_texts(child);
    }
    json_array_foreach(value, i, child)
    {
        wipe_texts(child);
    }
}

bool keyfile_read_json(struct reader *reader, const char *data, size_t len)
{
    /* Ids of OpenHaystack may be beyond 64 bits; as reals they do no harm, since nothing here needs them. */
    json_error_t problem;
    json_t *root = json_loadb(data, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &problem);
    if (root == NULL)
        return error_set(reader->err, "syntax", "not JSON (line %d, column %d)", problem.line,
                         problem.column);
    bool done = json_is_array(root) ? read_devices(reader, root) : read_findmypy(reader, root);
    wipe_texts(root);
    json_decref(root);
    return done;
}
