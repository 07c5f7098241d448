/* Duty images.clean: deletes the files of images that are gone, and of uploads that broke off. */
#include "base/timeutil.h"
#include "jobs/failure.h"
#include "jobs/jobs.h"
#include "media/files.h"

/* Images of one transaction: each is three requests to an object store, and its rows are locked meanwhile. */
#define PIECE 50

/* Who deletes locks the rows, so that several workers share the work; a crash leaves rows whose files are
 * gone, which does no harm. */
static const char due_sql[] =
    "SELECT storage_key FROM image_waste WHERE delete_at <= now() ORDER BY delete_at LIMIT $1 FOR UPDATE SKIP LOCKED";

/* -1: something failed, and what was deleted before is noted all the same. */
static int64_t clean_piece(struct task_context *task, struct error *err)
{
    int64_t done = 0;
    if (!db_begin(task->db, err))
        return -1;
    struct rows *due = db_query(task->db, due_sql, "i", (int64_t)PIECE);
    bool ok = rows_ok(due) || database_failed(due, "files to delete", err);
    for (size_t i = 0; ok && i < rows_count(due); i++) {
        const char *key = rows_text(due, i, 0);
        if (!media_delete_image(task->config, key, task->arena, err))
            break;
        struct rows *gone = db_query(task->db, "DELETE FROM image_waste WHERE storage_key = $1", "s", key);
        ok = rows_ok(gone) || database_failed(gone, "deleted files", err);
        done += ok;
    }
    if (ok && db_commit(task->db, err) && err->code[0] == '\0')
        return done;
    db_rollback(task->db);
    return -1;
}

static int64_t run(struct task_context *task, struct error *err)
{
    *err = (struct error){ .code = "" };
    return clean_piece(task, err);
}

const struct duty images_clean_duty = {
    .name = "images.clean",
    .queue = "default",
    .about = "Deletes the files of images that are gone, and of uploads that broke off.",
    .period = MINUTES(1),
    .parallel = 1,
    .run = run,
};
