/* Vectors of key files: keyfiles. */
#include <string.h>

#include "findmy/keyfile.h"
#include "vectors.h"

static const char *role_name(enum key_role role)
{
    static const char *const names[] = { NULL, "main", "additional" };
    return names[role];
}

static void same_keys(struct vec *vec, json_t *list, const struct keyfile *file)
{
    json_t *want;
    size_t i;
    if (json_array_size(list) != file->key_count)
        vec_fail(vec, "%zu keys, not %zu", file->key_count, json_array_size(list));
    json_array_foreach(list, i, want)
    {
        if (i >= file->key_count)
            return;
        const struct keyfile_key *key = &file->keys[i];
        if (!key->has_private)
            vec_fail(vec, "key %zu has no private key", i);
        vec_same_hex(vec, want, "private_hex", key->private_key, FINDMY_PRIVATE_SIZE);
        vec_same_hex(vec, want, "adv_hex", key->public_key.adv, FINDMY_ADV_SIZE);
        vec_same_b64(vec, want, "hashed_b64", key->public_key.hash, FINDMY_HASH_SIZE);
        if (vec_has(want, "name"))
            vec_same_text(vec, want, "name", key->name);
        if (vec_has(want, "role"))
            vec_same_text(vec, want, "role", role_name(key->role));
        if (vec_has(want, "key_type"))
            vec_same_int(vec, want, "key_type", key->type);
    }
}

static void same_adv(struct vec *vec, json_t *list, const struct keyfile *file)
{
    if (json_array_size(list) != file->key_count)
        vec_fail(vec, "%zu keys, not %zu", file->key_count, json_array_size(list));
    for (size_t i = 0; i < file->key_count && i < json_array_size(list); i++) {
        char text[HEX_SIZE(FINDMY_ADV_SIZE)];
        hex_encode(file->keys[i].public_key.adv, FINDMY_ADV_SIZE, text);
        const char *want = json_string_value(json_array_get(list, i));
        if (want == NULL || strcmp(want, text) != 0)
            vec_fail(vec, "key %zu is %s", i, text);
        if (file->keys[i].has_private)
            vec_fail(vec, "key %zu has a private key", i);
    }
}

static void same_accessory(struct vec *vec, json_t *want, const struct keyfile *file)
{
    if (file->accessory_count != 1) {
        vec_fail(vec, "%zu accessories", file->accessory_count);
        return;
    }
    const struct keyfile_accessory *got = &file->accessories[0];
    const struct {
        const char *key, *text;
    } texts[] = {
        { "name", got->name },
        { "model", got->model },
        { "identifier", got->identifier },
        { "group_identifier", got->group_identifier },
        { "serial", got->serial },
    };
    vec_same_hex(vec, want, "master_hex", got->master, sizeof(got->master));
    vec_same_hex(vec, want, "skn_hex", got->skn, sizeof(got->skn));
    vec_same_hex(vec, want, "sks_hex", got->sks, sizeof(got->sks));
    vec_same_time(vec, want, "paired_at", got->paired_at);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (vec_has(want, texts[i].key))
            vec_same_text(vec, want, texts[i].key, texts[i].text);
    bool aligned = vec_opt_text(vec, want, "alignment_at") != NULL;
    if (aligned != got->aligned)
        vec_fail(vec, "aligned: %d", got->aligned);
    if (aligned) {
        vec_same_time(vec, want, "alignment_at", got->alignment.at);
        vec_same_int(vec, want, "alignment_index", got->alignment.index);
    } else {
        vec_whole(vec, want, "alignment_index");
    }
}

static void same_alignment(struct vec *vec, json_t *want, const struct keyfile *file)
{
    if (file->alignment_count != 1) {
        vec_fail(vec, "%zu alignments", file->alignment_count);
        return;
    }
    vec_same_text(vec, want, "beacon", file->alignments[0].beacon);
    vec_same_time(vec, want, "at", file->alignments[0].alignment.at);
    vec_same_int(vec, want, "index", file->alignments[0].alignment.index);
}

static void same_file(struct vec *vec, json_t *expect, const struct keyfile *file)
{
    if (vec_has(expect, "keys"))
        same_keys(vec, vec_array(vec, expect, "keys"), file);
    else if (vec_has(expect, "adv_hex"))
        same_adv(vec, vec_array(vec, expect, "adv_hex"), file);
    else if (file->key_count > 0)
        vec_fail(vec, "%zu keys that are not expected", file->key_count);
    if (vec_has(expect, "accessory"))
        same_accessory(vec, vec_object(vec, expect, "accessory"), file);
    if (vec_has(expect, "alignment"))
        same_alignment(vec, vec_object(vec, expect, "alignment"), file);
}

/* Read as the stated format, and once more with the format found out. */
static void run_keyfiles(struct vec *vec)
{
    const char *name = vec_text(vec, vec->root, "format");
    json_t *expect = vec_object(vec, vec->root, "expect");
    const char *result = vec_text(vec, expect, "result"), *data;
    enum keyfile_format format;
    size_t len;
    if (vec_has(vec->root, "text")) {
        data = vec_text(vec, vec->root, "text");
        len = strlen(data);
    } else {
        data = (const char *)vec_b64(vec, vec->root, "data_b64", 0, &len);
    }
    if (!keyfile_format_parse(name, &format) || format == KEYFILE_AUTO) {
        vec_fail(vec, "unknown format %s", name);
        return;
    }
    bool ok = strcmp(result, "ok") == 0;
    if (!ok && strcmp(result, "reject") != 0)
        vec_fail(vec, "unknown result %s", result);

    const enum keyfile_format ways[] = { format, KEYFILE_AUTO };
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct keyfile file = { 0 };
        struct error err = { "", "" };
        bool got = keyfile_parse(vec->arena, ways[i], data, len, &file, &err);
        if (got != ok)
            vec_fail(vec, "%s: %s", got ? "accepted" : "refused", err.message);
        else if (got && file.format != format)
            vec_fail(vec, "taken for %s", keyfile_format_name(file.format));
        else if (got)
            same_file(vec, expect, &file);
        else if (err.message[0] == '\0')
            vec_fail(vec, "refused without a reason");
    }
}

static const struct vec_kind kinds[] = { { "keyfiles", run_keyfiles } };

const struct vec_group vec_group_keyfiles = { kinds, sizeof(kinds) / sizeof(kinds[0]) };
