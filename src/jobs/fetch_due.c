/* Duty fetch.due: asks Apple for the reports of trackers whose time has come. */
#include "base/timeutil.h"
#include "jobs/fetch_batch.h"
#include "jobs/jobs.h"

static int64_t run(struct task_context *task, struct error *err)
{
    return fetch_batch_run(task, FETCH_KIND_CYCLE, err);
}

const struct duty fetch_due_duty = {
    .name = "fetch.due",
    .queue = "fetch",
    .about =
        "Asks Apple for reports of the trackers that are due, oldest first, as often as the accounts allow.",
    .period = SECONDS(1),
    .parallel = 2, /* each waits for Apple most of the time; the other threads stay free for people's tasks */
    .run = run,
};
