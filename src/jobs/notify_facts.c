/* Tells pending facts to their subscribers: notifications in the application, mails into the outbox, events
 * on the live bus. What was shifted or withdrawn since is corrected where it was told. */
#include <string.h>

#include "api/notifications.h"
#include "base/timeutil.h"
#include "jobs/jobs.h"
#include "jobs/notify_mail.h"
#include "store/live.h"
#include "store/rows_json.h"
#include "tasks/queue.h"

/* Facts of one transaction. A delivered truck is some hundred of them, and one mail then. */
#define BATCH 500

/* $1 facts at once, $2 seconds: older facts are known, but no news. A fact that lasts is told whoever
 * subscribes later; another one only to those who had subscribed when it was found. */
static const char facts_sql[] =
    "WITH facts AS (UPDATE notification_facts f SET pending = false WHERE f.id IN"
    "  (SELECT p.id FROM notification_facts p WHERE p.pending ORDER BY p.id LIMIT $1 FOR UPDATE SKIP LOCKED)"
    "  RETURNING f.*),"
    " named AS (SELECT f.*, r.production_run_id AS run_id, jsonb_strip_nulls(jsonb_build_object("
    "   'tracker', t.name, 'run_id', r.production_run_id, 'run', p.name, 'place_id', f.location_id,"
    "   'place', l.name, 'happened_at', f.happened_at, 'withdrawn', f.withdrawn_at IS NOT NULL)) AS data"
    "  FROM facts f JOIN trackers t ON t.id = f.tracker_id"
    "  LEFT JOIN tracker_runs r ON r.tracker_id = f.tracker_id AND r.period @> f.happened_at"
    "  LEFT JOIN production_runs p ON p.id = r.production_run_id LEFT JOIN locations l ON l.id = f.location_id),"
    " corrected AS (UPDATE notifications n SET data = f.data FROM named f"
    "  WHERE n.fact_id = f.id AND n.data <> f.data RETURNING n.*),"
    " cancelled AS (UPDATE deliveries d SET state = 'cancelled' FROM corrected n"
    "  WHERE d.notification_id = n.id AND d.state = 'waiting' AND (n.data ->> 'withdrawn')::boolean),"
    " wanted AS (SELECT f.id AS fact_id, f.client_id, f.tracker_id, f.kind, f.data, s.user_id, s.by_mail"
    "  FROM named f CROSS JOIN LATERAL subscribers_of(f.client_id, f.tracker_id, f.run_id, f.kind) s"
    "  WHERE f.withdrawn_at IS NULL AND CASE f.kind"
    "   WHEN 'silent' THEN upper_inf(f.visit) AND lower(f.visit) <= now() - s.silent_days * interval '1 day'"
    "   WHEN 'battery_low' THEN upper_inf(f.visit)"
    "   ELSE f.created_at >= s.since AND f.happened_at > now() - $2 * interval '1 second' END),"
    " told AS (INSERT INTO notifications (client_id, user_id, fact_id, tracker_id, kind, data)"
    "  SELECT w.client_id, w.user_id, w.fact_id, w.tracker_id, w.kind, w.data FROM wanted w"
    "  ON CONFLICT (fact_id, user_id) DO NOTHING RETURNING *)";

/* Behind the columns of a notification as the API shows it stand these helpers. One row comes back even when
 * nobody is told. */
enum { FACTS, USER, TO_MAIL, EMAIL, LANGUAGE, WHEN_UTC };
static const char told_sql[] =
    ", c.facts, t.user_id, t.to_mail AND coalesce((u.preferences #>> '{notifications,email}')::boolean, true),"
    "  u.email, u.language,"
    "  to_char((t.data ->> 'happened_at')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')"
    " FROM (SELECT count(*) AS facts FROM facts) c LEFT JOIN (SELECT n.*, false AS to_mail FROM corrected n"
    "  UNION ALL SELECT n.*, w.by_mail FROM told n JOIN wanted w USING (fact_id, user_id)) t ON true"
    " LEFT JOIN users u ON u.id = t.user_id ORDER BY t.user_id, t.client_id, t.id";

static const char *tell_sql(struct arena *arena)
{
    struct buf columns = { 0 };
    sql_columns(&notifications_resource, &columns);
    const char *sql = arena_printf(arena, "%s SELECT %s%s", facts_sql, buf_text(&columns), told_sql);
    buf_free(&columns);
    return sql;
}

static int64_t cell(const struct rows *rows, size_t row, const char *name)
{
    return rows_int(rows, row, (size_t)resource_field(&notifications_resource, name));
}

static const char *word(const struct rows *rows, size_t row, const char *name)
{
    return rows_text(rows, row, (size_t)resource_field(&notifications_resource, name));
}

static bool nobody_told(const struct rows *rows, size_t helpers)
{
    return rows_null(rows, 0, helpers + USER);
}

/* One mail for all that a user is told of one client at once. */
static bool write_mails(struct task_context *task, const struct rows *rows, size_t helpers, struct error *err)
{
    size_t n = nobody_told(rows, helpers) ? 0 : rows_count(rows);
    for (size_t begin = 0, end; begin < n; begin = end) {
        struct notify_mail mail = { .to = rows_text(rows, begin, helpers + EMAIL),
                                    .language = rows_text(rows, begin, helpers + LANGUAGE),
                                    .client_id = cell(rows, begin, "client_id"),
                                    .lines = arena_zalloc(task->arena, n - begin, sizeof(*mail.lines)) };
        for (end = begin;
             end < n && rows_int(rows, end, helpers + USER) == rows_int(rows, begin, helpers + USER) &&
             cell(rows, end, "client_id") == mail.client_id;
             end++)
            if (rows_bool(rows, end, helpers + TO_MAIL))
                mail.lines[mail.count++] = (struct notify_line){
                    .notification_id = cell(rows, end, "id"),
                    .kind = word(rows, end, "kind"),
                    .tracker = word(rows, end, "tracker_name"),
                    .place = word(rows, end, "location_name"),
                    .when = rows_text(rows, end, helpers + WHEN_UTC),
                };
        if (mail.count > 0 && !notify_mail_write(task->db, task->arena, task->config, &mail, err))
            return false;
    }
    return true;
}

static void publish(struct task_context *task, const struct rows *rows, size_t helpers)
{
    size_t n = nobody_told(rows, helpers) ? 0 : rows_count(rows);
    struct live_event *events = arena_zalloc(task->arena, n + 1, sizeof(*events));
    for (size_t i = 0; i < n; i++) {
        struct buf data = { 0 };
        struct json json;
        json_begin(&json, &data);
        rows_write_object(rows, i, helpers, &json);
        events[i] = (struct live_event){ .client_id = cell(rows, i, "client_id"),
                                         .user_id = rows_int(rows, i, helpers + USER),
                                         .tracker_id = cell(rows, i, "tracker_id"),
                                         .production_run_id = cell(rows, i, "production_run_id"),
                                         .kind = LIVE_NOTIFICATION,
                                         .data = arena_strdup(task->arena, buf_text(&data)) };
        buf_free(&data);
    }
    (void)live_publish(task->redis, events, n);
    (void)task_hint(task->redis, "notify.outbox");
}

static int64_t facts_run(struct task_context *task, struct error *err)
{
    size_t helpers = sql_column_count(&notifications_resource);
    if (!db_begin(task->db, err))
        return -1;
    struct rows *rows = db_query(task->db, tell_sql(task->arena), "ii", (int64_t)BATCH,
                                 task->config->notify_max_age / USEC_PER_SEC);
    if (!rows_ok(rows))
        error_set(err, "database_error", "%s", rows_message(rows));
    if (!rows_ok(rows) || !write_mails(task, rows, helpers, err)) {
        db_rollback(task->db);
        return -1;
    }
    if (!db_commit(task->db, err))
        return -1;
    if (!nobody_told(rows, helpers))
        publish(task, rows, helpers);
    return rows_int(rows, 0, helpers + FACTS);
}

const struct duty notify_facts_duty = {
    .name = "notify.facts",
    .queue = "notify",
    .about = "Tells new, shifted and withdrawn facts to their subscribers.",
    .period = SECONDS(5),
    .parallel = 1,
    .run = facts_run,
};
