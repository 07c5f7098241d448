/* The batch geocoder: fills the wanted cells of geocoding_cache, once for each, and names the trackers in
 * them.
 *
 * Which cells are wanted, the database knows: the history asks for those of all positions, this duty for
 * those of trackers that wait, which come first. The offline towns answer hundreds in one statement; a server
 * on the web is asked for one cell after the other, as fast as its limit allows. */
#include <stdatomic.h>

#include "base/log.h"
#include "base/timeutil.h"
#include "geocode/answers.h"
#include "geocode/geocoder.h"
#include "geocode/offline.h"
#include "jobs/jobs.h"

/* Cells of one offline statement, some 0.4 ms each; trackers of one naming transaction. */
#define OFFLINE_BATCH 500
#define NAMING_BATCH  1000

/* Longest wait for a web geocoder's next moment within a run; a longer pause is left to the next look. */
#define WEB_WAIT SECONDS(3)

/* Whoever claimed a cell is dead after this; longer than WEB_WAIT and the longest GEOCODER_TIMEOUT. */
#define LEASE_SECONDS 120

/* Of a cell that its provider refuses: minutes 2, 4, 8, … up to a day. */
#define LONGEST_RETRY_MINUTES 1440

static int64_t failed(const struct rows *rows, struct error *err)
{
    error_set(err, rows_status(rows) == DB_UNAVAILABLE ? "database_unavailable" : "database_error", "%s",
              rows_message(rows));
    return -1;
}

/* ---- trackers ---- */

/* The columns of a cell, of a tracker `t`. */
#define TRACKER_CELL                                                                                         \
    "geocode_cell(round(t.last_latitude * 1e7)::integer, p.digits), "                                        \
    "geocode_cell(round(t.last_longitude * 1e7)::integer, p.digits)"

/* Trackers that wait and whose cell has an answer. Rows that the judge is writing are passed over: it moves
 * them anyway. */
static const char name_sql[] =
    "WITH p AS MATERIALIZED (SELECT geocode_precision() AS digits), "
    "ready AS MATERIALIZED (SELECT t.id, g.name FROM p CROSS JOIN trackers t JOIN geocoding_cache g "
    "ON (g.places_precision, g.latitude_cell, g.longitude_cell) = (p.digits, " TRACKER_CELL ") "
    "WHERE t.place_due AND g.fetched_at IS NOT NULL LIMIT $1 FOR UPDATE OF t SKIP LOCKED) "
    "UPDATE trackers t SET last_place = r.name, place_due = false FROM ready r WHERE t.id = r.id RETURNING t.client_id";

/* Their cells go to the head of the queue: an old time to try is the earliest. */
static const char want_sql[] =
    "WITH p AS MATERIALIZED (SELECT geocode_precision() AS digits) "
    "INSERT INTO geocoding_cache AS g (places_precision, latitude_cell, longitude_cell, next_try_at) "
    "SELECT DISTINCT p.digits, " TRACKER_CELL ", 'epoch'::timestamptz FROM p CROSS JOIN trackers t "
    "WHERE t.place_due AND t.last_latitude IS NOT NULL ORDER BY 1, 2, 3 "
    "ON CONFLICT (places_precision, latitude_cell, longitude_cell) DO UPDATE SET next_try_at = excluded.next_try_at "
    "WHERE g.fetched_at IS NULL AND g.failures = 0 AND g.next_try_at > excluded.next_try_at";

/* One transaction of naming; the number of trackers, or -1. */
static int64_t name_some(struct task_context *task, struct error *err)
{
    struct db *db = task->db;
    if (!db_begin(db, err))
        return -1;
    struct rows *named = db_query(db, name_sql, "i", (int64_t)NAMING_BATCH);
    size_t count = rows_ok(named) ? rows_count(named) : 0;
    struct rows *last = named;
    if (count > 0) {
        int64_t *clients = arena_alloc(task->arena, count * sizeof(*clients));
        for (size_t i = 0; i < count; i++)
            clients[i] = rows_int(named, i, 0);
        last = db_query(db, "SELECT count(*) FROM bump_generations($1)", "a", clients, count);
    }
    if (!rows_ok(last)) {
        db_rollback(db);
        return failed(last, err);
    }
    return db_commit(db, err) ? (int64_t)count : -1;
}

/* Name all trackers whose cell has an answer. */
static int64_t name_trackers(struct task_context *task, struct error *err)
{
    int64_t total = 0, named;
    do {
        named = name_some(task, err);
        total += named > 0 ? named : 0;
    } while (named == NAMING_BATCH && !task_should_stop(task));
    return named < 0 ? -1 : total;
}

/* ---- offline ---- */

/* The middle of a cell is what is looked up. */
static const char offline_sql[] =
    "WITH p AS MATERIALIZED (SELECT geocode_precision() AS digits), "
    "due AS MATERIALIZED (SELECT c.places_precision, c.latitude_cell, c.longitude_cell FROM geocoding_cache c, p "
    "WHERE c.fetched_at IS NULL AND c.places_precision = p.digits AND c.next_try_at <= now() "
    "AND (c.lease_until IS NULL OR c.lease_until < now()) ORDER BY c.next_try_at LIMIT $1 FOR UPDATE OF c SKIP LOCKED), "
    "found AS MATERIALIZED (SELECT d.*, n.* FROM due d LEFT JOIN LATERAL nearest_place(d.latitude_cell / 10.0 ^ "
    "d.places_precision, d.longitude_cell / 10.0 ^ d.places_precision) n ON true) "
    "UPDATE geocoding_cache c SET name = f.name, region = f.region, country_code = f.country_code, "
    "provider = '" OFFLINE_NAME "', fetched_at = now(), failures = 0, lease_until = NULL FROM found f "
    "WHERE (c.places_precision, c.latitude_cell, c.longitude_cell) = (f.places_precision, f.latitude_cell, f.longitude_cell)";

static int64_t fill_offline(struct task_context *task, struct error *err)
{
    int64_t total = 0;
    bool loaded;
    if (!offline_loaded(task->db, &loaded, err))
        return -1;
    if (!loaded) {
        /* Not a failure, but somebody should know, once. */
        static atomic_flag told = ATOMIC_FLAG_INIT;
        if (!atomic_flag_test_and_set(&told))
            LOG_WARN("no towns are loaded; positions get no names until `trackerd places load` has been run");
        return 0;
    }
    struct rows *rows;
    do {
        rows = db_query(task->db, offline_sql, "i", (int64_t)OFFLINE_BATCH);
        if (!rows_ok(rows))
            return failed(rows, err);
        total += (int64_t)rows_affected(rows);
    } while (rows_affected(rows) == OFFLINE_BATCH && !task_should_stop(task));
    return total;
}

/* ---- on the web ---- */

struct cell {
    int64_t precision, latitude, longitude;
};

/* 1: the next wanted cell is ours for LEASE_SECONDS; 0: there is none; -1: err. */
static int claim_cell(struct db *db, struct cell *cell, struct error *err)
{
    struct rows *rows = db_query(
        db,
        "UPDATE geocoding_cache SET lease_until = now() + make_interval(secs => $1) "
        "WHERE (places_precision, latitude_cell, longitude_cell) = (SELECT c.places_precision, c.latitude_cell, "
        "c.longitude_cell FROM geocoding_cache c WHERE c.fetched_at IS NULL AND c.next_try_at <= now() "
        "AND c.places_precision = geocode_precision() AND (c.lease_until IS NULL OR c.lease_until < now()) "
        "ORDER BY c.next_try_at LIMIT 1 FOR UPDATE SKIP LOCKED) "
        "RETURNING places_precision, latitude_cell, longitude_cell",
        "d", (double)LEASE_SECONDS);
    if (!rows_ok(rows))
        return (int)failed(rows, err);
    if (rows_count(rows) == 0)
        return 0;
    *cell = (struct cell){ rows_int(rows, 0, 0), rows_int(rows, 0, 1), rows_int(rows, 0, 2) };
    return 1;
}

#define OF_CELL                                                                                              \
    " WHERE (places_precision, latitude_cell, longitude_cell) = ($1, $2, $3) AND fetched_at IS NULL"

static struct rows *store_place(struct db *db, const struct cell *cell, const char *provider,
                                const struct geo_places *places)
{
    const struct geo_place none = { 0 }, *place = places->count > 0 ? &places->list[0] : &none;
    return db_query(db,
                    "UPDATE geocoding_cache SET name = $4, region = $5, country_code = $6, provider = $7, "
                    "fetched_at = now(), failures = 0, lease_until = NULL" OF_CELL,
                    "iiissss", cell->precision, cell->latitude, cell->longitude, place->name, place->region,
                    place->country_code, provider);
}

/* Another time: at once for somebody else, or (blame) later, because the answer was about this cell. */
static struct rows *release_cell(struct db *db, const struct cell *cell, bool blame)
{
    return db_query(
        db,
        "UPDATE geocoding_cache SET lease_until = NULL, failures = least(failures + $4::integer, 20), "
        "next_try_at = CASE WHEN $4 = 0 THEN next_try_at ELSE now() + make_interval(mins => "
        "least($5::integer, (2 ^ least(failures + 1, 20))::integer)) END" OF_CELL,
        "iiiii", cell->precision, cell->latitude, cell->longitude, (int64_t)blame,
        (int64_t)LONGEST_RETRY_MINUTES);
}

enum cell_outcome {
    CELL_ANSWERED,
    CELL_PASSED, /* the server will not answer this one; it is tried again much later */
    CELL_LATER,  /* the server answers nothing now */
    CELL_FAILED, /* the database does not work: err */
};

static enum cell_outcome fill_cell(struct task_context *task, struct geocoder *geocoder,
                                   const struct cell *cell, struct error *err)
{
    struct geo_places places;
    struct error why = { .code = "" };
    int64_t wait;
    double unit = 1;
    for (int64_t i = 0; i < cell->precision; i++)
        unit *= 10;
    const struct geocode_manner manner = { .town = true, .max_wait = WEB_WAIT };
    enum geocode_outcome outcome = geocoder_reverse(
        geocoder, task->db, task->arena, (double)cell->latitude / unit, (double)cell->longitude / unit,
        &manner, &places, &wait, &why);
    bool blame = outcome == GEOCODE_REFUSED || outcome == GEOCODE_DOWN;
    struct rows *rows = outcome == GEOCODE_DONE
                            ? store_place(task->db, cell, geocoder_name(geocoder), &places)
                            : release_cell(task->db, cell, blame);
    if (blame)
        LOG_WARN("a position got no place name", LOG_TEXT("code", why.code), LOG_TEXT("reason", why.message));
    if (!rows_ok(rows)) {
        failed(rows, err);
        return CELL_FAILED;
    }
    return outcome == GEOCODE_DONE ? CELL_ANSWERED : outcome == GEOCODE_REFUSED ? CELL_PASSED : CELL_LATER;
}

static int64_t fill_on_web(struct task_context *task, struct geocoder *geocoder, struct error *err)
{
    int64_t total = 0;
    enum cell_outcome outcome = CELL_ANSWERED;
    while (outcome <= CELL_PASSED && !task_should_stop(task)) {
        struct cell cell;
        int claimed = claim_cell(task->db, &cell, err);
        if (claimed <= 0)
            return claimed < 0 ? -1 : total;
        outcome = fill_cell(task, geocoder, &cell, err);
        total += outcome <= CELL_PASSED;
    }
    return outcome == CELL_FAILED ? -1 : total;
}

/* ---- the duties ---- */

/* The size of the cells is a fact of the database, so that all processes round alike; this worker's setting
 * makes it. */
static bool apply_precision(struct task_context *task, struct error *err)
{
    int64_t digits = task->config->geocode_precision;
    struct rows *rows = db_query(task->db, "SELECT geocode_precision()", "");
    if (rows_ok(rows) && rows_int(rows, 0, 0) != digits) {
        rows = db_query(task->db, "SELECT set_geocode_precision($1::integer)", "i", digits);
        if (rows_ok(rows) && rows_bool(rows, 0, 0))
            LOG_INFO("positions are named by cells of another size", LOG_NUM("decimal_places", digits));
    }
    return rows_ok(rows) || failed(rows, err) == 0;
}

static int64_t fill_and_name(struct task_context *task, struct geocoder *geocoder, struct error *err)
{
    int64_t known = name_trackers(task, err);
    if (known < 0)
        return -1;
    struct rows *wanted = db_query(task->db, want_sql, "");
    if (!rows_ok(wanted))
        return failed(wanted, err);
    int64_t filled = geocoder_on_web(geocoder) ? fill_on_web(task, geocoder, err) : fill_offline(task, err);
    int64_t named = filled > 0 ? name_trackers(task, err) : 0;
    return filled < 0 || named < 0 ? -1 : known + filled + named;
}

static int64_t due_run(struct task_context *task, struct error *err)
{
    struct geocoder *geocoder = geocoder_new(task->config, err);
    if (geocoder == NULL)
        return -1;
    int64_t units = 0;
    if (geocoder_attribution(geocoder)[0] != '\0') /* there is one */
        units = apply_precision(task, err) ? fill_and_name(task, geocoder, err) : -1;
    geocoder_free(geocoder);
    return units;
}

const struct duty geocode_due_duty = {
    .name = "geocode.due",
    .queue = "geocode",
    .about =
        "Finds the names of places where trackers have been: once for each cell, trackers' last positions first.",
    .period = SECONDS(2),
    .parallel = 1,
    .run = due_run,
};

/* Answers to typed addresses that are too old to be used, and cells of another size that nobody wants any
 * more. */
static int64_t clean_run(struct task_context *task, struct error *err)
{
    struct rows *rows = db_query(
        task->db,
        "WITH answers AS (DELETE FROM geocoding_addresses WHERE fetched_at < now() - make_interval(days => $1::integer) "
        "RETURNING 1), cells AS (DELETE FROM geocoding_cache WHERE fetched_at IS NULL AND places_precision <> "
        "geocode_precision() RETURNING 1) SELECT (SELECT count(*) FROM answers) + (SELECT count(*) FROM cells)",
        "i", (int64_t)ANSWERS_KEPT_DAYS);
    return rows_ok(rows) ? rows_int(rows, 0, 0) : failed(rows, err);
}

const struct duty geocode_clean_duty = {
    .name = "geocode.clean",
    .queue = "geocode",
    .about = "Deletes old answers to typed addresses.",
    .period = HOURS(1),
    .parallel = 1,
    .run = clean_run,
};
