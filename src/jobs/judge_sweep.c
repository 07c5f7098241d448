/* Exceptions that come with the time and not with a report: trackers that say nothing, and goods that stand
 * still on their way. */
#include "base/timeutil.h"
#include "jobs/jobs.h"

/* Goods that have not come farther than this stand still: a parking area with the errors of reports on both
 * sides. */
#define STUCK_RADIUS_M 1000.0

/* Advisory lock: one process at a time sweeps. */
#define SWEEP_LOCK 7234902

/* Silence ends with a report, or with the run. Standing ends with a place, or some way off, or with silence
 * about it for good. */
static const char close_sql[] =
    "WITH ended AS ("
    "  UPDATE tracker_exceptions x SET ended_at = greatest(x.since, CASE"
    "    WHEN x.kind = 'silent' AND t.last_report_at > x.since THEN t.last_report_at"
    "    WHEN x.kind = 'stuck' AND t.status <> 'IN_TRANSIT' THEN t.status_since"
    "    WHEN x.kind = 'stuck' AND t.next_fetch_at IS NOT NULL THEN t.last_report_at ELSE now() END)"
    "  FROM trackers t"
    "  WHERE t.id = x.tracker_id AND x.ended_at IS NULL AND ("
    "    (x.kind = 'silent' AND (t.next_fetch_at IS NULL OR t.last_report_at > x.since))"
    "    OR (x.kind = 'stuck' AND (t.next_fetch_at IS NULL OR t.status <> 'IN_TRANSIT' OR ST_Distance("
    "      ST_SetSRID(ST_MakePoint(t.last_longitude, t.last_latitude), 4326)::geography,"
    "      ST_SetSRID(ST_MakePoint((x.detail ->> 'longitude')::float8, (x.detail ->> 'latitude')::float8), 4326)::geography)"
    "      > $1 + t.last_accuracy_m)))"
    "  RETURNING x.client_id)"
    " SELECT count(*), coalesce(array_agg(DISTINCT client_id), '{}') FROM ended";

/* A tracker that never reported is silent since it could have. */
static const char silent_sql[] =
    "WITH quiet AS ("
    "  SELECT t.client_id, t.id, t.last_report_at AS since FROM trackers t"
    "  WHERE t.last_report_at < now() - $1 * interval '1 microsecond' AND t.next_fetch_at IS NOT NULL AND t.archived_at IS NULL"
    "  UNION ALL"
    "  SELECT t.client_id, t.id, greatest(t.created_at, r.starts_at) FROM trackers t"
    "  JOIN production_runs r ON r.id = t.production_run_id"
    "  WHERE t.last_report_at IS NULL AND t.next_fetch_at IS NOT NULL AND t.archived_at IS NULL"
    "   AND greatest(t.created_at, r.starts_at) < now() - $1 * interval '1 microsecond'"
    "), opened AS ("
    "  INSERT INTO tracker_exceptions (client_id, tracker_id, kind, since)"
    "  SELECT client_id, id, 'silent', since FROM quiet q"
    "  WHERE NOT EXISTS (SELECT FROM tracker_exceptions x WHERE x.tracker_id = q.id AND x.kind = 'silent' AND x.ended_at IS NULL)"
    "  ON CONFLICT DO NOTHING RETURNING client_id)"
    " SELECT count(*), coalesce(array_agg(DISTINCT client_id), '{}') FROM opened";

/* In transit for as long, with reports from the beginning of that time to its end, all of them close
 * together. Jumps are part of the daily boxes: one makes the tracker look as if it had moved, for some days,
 * and no more than that. */
static const char stuck_sql[] =
    "WITH still AS ("
    "  SELECT t.client_id, t.id, box.since, box.latitude, box.longitude FROM trackers t"
    "  CROSS JOIN LATERAL ("
    "   SELECT min(h.first_at) AS since, max(h.last_at) AS until,"
    "    min(h.min_latitude_e7) / 1e7::float8 AS south, max(h.max_latitude_e7) / 1e7::float8 AS north,"
    "    min(h.min_longitude_e7) / 1e7::float8 AS west, max(h.max_longitude_e7) / 1e7::float8 AS east,"
    "    (min(h.min_latitude_e7) / 2e7::float8 + max(h.max_latitude_e7) / 2e7::float8) AS latitude,"
    "    (min(h.min_longitude_e7) / 2e7::float8 + max(h.max_longitude_e7) / 2e7::float8) AS longitude"
    "   FROM history_daily_now h WHERE h.tracker_id = t.id"
    "    AND h.bucket >= greatest(now() - $1 * interval '1 microsecond', t.status_since) - interval '1 day') box"
    "  WHERE t.status = 'IN_TRANSIT' AND t.status_since < now() - $1 * interval '1 microsecond'"
    "   AND t.next_fetch_at IS NOT NULL AND t.archived_at IS NULL"
    "   AND NOT EXISTS (SELECT FROM tracker_exceptions x WHERE x.tracker_id = t.id AND x.kind = 'stuck' AND x.ended_at IS NULL)"
    "   AND box.until - box.since >= $1 * interval '1 microsecond'"
    "   AND ST_Distance(ST_SetSRID(ST_MakePoint(box.west, box.south), 4326)::geography,"
    "                   ST_SetSRID(ST_MakePoint(box.east, box.north), 4326)::geography) <= $2"
    "), opened AS ("
    "  INSERT INTO tracker_exceptions (client_id, tracker_id, kind, since, detail)"
    "  SELECT client_id, id, 'stuck', since, jsonb_build_object('latitude', latitude, 'longitude', longitude) FROM still"
    "  ON CONFLICT DO NOTHING RETURNING client_id)"
    " SELECT count(*), coalesce(array_agg(DISTINCT client_id), '{}') FROM opened";

/* Adds to *changed; false with err when the statement failed. */
static bool count_changes(struct task_context *task, struct rows *rows, int64_t *changed, struct error *err)
{
    size_t n;
    if (!rows_ok(rows))
        return error_set(err, "database_error", "%s", rows_message(rows));
    *changed += rows_int(rows, 0, 0);
    const int64_t *clients = rows_ints(rows, 0, 1, &n);
    if (n == 0)
        return true;
    rows = db_query(task->db, "SELECT bump_generations($1)", "a", clients, n);
    return rows_ok(rows) || error_set(err, "database_error", "%s", rows_message(rows));
}

static bool sweep(struct task_context *task, int64_t *changed, struct error *err)
{
    const struct config *config = task->config;
    return count_changes(task, db_query(task->db, close_sql, "d", STUCK_RADIUS_M), changed, err) &&
           count_changes(task, db_query(task->db, silent_sql, "i", config->silent_after), changed, err) &&
           count_changes(task, db_query(task->db, stuck_sql, "id", config->stuck_after, STUCK_RADIUS_M),
                         changed, err);
}

static int64_t sweep_run(struct task_context *task, struct error *err)
{
    int64_t changed = 0;
    if (!db_begin(task->db, err))
        return -1;
    struct rows *rows = db_query(task->db, "SELECT pg_try_advisory_xact_lock($1)", "i", (int64_t)SWEEP_LOCK);
    if (rows_ok(rows) && !rows_bool(rows, 0, 0)) {
        db_rollback(task->db);
        return 0;
    }
    if (!rows_ok(rows) || !sweep(task, &changed, err)) {
        db_rollback(task->db);
        return rows_ok(rows) ? -1 : (error_set(err, "database_error", "%s", rows_message(rows)), -1);
    }
    if (!db_commit(task->db, err))
        return -1;
    return changed;
}

const struct duty judge_exceptions_duty = {
    .name = "judge.exceptions",
    .queue = "judge",
    .about = "Finds trackers that are silent or stuck, and those that no longer are.",
    .period = MINUTES(10),
    .parallel = 1,
    .run = sweep_run,
};
