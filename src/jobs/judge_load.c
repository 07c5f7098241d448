/* What the judge needs from the database: where to begin, the state at that moment, reports and places near
 * them. */
#include <math.h>
#include <string.h>

#include "base/parse.h"
#include "base/timeutil.h"
#include "jobs/judge_batch.h"

struct rules judge_rules(const struct config *config)
{
    return (struct rules){ .min_confidence = (int)config->min_confidence,
                           .max_accuracy = (double)config->max_accuracy,
                           .max_speed = (double)config->max_speed / 3.6,
                           .entry_slack = (double)config->entry_slack,
                           .confirm_reports = (int)config->confirm_reports,
                           .dwell_period = config->dwell_period };
}

static enum place_kind kind_of(const char *text)
{
    if (text == NULL)
        return PLACE_NONE;
    return strcmp(text, "delivery") == 0 ? PLACE_DELIVERY : PLACE_STORAGE;
}

static enum status status_of(const char *text)
{
    for (int i = STATUS_CREATED; i <= STATUS_DELIVERED; i++)
        if (text != NULL && strcmp(text, status_names[i]) == 0)
            return (enum status)i;
    return STATUS_CREATED;
}

/* ---- where to begin ---- */

/* The last usable report before the change may become a jump or stop being one, so judging begins with it,
 * with the membership that the events before it leave. Where a run asks for confirmation, a change may be
 * pending at that moment, which no row tells. Then judging begins at an earlier event instead: the report of
 * an event names the place that it is about, so whatever was pending before it is of no consequence, provided
 * that no other report has the same time (tests/unit/tracking/test_properties.c).
 *
 * $1 trackers, $2 times of change, $3 lowest confidence, $4 highest accuracy, $5 confirmations by the
 * settings */
#define USABLE "NOT l.excluded AND l.confidence >= $3 AND l.accuracy_m <= $4"

static const char resume_sql[] =
    "WITH start AS MATERIALIZED ("
    "  SELECT t.*, CASE WHEN last.at IS NULL THEN c.at WHEN NOT confirmation.needed THEN last.at"
    "   ELSE coalesce((SELECT e.occurred_at FROM geofence_events e"
    "     WHERE e.tracker_id = t.id AND e.occurred_at < last.at AND (SELECT count(*) FROM location_reports l"
    "      WHERE l.tracker_id = t.id AND l.reported_at = e.occurred_at) = 1"
    "     ORDER BY e.occurred_at DESC LIMIT 1), '0001-01-01 00:00:00+00') END AS at"
    "  FROM unnest($1::bigint[], $2::timestamptz[]) AS c (tracker_id, at)"
    "  JOIN trackers t ON t.id = c.tracker_id"
    "  LEFT JOIN LATERAL (SELECT l.reported_at AS at FROM location_reports l"
    "   WHERE l.tracker_id = t.id AND l.reported_at < c.at AND " USABLE
    "   ORDER BY l.reported_at DESC LIMIT 1) last ON true"
    "  CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM tracker_runs r JOIN production_runs p ON p.id = r.production_run_id"
    "   WHERE r.tracker_id = t.id AND coalesce(p.confirm_reports, $5) > 1) OR $5 > 1 AS needed) confirmation"
    ")"
    " SELECT t.id, t.client_id, coalesce(t.production_run_id, 0), t.at,"
    " (SELECT count(*) FROM location_reports l WHERE l.tracker_id = t.id AND l.reported_at >= t.at),"
    " EXISTS (SELECT FROM status_overrides o WHERE o.tracker_id = t.id AND o.at >= t.at AND o.withdrawn_at IS NULL),"
    " EXISTS (SELECT FROM tracker_exceptions x WHERE x.tracker_id = t.id AND x.kind IN ('wrong_place', 'left_early')"
    "  AND (x.since >= t.at OR x.ended_at IS NULL OR x.ended_at >= t.at)),"
    " EXISTS (SELECT FROM status_history h WHERE h.tracker_id = t.id AND h.since < t.at AND h.override_id IS NULL),"
    " CASE WHEN event.kind <> 'exit' THEN event.location_id END,"
    " (SELECT k.kind FROM locations k WHERE k.id = event.location_id AND event.kind <> 'exit'), event.occurred_at,"
    " wrong.location_id, wrong.since, early.location_id, early.since,"
    " before.reported_at, before.latitude_e7 / 1e7::float8, before.longitude_e7 / 1e7::float8, before.accuracy_m,"
    " shown.status, shown.location_id, coalesce(shown.since, t.created_at), t.status, t.location_id, t.last_report_at"
    " FROM start t"
    " LEFT JOIN LATERAL (SELECT e.kind, e.location_id, e.occurred_at FROM geofence_events e"
    "  WHERE e.tracker_id = t.id AND e.occurred_at < t.at ORDER BY e.occurred_at DESC, e.id DESC LIMIT 1) event ON true"
    " LEFT JOIN LATERAL (SELECT x.location_id, x.since FROM tracker_exceptions x WHERE x.tracker_id = t.id"
    "  AND x.kind = 'wrong_place' AND x.since < t.at AND (x.ended_at IS NULL OR x.ended_at >= t.at) LIMIT 1) wrong ON true"
    " LEFT JOIN LATERAL (SELECT x.location_id, x.since FROM tracker_exceptions x WHERE x.tracker_id = t.id"
    "  AND x.kind = 'left_early' AND x.since < t.at AND (x.ended_at IS NULL OR x.ended_at >= t.at) LIMIT 1) early ON true"
    " LEFT JOIN LATERAL (SELECT l.reported_at, l.latitude_e7, l.longitude_e7, l.accuracy_m FROM location_reports l"
    "  WHERE l.tracker_id = t.id AND l.reported_at < t.at AND " USABLE
    "  ORDER BY l.reported_at DESC, l.accuracy_m DESC, l.latitude_e7 DESC, l.longitude_e7 DESC LIMIT 1) before ON true"
    " LEFT JOIN LATERAL (SELECT h.status, h.location_id, h.since FROM status_history h"
    "  WHERE h.tracker_id = t.id AND h.since < t.at ORDER BY h.since DESC, h.id DESC LIMIT 1) shown ON true"
    " ORDER BY t.id";

static struct subject read_subject(const struct rows *rows, size_t i)
{
    struct subject subject = { .tracker = rows_int(rows, i, 0),
                               .client = rows_int(rows, i, 1),
                               .run = rows_int(rows, i, 2),
                               .from = rows_time(rows, i, 3),
                               .reports = rows_int(rows, i, 4),
                               .has_overrides = rows_bool(rows, i, 5),
                               .has_exceptions = rows_bool(rows, i, 6),
                               .battery_status = -1 };
    subject.state.seen = rows_bool(rows, i, 7);
    subject.state.membership = (struct membership){ rows_int(rows, i, 8), kind_of(rows_text(rows, i, 9)) };
    subject.state.marked_at = rows_time(rows, i, 10);
    subject.watch.open[EXCEPTION_WRONG_PLACE] = (struct exception){ .kind = EXCEPTION_WRONG_PLACE,
                                                                    .location = rows_int(rows, i, 11),
                                                                    .since = rows_time(rows, i, 12) };
    subject.watch.open[EXCEPTION_LEFT_EARLY] = (struct exception){ .kind = EXCEPTION_LEFT_EARLY,
                                                                   .location = rows_int(rows, i, 13),
                                                                   .since = rows_time(rows, i, 14) };
    subject.before = (struct report){ .at = rows_time(rows, i, 15),
                                      .latitude = rows_double(rows, i, 16),
                                      .longitude = rows_double(rows, i, 17),
                                      .accuracy = rows_double(rows, i, 18) };
    subject.shown = (struct shown){ status_of(rows_text(rows, i, 19)), rows_int(rows, i, 20) };
    subject.shown_since = rows_time(rows, i, 21);
    subject.old.shown = (struct shown){ status_of(rows_text(rows, i, 22)), rows_int(rows, i, 23) };
    subject.old.last_report_at = rows_time(rows, i, 24);
    return subject;
}

bool judge_resume(const struct judging *judging, const struct judge_claim *claims, size_t n,
                  struct batch *batch, struct error *err)
{
    int64_t *trackers = arena_alloc(judging->arena, n * sizeof(*trackers));
    int64_t *times = arena_alloc(judging->arena, n * sizeof(*times));
    for (size_t i = 0; i < n; i++) {
        trackers[i] = claims[i].tracker;
        times[i] = claims[i].from;
    }
    const struct config *config = judging->config;
    struct rows *rows = db_query(judging->db, resume_sql, "aTiii", trackers, n, times, n,
                                 config->min_confidence, config->max_accuracy, config->confirm_reports);
    if (!rows_ok(rows))
        return database_failed(rows, "finding where to judge from", err);
    *batch = (struct batch){ .count = rows_count(rows) };
    batch->subjects = arena_zalloc(judging->arena, batch->count, sizeof(struct subject));
    for (size_t i = 0; i < batch->count; i++)
        batch->subjects[i] = read_subject(rows, i);
    return true;
}

/* ---- reports and places near them ---- */

/* A report without places near gives one row, one with several a row for each. Places beyond the report's box
 * are farther away than its accuracy, the hysteresis or the slack, so they are outside and may be missing. A
 * place that was archived counted until then. Delivery locations of the client's other runs come along,
 * marked.
 *
 * $1 trackers, $2 from, $3 lowest confidence, $4 highest accuracy, $5 slack */
static const char reports_sql[] =
    "WITH start AS MATERIALIZED ("
    "  SELECT s.tracker_id, s.at, t.client_id FROM unnest($1::bigint[], $2::timestamptz[]) AS s (tracker_id, at)"
    "  JOIN trackers t ON t.id = s.tracker_id"
    "), runs AS MATERIALIZED ("
    "  SELECT r.tracker_id, r.production_run_id, r.period, p.confirm_reports, p.release_at FROM start s"
    "  JOIN tracker_runs r ON r.tracker_id = s.tracker_id JOIN production_runs p ON p.id = r.production_run_id"
    "), reports AS MATERIALIZED ("
    "  SELECT s.client_id, l.*, " USABLE " AS usable,"
    "   ST_SetSRID(ST_MakePoint(l.longitude_e7 / 1e7::float8, l.latitude_e7 / 1e7::float8), 4326)::geography AS point"
    "  FROM start s JOIN location_reports l ON l.tracker_id = s.tracker_id AND l.reported_at >= s.at AND NOT l.excluded"
    ")"
    " SELECT l.tracker_id, l.reported_at, l.latitude_e7 / 1e7::float8, l.longitude_e7 / 1e7::float8, l.accuracy_m,"
    " l.confidence, coalesce(l.status, -1), r.production_run_id, r.confirm_reports, r.release_at,"
    " place.location_id, place.kind, place.other, place.distance, place.hysteresis"
    " FROM reports l"
    " LEFT JOIN runs r ON r.tracker_id = l.tracker_id AND r.period @> l.reported_at"
    " LEFT JOIN LATERAL ("
    "  SELECT s.location_id, k.kind, NOT own.yes AS other,"
    "   fence_distance(s.center, s.radius_m, s.polygon, l.point) AS distance,"
    "   coalesce(s.hysteresis_m, least(s.radius_m / 10, 25)) AS hysteresis"
    "  FROM location_shapes s JOIN locations k ON k.id = s.location_id"
    "  CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM production_run_locations o"
    "   WHERE o.production_run_id = r.production_run_id AND o.location_id = s.location_id) AS yes) own"
    "  WHERE l.usable AND s.client_id = l.client_id"
    "   AND s.reach && _ST_Expand(l.point, greatest(l.accuracy_m, $5)) AND s.period @> l.reported_at"
    "   AND (k.archived_at IS NULL OR k.archived_at > l.reported_at)"
    "   AND (own.yes OR (k.kind = 'delivery' AND EXISTS (SELECT FROM production_run_locations o"
    "    WHERE o.client_id = l.client_id AND o.location_id = s.location_id)))"
    " ) place ON true"
    " ORDER BY l.tracker_id, l.reported_at, l.accuracy_m, l.latitude_e7, l.longitude_e7";

static struct report read_report(const struct rows *rows, size_t i)
{
    return (struct report){ .at = rows_time(rows, i, 1),
                            .latitude = rows_double(rows, i, 2),
                            .longitude = rows_double(rows, i, 3),
                            .accuracy = rows_double(rows, i, 4),
                            .confidence = (int)rows_int(rows, i, 5),
                            .run = rows_int(rows, i, 7),
                            .confirm = (int)rows_int(rows, i, 8),
                            .release_at = rows_time(rows, i, 9) };
}

static struct candidate read_candidate(const struct rows *rows, size_t i)
{
    return (struct candidate){ .location = rows_int(rows, i, 10),
                               .kind = kind_of(rows_text(rows, i, 11)),
                               .foreign = rows_bool(rows, i, 12),
                               .distance = rows_double(rows, i, 13),
                               .hysteresis = rows_double(rows, i, 14) };
}

/* Rows of one tracker from *at on, which advances. */
static void read_reports(const struct rows *rows, size_t *at, struct subject *subject, struct report *reports,
                         struct candidate *places)
{
    subject->loaded = reports + *at; /* as many as rows at most, so rows' places do for both arrays */
    for (; *at < rows_count(rows) && rows_int(rows, *at, 0) == subject->tracker; (*at)++) {
        struct report report = read_report(rows, *at);
        size_t n = subject->loaded_count;
        if (n == 0 || report_compare(&subject->loaded[n - 1], &report) != 0) {
            report.places = places + *at;
            subject->loaded[n++] = report;
            subject->loaded_count = n;
            subject->battery_status = (int)rows_int(rows, *at, 6);
        }
        struct report *last = &subject->loaded[n - 1];
        if (!rows_null(rows, *at, 10))
            places[(size_t)(last->places - places) + last->place_count++] = read_candidate(rows, *at);
    }
}

static bool load_reports(const struct judging *judging, struct batch *batch, const int64_t *trackers,
                         const int64_t *times, struct error *err)
{
    const struct config *config = judging->config;
    struct rows *rows = db_query(judging->db, reports_sql, "aTiid", trackers, batch->count, times,
                                 batch->count, config->min_confidence, config->max_accuracy,
                                 (double)config->entry_slack);
    if (!rows_ok(rows))
        return database_failed(rows, "loading reports", err);
    struct report *reports = arena_zalloc(judging->arena, rows_count(rows) + 1, sizeof(*reports));
    struct candidate *places = arena_zalloc(judging->arena, rows_count(rows) + 1, sizeof(*places));
    size_t at = 0;
    for (size_t i = 0; i < batch->count; i++)
        read_reports(rows, &at, &batch->subjects[i], reports, places);
    return true;
}

/* ---- statuses set by hand ---- */

static const char overrides_sql[] =
    "SELECT o.tracker_id, o.id, o.at, o.status, o.location_id, r.production_run_id"
    " FROM unnest($1::bigint[], $2::timestamptz[]) AS s (tracker_id, at)"
    " JOIN status_overrides o ON o.tracker_id = s.tracker_id AND o.at >= s.at AND o.withdrawn_at IS NULL"
    " LEFT JOIN tracker_runs r ON r.tracker_id = o.tracker_id AND r.period @> o.at"
    " ORDER BY o.tracker_id, o.at, o.id";

static bool load_overrides(const struct judging *judging, struct batch *batch, const int64_t *trackers,
                           const int64_t *times, struct error *err)
{
    struct rows *rows = db_query(judging->db, overrides_sql, "aT", trackers, batch->count, times,
                                 batch->count);
    if (!rows_ok(rows))
        return database_failed(rows, "loading statuses set by hand", err);
    struct override *overrides = arena_alloc(judging->arena, (rows_count(rows) + 1) * sizeof(*overrides));
    size_t at = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct subject *subject = &batch->subjects[i];
        subject->overrides = overrides + at;
        for (; at < rows_count(rows) && rows_int(rows, at, 0) == subject->tracker;
             at++, subject->override_count++)
            overrides[at] = (struct override){ .id = rows_int(rows, at, 1),
                                               .at = rows_time(rows, at, 2),
                                               .status = status_of(rows_text(rows, at, 3)),
                                               .location = rows_int(rows, at, 4),
                                               .run = rows_int(rows, at, 5) };
    }
    return true;
}

bool judge_load(const struct judging *judging, struct batch *batch, struct error *err)
{
    int64_t *trackers = arena_alloc(judging->arena, (batch->count + 1) * sizeof(*trackers));
    int64_t *times = arena_alloc(judging->arena, (batch->count + 1) * sizeof(*times));
    bool overridden = false;
    for (size_t i = 0; i < batch->count; i++) {
        trackers[i] = batch->subjects[i].tracker;
        times[i] = batch->subjects[i].from;
        overridden = overridden || batch->subjects[i].has_overrides;
    }
    return load_reports(judging, batch, trackers, times, err) &&
           (!overridden || load_overrides(judging, batch, trackers, times, err));
}
