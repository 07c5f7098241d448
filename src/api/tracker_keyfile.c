/* Import of trackers from key files: JSON, .keys and property lists, read whole since they are small. */
#include <string.h>

#include "api/tracker_import.h"
#include "base/timeutil.h"
#include "findmy/keyfile.h"

/* A clock that is ahead, of whoever paired the accessory. */
#define PAIRED_AHEAD DAYS(1)

static bool add_key(struct load *load, const struct keyfile_key *key, int64_t row, const char **last)
{
    char mac_text[FINDMY_MAC_TEXT];
    uint8_t mac[FINDMY_MAC_SIZE];
    findmy_mac(key->public_key.adv, mac);
    struct load_item item = { .row = row,
                              .name = key->name != NULL ? key->name : findmy_mac_text(mac, mac_text),
                              .private_key = key->private_key,
                              .public_key = key->public_key };
    if (!key->has_private) {
        load_error(load, row, "private_key", "required", "the file holds only the public key");
        load_skip(load);
        return true;
    }
    /* The main key of a tag may stand in the file twice and is taken once: then its others have no tracker.
     */
    item.more = key->role == KEY_ROLE_ADDITIONAL && key->name != NULL && *last != NULL &&
                strcmp(key->name, *last) == 0;
    *last = key->name;
    return load_add(load, &item);
}

/* The keys of 50 years are as far as a chain is walked; before that there was no Find My either. */
static bool times_valid(struct load *load, const struct keyfile_accessory *accessory, int64_t row)
{
    int64_t now = time_now();
    if (accessory->paired_at > now + PAIRED_AHEAD ||
        rolling_index_at(&accessory->alignment, now) > ROLLING_MAX_INDEX)
        load_error(load, row, "paired_at", "invalid", "is in the future, or too long ago");
    else if (accessory->alignment.at > now + PAIRED_AHEAD) /* a later observation would never move it */
        load_error(load, row, "alignment_date", "invalid", "is in the future");
    else
        return true;
    return false;
}

static bool add_accessory(struct load *load, const struct keyfile_accessory *accessory, int64_t row)
{
    const char *const names[] = { accessory->name, accessory->identifier, accessory->serial };
    struct load_item item = { .row = row, .name = "", .accessory = accessory };
    for (size_t i = 0; item.name[0] == '\0' && i < ARRAY_LEN(names); i++)
        if (names[i] != NULL)
            item.name = names[i];
    if (times_valid(load, accessory, row))
        return load_add(load, &item);
    load_skip(load);
    return true;
}

bool tracker_keyfile_load(struct request *req, struct load *load, struct upload_part part)
{
    struct error err;
    struct keyfile file = { 0 };
    const char *last = NULL;
    int64_t row = 0;
    if (!keyfile_parse(req->arena, KEYFILE_AUTO, part.data, part.len, &file, &err)) {
        load_error(load, 0, "", err.code, "%s", err.message);
        return true;
    }
    if (file.derivation_count > 0)
        load_error(load, 0, "", "unsupported",
                   "the file holds OpenHaystack tags that derive their keys, which are not taken");
    else if (file.key_count + file.accessory_count == 0)
        load_error(load, 0, "", "empty", "the file holds no keys");
    for (size_t i = 0; i < file.key_count; i++)
        if (!add_key(load, &file.keys[i], ++row, &last))
            return false;
    for (size_t i = 0; i < file.accessory_count; i++)
        if (!add_accessory(load, &file.accessories[i], ++row))
            return false;
    return true;
}
