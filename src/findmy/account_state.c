/* The stored form of an account: JSON with a version, and the same sealed. */
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/json.h"
#include "base/parse.h"
#include "findmy/account.h"
#include "findmy/jsonx.h"

#define STATE_VERSION 1

enum field_type { FIELD_TEXT, FIELD_INT, FIELD_BOOL, FIELD_PHASE, FIELD_CODE, FIELD_OUTCOME, FIELD_MODE };

/* All members but the machine's bytes and the list of phones. */
struct field {
    const char *name;
    enum field_type type;
    size_t offset, size; /* size: of a text's array */
};

#define TEXT(n, m)                                                                                           \
    {                                                                                                        \
        n, FIELD_TEXT, offsetof(struct account, m), sizeof(((struct account *)0)->m)                         \
    }
#define FIELD(n, t, m)                                                                                       \
    {                                                                                                        \
        n, t, offsetof(struct account, m), 0                                                                 \
    }

static const struct field fields[] = {
    TEXT("name", name),
    TEXT("username", username),
    TEXT("password", password),
    TEXT("client_id", client_id),
    FIELD("phase", FIELD_PHASE, phase),
    FIELD("machine_mode", FIELD_MODE, machine.mode),
    TEXT("machine_server", machine.server),
    TEXT("adsid", session.adsid),
    TEXT("idms_token", session.idms_token),
    TEXT("pet", session.pet),
    FIELD("pet_expiry", FIELD_INT, session.pet_expiry),
    TEXT("dsid", tokens.dsid),
    TEXT("search_party_token", tokens.search_party_token),
    FIELD("last_outcome", FIELD_OUTCOME, last.outcome),
    FIELD("last_code", FIELD_INT, last.code),
    TEXT("last_message", last.message),
    FIELD("by_sms", FIELD_BOOL, by_sms),
    FIELD("code", FIELD_CODE, code),
    FIELD("phone", FIELD_INT, phone),
    FIELD("code_sent_at", FIELD_INT, code_sent_at),
    FIELD("bad_codes", FIELD_INT, bad_codes),
    FIELD("created_at", FIELD_INT, created_at),
    FIELD("logged_in_at", FIELD_INT, logged_in_at),
    FIELD("tried_at", FIELD_INT, tried_at),
    FIELD("not_before", FIELD_INT, not_before),
    FIELD("failures", FIELD_INT, failures),
    FIELD("relogins", FIELD_INT, relogins),
};

#undef TEXT
#undef FIELD

static const char *const *words_of(enum field_type type)
{
    return type == FIELD_PHASE     ? account_phase_names
           : type == FIELD_CODE    ? account_code_names
           : type == FIELD_OUTCOME ? login_outcome_names
                                   : anisette_mode_names;
}

/* ---- writing ---- */

static void write_field(struct json *json, const struct account *account, const struct field *field)
{
    const void *at = (const char *)account + field->offset;
    json_key(json, field->name);
    switch (field->type) {
    case FIELD_TEXT:
        json_text(json, at);
        break;
    case FIELD_INT:
        json_int(json, *(const int64_t *)at);
        break;
    case FIELD_BOOL:
        json_bool(json, *(const bool *)at);
        break;
    default:
        json_text(json, words_of(field->type)[*(const int *)at]);
        break;
    }
}

static void write_phones(struct json *json, const struct twofactor_phones *phones)
{
    json_key(json, "phones");
    json_start_array(json);
    for (size_t i = 0; i < phones->count; i++) {
        json_start_object(json);
        json_put_int(json, "id", phones->items[i].id);
        json_put_text(json, "number", phones->items[i].number);
        json_put_text(json, "mode", phones->items[i].mode);
        json_end_object(json);
    }
    json_end_array(json);
}

void account_write(const struct account *account, struct buf *out)
{
    struct json json;
    char identifier[BASE64_SIZE(ANISETTE_ID_SIZE)], blob[BASE64_SIZE(ANISETTE_MAX_STATE)];
    base64_encode(account->machine.identifier, ANISETTE_ID_SIZE, identifier);
    base64_encode(account->machine.blob, account->machine.blob_len, blob);

    json_begin(&json, out);
    json_start_object(&json);
    json_put_int(&json, "version", STATE_VERSION);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        write_field(&json, account, &fields[i]);
    json_put_text(&json, "machine", identifier);
    json_put_text(&json, "machine_state", blob);
    write_phones(&json, &account->phones);
    json_end_object(&json);
    wipe(blob, sizeof(blob));
}

/* ---- reading ---- */

static bool read_field(struct account *account, const struct field *field, const json_t *root)
{
    const json_t *value = json_object_get(root, field->name);
    const char *text = json_string_value(value);
    void *at = (char *)account + field->offset;
    int index;
    switch (field->type) {
    case FIELD_TEXT:
        return text != NULL && text_copy(at, field->size, text);
    case FIELD_INT:
        *(int64_t *)at = json_integer_value(value);
        return json_is_integer(value) &&
               *(int64_t *)at >= (strcmp(field->name, "last_code") == 0 ? INT64_MIN : 0);
    case FIELD_BOOL:
        *(bool *)at = json_is_true(value);
        return json_is_boolean(value);
    default:
        index = text != NULL ? word_index(words_of(field->type), text) : -1;
        if (index >= 0)
            *(int *)at = index;
        return index >= 0;
    }
}

static bool read_machine(struct anisette_state *machine, const json_t *root)
{
    const char *identifier = jsonx_text(root, "machine"), *blob = jsonx_text(root, "machine_state");
    return identifier != NULL && blob != NULL &&
           base64_decode_exact(identifier, machine->identifier, ANISETTE_ID_SIZE) &&
           base64_decode(blob, strlen(blob), machine->blob, ANISETTE_MAX_STATE, &machine->blob_len);
}

static bool read_phones(struct twofactor_phones *phones, const json_t *root)
{
    const json_t *list = json_object_get(root, "phones");
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > TWOFACTOR_MAX_PHONES)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        const char *number = jsonx_text(item, "number"), *mode = jsonx_text(item, "mode");
        struct twofactor_phone *phone = &phones->items[i];
        phone->id = json_integer_value(json_object_get(item, "id"));
        if (number == NULL || mode == NULL || !text_copy(phone->number, sizeof(phone->number), number) ||
            !text_copy(phone->mode, sizeof(phone->mode), mode))
            return false;
    }
    phones->count = count;
    return true;
}

bool account_read(struct account *account, const char *text, size_t len, struct error *err)
{
    memset(account, 0, sizeof(*account));
    json_t *root = jsonx_parse(text, len, ACCOUNT_MAX_STORED);
    bool ok = json_is_object(root),
         known = json_integer_value(json_object_get(root, "version")) == STATE_VERSION;
    for (size_t i = 0; ok && known && i < ARRAY_LEN(fields); i++)
        ok = read_field(account, &fields[i], root);
    ok = ok && known && read_machine(&account->machine, root) && read_phones(&account->phones, root) &&
         account_name_valid(account->name);
    jsonx_free(root);
    if (ok)
        return true;
    account_wipe(account);
    return error_set(err, "account_invalid",
                     known ? "the stored account is damaged" : "the stored account is of another version");
}

/* ---- sealing ---- */

#define CONTEXT_SIZE (sizeof("apple_account:") + ACCOUNT_MAX_NAME)

/* A sealed account that is moved to another name does not open. */
static void seal_context(const char *name, char out[CONTEXT_SIZE])
{
    snprintf(out, CONTEXT_SIZE, "apple_account:%s", name);
}

bool account_seal(const struct account *account, const struct sealer *sealer, struct buf *out,
                  struct error *err)
{
    char context[CONTEXT_SIZE];
    struct buf plain = { .max = ACCOUNT_MAX_STORED, .secret = true };
    account_write(account, &plain);
    seal_context(account->name, context);
    uint8_t *room = plain.overflow ? NULL : (uint8_t *)buf_reserve(out, plain.len + SEAL_OVERHEAD);
    bool ok = room != NULL && seal(sealer, context, plain.data, plain.len, room);
    if (ok)
        out->len += plain.len + SEAL_OVERHEAD;
    buf_wipe(&plain);
    return ok || error_set(err, "account_unsealable",
                           sealer->count == 0 ? "accounts are stored sealed: set MASTER_KEY"
                                              : "the account is too large");
}

bool account_unseal(struct account *account, const char *name, const struct sealer *sealer,
                    const uint8_t *sealed, size_t len, struct error *err)
{
    char context[CONTEXT_SIZE];
    if (!account_name_valid(name) || len < SEAL_OVERHEAD || len > ACCOUNT_MAX_STORED + SEAL_OVERHEAD)
        return error_set(err, "account_invalid", "the stored account is damaged");
    struct buf plain = { .secret = true };
    char *room = buf_reserve(&plain, len);
    seal_context(name, context);
    bool ok = unseal(sealer, context, sealed, len, room, err) &&
              account_read(account, room, len - SEAL_OVERHEAD, err) &&
              (strcmp(account->name, name) == 0 ||
               error_set(err, "account_invalid", "this is another account"));
    buf_wipe(&plain);
    return ok;
}
