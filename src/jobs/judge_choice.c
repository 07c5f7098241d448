/* Which trackers are to be judged anew. */
#include "jobs/judge_choice.h"

#include "base/timeutil.h"
#include "jobs/failure.h"

/* $1 to $4 as in struct judge_choice */
#define CHOSEN                                                                                                     \
    "FROM trackers t WHERE ($1 = 0 OR t.id = $1) AND ($2 = 0 OR t.client_id = $2)"                                 \
    " AND ($3 = 0 OR EXISTS (SELECT FROM tracker_runs r WHERE r.tracker_id = t.id AND r.production_run_id = $3))"  \
    " AND ($4 = 0 OR EXISTS (SELECT FROM tracker_runs r JOIN production_run_locations p USING (production_run_id)" \
    "  WHERE r.tracker_id = t.id AND p.location_id = $4))"

static struct rows *query(const struct judge_choice *choice, struct db *db, const char *sql)
{
    return db_query(db, sql, "iiii", choice->tracker, choice->client, choice->run, choice->location);
}

bool judge_choice_request(const struct judge_choice *choice, struct db *db, int64_t *trackers,
                          struct error *err)
{
    struct rows *rows = db_query(db,
                                 "INSERT INTO report_inbox (tracker_id, reported_at, reason)"
                                 " SELECT t.id, CASE WHEN $5 THEN $6 END, 'request' " CHOSEN " ORDER BY t.id",
                                 "iiiibt", choice->tracker, choice->client, choice->run, choice->location,
                                 (int)(choice->from != JUDGE_BEGINNING), choice->from);
    if (!rows_ok(rows))
        return database_failed(rows, "asking for trackers to be judged", err);
    *trackers = (int64_t)rows_affected(rows);
    return true;
}

bool judge_choice_waiting(const struct judge_choice *choice, struct db *db, int64_t *trackers,
                          struct error *err)
{
    struct rows *rows = query(choice, db,
                              "SELECT count(*) " CHOSEN
                              " AND EXISTS (SELECT FROM report_inbox i WHERE i.tracker_id = t.id)");
    if (!rows_ok(rows))
        return database_failed(rows, "counting trackers in the inbox", err);
    *trackers = rows_int(rows, 0, 0);
    return true;
}

enum judge_page judge_choice_preview(const struct judging *judging, const struct judge_choice *choice,
                                     int64_t *last, struct json *out, struct judge_preview *preview,
                                     struct error *err)
{
    struct judge_claim claims[JUDGE_CHOICE_PAGE];
    struct rows *rows = db_query(judging->db, "SELECT t.id " CHOSEN " AND t.id > $5 ORDER BY t.id LIMIT $6",
                                 "iiiiii", choice->tracker, choice->client, choice->run, choice->location,
                                 *last, (int64_t)JUDGE_CHOICE_PAGE);
    if (!rows_ok(rows)) {
        database_failed(rows, "choosing trackers", err);
        return JUDGE_PAGE_FAILED;
    }
    size_t n = rows_count(rows);
    for (size_t i = 0; i < n; i++)
        claims[i] = (struct judge_claim){ .tracker = *last = rows_int(rows, i, 0), .from = choice->from };
    preview->trackers += (int64_t)n;
    if (n > 0 && !judge_preview(judging, claims, n, out, preview, err))
        return JUDGE_PAGE_FAILED;
    return n == JUDGE_CHOICE_PAGE ? JUDGE_PAGE_DONE : JUDGE_PAGE_LAST;
}
