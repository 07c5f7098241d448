/* client.erase: a client goes with all that is its; piece by piece, so that it can stop and go on anywhere.
 */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "jobs/args.h"
#include "jobs/failure.h"
#include "jobs/jobs.h"
#include "tasks/queue.h"

/* Trackers of one transaction: each may have many thousands of reports. */
#define TRACKERS_AT_ONCE 20

/* Rows of other tables in one statement. */
#define PIECE 5000

/* In this order, since each refers to those after it. What hangs on trackers (keys, events, history,
 * overrides, exceptions, facts) goes with them, by foreign keys. $1 is the client. Of those who see only this
 * client, users go, too; admins stay. */
static const struct {
    const char *table, *condition;
} leftovers[] = {
    { "share_links", "client_id = $1" },
    { "subscriptions", "client_id = $1" },
    { "deliveries", "client_id = $1" },
    { "webhooks", "client_id = $1" },
    { "exclusion_areas", "client_id = $1" },
    { "production_run_locations", "client_id = $1" },
    { "production_runs", "client_id = $1" },
    { "location_shapes", "client_id = $1" },
    { "locations", "client_id = $1" },
    { "brands", "client_id = $1" },
    { "users", "role <> 'admin' AND id IN (SELECT user_id FROM user_clients GROUP BY user_id "
               "HAVING array_agg(client_id) = ARRAY[$1::bigint])" },
    { "user_clients", "client_id = $1" },
    { "tracker_count_changes", "client_id = $1" },
    { "replay_requests", "client_id = $1" }, /* triggers wrote these while the rest went */
    { "status_dirty", "client_id = $1" },
    { "cache_generations", "client_id = $1" },
    { "audit_log", "client_id = $1" },
};

struct erasure {
    struct task_context *task;
    int64_t client;
    json_t *counts;
    struct arena *piece; /* of one transaction: a client may have very many */
    int64_t done, total; /* trackers, and one unit for each other table */
};

static void add_count(const struct erasure *erasure, const char *name, int64_t n)
{
    int64_t before = json_integer_value(json_object_get(erasure->counts, name));
    json_object_set_new(erasure->counts, name, json_integer(before + n));
}

/* ---- images: their files are left to images.clean, which the rows tell of them as they go ---- */

static bool erase_images(struct erasure *erasure, struct error *err)
{
    struct rows *rows = db_query(erasure->task->db, "DELETE FROM images WHERE client_id = $1", "i",
                                 erasure->client);
    if (!rows_ok(rows))
        return database_failed(rows, "images", err);
    add_count(erasure, "images", (int64_t)rows_affected(rows));
    return true;
}

/* ---- trackers with their reports ---- */

/* One transaction. *n: how many trackers it took. */
static bool erase_some_trackers(struct erasure *erasure, size_t *n, struct error *err)
{
    struct db *db = erasure->task->db;
    size_t count;
    arena_reset(erasure->piece);
    db_use(db, erasure->piece, NULL);
    if (!db_begin(db, err))
        return false;
    struct rows *ids = db_query(
        db,
        "SELECT array_agg(id) FROM (SELECT id FROM trackers WHERE client_id = $1 ORDER BY id "
        "LIMIT $2 FOR UPDATE) t",
        "ii", erasure->client, (int64_t)TRACKERS_AT_ONCE);
    if (!rows_ok(ids))
        return database_failed(ids, "trackers", err);
    *n = 0;
    if (rows_null(ids, 0, 0))
        return db_commit(db, err);
    const int64_t *list = rows_ints(ids, 0, 0, &count);
    struct rows *reports = db_query(db, "SELECT erase_reports($1)", "a", list, count);
    if (!rows_ok(reports))
        return database_failed(reports, "location_reports", err);
    struct rows *gone = db_query(db, "DELETE FROM trackers WHERE id = ANY ($1)", "a", list, count);
    if (!rows_ok(gone))
        return database_failed(gone, "trackers", err);
    if (!db_commit(db, err))
        return false;
    add_count(erasure, "reports", rows_int(reports, 0, 0));
    add_count(erasure, "trackers", (int64_t)count);
    *n = count;
    return true;
}

static bool erase_trackers(struct erasure *erasure, struct error *err)
{
    size_t n = 1;
    while (n > 0) {
        if (task_should_stop(erasure->task))
            return error_set(err, "stopped", "%" PRId64 " trackers were erased; the rest is still there",
                             erasure->done);
        bool ok = erase_some_trackers(erasure, &n, err);
        db_use(erasure->task->db, erasure->task->arena, NULL); /* rolls back what failed */
        if (!ok)
            return false;
        erasure->done += (int64_t)n;
        task_progress(erasure->task, erasure->done, erasure->total, "trackers");
    }
    return true;
}

/* The map's sums follow what trackers leave behind them; folded, the client's own are nothing and go. */
static bool fold_map(const struct erasure *erasure, struct error *err)
{
    struct rows *rows = db_query(erasure->task->db, "SELECT fold_map_cells()", "");
    return rows_ok(rows) || database_failed(rows, "map_cells", err);
}

/* ---- the rest ---- */

static bool erase_table(struct erasure *erasure, size_t i, struct error *err)
{
    const char *table = leftovers[i].table;
    const char *sql = arena_printf(
        erasure->task->arena,
        "DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE %s LIMIT $2))", table, table,
        leftovers[i].condition);
    size_t n = PIECE;
    while (n == PIECE) {
        if (task_should_stop(erasure->task))
            return error_set(err, "stopped", "stopped at %s", table);
        struct rows *rows = db_query(erasure->task->db, sql, "ii", erasure->client, (int64_t)PIECE);
        if (!rows_ok(rows))
            return database_failed(rows, table, err);
        n = rows_affected(rows);
        add_count(erasure, table, (int64_t)n);
    }
    erasure->done++;
    task_progress(erasure->task, erasure->done, erasure->total, table);
    return true;
}

/* The client itself, and the one entry of the log that stays: it names no tenant any more. */
static bool erase_client(struct erasure *erasure, const char *name, int64_t user, struct error *err)
{
    struct db *db = erasure->task->db;
    char *counts = json_dumps(erasure->counts, JSON_COMPACT);
    const char *after = arena_strdup(erasure->task->arena, counts);
    free(counts);
    struct rows *rows = db_query(
        db,
        "WITH gone AS (DELETE FROM clients WHERE id = $1 RETURNING id), "
        "bumped AS (SELECT count(*) FROM bump_generations(ARRAY[0::bigint])) "
        "INSERT INTO audit_log (user_id, action, resource, resource_id, before, after) "
        "SELECT $2, 'erased', 'clients', id, jsonb_build_object('name', $3::text), $4::jsonb FROM gone, bumped",
        "iIss", erasure->client, user > 0 ? &user : NULL, name, after);
    return rows_ok(rows) || database_failed(rows, "clients", err);
}

/* *name: NULL when the client is gone already. Only an archived client: nobody adds to it any more. */
static bool find_client(struct erasure *erasure, const char **name, struct error *err)
{
    struct rows *rows = db_query(erasure->task->db,
                                 "SELECT name, archived_at IS NOT NULL, (SELECT count(*) FROM trackers t "
                                 "WHERE t.client_id = c.id) FROM clients c WHERE id = $1",
                                 "i", erasure->client);
    if (!rows_ok(rows))
        return database_failed(rows, "clients", err);
    *name = rows_count(rows) > 0 ? rows_text(rows, 0, 0) : NULL;
    if (*name != NULL && !rows_bool(rows, 0, 1))
        return error_set(err, "client_in_use", "the client is not archived");
    erasure->total = *name != NULL ? rows_int(rows, 0, 2) + (int64_t)ARRAY_LEN(leftovers) : 0;
    return true;
}

static bool erase_all(struct erasure *erasure, int64_t user, struct error *err)
{
    const char *name = NULL;
    if (!find_client(erasure, &name, err))
        return false;
    if (name == NULL)
        return true;
    if (!erase_images(erasure, err) || !erase_trackers(erasure, err) || !fold_map(erasure, err))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(leftovers); i++)
        if (!erase_table(erasure, i, err))
            return false;
    return erase_client(erasure, name, user, err);
}

static void free_piece(void *piece)
{
    arena_free(piece);
}

static enum task_verdict erase_run(struct task_context *task, json_t **result, struct error *err)
{
    struct erasure erasure = { .task = task, .piece = arena_new(), .counts = json_object() };
    int64_t user = json_integer_value(json_object_get(task->kwargs, "user_id"));
    arena_defer(task->arena, free_piece, erasure.piece);
    if (!task_id_argument(task, 0, "client_id", &erasure.client, err)) {
        json_decref(erasure.counts);
        return TASK_FAILED;
    }
    if (erase_all(&erasure, user, err)) {
        task_hint(task->redis, "images.clean");
        *result = erasure.counts;
        return TASK_DONE;
    }
    json_decref(erasure.counts);
    return error_is(err, "client_in_use") ? TASK_FAILED : TASK_RETRY;
}

const struct task_type client_erase_task = {
    .name = "client.erase",
    .queue = "default",
    .about =
        "Erases an archived client with all that is its: trackers, reports, places, runs, users that see nothing else.",
    .timeout = 6 * 3600,
    .max_attempts = 20,
    .run = erase_run,
};
