/* What the judge leaves in the database: derived rows replaced where they differ, the trackers' own rows,
 * facts to be told. And the same comparison as a preview. */
#include <math.h>
#include <string.h>

#include "base/timeutil.h"
#include "jobs/judge_batch.h"
#include "store/rows_json.h"

/* Columns of arrays on their way to one unnest(). */
static void *column(const struct judging *judging, size_t n, size_t size)
{
    return arena_alloc(judging->arena, (n + 1) * size);
}

/* The subjects' trackers and from-times, which say what "the derived rows from there on" are. */
struct reach {
    int64_t *trackers, *times;
    size_t n;
};

static struct reach reach_of(const struct judging *judging, const struct batch *batch)
{
    struct reach reach = { .trackers = column(judging, batch->count, sizeof(int64_t)),
                           .times = column(judging, batch->count, sizeof(int64_t)),
                           .n = batch->count };
    for (size_t i = 0; i < batch->count; i++) {
        reach.trackers[i] = batch->subjects[i].tracker;
        reach.times[i] = batch->subjects[i].from;
    }
    return reach;
}

/* Both tables are compared as sets, null being equal to null. Rows of one moment are kept or replaced
 * together, so that ids are in the order in which things happened. A distance that the rules did not know (a
 * place that was left for far away) is measured here. */
#define CHANGED                                                                                              \
    "), differs AS ("                                                                                        \
    "  (SELECT tracker_id, at FROM (SELECT * FROM fresh_rows EXCEPT SELECT * FROM old_rows) added)"          \
    "  UNION (SELECT tracker_id, at FROM (SELECT * FROM old_rows EXCEPT SELECT * FROM fresh_rows) gone)"

/* ---- status history ---- */

#define HISTORY_COLUMNS                                                                                            \
    "client_id, tracker_id, production_run_id, status, location_id, since, previous_status, previous_location_id," \
    " rule, reported_at, latitude, longitude, accuracy_m, distance_m, override_id"

/* $1, $2 what is made anew; $3 to $14 the fresh rows in their order */
#define HISTORY_WITH                                                                                                   \
    "WITH reach AS MATERIALIZED ("                                                                                     \
    "  SELECT * FROM unnest($1::bigint[], $2::timestamptz[]) AS r (tracker_id, at)"                                    \
    "), input AS MATERIALIZED ("                                                                                       \
    "  SELECT t.client_id, i.tracker_id, nullif(i.run, 0) AS production_run_id, i.status::tracker_status AS status,"   \
    "   nullif(i.location, 0) AS location_id, i.since, i.was::tracker_status AS previous_status,"                      \
    "   nullif(i.was_in, 0) AS previous_location_id, i.rule,"                                                          \
    "   CASE WHEN i.override = 0 THEN i.since END AS reported_at,"                                                     \
    "   CASE WHEN i.override = 0 THEN i.latitude END AS latitude,"                                                     \
    "   CASE WHEN i.override = 0 THEN i.longitude END AS longitude,"                                                   \
    "   CASE WHEN i.override = 0 THEN i.accuracy END AS accuracy_m,"                                                   \
    "   CASE WHEN i.override = 0 THEN coalesce(nullif(i.distance, 'NaN'), place_distance("                             \
    "    coalesce(nullif(i.location, 0), nullif(i.was_in, 0)), i.since, i.latitude, i.longitude)) END AS distance_m,"  \
    "   nullif(i.override, 0) AS override_id, i.ordinal"                                                               \
    "  FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::timestamptz[], $8::text[], $9::bigint[]," \
    "   $10::text[], $11::float8[], $12::float8[], $13::real[], $14::float8[], $15::bigint[]) WITH ORDINALITY AS i"    \
    "   (tracker_id, run, status, location, since, was, was_in, rule, latitude, longitude, accuracy, distance,"        \
    "    override, ordinal)"                                                                                           \
    "  JOIN trackers t ON t.id = i.tracker_id"                                                                         \
    "), fresh_rows AS MATERIALIZED ("                                                                                  \
    "  SELECT since AS at, " HISTORY_COLUMNS " FROM input"                                                             \
    "), old_rows AS MATERIALIZED ("                                                                                    \
    "  SELECT h.since AS at, h.client_id, h.tracker_id, h.production_run_id, h.status, h.location_id, h.since,"        \
    "   h.previous_status, h.previous_location_id, h.rule, h.reported_at, h.latitude, h.longitude, h.accuracy_m,"      \
    "   h.distance_m, h.override_id"                                                                                   \
    "  FROM status_history h JOIN reach r ON h.tracker_id = r.tracker_id AND h.since >= r.at" CHANGED

static const char history_sql[] = HISTORY_WITH
    "), gone AS ("
    "  DELETE FROM status_history h USING differs d WHERE h.tracker_id = d.tracker_id AND h.since = d.at"
    "), added AS ("
    "  INSERT INTO status_history (" HISTORY_COLUMNS ")"
    "  SELECT i.client_id, i.tracker_id, i.production_run_id, i.status, i.location_id, i.since, i.previous_status,"
    "   i.previous_location_id, i.rule, i.reported_at, i.latitude, i.longitude, i.accuracy_m, i.distance_m, i.override_id"
    "  FROM input i JOIN differs d ON d.tracker_id = i.tracker_id AND d.at = i.since ORDER BY i.ordinal"
    ")"
    " SELECT tracker_id, min(at) FROM differs GROUP BY 1 ORDER BY 1";

#define PREVIEW_PARTS(what)                                                                                  \
    ") SELECT * FROM ("                                                                                      \
    "  SELECT tracker_id, at, 'remove' AS change, '" what                                                    \
    "' AS \"table\", to_jsonb(gone) - '{at,client_id,tracker_id}'::text[] AS row"                            \
    "  FROM (SELECT * FROM old_rows EXCEPT SELECT * FROM fresh_rows) gone"                                   \
    "  UNION ALL"                                                                                            \
    "  SELECT tracker_id, at, 'add', '" what "', to_jsonb(added) - '{at,client_id,tracker_id}'::text[]"      \
    "  FROM (SELECT * FROM fresh_rows EXCEPT SELECT * FROM old_rows) added) changes"                         \
    " ORDER BY tracker_id, at, change DESC"

static const char history_preview_sql[] = HISTORY_WITH PREVIEW_PARTS("status_history");

static struct rows *query_history(const struct judging *judging, const struct batch *batch, const char *sql)
{
    size_t n = batch->history.count;
    struct reach reach = reach_of(judging, batch);
    int64_t *tracker = column(judging, n, 8), *run = column(judging, n, 8), *place = column(judging, n, 8),
            *since = column(judging, n, 8), *was_in = column(judging, n, 8),
            *override = column(judging, n, 8);
    const char **status = column(judging, n, sizeof(char *)), **was = column(judging, n, sizeof(char *)),
               **rule = column(judging, n, sizeof(char *));
    double *latitude = column(judging, n, 8), *longitude = column(judging, n, 8),
           *distance = column(judging, n, 8);
    float *accuracy = column(judging, n, sizeof(float));

    for (size_t i = 0; i < n; i++) {
        const struct status_row *row = &batch->history.items[i].row;
        tracker[i] = batch->history.items[i].subject->tracker;
        run[i] = row->fact.run;
        status[i] = status_names[row->now.status];
        place[i] = row->now.location;
        since[i] = row->since;
        was[i] = status_names[row->before.status];
        was_in[i] = row->before.location;
        rule[i] = row->rule;
        latitude[i] = row->fact.latitude;
        longitude[i] = row->fact.longitude;
        accuracy[i] = (float)row->fact.accuracy;
        distance[i] = row->fact.distance;
        override[i] = row->override_id;
    }
    return db_query(judging->db, sql, "aTaaSaTSaSFFRFa", reach.trackers, reach.n, reach.times, reach.n,
                    tracker, n, run, n, status, n, place, n, since, n, was, n, was_in, n, rule, n, latitude,
                    n, longitude, n, accuracy, n, distance, n, override, n);
}

/* ---- events ---- */

#define EVENT_COLUMNS                                                                                            \
    "client_id, tracker_id, production_run_id, location_id, kind, occurred_at, latitude, longitude, accuracy_m," \
    " distance_m"

#define EVENTS_WITH                                                                                                    \
    "WITH reach AS MATERIALIZED ("                                                                                     \
    "  SELECT * FROM unnest($1::bigint[], $2::timestamptz[]) AS r (tracker_id, at)"                                    \
    "), input AS MATERIALIZED ("                                                                                       \
    "  SELECT t.client_id, i.tracker_id, nullif(i.run, 0) AS production_run_id, i.location AS location_id, i.kind,"    \
    "   i.at AS occurred_at, i.latitude, i.longitude, i.accuracy AS accuracy_m,"                                       \
    "   coalesce(nullif(i.distance, 'NaN'), place_distance(i.location, i.at, i.latitude, i.longitude)) AS distance_m," \
    "   i.ordinal"                                                                                                     \
    "  FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::timestamptz[], $8::float8[],"             \
    "   $9::float8[], $10::real[], $11::float8[]) WITH ORDINALITY AS i"                                                \
    "   (tracker_id, run, location, kind, at, latitude, longitude, accuracy, distance, ordinal)"                       \
    "  JOIN trackers t ON t.id = i.tracker_id"                                                                         \
    "), fresh_rows AS MATERIALIZED ("                                                                                  \
    "  SELECT occurred_at AS at, " EVENT_COLUMNS " FROM input"                                                         \
    "), old_rows AS MATERIALIZED ("                                                                                    \
    "  SELECT e.occurred_at AS at, e.client_id, e.tracker_id, e.production_run_id, e.location_id, e.kind,"             \
    "   e.occurred_at, e.latitude, e.longitude, e.accuracy_m, e.distance_m"                                            \
    "  FROM geofence_events e JOIN reach r ON e.tracker_id = r.tracker_id AND e.occurred_at >= r.at" CHANGED

static const char events_sql[] = EVENTS_WITH
    "), gone AS ("
    "  DELETE FROM geofence_events e USING differs d WHERE e.tracker_id = d.tracker_id AND e.occurred_at = d.at"
    ")"
    " INSERT INTO geofence_events (" EVENT_COLUMNS ")"
    " SELECT i.client_id, i.tracker_id, i.production_run_id, i.location_id, i.kind, i.occurred_at, i.latitude,"
    "  i.longitude, i.accuracy_m, i.distance_m"
    " FROM input i JOIN differs d ON d.tracker_id = i.tracker_id AND d.at = i.occurred_at ORDER BY i.ordinal";

static const char events_preview_sql[] = EVENTS_WITH PREVIEW_PARTS("geofence_events");

static struct rows *query_events(const struct judging *judging, const struct batch *batch, const char *sql)
{
    size_t n = batch->events.count;
    struct reach reach = reach_of(judging, batch);
    int64_t *tracker = column(judging, n, 8), *run = column(judging, n, 8), *place = column(judging, n, 8),
            *at = column(judging, n, 8);
    const char **kind = column(judging, n, sizeof(char *));
    double *latitude = column(judging, n, 8), *longitude = column(judging, n, 8),
           *distance = column(judging, n, 8);
    float *accuracy = column(judging, n, sizeof(float));

    for (size_t i = 0; i < n; i++) {
        const struct event *event = &batch->events.items[i].event;
        tracker[i] = batch->events.items[i].subject->tracker;
        run[i] = event->fact.run;
        place[i] = event->location;
        kind[i] = event_kind_names[event->kind];
        at[i] = event->fact.at;
        latitude[i] = event->fact.latitude;
        longitude[i] = event->fact.longitude;
        accuracy[i] = (float)event->fact.accuracy;
        distance[i] = event->fact.distance;
    }
    return db_query(judging->db, sql, "aTaaaSTFFRF", reach.trackers, reach.n, reach.times, reach.n, tracker,
                    n, run, n, place, n, kind, n, at, n, latitude, n, longitude, n, accuracy, n, distance, n);
}

/* ---- flags ---- */

static const char flags_sql[] =
    "WITH fresh AS MATERIALIZED ("
    "  SELECT * FROM unnest($3::bigint[], $4::timestamptz[], $5::integer[], $6::integer[], $7::text[])"
    "   AS f (tracker_id, reported_at, latitude_e7, longitude_e7, reason)"
    "), gone AS ("
    "  DELETE FROM report_flags f USING unnest($1::bigint[], $2::timestamptz[]) AS r (tracker_id, at)"
    "  WHERE f.tracker_id = r.tracker_id AND f.reported_at >= r.at AND NOT EXISTS (SELECT FROM fresh n"
    "   WHERE n.tracker_id = f.tracker_id AND n.reported_at = f.reported_at AND n.latitude_e7 = f.latitude_e7"
    "   AND n.longitude_e7 = f.longitude_e7)"
    ")"
    " INSERT INTO report_flags AS f (tracker_id, reported_at, latitude_e7, longitude_e7, reason)"
    " SELECT * FROM fresh"
    " ON CONFLICT (tracker_id, reported_at, latitude_e7, longitude_e7) DO UPDATE SET reason = excluded.reason"
    "  WHERE f.reason <> excluded.reason";

static bool write_flags(const struct judging *judging, const struct batch *batch, struct error *err)
{
    size_t n = batch->flags.count;
    struct reach reach = reach_of(judging, batch);
    int64_t *tracker = column(judging, n, 8), *at = column(judging, n, 8);
    int32_t *latitude = column(judging, n, 4), *longitude = column(judging, n, 4);
    const char **reason = column(judging, n, sizeof(char *));

    for (size_t i = 0; i < n; i++) {
        const struct flagged *flag = &batch->flags.items[i];
        tracker[i] = flag->tracker;
        at[i] = flag->at;
        latitude[i] = flag->latitude_e7;
        longitude[i] = flag->longitude_e7;
        reason[i] = flag->reason;
    }
    struct rows *rows = db_query(judging->db, flags_sql, "aTaTNNS", reach.trackers, reach.n, reach.times,
                                 reach.n, tracker, n, at, n, latitude, n, longitude, n, reason, n);
    return rows_ok(rows) || database_failed(rows, "flagging reports", err);
}

/* ---- exceptions ---- */

/* Three statements, because one has no order: an exception may be reopened only when later ones are gone, and
 * begin only when the one before it has ended. */
#define EXCEPTIONS_INPUT                                                                                                        \
    "WITH fresh AS MATERIALIZED ("                                                                                              \
    "  SELECT t.client_id, f.tracker_id, f.kind, f.location_id, f.since, nullif(f.ended, '0001-01-01 00:00:00+00') AS ended_at" \
    "  FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::timestamptz[], $5::timestamptz[])"                               \
    "   AS f (tracker_id, kind, location_id, since, ended) JOIN trackers t ON t.id = f.tracker_id"                              \
    ")"

#define SAME_EXCEPTION                                                                                       \
    "f.tracker_id = x.tracker_id AND f.kind = x.kind AND f.location_id = x.location_id AND f.since = x.since"

static const char drop_exceptions_sql[] = EXCEPTIONS_INPUT
    " DELETE FROM tracker_exceptions x USING unnest($6::bigint[], $7::timestamptz[]) AS r (tracker_id, at)"
    " WHERE x.tracker_id = r.tracker_id AND x.kind IN ('wrong_place', 'left_early')"
    "  AND (x.since >= r.at OR x.ended_at IS NULL OR x.ended_at >= r.at)"
    "  AND NOT EXISTS (SELECT FROM fresh f WHERE " SAME_EXCEPTION ")";

static const char end_exceptions_sql[] = EXCEPTIONS_INPUT
    " UPDATE tracker_exceptions x SET ended_at = f.ended_at FROM fresh f"
    " WHERE " SAME_EXCEPTION " AND x.ended_at IS DISTINCT FROM f.ended_at";

static const char begin_exceptions_sql[] = EXCEPTIONS_INPUT
    " INSERT INTO tracker_exceptions (client_id, tracker_id, kind, location_id, since, ended_at)"
    " SELECT * FROM fresh f WHERE NOT EXISTS (SELECT FROM tracker_exceptions x WHERE " SAME_EXCEPTION ")"
    " ORDER BY tracker_id, since, kind";

static bool write_exceptions(const struct judging *judging, const struct batch *batch, struct error *err)
{
    size_t n = batch->exceptions.count;
    struct reach reach = reach_of(judging, batch);
    int64_t *tracker = column(judging, n, 8), *place = column(judging, n, 8), *since = column(judging, n, 8),
            *ended = column(judging, n, 8);
    const char **kind = column(judging, n, sizeof(char *));
    bool any = n > 0;

    for (size_t i = 0; i < n; i++) {
        const struct exception *exception = &batch->exceptions.items[i].exception;
        tracker[i] = batch->exceptions.items[i].subject->tracker;
        kind[i] = exception_kind_names[exception->kind];
        place[i] = exception->location;
        since[i] = exception->since;
        ended[i] = exception->ended_at != 0 ? exception->ended_at : TIME_MIN;
    }
    for (size_t i = 0; i < batch->count; i++)
        any = any || batch->subjects[i].has_exceptions;
    if (!any)
        return true;
    struct rows *rows = db_query(judging->db, drop_exceptions_sql, "aSaTTaT", tracker, n, kind, n, place, n,
                                 since, n, ended, n, reach.trackers, reach.n, reach.times, reach.n);
    if (rows_ok(rows))
        rows = db_query(judging->db, end_exceptions_sql, "aSaTT", tracker, n, kind, n, place, n, since, n,
                        ended, n);
    if (rows_ok(rows))
        rows = db_query(judging->db, begin_exceptions_sql, "aSaTT", tracker, n, kind, n, place, n, since, n,
                        ended, n);
    return rows_ok(rows) || database_failed(rows, "writing exceptions", err);
}

/* ---- the trackers' own rows ---- */

/* Locked in the order of their ids, as everybody does who writes several. The position is that of the newest
 * report, judged or not; without new reports it stays. */
static const char trackers_sql[] =
    "UPDATE trackers t SET status = n.status::tracker_status, status_since = n.since, location_id = nullif(n.location, 0),"
    " judged_until = coalesce(nullif(n.judged, '0001-01-01 00:00:00+00'), t.judged_until),"
    " last_report_at = CASE WHEN n.reported THEN n.at ELSE t.last_report_at END,"
    " last_latitude = CASE WHEN n.reported THEN n.latitude ELSE t.last_latitude END,"
    " last_longitude = CASE WHEN n.reported THEN n.longitude ELSE t.last_longitude END,"
    " last_accuracy_m = CASE WHEN n.reported THEN n.accuracy ELSE t.last_accuracy_m END,"
    " last_confidence = CASE WHEN n.reported THEN least(n.confidence, 3) ELSE t.last_confidence END,"
    " battery = CASE WHEN n.reported THEN battery_of(nullif(n.battery, -1)) ELSE t.battery END"
    " FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::bigint[], $5::timestamptz[], $6::boolean[],"
    "  $7::timestamptz[], $8::float8[], $9::float8[], $10::real[], $11::smallint[], $12::smallint[])"
    "  AS n (id, status, since, location, judged, reported, at, latitude, longitude, accuracy, confidence, battery)"
    " JOIN (SELECT id FROM trackers WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE) locked ON locked.id = n.id"
    " WHERE t.id = n.id AND (n.reported"
    "  OR (t.status, t.status_since, t.location_id, t.judged_until) IS DISTINCT FROM (n.status::tracker_status, n.since,"
    "   nullif(n.location, 0), coalesce(nullif(n.judged, '0001-01-01 00:00:00+00'), t.judged_until)))";

static bool write_trackers(const struct judging *judging, const struct batch *batch, struct error *err)
{
    size_t n = batch->count;
    int64_t *id = column(judging, n, 8), *since = column(judging, n, 8), *place = column(judging, n, 8),
            *judged = column(judging, n, 8), *at = column(judging, n, 8);
    const char **status = column(judging, n, sizeof(char *));
    bool *reported = column(judging, n, sizeof(bool));
    double *latitude = column(judging, n, 8), *longitude = column(judging, n, 8);
    float *accuracy = column(judging, n, sizeof(float));
    int16_t *confidence = column(judging, n, 2), *battery = column(judging, n, 2);

    for (size_t i = 0; i < n; i++) {
        const struct subject *subject = &batch->subjects[i];
        static const struct report none = { 0 };
        const struct report *newest = subject->loaded_count > 0 ? &subject->loaded[subject->loaded_count - 1]
                                                                : &none;
        id[i] = subject->tracker;
        status[i] = status_names[subject->shown.status];
        since[i] = subject->shown_since;
        place[i] = subject->shown.location;
        judged[i] = subject->judged_until != 0 ? subject->judged_until : TIME_MIN;
        reported[i] = subject->loaded_count > 0;
        at[i] = newest->at;
        latitude[i] = newest->latitude;
        longitude[i] = newest->longitude;
        accuracy[i] = (float)newest->accuracy;
        confidence[i] = (int16_t)newest->confidence;
        battery[i] = (int16_t)subject->battery_status;
    }
    struct rows *rows = db_query(judging->db, trackers_sql, "aSTaTBTFFRHH", id, n, status, n, since, n, place,
                                 n, judged, n, reported, n, at, n, latitude, n, longitude, n, accuracy, n,
                                 confidence, n, battery, n);
    return rows_ok(rows) || database_failed(rows, "writing trackers", err);
}

/* ---- the end of the transaction ---- */

static void note_changes(struct batch *batch, const struct rows *rows)
{
    size_t at = 0;
    for (size_t i = 0; i < rows_count(rows); i++) {
        while (batch->subjects[at].tracker != rows_int(rows, i, 0))
            at++;
        batch->subjects[at].changed_from = rows_time(rows, i, 1);
    }
}

static bool settle(const struct judging *judging, const struct batch *batch, struct error *err)
{
    int64_t *trackers = column(judging, batch->count, 8), *times = column(judging, batch->count, 8),
            *clients = column(judging, batch->count, 8);
    size_t n = 0;
    for (size_t i = 0; i < batch->count; i++) {
        clients[i] = batch->subjects[i].client;
        if (batch->subjects[i].changed_from == 0)
            continue;
        trackers[n] = batch->subjects[i].tracker;
        times[n++] = batch->subjects[i].changed_from;
    }
    if (n > 0) {
        struct rows *rows = db_query(judging->db, "SELECT settle_facts($1, $2)", "aT", trackers, n, times, n);
        if (!rows_ok(rows))
            return database_failed(rows, "settling what is to be told", err);
    }
    struct rows *rows = db_query(judging->db, "SELECT bump_generations($1)", "a", clients, batch->count);
    return rows_ok(rows) || database_failed(rows, "noting the change", err);
}

bool judge_write(const struct judging *judging, struct batch *batch, struct error *err)
{
    struct rows *history = query_history(judging, batch, history_sql);
    if (!rows_ok(history))
        return database_failed(history, "writing the status history", err);
    note_changes(batch, history);
    struct rows *events = query_events(judging, batch, events_sql);
    if (!rows_ok(events))
        return database_failed(events, "writing events", err);
    return write_flags(judging, batch, err) && write_exceptions(judging, batch, err) &&
           write_trackers(judging, batch, err) && settle(judging, batch, err);
}

/* ---- preview ---- */

static void show_changes(const struct rows *rows, struct json *out, struct judge_preview *preview,
                         int64_t *last_tracker)
{
    for (size_t i = 0; i < rows_count(rows); i++) {
        if (rows_int(rows, i, 0) != *last_tracker)
            preview->trackers_changed++;
        *last_tracker = rows_int(rows, i, 0);
        if (preview->rows++ < JUDGE_PREVIEW_ROWS)
            rows_write_object(rows, i, SIZE_MAX, out);
    }
}

bool judge_compare(const struct judging *judging, struct batch *batch, struct json *out,
                   struct judge_preview *preview, struct error *err)
{
    struct rows *history = query_history(judging, batch, history_preview_sql);
    if (!rows_ok(history))
        return database_failed(history, "comparing the status history", err);
    struct rows *events = query_events(judging, batch, events_preview_sql);
    if (!rows_ok(events))
        return database_failed(events, "comparing events", err);
    /* A tracker whose events change has a changed history too, except for stays; it is counted where it is
     * first seen. */
    int64_t last = 0, none = 0;
    struct judge_preview stays = { .rows = preview->rows };
    show_changes(history, out, preview, &last);
    stays.rows = preview->rows;
    show_changes(events, out, &stays, &none);
    preview->rows = stays.rows;
    return true;
}
