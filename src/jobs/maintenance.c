/* Upkeep of every minute; the hourly clean-up is in maintenance_tidy.c. */
#include "jobs/jobs.h"

#include "base/timeutil.h"

/* Advisory lock: one process at a time does the upkeep; the others find nothing to do. */
#define MINUTE_LOCK 7234901

/* Runs that begin or end, planned moves of trackers between runs, and counters. */
static int64_t minute_run(struct task_context *task, struct error *err)
{
    struct rows *rows = db_query(
        task->db,
        "SELECT CASE WHEN pg_try_advisory_xact_lock($1) "
        "THEN turn_runs() + arm_fetches() + fold_tracker_counts() + fold_map_cells() "
        "ELSE 0 END",
        "i", (int64_t)MINUTE_LOCK);
    if (!rows_ok(rows)) {
        error_set(err, "database_error", "%s", rows_message(rows));
        return -1;
    }
    return rows_int(rows, 0, 0);
}

const struct duty maintenance_minute_duty = {
    .name = "maintenance.minute",
    .queue = "default",
    .about = "Begins and ends the fetching of runs, makes planned moves between runs, folds counters.",
    .period = SECONDS(20),
    .parallel = 1,
    .run = minute_run,
};
