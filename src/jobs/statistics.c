/* Statistics by day: computes anew what changes of the status history have touched. */
#include "base/timeutil.h"
#include "jobs/jobs.h"

static int64_t refresh_run(struct task_context *task, struct error *err)
{
    struct rows *rows = db_query(task->db, "SELECT refresh_status_daily()", "");
    if (rows_ok(rows))
        return rows_int(rows, 0, 0);
    error_set(err, rows_status(rows) == DB_UNAVAILABLE ? "database_unavailable" : "database_error", "%s",
              rows_message(rows));
    return -1;
}

const struct duty statistics_refresh_duty = {
    .name = "statistics.refresh",
    .queue = "history",
    .about = "Brings the statistics by day up to date with the statuses that changed since.",
    .period = SECONDS(15),
    .parallel = 1,
    .run = refresh_run,
};
