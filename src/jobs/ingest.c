/* From payloads to columns, and from columns to the database in one statement. */
#include "jobs/ingest.h"

#include <sodium.h>
#include <string.h>

#include "base/encode.h"
#include "base/metrics.h"
#include "jobs/failure.h"

#define DIGEST_SIZE 16 /* of a payload: enough that no two of a tracker's meet */

/* Reasons besides the names of report_result_name(); stable, as those are. */
#define REASON_FUTURE "future"         /* the finder's clock is ahead */
#define REASON_OLD    "old"            /* older than Apple keeps reports: the finder's clock is behind */
#define REASON_PERIOD "outside_period" /* the key belonged to another tracker then, or to none */

/* ---- opening ---- */

static const char *digest_of(struct arena *arena, const struct ingest_input *input)
{
    uint8_t digest[DIGEST_SIZE];
    char *text = arena_alloc(arena, HEX_SIZE(DIGEST_SIZE));
    crypto_generichash(digest, sizeof(digest), input->payload, input->len, NULL, 0);
    hex_encode(digest, sizeof(digest), text);
    return text;
}

static void reject(struct ingest *ingest, const struct ingest_input *input, const char *reason)
{
    size_t at = ingest->rejected++;
    ingest->rejected_trackers[at] = input->tracker_id;
    ingest->rejected_reasons[at] = reason;
    ingest->rejected_digests[at] = digest_of(ingest->arena, input);
}

static void keep(struct ingest *ingest, const struct ingest_input *input, const struct report *report)
{
    size_t at = ingest->count++;
    ingest->trackers[at] = input->tracker_id;
    ingest->key_ids[at] = input->key_id;
    ingest->times[at] = report->time;
    ingest->latitudes[at] = report->lat_e7 / 1e7;
    ingest->longitudes[at] = report->lon_e7 / 1e7;
    ingest->accuracies[at] = report->accuracy;
    ingest->confidences[at] = report->confidence;
    ingest->statuses[at] = report->status;
    if (ingest->digests != NULL)
        ingest->digests[at] = digest_of(ingest->arena, input);
}

static void make_room(struct ingest *ingest, size_t n, bool digests)
{
    struct arena *arena = ingest->arena;
    ingest->trackers = arena_zalloc(arena, n + 1, sizeof(*ingest->trackers));
    ingest->times = arena_zalloc(arena, n + 1, sizeof(*ingest->times));
    ingest->key_ids = arena_zalloc(arena, n + 1, sizeof(*ingest->key_ids));
    ingest->latitudes = arena_zalloc(arena, n + 1, sizeof(*ingest->latitudes));
    ingest->longitudes = arena_zalloc(arena, n + 1, sizeof(*ingest->longitudes));
    ingest->accuracies = arena_zalloc(arena, n + 1, sizeof(*ingest->accuracies));
    ingest->confidences = arena_zalloc(arena, n + 1, sizeof(*ingest->confidences));
    ingest->statuses = arena_zalloc(arena, n + 1, sizeof(*ingest->statuses));
    if (digests)
        ingest->digests = arena_zalloc(arena, n + 1, sizeof(*ingest->digests));
    ingest->rejected_trackers = arena_zalloc(arena, n + 1, sizeof(*ingest->rejected_trackers));
    ingest->rejected_reasons = arena_zalloc(arena, n + 1, sizeof(*ingest->rejected_reasons));
    ingest->rejected_digests = arena_zalloc(arena, n + 1, sizeof(*ingest->rejected_digests));
}

/* The reason for which a report is not stored; NULL for none. */
static const char *fault_of(const struct batch_item *item, int64_t now)
{
    if (item->private_key == NULL)
        return REASON_PERIOD;
    if (item->result != REPORT_OK)
        return report_result_name(item->result);
    if (fetch_time_plausible(item->report.time, now))
        return NULL;
    return item->report.time > now ? REASON_FUTURE : REASON_OLD;
}

bool ingest_open(struct ingest *ingest, const struct ingest_input *inputs, size_t count, bool drop_excluded,
                 int64_t now, struct arena *arena, struct error *err)
{
    *ingest = (struct ingest){ .arena = arena };
    make_room(ingest, count, drop_excluded);
    struct batch_item *items = arena_zalloc(arena, count + 1, sizeof(*items));
    struct batch *batch = count > 0 ? batch_new(0, err) : NULL;
    if (count > 0 && batch == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        items[i] = (struct batch_item){ .payload = inputs[i].payload,
                                        .len = inputs[i].len,
                                        .private_key = inputs[i].private_key };
    if (count > 0)
        batch_run(batch, items, count, NULL);
    batch_free(batch);
    for (size_t i = 0; i < count; i++) {
        const char *fault = fault_of(&items[i], now);
        if (fault != NULL)
            reject(ingest, &inputs[i], fault);
        else
            keep(ingest, &inputs[i], &items[i].report);
    }
    return true;
}

/* ---- storing ---- */

static bool store(const struct ingest *ingest, struct db *db, struct ingest_result *result, struct error *err)
{
    static const char sql[] = "SELECT tracker_id, stored, excluded FROM ingest_reports($1, $2, $3, $4, $5, "
                              "$6, $7, $8, CASE WHEN $10 THEN $9 END)";
    size_t n = ingest->count;
    struct rows *rows = db_query(db, sql, "aTFFRHHaSb", ingest->trackers, n, ingest->times, n,
                                 ingest->latitudes, n, ingest->longitudes, n, ingest->accuracies, n,
                                 ingest->confidences, n, ingest->statuses, n, ingest->key_ids, n,
                                 ingest->digests, ingest->digests != NULL ? n : (size_t)0,
                                 ingest->digests != NULL);
    if (!rows_ok(rows))
        return database_failed(rows, "storing reports", err);
    result->count = rows_count(rows);
    result->trackers = arena_zalloc(ingest->arena, result->count + 1, sizeof(*result->trackers));
    for (size_t i = 0; i < result->count; i++) {
        result->trackers[i] = (struct ingest_tracker){ rows_int(rows, i, 0), rows_int(rows, i, 1),
                                                       rows_int(rows, i, 2) };
        result->stored += result->trackers[i].stored;
        result->excluded += result->trackers[i].excluded;
    }
    return true;
}

static bool count_rejected(const struct ingest *ingest, struct db *db, struct ingest_result *result,
                           struct error *err)
{
    size_t n = ingest->rejected;
    struct rows *rows = db_query(db, "SELECT count_rejected_once($1, $2, $3)", "aSS",
                                 ingest->rejected_trackers, n, ingest->rejected_reasons, n,
                                 ingest->rejected_digests, n);
    if (!rows_ok(rows))
        return database_failed(rows, "counting rejected reports", err);
    result->rejected = rows_int(rows, 0, 0);
    return true;
}

bool ingest_store(const struct ingest *ingest, struct db *db, struct ingest_result *result, struct error *err)
{
    *result = (struct ingest_result){ 0 };
    if ((ingest->count > 0 && !store(ingest, db, result, err)) ||
        (ingest->rejected > 0 && !count_rejected(ingest, db, result, err)))
        return false;
    return true;
}

void ingest_count(const struct ingest_result *result)
{
    static const char help[] = "Reports from Apple by what became of them, repeated ones left out.";
    struct metric *metric = metric_counter("ingest_reports_total", help, "outcome");
    series_add(metric_series(metric, (const char *const[]){ "stored" }), result->stored - result->excluded);
    series_add(metric_series(metric, (const char *const[]){ "excluded" }), result->excluded);
    series_add(metric_series(metric, (const char *const[]){ "rejected" }), result->rejected);
}
