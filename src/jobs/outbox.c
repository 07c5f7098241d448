/* Sends what stands in the outbox, and clears away what is old: at least once, and seldom twice.
 *
 * A mail is claimed for a while before it is sent, without a transaction around the conversation with the
 * mail server. When a worker dies in between, nobody knows whether the mail went out: it is sent once more
 * after that time, with the same Message-ID, by which mailboxes know it again; after a second such death it
 * is given up. */
#include <inttypes.h>

#include "auth/mail.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "jobs/jobs.h"

/* Few at once: each takes up to the mail server's patience, and all must be sent before the claim ends. */
#define AT_ONCE 10
#define CLAIM   "interval '10 minutes'"

/* Tried after 1, 2, 4, ... minutes, at most 12 hours apart: given up after some two days. */
#define MAX_ATTEMPTS 14
#define PAUSE        "least(interval '1 minute' * power(2, attempts - 1), interval '12 hours')"

/* Sent and failed mails are kept this long, for managers who ask what became of them. */
#define KEPT_DAYS  30
#define CLEAN_ROWS 5000

/* Attempts in a row that may end without anybody knowing how. */
#define MAX_UNSETTLED 2

static const char claim_sql[] =
    "WITH lost AS (UPDATE deliveries SET state = 'failed', last_error = 'workers died twice while they sent it'"
    "  WHERE state = 'waiting' AND channel = 'mail' AND next_attempt_at <= now() AND unsettled >= $2)"
    " UPDATE deliveries d SET attempts = attempts + 1, unsettled = unsettled + 1, next_attempt_at = now() + " CLAIM
    " WHERE d.id IN (SELECT o.id FROM deliveries o WHERE o.state = 'waiting' AND o.channel = 'mail'"
    "  AND o.next_attempt_at <= now() AND o.unsettled < $2 ORDER BY o.next_attempt_at, o.id LIMIT $1"
    "  FOR UPDATE SKIP LOCKED)"
    " RETURNING d.id, d.recipient, d.subject, d.body, d.attempts, (extract(epoch FROM d.created_at) * 1000000)::bigint";

/* One that was cancelled meanwhile stays so. */
static const char sent_sql[] =
    "UPDATE deliveries SET state = 'sent', sent_at = now(), unsettled = 0, last_error = NULL WHERE id = $1 AND state = 'waiting'";
static const char failed_sql[] =
    "UPDATE deliveries SET last_error = left($2, 2000), unsettled = 0, next_attempt_at = now() + " PAUSE ","
    " state = CASE WHEN attempts >= $3 THEN 'failed' ELSE state END WHERE id = $1 AND state = 'waiting'";

static bool send_one(struct task_context *task, const struct rows *rows, size_t row, struct error *err)
{
    int64_t id = rows_int(rows, row, 0);
    /* With its time, since ids begin again in another database. */
    const struct mail mail = { .to = rows_text(rows, row, 1),
                               .subject = rows_text(rows, row, 2),
                               .body = rows_text(rows, row, 3),
                               .id = arena_printf(task->arena, "delivery-%" PRId64 ".%" PRId64, id,
                                                  rows_int(rows, row, 5)) };
    struct error reason;
    struct rows *noted;
    if (mailer_deliver(task->config, &mail, &reason)) {
        noted = db_query(task->db, sent_sql, "i", id);
    } else {
        LOG_WARN("mail was not sent", LOG_NUM("delivery", id), LOG_NUM("attempt", rows_int(rows, row, 4)),
                 LOG_TEXT("reason", reason.message));
        noted = db_query(task->db, failed_sql, "isi", id, reason.message, (int64_t)MAX_ATTEMPTS);
    }
    return rows_ok(noted) || error_set(err, "database_error", "%s", rows_message(noted));
}

static int64_t outbox_run(struct task_context *task, struct error *err)
{
    struct rows *rows = db_query(task->db, claim_sql, "ii", (int64_t)AT_ONCE, (int64_t)MAX_UNSETTLED);
    if (!rows_ok(rows)) {
        error_set(err, "database_error", "%s", rows_message(rows));
        return -1;
    }
    for (size_t i = 0; i < rows_count(rows); i++)
        if (!send_one(task, rows, i, err))
            return -1;
    return (int64_t)rows_count(rows);
}

const struct duty notify_outbox_duty = {
    .name = "notify.outbox",
    .queue = "notify",
    .about = "Sends the mails of the outbox.",
    .period = SECONDS(10),
    .parallel = 1,
    .run = outbox_run,
};

/* ---- what is old ---- */

/* The oldest rows have the lowest ids, so that nothing is walked through which is not old. Facts stay: they
 * are what keeps a visit from being told twice. */
#define OLDEST(table, condition)                                                                             \
    "DELETE FROM " table " d USING (SELECT id FROM " table                                                   \
    " ORDER BY id LIMIT $1) o WHERE d.id = o.id AND " condition

static const char old_notifications_sql[] = OLDEST("notifications",
                                                   "d.created_at < now() - $2 * interval '1 second'");
static const char old_deliveries_sql[] = OLDEST(
    "deliveries", "d.state <> 'waiting' AND d.created_at < now() - $2 * interval '1 second'");

static int64_t clean(struct task_context *task, const char *sql, int64_t age, struct error *err)
{
    struct rows *rows = db_query(task->db, sql, "ii", (int64_t)CLEAN_ROWS, age / USEC_PER_SEC);
    if (rows_ok(rows))
        return (int64_t)rows_affected(rows);
    error_set(err, "database_error", "%s", rows_message(rows));
    return -1;
}

static int64_t clean_run(struct task_context *task, struct error *err)
{
    int64_t told = clean(task, old_notifications_sql, task->config->notification_retention, err);
    int64_t sent = told < 0 ? -1 : clean(task, old_deliveries_sql, DAYS(KEPT_DAYS), err);
    return sent < 0 ? -1 : told + sent;
}

const struct duty notify_clean_duty = {
    .name = "notify.clean",
    .queue = "notify",
    .about = "Deletes old notifications and deliveries.",
    .period = HOURS(1),
    .parallel = 1,
    .run = clean_run,
};
