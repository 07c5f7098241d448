/* The judge as a duty of workers. */
#include "base/timeutil.h"
#include "jobs/jobs.h"
#include "jobs/judge.h"

static int64_t inbox_run(struct task_context *task, struct error *err)
{
    const struct judging judging = {
        .config = task->config, .db = task->db, .redis = task->redis, .arena = task->arena
    };
    int64_t expanded = judge_expand(&judging, err);
    if (expanded < 0)
        return -1;
    int64_t judged = judge_inbox(&judging, err);
    return judged < 0 ? -1 : expanded + judged;
}

const struct duty judge_inbox_duty = {
    .name = "judge.inbox",
    .queue = "judge",
    .about = "Decides the status of trackers with new reports, and of those that an edit concerns.",
    .period = SECONDS(2),
    .run = inbox_run,
};
