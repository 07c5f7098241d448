/* Tasks judge.replay and judge.preview_place: trackers judged anew on somebody's request, and what an edit of
 * a place would change. */
#include <stdlib.h>

#include "base/parse.h"
#include "base/timeutil.h"
#include "jobs/args.h"
#include "jobs/failure.h"
#include "jobs/jobs.h"
#include "jobs/judge_choice.h"

#define TIMEOUT 3600 /* seconds: a client of 100,000 trackers */

/* While other workers judge what was asked for. */
#define LOOK_AGAIN (SECONDS(1) / 5)

/* A preview of a place looks at so many trackers at most: its transaction holds the place's row. */
#define PLACE_PREVIEW_TRACKERS 2000

static enum task_verdict failed(const struct error *err)
{
    return error_is(err, "database_unavailable") ? TASK_RETRY : TASK_FAILED;
}

static struct judging judging_of(const struct task_context *task)
{
    return (
        struct judging){ .config = task->config, .db = task->db, .redis = task->redis, .arena = task->arena };
}

/* ---- what a preview found ---- */

struct finding {
    struct buf text;
    struct json json;
    struct judge_preview preview;
    bool complete; /* all trackers were looked at */
};

static void finding_begin(struct finding *finding)
{
    *finding = (struct finding){ .complete = true };
    json_begin(&finding->json, &finding->text);
    json_start_object(&finding->json);
    json_key(&finding->json, "changes");
    json_start_array(&finding->json);
}

/* Takes the text. */
static json_t *finding_end(struct finding *finding)
{
    json_end_array(&finding->json);
    json_put_int(&finding->json, "trackers", finding->preview.trackers);
    json_put_int(&finding->json, "trackers_changed", finding->preview.trackers_changed);
    json_put_int(&finding->json, "rows", finding->preview.rows);
    json_put_bool(&finding->json, "complete", finding->complete);
    json_end_object(&finding->json);
    json_t *result = json_loads(buf_text(&finding->text), 0, NULL);
    buf_free(&finding->text);
    return result;
}

/* All pages, or as many as max_trackers and the time allow. Results go to an arena of its own, page by page.
 */
static bool find_changes(struct task_context *task, const struct judge_choice *choice, int64_t max_trackers,
                         struct finding *finding, struct error *err)
{
    struct judging judging = judging_of(task);
    enum judge_page page = JUDGE_PAGE_DONE;
    judging.arena = arena_new();
    db_use_arena(task->db, judging.arena);
    for (int64_t last = 0; page == JUDGE_PAGE_DONE;) {
        if (finding->preview.trackers >= max_trackers || task_should_stop(task)) {
            finding->complete = false;
            break;
        }
        page = judge_choice_preview(&judging, choice, &last, &finding->json, &finding->preview, err);
        task_progress(task, finding->preview.trackers, 0, "comparing");
        arena_reset(judging.arena);
    }
    db_use_arena(task->db, task->arena);
    arena_free(judging.arena);
    return page != JUDGE_PAGE_FAILED;
}

/* ---- judge.replay ---- */

/* The inbox is the truth: what is not done when the task ends is done by the duty. */
static bool judge_until_done(struct task_context *task, const struct judge_choice *choice, int64_t total,
                             struct error *err)
{
    struct judging judging = judging_of(task);
    int64_t waiting = total;
    bool good = true;
    judging.arena = arena_new();
    while (good && waiting > 0 && !task_should_stop(task)) {
        db_use(task->db, judging.arena, NULL);
        int64_t judged = judge_inbox(&judging, err);
        good = judged >= 0 && judge_choice_waiting(choice, task->db, &waiting, err);
        task_progress(task, total - waiting, total, "judging");
        if (good && judged == 0 && waiting > 0)
            clock_sleep(&clock_system, LOOK_AGAIN);
        arena_reset(judging.arena);
    }
    db_use(task->db, task->arena, NULL);
    arena_free(judging.arena);
    return good;
}

static enum task_verdict replay_preview(struct task_context *task, const struct judge_choice *choice,
                                        json_t **result, struct error *err)
{
    struct finding finding;
    finding_begin(&finding);
    bool good = find_changes(task, choice, INT64_MAX, &finding, err);
    json_t *found = finding_end(&finding);
    if (good)
        *result = found;
    else
        json_decref(found);
    return good ? TASK_DONE : failed(err);
}

/* args: what ("tracker", "run", "client"), id, from (or null), preview */
static enum task_verdict replay_run(struct task_context *task, json_t **result, struct error *err)
{
    static const char *const subjects[] = { "tracker", "run", "client", NULL };
    struct judge_choice choice = { .from = JUDGE_BEGINNING };
    const char *what = "";
    int64_t id, total;
    if (!task_text_argument(task, 0, "what", &what, err) || !task_id_argument(task, 1, "id", &id, err) ||
        !task_time_argument(task, 2, "from", &choice.from, err))
        return TASK_FAILED;
    switch (word_index(subjects, what)) {
    case 0:
        choice.tracker = id;
        break;
    case 1:
        choice.run = id;
        break;
    case 2:
        choice.client = id;
        break;
    default:
        error_set(err, "argument_invalid", "what must be tracker, run or client");
        return TASK_FAILED;
    }
    if (json_is_true(task_argument(task, 3, "preview")))
        return replay_preview(task, &choice, result, err);
    if (!judge_choice_request(&choice, task->db, &total, err) || !judge_until_done(task, &choice, total, err))
        return failed(err);
    *result = json_pack("{s:I}", "trackers", (json_int_t)total);
    return TASK_DONE;
}

const struct task_type judge_replay_task = {
    .name = "judge.replay",
    .queue = "judge",
    .about = "Judges a tracker, or all of a run or client, anew; or tells what that would change.",
    .timeout = TIMEOUT,
    .max_attempts = 3,
    .run = replay_run,
};

/* ---- judge.preview_place ---- */

/* $1 place, $2 the columns of the view that change, as JSON. One statement for both kinds: the place is of
 * one. */
#define CHANGE(kind)                                                                                              \
    "UPDATE " kind "_locations SET"                                                                               \
    " latitude = CASE WHEN $2::jsonb ? 'latitude' THEN ($2::jsonb ->> 'latitude')::float8 ELSE latitude END,"     \
    " longitude = CASE WHEN $2::jsonb ? 'longitude' THEN ($2::jsonb ->> 'longitude')::float8 ELSE longitude END," \
    " radius_m = CASE WHEN $2::jsonb ? 'radius_m' THEN ($2::jsonb ->> 'radius_m')::float8 ELSE radius_m END,"     \
    " polygon = CASE WHEN $2::jsonb ? 'polygon' THEN nullif($2::jsonb -> 'polygon', 'null') ELSE polygon END,"    \
    " hysteresis_m = CASE WHEN $2::jsonb ? 'hysteresis_m' THEN ($2::jsonb ->> 'hysteresis_m')::float8"            \
    "  ELSE hysteresis_m END,"                                                                                    \
    " valid_from = CASE WHEN $2::jsonb ? 'valid_from' THEN ($2::jsonb ->> 'valid_from')::timestamptz"             \
    "  ELSE valid_from END"                                                                                       \
    " WHERE id = $1"

/* The edit itself, in a transaction that is rolled back in the end. The request for a replay that it writes
 * tells from when on trackers are concerned. */
static bool change_place(struct task_context *task, int64_t place, const char *changes, int64_t *from,
                         struct error *err)
{
    static const char *const sql[] = { CHANGE("storage"), CHANGE("delivery") };
    size_t changed = 0;
    for (int i = 0; i < 2; i++) {
        struct rows *rows = db_query(task->db, sql[i], "is", place, changes);
        if (rows_status(rows) == DB_CHECK || rows_status(rows) == DB_EXCLUSION)
            return error_set(err, "invalid_shape", "the database would refuse this shape: %s",
                             rows_message(rows));
        if (!rows_ok(rows))
            return database_failed(rows, "trying the edit", err);
        changed += rows_affected(rows);
    }
    if (changed == 0)
        return error_set(err, "not_found", "there is no such place");
    struct rows *rows = db_query(
        task->db,
        "SELECT count(*), bool_or(from_time IS NULL), min(from_time) FROM replay_requests"
        " WHERE location_id = $1 AND xmin = pg_current_xact_id()::xid",
        "i", place);
    if (!rows_ok(rows))
        return database_failed(rows, "looking whom the edit concerns", err);
    *from = rows_bool(rows, 0, 1) ? JUDGE_BEGINNING : rows_time(rows, 0, 2);
    return rows_int(rows, 0, 0) > 0 || error_set(err, "unchanged", "the shape is what it is already");
}

/* args: place, changes (an object) */
static enum task_verdict preview_place_run(struct task_context *task, json_t **result, struct error *err)
{
    struct judge_choice choice = { .from = JUDGE_BEGINNING };
    struct finding finding;
    if (!task_id_argument(task, 0, "place", &choice.location, err))
        return TASK_FAILED;
    char *changes = json_dumps(task_argument(task, 1, "changes"), JSON_COMPACT);
    if (changes == NULL) {
        error_set(err, "argument_invalid", "changes must be an object");
        return TASK_FAILED;
    }
    finding_begin(&finding);
    bool begun = db_begin(task->db, err);
    bool good = begun && change_place(task, choice.location, changes, &choice.from, err);
    bool unchanged = begun && !good && error_is(err, "unchanged");
    if (good)
        good = find_changes(task, &choice, PLACE_PREVIEW_TRACKERS, &finding, err);
    if (begun)
        db_rollback(task->db);
    free(changes);
    json_t *found = finding_end(&finding);
    if (good || unchanged)
        *result = found;
    else
        json_decref(found);
    return good || unchanged ? TASK_DONE : failed(err);
}

const struct task_type judge_preview_place_task = {
    .name = "judge.preview_place",
    .queue = "judge",
    .about = "Tells what another shape of a place would change in the histories of trackers.",
    .timeout = 600,
    .max_attempts = 3,
    .run = preview_place_run,
};
