/* Share links: show one tracker or one run to somebody without an account. What they show is in shared.c. */
#include <sodium.h>

#include "api/resources.h"
#include "api/shared.h"
#include "base/encode.h"

#define TOKEN_BYTES 32

enum { ID, CLIENT, TRACKER, RUN, NAME, EXPIRES, LAST_USED, CREATED_BY, HASH };

static const struct field fields[] = {
    [ID] = FIELD_ROW_ID,
    [CLIENT] = FIELD_CLIENT,
    [TRACKER] = { "tracker_id", FIELD_REF, "The tracker that it shows; this or production_run_id.",
                  .ref = "trackers", .nullable = true, .fixed = true, .filter = true },
    [RUN] = { "production_run_id", FIELD_REF, "The run that it shows, with its trackers.",
              .ref = "production-runs", .nullable = true, .fixed = true, .filter = true },
    [NAME] = { "name", FIELD_TEXT, "What it is for; shown to whoever opens it.", .max = 200,
               .fallback = "\"\"" },
    [EXPIRES] = { "expires_at", FIELD_TIME, "It shows nothing from then on; null for no end.",
                  .nullable = true },
    [LAST_USED] = { "last_used_at", FIELD_TIME, "When it was last opened, to the minute.", .computed = true,
                    .nullable = true },
    [CREATED_BY] = { "created_by", FIELD_REF, .ref = "users", .computed = true, .nullable = true },
    [HASH] = { "token_hash", FIELD_TEXT, .input = true, .computed = true, .fixed = true,
               .write = "decode(%s, 'hex')" },
    FIELD_CREATED,
    FIELD_UPDATED,
};

static void check(struct field_value *values, bool create, struct problems *problems)
{
    if (create && (values[TRACKER].text != NULL) == (values[RUN].text != NULL))
        problem_add(problems, values[RUN].text == NULL ? "tracker_id" : "production_run_id",
                    values[RUN].text == NULL ? "required" : "conflict",
                    "a link shows either a tracker or a production run");
}

void share_token_hash(const char *token, char hex[SHARE_HASH_SIZE])
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const uint8_t *)token, strlen(token));
    hex_encode(hash, sizeof(hash), hex);
}

static const char *make_secret(struct arena *arena, struct field_value *values)
{
    uint8_t random[TOKEN_BYTES];
    char *token = arena_secret(arena, BASE64_SIZE(sizeof(random)));
    randombytes_buf(random, sizeof(random));
    base64url_encode(random, sizeof(random), token);
    wipe(random, sizeof(random));
    char *hex = arena_alloc(arena, SHARE_HASH_SIZE);
    share_token_hash(token, hex);
    values[HASH] = (struct field_value){ .given = true, .text = hex };
    return token;
}

static const struct constraint constraints[] = {
    { "share_links_tracker_fkey", "tracker_id", "not_found", "no such tracker of this client" },
    { "share_links_run_fkey", "production_run_id", "not_found", "no such production run of this client" },
    { "share_links_client_id_fkey", "client_id", "not_found", "no such client" },
};

const struct resource share_links_resource = {
    .name = "share-links",
    .table = "share_links",
    .singular = "ShareLink",
    .plural = "ShareLinks",
    .label = "share link",
    .about =
        "Links that show one tracker or one production run to somebody without an account. Deleting one ends it.",
    FIELDS(fields),
    .read = ROLE_USER,
    .write = ROLE_MANAGER,
    .flags = RESOURCE_NO_ARCHIVE,
    .tenant = "client_id",
    .owners = { { "tracker_id", "SELECT o.client_id FROM trackers o WHERE o.id = %s" },
                { "production_run_id", "SELECT o.client_id FROM production_runs o WHERE o.id = %s" } },
    .make_secret = make_secret,
    .check = check,
    CONSTRAINTS(constraints),
};
