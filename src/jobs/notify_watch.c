/* Facts that nothing announces, because they consist in nothing happening or just last: trackers that are
 * silent, and batteries that are low. Looked for only where somebody wants to know. */
#include "base/timeutil.h"
#include "jobs/jobs.h"
#include "tasks/queue.h"

#define BATCH 1000

/* A battery is near its end for days, and its level goes up and down with the temperature: a fact ends with
 * the first better report, and no new one begins for this long. */
#define BATTERY_REST "interval '7 days'"

/* Another worker may have found it at the same time. The index is named because the deferrable constraint on
 * overlapping visits cannot decide conflicts. */
#define UNLESS_IT_LASTS                                                                                      \
    "ON CONFLICT (kind, tracker_id) WHERE upper_inf(visit) AND withdrawn_at IS NULL"                         \
    " AND kind IN ('silent', 'battery_low') DO NOTHING"

/* Of a tracker that reported again: silence has ended, and if it had not lasted as long as was told (the
 * report came late), it never was. */
static const char silence_ended_sql[] =
    "UPDATE notification_facts f SET visit = tstzrange(lower(f.visit), t.last_report_at),"
    " withdrawn_at = CASE WHEN t.last_report_at < f.happened_at THEN now() END,"
    " pending = f.pending OR t.last_report_at < f.happened_at"
    " FROM trackers t WHERE t.id = f.tracker_id AND f.kind = 'silent' AND upper_inf(f.visit) AND f.withdrawn_at IS NULL"
    " AND t.last_report_at > lower(f.visit)";

/* $1 at once. Silence counts from the fewest days that any subscriber of the tracker asks for. Only of
 * trackers that are asked for: those of runs in progress. */
static const char silence_began_sql[] =
    "INSERT INTO notification_facts (client_id, tracker_id, kind, visit, happened_at)"
    " SELECT t.client_id, t.id, 'silent', tstzrange(t.last_report_at, NULL), t.last_report_at + w.days * interval '1 day'"
    " FROM (SELECT client_id, min(silent_days) AS days FROM subscriptions WHERE 'silent' = ANY (kinds) GROUP BY 1) c"
    " JOIN trackers t ON t.client_id = c.client_id AND t.last_report_at < now() - c.days * interval '1 day'"
    "  AND t.next_fetch_at IS NOT NULL AND t.archived_at IS NULL"
    " CROSS JOIN LATERAL (SELECT min(s.silent_days) AS days"
    "  FROM subscribers_of(t.client_id, t.id, t.production_run_id, 'silent') s) w"
    " WHERE t.last_report_at < now() - w.days * interval '1 day'"
    " AND NOT EXISTS (SELECT FROM notification_facts f WHERE f.tracker_id = t.id AND f.kind = 'silent'"
    "  AND upper_inf(f.visit) AND f.withdrawn_at IS NULL)"
    " LIMIT $1 " UNLESS_IT_LASTS;

/* Some want to be told later than others. */
static const char silence_lasts_sql[] =
    "UPDATE notification_facts f SET pending = true FROM trackers t"
    " WHERE t.id = f.tracker_id AND f.kind = 'silent' AND upper_inf(f.visit) AND f.withdrawn_at IS NULL AND NOT f.pending"
    " AND t.next_fetch_at IS NOT NULL AND t.archived_at IS NULL"
    " AND EXISTS (SELECT FROM subscribers_of(f.client_id, f.tracker_id, t.production_run_id, 'silent') s"
    "  WHERE lower(f.visit) <= now() - s.silent_days * interval '1 day'"
    "  AND NOT EXISTS (SELECT FROM notifications n WHERE n.fact_id = f.id AND n.user_id = s.user_id))";

static const char battery_better_sql[] =
    "UPDATE notification_facts f SET visit = tstzrange(lower(f.visit), t.last_report_at)"
    " FROM trackers t WHERE t.id = f.tracker_id AND f.kind = 'battery_low' AND upper_inf(f.visit)"
    " AND f.withdrawn_at IS NULL AND t.battery NOT IN ('low', 'very_low') AND t.last_report_at > lower(f.visit)";

static const char battery_low_sql[] =
    "INSERT INTO notification_facts (client_id, tracker_id, kind, visit, happened_at)"
    " SELECT t.client_id, t.id, 'battery_low', tstzrange(t.last_report_at, NULL), t.last_report_at"
    " FROM (SELECT DISTINCT client_id FROM subscriptions WHERE 'battery_low' = ANY (kinds)) c"
    " JOIN trackers t ON t.client_id = c.client_id AND t.battery IN ('low', 'very_low') AND t.archived_at IS NULL"
    " AND t.last_report_at IS NOT NULL"
    " WHERE EXISTS (SELECT FROM subscribers_of(t.client_id, t.id, t.production_run_id, 'battery_low'))"
    " AND NOT EXISTS (SELECT FROM notification_facts f WHERE f.tracker_id = t.id AND f.kind = 'battery_low'"
    "  AND f.withdrawn_at IS NULL AND (upper_inf(f.visit) OR upper(f.visit) > now() - " BATTERY_REST "))"
    " LIMIT $1 " UNLESS_IT_LASTS;

/* Adds the rows of one statement to *done. */
static bool step(struct task_context *task, const char *sql, bool limited, int64_t *done, struct error *err)
{
    struct rows *rows = limited ? db_query(task->db, sql, "i", (int64_t)BATCH) : db_query(task->db, sql, "");
    if (!rows_ok(rows))
        return error_set(err, "database_error", "%s", rows_message(rows));
    *done += (int64_t)rows_affected(rows);
    return true;
}

static int64_t watch_run(struct task_context *task, struct error *err)
{
    int64_t done = 0;
    if (!step(task, silence_ended_sql, false, &done, err) ||
        !step(task, silence_began_sql, true, &done, err) ||
        !step(task, silence_lasts_sql, false, &done, err) ||
        !step(task, battery_better_sql, false, &done, err) || !step(task, battery_low_sql, true, &done, err))
        return -1;
    if (done > 0)
        (void)task_hint(task->redis, "notify.facts");
    return done;
}

const struct duty notify_watch_duty = {
    .name = "notify.watch",
    .queue = "notify",
    .about = "Looks for silent trackers and low batteries that somebody wants to be told of.",
    .period = MINUTES(5),
    .parallel = 1,
    .run = watch_run,
};
