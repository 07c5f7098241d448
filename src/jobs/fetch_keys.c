/* Chooses the ids of one request. */
#include "jobs/fetch_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "jobs/failure.h"

/* Ids below which it is not worth asking for a part of a rolling key: three may be of its days. */
#define ROLLING_MIN_ROOM 16

/* A row as the query gives it. */
struct row {
    size_t tracker;
    int64_t id;
    bool rolling;
    const uint8_t *hash, *sealed;
    size_t sealed_len;
    int64_t valid_from, valid_until, asked_until;
    struct rolling_alignment alignment;
    struct rolling_range primary, secondary; /* rolling: the slots to ask for */
};

struct choice {
    struct fetch_keys *keys;
    const struct sealer *sealer;
    const struct fetch_window *window;
    struct fetch_tracker *trackers;
    struct row *rows;
    size_t row_count;
};

/* ---- loading ---- */

static int64_t time_or(const struct rows *rows, size_t row, size_t column, int64_t fallback)
{
    return rows_null(rows, row, column) ? fallback : rows_time(rows, row, column);
}

static void read_row(struct choice *choice, const struct rows *rows, size_t i)
{
    size_t len;
    struct row *row = &choice->rows[i];
    *row = (struct row){
        .tracker = (size_t)rows_int(rows, i, 0) - 1,
        .id = rows_int(rows, i, 1),
        .rolling = rows_bool(rows, i, 2),
        .hash = rows_bytes(rows, i, 3, &len),
        .valid_from = time_or(rows, i, 5, TIME_MIN),
        .valid_until = time_or(rows, i, 6, TIME_MAX),
        .alignment = { .at = rows_time(rows, i, 7), .index = rows_int(rows, i, 8) },
        .asked_until = rows_time(rows, i, 9),
    };
    row->sealed = rows_bytes(rows, i, 4, &row->sealed_len);
}

/* Rows of the trackers in their order, of each tracker those asked for longest ago first. More than a request
 * takes are of no use, and a tracker may have thousands. */
static bool load_rows(struct choice *choice, struct db *db, size_t count, struct error *err)
{
    static const char sql[] =
        "SELECT u.place, k.id, k.kind = 'rolling', k.key_hash, k.private_key_sealed, lower(k.period), "
        "upper(k.period), coalesce(k.alignment_at, k.paired_at), coalesce(k.alignment_index, 0), k.asked_until "
        "FROM unnest($1) WITH ORDINALITY AS u (id, place) JOIN tracker_keys k ON k.tracker_id = u.id "
        "WHERE k.private_key_sealed IS NOT NULL AND k.period && tstzrange($2, $3) "
        "ORDER BY u.place, k.asked_until NULLS FIRST, k.id LIMIT $4";
    const struct fetch_window *window = choice->window;
    int64_t *ids = arena_alloc(choice->keys->arena, (count + 1) * sizeof(*ids));
    for (size_t i = 0; i < count; i++)
        ids[i] = choice->trackers[i].id;
    struct rows *rows = db_query(db, sql, "atti", ids, count, window->now - window->profile->fetch.look_back,
                                 window->now, (int64_t)window->max_ids + 1);
    if (!rows_ok(rows))
        return database_failed(rows, "reading keys of trackers", err);
    choice->row_count = rows_count(rows);
    choice->rows = arena_zalloc(choice->keys->arena, choice->row_count + 1, sizeof(*choice->rows));
    for (size_t i = 0; i < choice->row_count; i++)
        read_row(choice, rows, i);
    return true;
}

/* ---- how much a row needs ---- */

static size_t range_size(struct rolling_range range)
{
    return range.to < range.from ? 0 : (size_t)(range.to - range.from + 1);
}

/* Slots of the time that was not asked for yet. All that the tag may show, unless those are more than a
 * request takes. */
static void plan_rolling(const struct choice *choice, struct row *row)
{
    const struct fetch_window *window = choice->window;
    int64_t from = fetch_from(window->profile, window->now, row->asked_until), to = window->now;
    from = from > row->valid_from ? from : row->valid_from;
    to = to < row->valid_until ? to : row->valid_until;
    row->primary = rolling_possible(&row->alignment, from, to);
    if (range_size(row->primary) > window->max_ids)
        row->primary = rolling_expected(&row->alignment, from, to);
    row->secondary = rolling_secondary(row->primary);
}

static size_t ids_of(const struct choice *choice, struct row *row)
{
    if (!row->rolling)
        return 1;
    plan_rolling(choice, row);
    return range_size(row->primary) + range_size(row->secondary);
}

/* ---- adding ---- */

static void add_key(struct choice *choice, const struct row *row, const uint8_t *private_key,
                    const uint8_t *hash, enum fetch_kind kind, int64_t slot)
{
    struct fetch_keys *keys = choice->keys;
    uint8_t *copy = arena_secret(keys->arena, FINDMY_PRIVATE_SIZE);
    struct fetch_key *key = &keys->keys[keys->key_count++];
    memcpy(copy, private_key, FINDMY_PRIVATE_SIZE);
    *key = (struct fetch_key){
        .private_key = copy,
        .valid_from = row->valid_from,
        .valid_until = row->valid_until,
        .kind = kind,
        .slot = slot,
        .row = keys->row_count,
    };
    memcpy(key->hash, hash, FINDMY_HASH_SIZE);
}

static bool add_chain(struct choice *choice, const struct row *row, const uint8_t *secret,
                      const uint8_t *seed, struct rolling_range range, enum fetch_kind kind,
                      struct error *err)
{
    struct rolling_key key;
    struct rolling_chain *chain = rolling_chain_new(secret, seed, err);
    bool ok = chain != NULL;
    for (int64_t i = range.from; ok && i <= range.to; i++) {
        ok = rolling_chain_key(chain, i, &key, err);
        if (ok)
            add_key(choice, row, key.private_key, key.public_key.hash, kind, kind == FETCH_PRIMARY ? i : -1);
    }
    wipe(&key, sizeof(key));
    rolling_chain_free(chain);
    return ok;
}

/* The rows and slots of `room` ids; asked_until says how far that goes. */
static bool add_rolling(struct choice *choice, struct row *row, const uint8_t *secret, size_t room,
                        int64_t *asked_until, struct error *err)
{
    size_t days = range_size(row->secondary);
    if (range_size(row->primary) + days > room) {
        days = room / ROLLING_SLOTS_PER_DAY + 3; /* at most, of as many primary slots */
        row->primary.to = row->primary.from + (int64_t)(room - days) - 1;
        row->secondary = rolling_secondary(row->primary);
        *asked_until = row->alignment.at + (row->primary.to - row->alignment.index) * ROLLING_SLOT;
    }
    const uint8_t *skn = secret + FINDMY_PRIVATE_SIZE;
    return add_chain(choice, row, secret, skn, row->primary, FETCH_PRIMARY, err) &&
           add_chain(choice, row, secret, skn + ROLLING_SEED_SIZE, row->secondary, FETCH_SECONDARY, err);
}

static bool unseal_row(const struct choice *choice, const struct row *row, uint8_t *secret, struct error *err)
{
    char context[sizeof("tracker_key:") + HEX_SIZE(FINDMY_HASH_SIZE)] = "tracker_key:";
    size_t size = row->rolling ? ROLLING_SECRET_SIZE : FINDMY_PRIVATE_SIZE;
    hex_encode(row->hash, FINDMY_HASH_SIZE, context + strlen(context));
    if (row->sealed_len != size + SEAL_OVERHEAD)
        return error_set(err, "key_invalid", "the sealed key has a wrong length");
    return unseal(choice->sealer, context, row->sealed, row->sealed_len, secret, err);
}

static void add_row(struct choice *choice, struct row *row, size_t room)
{
    struct error err = { .code = "" };
    struct fetch_keys *keys = choice->keys;
    uint8_t secret[ROLLING_SECRET_SIZE];
    int64_t asked_until = choice->window->now;
    size_t before = keys->key_count;
    if (row->rolling && room < ROLLING_MIN_ROOM)
        return; /* first in the next turn */
    bool ok = unseal_row(choice, row, secret, &err);
    if (ok && row->rolling)
        ok = add_rolling(choice, row, secret, room, &asked_until, &err);
    else if (ok)
        add_key(choice, row, secret, row->hash, FETCH_STATIC, -1);
    wipe(secret, sizeof(secret));
    if (!ok) {
        keys->key_count = before;
        LOG_ERROR("tracker key not usable", LOG_NUM("tracker_id", choice->trackers[row->tracker].id),
                  LOG_NUM("key_id", row->id), LOG_TEXT("code", err.code), LOG_TEXT("reason", err.message));
        return;
    }
    keys->rows[keys->row_count++] = (struct fetch_row){ row->id,          row->tracker, row->rolling,
                                                        row->asked_until, asked_until,  row->alignment };
}

/* ---- choosing ---- */

/* Take one tracker's rows. False: it does not fit, and the request is full. */
static bool take_tracker(struct choice *choice, size_t tracker, size_t first, size_t end, size_t *used)
{
    bool cut = end == choice->row_count && choice->row_count > choice->window->max_ids;
    size_t need = 0, room = choice->window->max_ids - *used;
    for (size_t i = first; i < end; i++)
        need += ids_of(choice, &choice->rows[i]);
    if ((cut || need > room) && *used > 0)
        return false;
    choice->trackers[tracker].taken = true;
    choice->trackers[tracker].complete = !cut && need <= room;
    for (size_t i = first; i < end && *used < choice->window->max_ids; i++) {
        size_t before = choice->keys->key_count;
        add_row(choice, &choice->rows[i], choice->window->max_ids - *used);
        *used += choice->keys->key_count - before;
    }
    return true;
}

static void choose(struct choice *choice, size_t count)
{
    size_t row = 0, used = 0;
    choice->keys->rows = arena_zalloc(choice->keys->arena, choice->row_count + 1, sizeof(struct fetch_row));
    choice->keys->keys = arena_zalloc(choice->keys->arena, choice->window->max_ids + 1,
                                      sizeof(struct fetch_key));
    bool cut = choice->row_count > choice->window->max_ids;
    for (size_t tracker = 0; tracker < count; tracker++) {
        size_t first = row;
        while (row < choice->row_count && choice->rows[row].tracker == tracker)
            row++;
        if (cut && first == choice->row_count)
            return; /* its rows lie behind the limit */
        if (!take_tracker(choice, tracker, first, row, &used))
            return;
    }
}

/* ---- ids ---- */

static int by_hash(const void *a, const void *b)
{
    return memcmp(((const struct fetch_key *)a)->hash, ((const struct fetch_key *)b)->hash, FINDMY_HASH_SIZE);
}

struct quiet {
    int64_t last_report_at;
    size_t first, count;
};

static int by_quiet(const void *a, const void *b)
{
    const struct quiet *left = a, *right = b;
    if (left->last_report_at != right->last_report_at)
        return left->last_report_at < right->last_report_at ? -1 : 1;
    return (left->first > right->first) - (left->first < right->first);
}

/* One id for each hash. Two trackers have one only for different times: a tag that went to another client. */
static void make_ids(struct choice *choice)
{
    struct fetch_keys *keys = choice->keys;
    struct quiet *order = arena_zalloc(keys->arena, keys->key_count + 1, sizeof(*order));
    if (keys->key_count > 0)
        qsort(keys->keys, keys->key_count, sizeof(keys->keys[0]), by_hash);
    for (size_t i = 0; i < keys->key_count; i++) {
        const struct fetch_row *row = &keys->rows[keys->keys[i].row];
        if (i == 0 || by_hash(&keys->keys[i - 1], &keys->keys[i]) != 0)
            order[keys->id_count++] = (struct quiet){ choice->trackers[row->tracker].last_report_at, i, 0 };
        order[keys->id_count - 1].count++;
    }
    if (keys->id_count > 0)
        qsort(order, keys->id_count, sizeof(order[0]), by_quiet);
    keys->ids = arena_zalloc(keys->arena, keys->id_count + 1, sizeof(*keys->ids));
    keys->of_id = arena_zalloc(keys->arena, keys->id_count + 1, sizeof(*keys->of_id));
    for (size_t i = 0; i < keys->id_count; i++) {
        const struct fetch_key *key = &keys->keys[order[i].first];
        memcpy(keys->ids[i].hash, key->hash, FINDMY_HASH_SIZE);
        keys->ids[i].kind = key->kind;
        keys->of_id[i].first = order[i].first;
        keys->of_id[i].count = order[i].count;
    }
}

bool fetch_keys_load(struct fetch_keys *keys, struct db *db, const struct sealer *sealer,
                     const struct fetch_window *window, struct fetch_tracker *trackers, size_t count,
                     struct arena *arena, struct error *err)
{
    struct choice choice = { .keys = keys, .sealer = sealer, .window = window, .trackers = trackers };
    *keys = (struct fetch_keys){ .arena = arena };
    if (!load_rows(&choice, db, count, err))
        return false;
    choose(&choice, count);
    make_ids(&choice);
    return true;
}
