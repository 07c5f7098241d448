/* Keeps the answers to a worker's requests, sealed. */
#include "jobs/recordings.h"

#include <inttypes.h>

#include "base/encode.h"
#include "base/log.h"
#include "findmy/record.h"
#include "jobs/failure.h"

void recording_begin(struct recording *recording, struct provider *provider, struct arena *arena)
{
    *recording = (struct recording){ .direct = provider->http,
                                     .lines = { .max = RECORDING_MAX - SEAL_OVERHEAD, .secret = true } };
    provider->http = record_lines_new(arena, recording->direct, &recording->lines, provider->clock);
}

/* The id is part of what is sealed, so the row is written first. In the caller's transaction. */
static bool write_row(const struct buf *lines, struct db *db, const struct sealer *sealer, int64_t batch_id,
                      struct arena *arena, struct error *err)
{
    static const char insert_sql[] =
        "WITH old AS (DELETE FROM provider_recordings WHERE id <= (SELECT id FROM provider_recordings "
        "ORDER BY id DESC LIMIT 1 OFFSET $2)) INSERT INTO provider_recordings (fetch_batch_id, sealed, "
        "master_key_id) VALUES ($1, '', $3) RETURNING id";
    char key_id[HEX_SIZE(4)];
    hex_encode(sealer->key_ids[0], sizeof(sealer->key_ids[0]), key_id);
    struct rows *row = db_query(db, insert_sql, "iis", batch_id, (int64_t)RECORDINGS_KEPT - 1, key_id);
    if (!rows_ok(row))
        return database_failed(row, "keeping a recording", err);
    int64_t id = rows_int(row, 0, 0);
    size_t len = lines->len + SEAL_OVERHEAD;
    uint8_t *sealed = arena_alloc(arena, len);
    if (!seal(sealer, arena_printf(arena, "provider_recording:%" PRId64, id), lines->data, lines->len,
              sealed))
        return error_set(err, "recording_key", "there is no master key");
    struct rows *filled = db_query(db, "UPDATE provider_recordings SET sealed = $2 WHERE id = $1", "ix", id,
                                   sealed, len);
    return rows_ok(filled) || database_failed(filled, "keeping a recording", err);
}

static bool store(const struct buf *lines, struct db *db, const struct sealer *sealer, int64_t batch_id,
                  struct arena *arena, struct error *err)
{
    if (lines->overflow)
        return error_set(err, "recording_size", "the answers are larger than a recording may be");
    bool stored = db_begin(db, err) && write_row(lines, db, sealer, batch_id, arena, err) &&
                  db_commit(db, err);
    if (!stored)
        db_rollback(db);
    return stored;
}

void recording_keep(struct recording *recording, struct provider *provider, struct db *db,
                    const struct sealer *sealer, int64_t batch_id, struct arena *arena)
{
    struct error err;
    if (recording->direct == NULL)
        return;
    provider->http = recording->direct;
    bool any = recording->lines.len > 0 || recording->lines.overflow;
    if (any && !store(&recording->lines, db, sealer, batch_id, arena, &err))
        LOG_WARN("answers were not recorded", LOG_NUM("batch_id", batch_id), LOG_TEXT("reason", err.message));
    buf_wipe(&recording->lines);
}
