/* Trackers with fresh keys, and the public part of a tracker's keys. */
#include <inttypes.h>
#include <string.h>

#include "api/accounts.h"
#include "api/db_problem.h"
#include "api/idempotency.h"
#include "api/tracker_import.h"
#include "api/tracker_load.h"
#include "base/encode.h"

#define MAX_GENERATED 10000 /* a third of a second of key making, and an answer of two megabytes */
#define MAX_PREFIX    150   /* bytes; leaves room for the number */

/* ---- generate ---- */

struct order {
    int64_t client_id, run_id, count;
    const char *prefix;
};

static int64_t take_integer(struct request *req, json_t *body, const char *name, int64_t max)
{
    json_t *value = json_object_get(body, name);
    if (value == NULL)
        problem_field(req, name, "required", "is required");
    else if (!json_is_integer(value))
        problem_field(req, name, "invalid_type", "must be a whole number");
    else if (json_integer_value(value) < 1 || json_integer_value(value) > max)
        problem_field(req, name, "out_of_range", "must be 1 to %" PRId64, max);
    else
        return json_integer_value(value);
    return 0;
}

static bool take_order(struct request *req, struct order *order)
{
    static const char *const known[] = { "client_id", "production_run_id", "count", "name_prefix", NULL };
    json_t *body;
    if (!request_json(req, &body))
        return false;
    body_known(req, body, known);
    order->client_id = take_integer(req, body, "client_id", INT64_MAX);
    order->count = take_integer(req, body, "count", MAX_GENERATED);
    order->prefix = body_text(req, body, "name_prefix", MAX_PREFIX);
    order->run_id = 0;
    json_t *run = json_object_get(body, "production_run_id");
    if (run != NULL && !json_is_null(run))
        order->run_id = take_integer(req, body, "production_run_id", INT64_MAX);
    if (!problem_pending(req))
        return true;
    reply_invalid(req);
    return false;
}

/* The number behind the highest one in use, so that a second batch goes on where the first ended. The lock
 * keeps two batches of a client apart; it needs a statement of its own, for the other must see what was
 * committed. */
static bool first_number(struct request *req, const struct order *order, int64_t *number)
{
    static const char lock_sql[] =
        "SELECT pg_advisory_xact_lock(hashtextextended('generate trackers ' || $1::bigint, 0))";
    static const char sql[] =
        "SELECT coalesce(max(substr(name, length($2) + 1)::bigint), 0) + 1 FROM trackers WHERE client_id = $1 "
        "AND archived_at IS NULL AND starts_with(lower(name), lower($2)) AND substr(name, length($2) + 1) ~ "
        "'^[0-9]{1,12}$'";
    struct rows *rows = db_query(req->db, lock_sql, "i", order->client_id);
    if (rows_ok(rows))
        rows = db_query(req->db, sql, "is", order->client_id, order->prefix);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return false;
    }
    *number = rows_int(rows, 0, 0);
    return true;
}

static void put_public(struct json *json, const struct findmy_public *key)
{
    char text[BASE64_SIZE(FINDMY_HASH_SIZE)], mac_text[FINDMY_MAC_TEXT];
    uint8_t mac[FINDMY_MAC_SIZE];
    base64_encode(key->adv, sizeof(key->adv), text);
    json_put_text(json, "advertisement_key", text);
    base64_encode(key->hash, sizeof(key->hash), text);
    json_put_text(json, "hashed_advertisement_key", text);
    findmy_mac(key->adv, mac);
    json_put_text(json, "mac_address", findmy_mac_text(mac, mac_text));
}

static void write_made(void *to, int64_t id, const char *name, const struct findmy_public *key)
{
    struct json *json = to;
    json_start_object(json);
    json_put_int(json, "id", id);
    json_put_text(json, "name", name);
    put_public(json, key);
    json_end_object(json);
}

static bool add_fresh(struct request *req, struct load *load, const char *name, int64_t row)
{
    struct error err;
    uint8_t private_key[FINDMY_PRIVATE_SIZE];
    struct load_item item = { .row = row, .name = name, .private_key = private_key };
    bool made = findmy_generate(private_key, &item.public_key, &err);
    if (!made)
        reply_problem(req, 500, "internal_error", "No key could be made.");
    bool added = made && load_add(load, &item);
    wipe(private_key, sizeof(private_key));
    return added;
}

/* Within a transaction. False: answered. */
static bool generate_into(struct request *req, const struct order *order, struct json *json)
{
    int64_t first;
    struct load *load = load_new(req, order->client_id, order->run_id);
    load_on_made(load, write_made, json);
    if (!first_number(req, order, &first))
        return false;
    for (int64_t i = 0; i < order->count; i++)
        if (!add_fresh(req, load, arena_printf(req->arena, "%s%05" PRId64, order->prefix, first + i), i + 1))
            return false;
    if (!load_finish(load))
        return false;
    if (load_counts(load).errors > 0) {
        reply_problem(req, 409, "already_exists",
                      "Trackers with such names were made at the same moment; try again.");
        return false;
    }
    return load_conclude(load, "generate");
}

/* With an Idempotency-Key the transaction is that of the key. */
static void generate_once(struct request *req)
{
    struct order order;
    struct error err;
    struct buf body = { 0 };
    struct json json;
    if (!take_order(req, &order) || !load_target_valid(req, order.client_id, order.run_id))
        return;
    bool own = !db_in_transaction(req->db);
    if (own && !db_begin(req->db, &err)) {
        reply_unavailable(req, "database_unavailable", 2, "The database is away; try again in a moment.");
        return;
    }
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "items");
    json_start_array(&json);
    bool done = generate_into(req, &order, &json);
    json_end_array(&json);
    json_end_object(&json);
    if (own && !done)
        db_rollback(req->db);
    if (own && done && !db_commit(req->db, &err)) {
        reply_unavailable(req, "database_unavailable", 2,
                          "The database went away; look whether the trackers were made.");
        done = false;
    }
    if (!done) {
        buf_free(&body);
        return;
    }
    note_write(req);
    reply_json(req, 201, &body);
}

/* POST /trackers/generate */
static void generate(struct request *req)
{
    idempotent(req, generate_once);
}

/* ---- keys of a tracker ---- */

static const char keys_sql[] =
    "SELECT t.id, k.id, k.kind, k.advertisement_key, lower(k.period), upper(k.period), k.created_at, "
    "k.master_key_id IS NOT NULL FROM trackers t LEFT JOIN tracker_keys k ON k.tracker_id = t.id "
    "WHERE t.id = $1 ORDER BY k.id";

static void put_time_or_null(struct json *json, const char *name, const struct rows *rows, size_t row,
                             size_t column)
{
    if (rows_null(rows, row, column))
        json_put_null(json, name);
    else
        json_put_time(json, name, rows_time(rows, row, column));
}

static void write_key(struct json *json, const struct rows *rows, size_t row)
{
    struct findmy_public key = { 0 };
    size_t len = 0;
    const void *adv = rows_null(rows, row, 3) ? NULL : rows_bytes(rows, row, 3, &len);
    json_start_object(json);
    json_put_int(json, "id", rows_int(rows, row, 1));
    json_put_text(json, "kind", rows_text(rows, row, 2));
    if (adv != NULL && len == sizeof(key.adv)) {
        memcpy(key.adv, adv, len);
        if (findmy_hash(key.adv, key.hash))
            put_public(json, &key);
    } else {
        json_put_null(json, "advertisement_key");
        json_put_null(json, "hashed_advertisement_key");
        json_put_null(json, "mac_address");
    }
    put_time_or_null(json, "valid_from", rows, row, 4);
    put_time_or_null(json, "valid_until", rows, row, 5);
    json_put_bool(json, "has_private_key", rows_bool(rows, row, 7));
    json_put_time(json, "created_at", rows_time(rows, row, 6));
    json_end_object(json);
}

/* GET /trackers/{id}/keys */
static void get_keys(struct request *req)
{
    int64_t id;
    if (!param_id(req, "id", &id))
        return;
    struct db_param param = { .type = 'i', .value.number = id };
    struct statement statement = { keys_sql, &param, 1 };
    struct rows *rows = read_rows(req, &statement);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    if (rows_count(rows) == 0) {
        reply_not_found(req, "tracker");
        return;
    }
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "items");
    json_start_array(&json);
    for (size_t i = 0; i < rows_count(rows); i++)
        if (!rows_null(rows, i, 1))
            write_key(&json, rows, i);
    json_end_array(&json);
    json_end_object(&json);
    reply_json(req, 200, &body);
}

/* ---- schemas and routes ---- */

#define INTEGER(name) "\"" name "\":{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1}"
#define COUNT(name)   "\"" name "\":{\"type\":\"integer\",\"minimum\":0}"
#define TEXT(name)    "\"" name "\":{\"type\":\"string\"}"
#define RESULT_PROPERTIES                                                                                    \
    "\"dry_run\":{\"type\":\"boolean\"},\"format\":{\"type\":\"string\",\"enum\":[\"csv\",\"json\",\"keys\"" \
    "]}," COUNT("rows") "," COUNT("trackers") "," COUNT("keys") "," COUNT("failed") "," COUNT(               \
        "error_count") ",\"errors\":{\"type\":\"array\",\"maxItems\":1000,\"items\":{\"$ref\":\"#/components/schemas/ImportError\"}}"
#define RESULT_REQUIRED                                                                                      \
    "\"dry_run\",\"format\",\"rows\",\"trackers\",\"keys\",\"failed\",\"error_count\",\"errors\""
#define TEXT_NULL(name) "\"" name "\":{\"type\":[\"string\",\"null\"]}"
#define TIME_NULL(name) "\"" name "\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"

static const struct {
    const char *name, *json;
} schemas[] = {
    { "ImportForm",
      "{\"type\":\"object\",\"required\":[\"file\"],\"properties\":{\"file\":{\"type\":\"string\",\"format\":"
      "\"binary\"}," INTEGER("client_id") "," INTEGER(
          "production_run_id") ",\"dry_run\":{\"type\":\"boolean\"},"
                               "\"format\":{\"type\":\"string\",\"enum\":[\"csv\",\"json\",\"keys\"]}}}" },
    { "ImportError",
      "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"row\",\"field\",\"code\",\"message\"],"
      "\"properties\":{\"row\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"Line of a CSV file, number of "
      "the key in others; 0: the whole file.\"}," TEXT("field") "," TEXT("code") "," TEXT("message") "}}" },
    { "ImportResult", "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" RESULT_REQUIRED
                      "],\"properties\":{" RESULT_PROPERTIES "}}" },
    { "ImportRefused",
      "{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"code\",\"detail\"],\"properties\":{" TEXT("type") "," TEXT("title") ",\"status\":{\"type\":\"integer\"}," TEXT(
          "code") "," TEXT("detail") ",\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"field\",\"code\",\"message\"]}},"
                                     "\"dry_run\":{\"type\":\"boolean\"}," TEXT("format") "," COUNT("rows") "," COUNT(
                                         "trackers") "," COUNT("keys") "," COUNT("failed") "," COUNT("error_count") "}}" },
    { "TrackerOrder",
      "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"client_id\",\"count\",\"name_prefix\"],"
      "\"properties\":{" INTEGER(
          "client_id") ",\"production_run_id\":{\"type\":[\"integer\",\"null\"],\"format\":"
                       "\"int64\",\"minimum\":1},\"count\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10000},\"name_prefix\":{"
                       "\"type\":\"string\",\"minLength\":1,\"maxLength\":150,\"description\":\"A number of at least five digits "
                       "follows, the next that is free.\"}}}" },
    { "TrackersMade",
      "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"items\"],\"properties\":{\"items\":{"
      "\"type\":\"array\",\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"id\","
      "\"name\",\"advertisement_key\",\"hashed_advertisement_key\",\"mac_address\"],\"properties\":{" INTEGER("id") "," TEXT(
          "name") "," TEXT("advertisement_key") "," TEXT("hashed_advertisement_key") "," TEXT("mac_address") "}}}}}" },
    { "TrackerKeys",
      "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"items\"],\"properties\":{\"items\":{"
      "\"type\":\"array\",\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"id\","
      "\"kind\",\"advertisement_key\",\"hashed_advertisement_key\",\"mac_address\",\"valid_from\",\"valid_until\","
      "\"has_private_key\",\"created_at\"],\"properties\":{" INTEGER(
          "id") ",\"kind\":{\"type\":\"string\",\"enum\":["
                "\"static\",\"rolling\"]}," TEXT_NULL("advertisement_key") "," TEXT_NULL("hashed_advertisement_key") "," TEXT_NULL(
                    "mac_address") "," TIME_NULL("valid_from") "," TIME_NULL("valid_until") ",\"has_private_key\":{\"type\":"
                                                                                            "\"boolean\"},\"created_at\":{\"type\":\"string\",\"format\":\"date-time\"}}}}}}" },
};

void tracker_key_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    for (size_t i = 0; i < ARRAY_LEN(schemas); i++)
        add(to, schemas[i].name, schemas[i].json);
}

static const struct parameter generate_parameters[] = {
    { .name = "Idempotency-Key",
      .type = VALUE_TEXT,
      .in = "header",
      .about = "The effect happens once for a key." },
};
static const struct parameter keys_parameters[] = {
    { .name = "id", .type = VALUE_ID, .in = "path", .required = true },
};
static const struct answer generate_answers[] = {
    { 201, "TrackersMade", "The new trackers with the public part of their keys." },
    { 409, "Problem", "Others did the same at the same moment.", "application/problem+json" },
    { 422, "Problem", "A field is not valid.", "application/problem+json" },
    { 503, "Problem", "The database is away, or there is no master key.", "application/problem+json" },
};
static const struct answer keys_answers[] = {
    { 200, "TrackerKeys", "The public part of its keys and when they are valid." },
    { 404, "Problem", "No such tracker, or not yours.", "application/problem+json" },
};

const struct route tracker_key_routes[] = {
    { .method = HTTP_POST,
      .path = "/api/v1/trackers/generate",
      .handle = generate,
      .access = ACCESS_MANAGER,
      .tag = "trackers",
      .summary = "Make trackers with fresh keys",
      .about = "Private keys stay in the system, sealed; what goes on the tags is the advertisement key.",
      .operation_id = "generateTrackers",
      .parameters = generate_parameters,
      .parameter_count = ARRAY_LEN(generate_parameters),
      .body_schema = "TrackerOrder",
      .answers = generate_answers,
      .answer_count = ARRAY_LEN(generate_answers) },
    { .method = HTTP_GET,
      .path = "/api/v1/trackers/{id}/keys",
      .handle = get_keys,
      .access = ACCESS_MANAGER,
      .tag = "trackers",
      .summary = "The public part of a tracker's keys",
      .operation_id = "getTrackerKeys",
      .parameters = keys_parameters,
      .parameter_count = ARRAY_LEN(keys_parameters),
      .answers = keys_answers,
      .answer_count = ARRAY_LEN(keys_answers) },
};
const size_t tracker_key_route_count = ARRAY_LEN(tracker_key_routes);
