/* Hourly and daily history: keeps the summaries up to date, makes partitions ahead, compresses and drops what
 * is old. What differs between TimescaleDB and plain PostgreSQL is behind the database's procedures. */
#include "base/log.h"
#include "base/timeutil.h"
#include "jobs/jobs.h"
#include "tasks/queue.h"

/* Days of trackers per transaction, and transactions per call, so that a worker that is to stop need not wait
 * long: a day takes about a millisecond. */
#define BATCH_DAYS 500
#define BATCHES    10

/* Reports come up to 7 days late, and a month is dropped whole: less than this would drop what is still
 * coming. */
#define LEAST_RETENTION DAYS(60)

static int64_t failed(const struct rows *rows, struct error *err)
{
    error_set(err, rows_status(rows) == DB_UNAVAILABLE ? "database_unavailable" : "database_error", "%s",
              rows_message(rows));
    return -1;
}

#define TEXT_OF(number)        #number
#define REFRESH(batches, days) "CALL refresh_history(0, " TEXT_OF(batches) ", " TEXT_OF(days) ")"

static int64_t refresh_run(struct task_context *task, struct error *err)
{
    int64_t total = 0, refreshed;
    do {
        /* The procedure commits by itself, so it is sent alone and without parameters. */
        struct rows *rows = db_execute(task->db, REFRESH(BATCHES, BATCH_DAYS));
        if (!rows_ok(rows))
            return failed(rows, err);
        refreshed = rows_int(rows, 0, 0);
        total += refreshed;
    } while (refreshed > 0 && !task_should_stop(task));
    if (total > 0)
        task_hint(task->redis, "geocode.due"); /* the days' positions want names now */
    return total;
}

const struct duty history_refresh_duty = {
    .name = "history.refresh",
    .queue = "history",
    .about = "Brings the hourly and daily history up to date with the reports that were stored since.",
    .period = SECONDS(15),
    .parallel = 1,
    .run = refresh_run,
};

static int64_t upkeep_run(struct task_context *task, struct error *err)
{
    const struct config *config = task->config;
    int64_t now = time_now();
    struct rows *rows = db_query(task->db,
                                 "SELECT ensure_partitions(), compress_reports($1 * interval '1 second')",
                                 "i", config->history_compress_after / SECONDS(1));
    if (!rows_ok(rows))
        return failed(rows, err);
    int64_t made = rows_int(rows, 0, 0), compressed = rows_int(rows, 0, 1), dropped = 0;
    if (config->history_retention > 0) {
        int64_t kept = config->history_retention > LEAST_RETENTION ? config->history_retention
                                                                   : LEAST_RETENTION;
        rows = db_query(task->db, "SELECT drop_reports_before($1)", "t", now - kept);
        if (!rows_ok(rows))
            return failed(rows, err);
        dropped = rows_int(rows, 0, 0);
    }
    if (made + compressed + dropped > 0)
        LOG_INFO("history storage", LOG_NUM("partitions_made", made), LOG_NUM("compressed", compressed),
                 LOG_NUM("dropped", dropped));
    return made + compressed + dropped;
}

const struct duty history_upkeep_duty = {
    .name = "history.upkeep",
    .queue = "history",
    .about = "Makes partitions ahead of time, compresses old reports, drops those beyond the retention.",
    .period = HOURS(1),
    .parallel = 1,
    .run = upkeep_run,
};
