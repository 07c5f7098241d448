/* Writes batches of new trackers and finds what clashes: within the file by fingerprints, with rows that
 * exist by what the database did not insert. */
#include "api/tracker_load.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/app.h"
#include "api/audit.h"
#include "api/db_problem.h"
#include "api/resources.h"
#include "api/seen.h"
#include "base/encode.h"

/* Further keys of one tracker; they may fill a batch beyond LOAD_BATCH. */
#define MAX_MORE   1000
#define BATCH_ROOM (LOAD_BATCH + MAX_MORE)

/* A private key, or what a rolling accessory's keys follow from. */
#define SECRET_MAX ROLLING_SECRET_SIZE
#define SEALED_MAX (SECRET_MAX + SEAL_OVERHEAD)

/* Of a row that has no accessory's times. */
#define NO_TIME INT64_MIN

struct batch_item {
    int64_t row;
    const char *name; /* in the batch's arena; of a further key that of its tracker */
    bool rolling;
    uint8_t hash[FINDMY_HASH_SIZE];  /* of the advertisement key, or a rolling accessory's fingerprint */
    struct findmy_public public_key; /* unless rolling */
    char mac[FINDMY_MAC_TEXT];       /* unless rolling: such a tag changes its address */
    uint8_t sealed[SEALED_MAX];
    size_t sealed_len;
    int64_t paired_at, aligned_at; /* NO_TIME: none */
    int64_t aligned_index;         /* of aligned_at */
    bool more;
};

struct load_fault {
    int64_t row;
    const char *field, *code, *message;
};

struct load {
    struct request *req;
    int64_t client_id, run_id;
    struct seen names, keys; /* of the whole file */
    struct arena *texts;     /* names of the current batch */
    struct batch_item *batch;
    size_t batch_count;
    bool skip_more; /* the tracker that was added last is at fault: its further keys are not added */
    struct load_counts counts;
    int64_t last_failed; /* row of the last error, since a row may have several */
    struct load_fault *faults;
    load_made made;
    void *made_to;
};

static void free_load(void *object)
{
    struct load *load = object;
    seen_free(&load->names);
    seen_free(&load->keys);
    arena_free(load->texts);
}

/* ---- begin ---- */

/* Notes the problem of one id, whose column says whether the row is archived (null: there is none). */
static void check_target(struct request *req, const struct rows *rows, size_t column, const char *field,
                         const char *missing)
{
    if (rows_null(rows, 0, column))
        problem_field(req, field, "not_found", "%s", missing);
    else if (rows_bool(rows, 0, column))
        problem_field(req, field, "archived", "is archived; restore it first, or choose another");
}

bool load_target_valid(struct request *req, int64_t client_id, int64_t run_id)
{
    static const char sql[] =
        "SELECT (SELECT archived_at IS NOT NULL FROM clients WHERE id = $1), "
        "(SELECT archived_at IS NOT NULL FROM production_runs WHERE id = $2 AND client_id = $1)";
    struct rows *rows = db_query(req->db, sql, "ii", client_id, run_id);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return false;
    }
    check_target(req, rows, 0, "client_id", "no such client");
    if (!problem_pending(req) && run_id != 0)
        check_target(req, rows, 1, "production_run_id", "no such production run of this client");
    if (!problem_pending(req))
        return true;
    reply_invalid(req);
    return false;
}

struct load *load_new(struct request *req, int64_t client_id, int64_t run_id)
{
    struct load *load = arena_zalloc(req->arena, 1, sizeof(*load));
    load->req = req;
    load->client_id = client_id;
    load->run_id = run_id;
    load->texts = arena_new();
    load->batch = arena_zalloc(req->arena, BATCH_ROOM, sizeof(*load->batch));
    load->faults = arena_zalloc(req->arena, LOAD_MAX_ERRORS, sizeof(*load->faults));
    arena_defer(req->arena, free_load, load);
    return load;
}

void load_on_made(struct load *load, load_made made, void *to)
{
    load->made = made;
    load->made_to = to;
}

/* ---- errors ---- */

void load_error(struct load *load, int64_t row, const char *field, const char *code, const char *message, ...)
{
    if (row != load->last_failed)
        load->counts.failed++;
    load->last_failed = row;
    if (load->counts.errors++ >= LOAD_MAX_ERRORS)
        return;
    struct load_fault *fault = &load->faults[load->counts.errors - 1];
    va_list args;
    va_start(args, message);
    *fault = (struct load_fault){ row, field, code, arena_vprintf(load->req->arena, message, args) };
    va_end(args);
}

void load_skip(struct load *load)
{
    load->counts.rows++;
    load->skip_more = true;
}

/* Rows that clash with others are found later than those that are wrong in themselves. */
static int by_row(const void *a, const void *b)
{
    int64_t x = ((const struct load_fault *)a)->row, y = ((const struct load_fault *)b)->row;
    return (x > y) - (x < y);
}

static size_t listed(const struct load *load)
{
    return load->counts.errors < LOAD_MAX_ERRORS ? (size_t)load->counts.errors : LOAD_MAX_ERRORS;
}

void load_write_errors(const struct load *load, struct json *json)
{
    qsort(load->faults, listed(load), sizeof(*load->faults), by_row);
    for (size_t i = 0; i < listed(load); i++) {
        const struct load_fault *fault = &load->faults[i];
        json_start_object(json);
        json_put_int(json, "row", fault->row);
        json_put_text(json, "field", fault->field);
        json_put_text(json, "code", fault->code);
        json_put_text(json, "message", fault->message);
        json_end_object(json);
    }
}

struct load_counts load_counts(const struct load *load)
{
    return load->counts;
}

/* ---- one batch ---- */

/* Array literals of a batch, in the order of the parameters. */
struct arrays {
    struct buf rows, names, macs, adverts, prints, sealed, paired, aligned, indices, more;
};

static void put_quoted(struct buf *out, const char *text)
{
    buf_putc(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
    buf_putc(out, '"');
}

static void put_bytes(struct buf *out, const uint8_t *bytes, size_t len)
{
    char hex[HEX_SIZE(SEALED_MAX)];
    hex_encode(bytes, len, hex);
    buf_printf(out, "\"\\\\x%s\"", hex);
}

static void put_time(struct buf *out, int64_t time)
{
    char text[RFC3339_SIZE];
    if (time == NO_TIME)
        buf_puts(out, "NULL");
    else
        buf_printf(out, "\"%s\"", time_format(time, text));
}

/* What a static key has and an accessory has not, and the other way round. */
static void put_keys(struct arrays *arrays, const struct batch_item *item)
{
    if (item->rolling) {
        buf_puts(&arrays->macs, "NULL");
        buf_puts(&arrays->adverts, "NULL");
        put_bytes(&arrays->prints, item->hash, sizeof(item->hash));
    } else {
        put_quoted(&arrays->macs, item->mac);
        put_bytes(&arrays->adverts, item->public_key.adv, sizeof(item->public_key.adv));
        buf_puts(&arrays->prints, "NULL");
    }
    put_time(&arrays->paired, item->paired_at);
    put_time(&arrays->aligned, item->aligned_at);
    if (item->aligned_at == NO_TIME)
        buf_puts(&arrays->indices, "NULL");
    else
        buf_printf(&arrays->indices, "%" PRId64, item->aligned_index);
}

static struct buf *array_at(struct arrays *arrays, size_t i)
{
    struct buf *all[] = { &arrays->rows,    &arrays->names,  &arrays->macs,   &arrays->adverts,
                          &arrays->prints,  &arrays->sealed, &arrays->paired, &arrays->aligned,
                          &arrays->indices, &arrays->more };
    return i < ARRAY_LEN(all) ? all[i] : NULL;
}

static void arrays_fill(struct arrays *arrays, const struct load *load)
{
    for (size_t i = 0; i < load->batch_count; i++) {
        const struct batch_item *item = &load->batch[i];
        for (size_t n = 0; array_at(arrays, n) != NULL; n++)
            buf_putc(array_at(arrays, n), i == 0 ? '{' : ',');
        buf_printf(&arrays->rows, "%zu", i);
        put_quoted(&arrays->names, item->name);
        put_keys(arrays, item);
        put_bytes(&arrays->sealed, item->sealed, item->sealed_len);
        buf_putc(&arrays->more, item->more ? 't' : 'f');
    }
    for (size_t n = 0; array_at(arrays, n) != NULL; n++)
        buf_putc(array_at(arrays, n), '}');
}

static void arrays_free(struct arrays *arrays)
{
    for (size_t n = 0; array_at(arrays, n) != NULL; n++)
        buf_free(array_at(arrays, n));
}

/* What clashes is left out by ON CONFLICT, and so is told from the rest: the transaction goes on, and all
 * faults of a file are found in one pass. A key that clashes may be of a tenant whom the caller does not see.
 */
static const char write_sql[] =
    "WITH input AS MATERIALIZED (SELECT *, coalesce(sha256(advert), print) AS hash FROM unnest($3::bigint[], $4::text[], "
    "$5::text[], $6::bytea[], $7::bytea[], $8::bytea[], $9::timestamptz[], $10::timestamptz[], $11::bigint[], "
    "$12::boolean[]) AS i (at, name, mac, advert, print, sealed, paired, aligned, index, more)), "
    "made AS (INSERT INTO trackers (client_id, production_run_id, name, mac_address) "
    "SELECT $1, nullif($2, 0), name, mac FROM input WHERE NOT more ORDER BY at ON CONFLICT DO NOTHING "
    "RETURNING id, name), "
    "keyed AS (INSERT INTO tracker_keys (client_id, tracker_id, kind, advertisement_key, fingerprint, private_key_sealed, "
    "master_key_id, paired_at, alignment_at, alignment_index) SELECT $1, made.id, CASE WHEN i.advert IS NULL THEN "
    "'rolling' ELSE 'static' END, i.advert, i.print, i.sealed, $13, i.paired, i.aligned, i.index "
    "FROM input i JOIN made USING (name) ORDER BY i.at "
    "ON CONFLICT ON CONSTRAINT tracker_keys_one_tracker_at_a_time DO NOTHING RETURNING key_hash) "
    "SELECT i.at, made.id, EXISTS (SELECT FROM keyed WHERE keyed.key_hash = i.hash) "
    "FROM input i LEFT JOIN made USING (name) ORDER BY i.at";

/* Which of the columns was it? The rows of this batch that were written are seen too, but clash with none. */
static const char clash_sql[] =
    "SELECT i.at, EXISTS (SELECT FROM trackers t WHERE t.client_id = $1 AND lower(t.name) = lower(i.name) "
    "AND t.archived_at IS NULL), EXISTS (SELECT FROM trackers t WHERE t.client_id = $1 AND t.mac_address = i.mac "
    "AND t.archived_at IS NULL) FROM unnest($2::bigint[], $3::text[], $4::text[]) AS i (at, name, mac) ORDER BY i.at";

static bool explain_clashes(struct load *load, const struct arrays *arrays, const bool *clashes)
{
    struct rows *rows = db_query(load->req->db, clash_sql, "isss", load->client_id, buf_text(&arrays->rows),
                                 buf_text(&arrays->names), buf_text(&arrays->macs));
    if (!rows_ok(rows)) {
        reply_db_problem(load->req, rows);
        return false;
    }
    for (size_t i = 0; i < rows_count(rows); i++) {
        const struct batch_item *item = &load->batch[rows_int(rows, i, 0)];
        if (!clashes[rows_int(rows, i, 0)])
            continue;
        if (rows_bool(rows, i, 1))
            load_error(load, item->row, "name", "already_exists",
                       "another tracker of this client has this name");
        if (rows_bool(rows, i, 2))
            load_error(load, item->row, "mac_address", "already_exists",
                       "another tracker of this client has this address");
        if (!rows_bool(rows, i, 1) && !rows_bool(rows, i, 2))
            load_error(load, item->row, "", "already_exists", "another tracker like this was just made");
    }
    return true;
}

/* What became of each item of the batch. */
static bool judge(struct load *load, const struct arrays *arrays, const struct rows *rows)
{
    bool clashes[BATCH_ROOM] = { false }, any = false;
    for (size_t i = 0; i < rows_count(rows); i++) {
        const struct batch_item *item = &load->batch[rows_int(rows, i, 0)];
        bool written = !rows_null(rows, i, 1), keyed = rows_bool(rows, i, 2);
        load->counts.trackers += written && !item->more;
        load->counts.keys += keyed;
        if (!written) {
            clashes[i] = !item->more;
            any = true;
        } else if (!keyed) {
            load_error(load, item->row, item->rolling ? "master_key" : "advertisement_key", "already_exists",
                       "another tracker has this key");
        } else if (load->made != NULL && !item->more) {
            load->made(load->made_to, rows_int(rows, i, 1), item->name, &item->public_key);
        }
    }
    return !any || explain_clashes(load, arrays, clashes);
}

static bool flush(struct load *load)
{
    if (load->batch_count == 0)
        return true;
    char key_id[HEX_SIZE(4)];
    struct arrays arrays = { 0 };
    arrays_fill(&arrays, load);
    hex_encode(load->req->app->sealer.key_ids[0], 4, key_id);
    struct rows *rows = db_query(
        load->req->db, write_sql, "iisssssssssss", load->client_id, load->run_id, buf_text(&arrays.rows),
        buf_text(&arrays.names), buf_text(&arrays.macs), buf_text(&arrays.adverts), buf_text(&arrays.prints),
        buf_text(&arrays.sealed), buf_text(&arrays.paired), buf_text(&arrays.aligned),
        buf_text(&arrays.indices), buf_text(&arrays.more), key_id);
    bool done = rows_ok(rows);
    if (!done)
        reply_write_problem(load->req, &trackers_resource, rows);
    else
        done = judge(load, &arrays, rows);
    arrays_free(&arrays);
    arena_reset(load->texts);
    load->batch_count = 0;
    return done;
}

/* ---- adding ---- */

static bool name_valid(struct load *load, const struct load_item *item)
{
    size_t len = strlen(item->name);
    if (len == 0)
        load_error(load, item->row, "name", "required", "is empty");
    else if (!utf8_valid(item->name, len))
        load_error(load, item->row, "name", "invalid", "is not UTF-8");
    else if (utf8_length(item->name, len) > LOAD_MAX_NAME)
        load_error(load, item->row, "name", "too_long", "has more than %d characters", LOAD_MAX_NAME);
    else
        return true;
    return false;
}

/* Case is folded for ASCII here; for the rest the database's index decides. */
static bool name_is_new(struct load *load, const struct load_item *item)
{
    char folded[4 * LOAD_MAX_NAME + 1] = "";
    size_t len = strlen(item->name);
    for (size_t i = 0; i < len; i++) {
        char c = item->name[i];
        folded[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
    }
    int64_t row = seen_before(&load->names, folded, len, item->row);
    if (row != 0)
        load_error(load, item->row, "name", "duplicate", "stands in row %" PRId64 " too", row);
    return row == 0;
}

/* By what a key is owned once: the hash of its advertisement key, or of an accessory's master key. */
static void item_hash(const struct load_item *item, uint8_t hash[FINDMY_HASH_SIZE])
{
    if (item->accessory != NULL)
        crypto_hash_sha256(hash, item->accessory->master, sizeof(item->accessory->master));
    else
        memcpy(hash, item->public_key.hash, FINDMY_HASH_SIZE);
}

static bool item_valid(struct load *load, const struct load_item *item)
{
    uint8_t hash[FINDMY_HASH_SIZE];
    item_hash(item, hash);
    bool valid = item->more || (name_valid(load, item) && name_is_new(load, item));
    int64_t row = seen_before(&load->keys, hash, sizeof(hash), item->row);
    if (row != 0)
        load_error(load, item->row, item->accessory != NULL ? "master_key" : "private_key", "duplicate",
                   "stands in row %" PRId64 " too", row);
    return valid && row == 0;
}

static size_t put_secret(const struct load_item *item, uint8_t secret[SECRET_MAX])
{
    const struct keyfile_accessory *accessory = item->accessory;
    if (accessory == NULL) {
        memcpy(secret, item->private_key, FINDMY_PRIVATE_SIZE);
        return FINDMY_PRIVATE_SIZE;
    }
    memcpy(secret, accessory->master, FINDMY_PRIVATE_SIZE);
    memcpy(secret + FINDMY_PRIVATE_SIZE, accessory->skn, ROLLING_SEED_SIZE);
    memcpy(secret + FINDMY_PRIVATE_SIZE + ROLLING_SEED_SIZE, accessory->sks, ROLLING_SEED_SIZE);
    return ROLLING_SECRET_SIZE;
}

/* The context ties the sealed key to its hash: see docs/developers/database.md. */
static bool seal_key(struct load *load, const struct load_item *item, struct batch_item *to)
{
    char hash[HEX_SIZE(FINDMY_HASH_SIZE)], context[sizeof("tracker_key:") + sizeof(hash)];
    uint8_t secret[SECRET_MAX];
    size_t len = put_secret(item, secret);
    hex_encode(to->hash, sizeof(to->hash), hash);
    snprintf(context, sizeof(context), "tracker_key:%s", hash);
    bool sealed = seal(&load->req->app->sealer, context, secret, len, to->sealed);
    wipe(secret, sizeof(secret));
    to->sealed_len = len + SEAL_OVERHEAD;
    if (sealed)
        return true;
    reply_problem(load->req, 503, "master_key_missing",
                  "The server has no MASTER_KEY, so it cannot keep private keys.");
    return false;
}

/* All but name and seal. */
static void take_key(const struct load_item *item, struct batch_item *to)
{
    uint8_t mac[FINDMY_MAC_SIZE];
    const struct keyfile_accessory *accessory = item->accessory;
    *to = (struct batch_item){ .row = item->row,
                               .more = item->more,
                               .rolling = accessory != NULL,
                               .public_key = item->public_key,
                               .paired_at = NO_TIME,
                               .aligned_at = NO_TIME };
    item_hash(item, to->hash);
    if (accessory == NULL) {
        findmy_mac(item->public_key.adv, mac);
        findmy_mac_text(mac, to->mac);
        return;
    }
    to->paired_at = accessory->paired_at;
    if (accessory->aligned) {
        to->aligned_at = accessory->alignment.at;
        to->aligned_index = accessory->alignment.index;
    }
}

bool load_add(struct load *load, const struct load_item *item)
{
    /* Further keys of one tracker go into its batch, whose statement joins them by name. */
    if (load->batch_count >= LOAD_BATCH && !item->more && !flush(load))
        return false;
    load->counts.rows++;
    if (!item->more)
        load->skip_more = false;
    if (load->batch_count == BATCH_ROOM) {
        load_error(load, item->row, "private_key", "too_many", "the tracker has more than %d keys", MAX_MORE);
        return true;
    }
    if (!item_valid(load, item) || load->skip_more) {
        load->skip_more = true;
        return true;
    }
    struct batch_item *to = &load->batch[load->batch_count];
    const char *name = item->more ? load->batch[load->batch_count - 1].name
                                  : arena_strdup(load->texts, item->name);
    take_key(item, to);
    to->name = name;
    if (!seal_key(load, item, to))
        return false;
    load->batch_count++;
    return true;
}

bool load_finish(struct load *load)
{
    return flush(load);
}

bool load_conclude(struct load *load, const char *action)
{
    struct buf after = { 0 };
    struct json json;
    json_begin(&json, &after);
    json_start_object(&json);
    json_put_int(&json, "trackers", load->counts.trackers);
    json_put_int(&json, "keys", load->counts.keys);
    if (load->run_id != 0)
        json_put_int(&json, "production_run_id", load->run_id);
    json_end_object(&json);
    const struct audit_entry entry = {
        .action = action, .resource = "trackers", .client_id = load->client_id, .after = buf_text(&after)
    };
    bool done = audit_write(load->req, &entry);
    buf_free(&after);
    if (!done)
        return false;
    /* Its row locks last until the commit, so it comes last. */
    struct rows *rows = db_query(load->req->db, "SELECT count(*) FROM bump_generations(ARRAY[$1::bigint])",
                                 "i", load->client_id);
    if (!rows_ok(rows))
        reply_db_problem(load->req, rows);
    return rows_ok(rows);
}
