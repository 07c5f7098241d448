/* Measures the way of reports into the database: pipeline_bench URL copy|ingest|pipeline. Prints reports a
 * second.
 *
 *     copy      COPY of the rows into location_reports: what PostgreSQL can do
 *     ingest    the same rows through ingest_store(): exclusion areas, duplicates, inbox, dirty log
 *     pipeline  encrypted reports: opened on all cores, stored, and judged by a second thread until the inbox
 * is empty
 *
 * run.py makes the database with its trackers, empties it between two measurements, and compares. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/timeutil.h"
#include "jobs/ingest.h"
#include "jobs/jobs.h"
#include "make_report.h"

#define BATCH_TRACKERS 256 /* as many as one request to Apple asks for */
#define PER_TRACKER    20  /* as many reports as Apple hands out of one key */
#define BATCH          (BATCH_TRACKERS * PER_TRACKER)
#define KEYS           16 /* shared by trackers: the cost of opening is the same, making reports is slow */
#define SPAN           DAYS(5)
#define MAX_JUDGES     16

/* Where run.py has put the places: the trackers lie in the store, travel, and stay in the shop. */
static const struct {
    int32_t lat_e7, lon_e7;
} route[] = { { 525000000, 134000000 }, { 510000000, 120000000 }, { 481000000, 115000000 } };

struct bench {
    struct db *db;
    struct arena *arena; /* of the whole run */
    int64_t *trackers;
    size_t batches;
    int64_t now;
    uint8_t keys[KEYS][FINDMY_PRIVATE_SIZE];
    uint8_t payloads[KEYS][PER_TRACKER][REPORT_LONG];
    struct report plain[PER_TRACKER];
};

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "pipeline_bench: %s: %s\n", what, why);
    exit(2);
}

static struct db *connect_to(const char *url)
{
    return db_new(&(struct db_options){ .url = url, .application_name = "pipeline_bench" });
}

/* ---- what is stored ---- */

static void load_trackers(struct bench *bench)
{
    struct rows *rows = db_query(bench->db, "SELECT id FROM trackers ORDER BY id", "");
    if (!rows_ok(rows) || rows_count(rows) < BATCH_TRACKERS)
        fail("trackers", rows_message(rows));
    bench->batches = rows_count(rows) / BATCH_TRACKERS;
    bench->trackers = arena_zalloc(bench->arena, rows_count(rows), sizeof(*bench->trackers));
    for (size_t i = 0; i < rows_count(rows); i++)
        bench->trackers[i] = rows_int(rows, i, 0);
}

/* One life, oldest report first: every tracker has it, each key's payloads tell it. */
static void make_lives(struct bench *bench)
{
    struct findmy_public public_key;
    for (size_t i = 0; i < PER_TRACKER; i++) {
        size_t stop = i * 3 / PER_TRACKER;
        int64_t age = SPAN / PER_TRACKER * (int64_t)(PER_TRACKER - i);
        bench->plain[i] = (struct report){ .time = (bench->now - age) / USEC_PER_SEC * USEC_PER_SEC,
                                           .lat_e7 = route[stop].lat_e7 + (int32_t)i * 10,
                                           .lon_e7 = route[stop].lon_e7,
                                           .accuracy = (uint8_t)(10 + i),
                                           .confidence = 2 };
    }
    for (size_t k = 0; k < KEYS; k++) {
        if (!findmy_generate(bench->keys[k], &public_key, NULL))
            fail("keys", "none could be made");
        for (size_t i = 0; i < PER_TRACKER; i++) {
            const struct report *report = &bench->plain[i];
            const struct plain_report plain = { (uint32_t)(report->time / USEC_PER_SEC - REPORT_EPOCH),
                                                report->confidence,
                                                report->lat_e7,
                                                report->lon_e7,
                                                report->accuracy,
                                                report->status };
            make_report(bench->keys[k], &plain, REPORT_LONG, bench->payloads[k][i]);
        }
    }
}

static int64_t tracker_of(const struct bench *bench, size_t batch, size_t at)
{
    return bench->trackers[batch * BATCH_TRACKERS + at / PER_TRACKER];
}

/* ---- copy ---- */

static void copy_batch(struct bench *bench, size_t batch)
{
    struct error err;
    struct buf text = { 0 };
    char when[RFC3339_SIZE];
    for (size_t i = 0; i < BATCH; i++) {
        const struct report *report = &bench->plain[i % PER_TRACKER];
        buf_printf(&text, "%" PRId64 "\t%s\t%d\t%d\t%d\t%d\t%d\n", tracker_of(bench, batch, i),
                   time_format(report->time, when), report->lat_e7, report->lon_e7, report->accuracy,
                   report->confidence, report->status);
    }
    if (!db_copy_begin(
            bench->db,
            "COPY location_reports (tracker_id, reported_at, latitude_e7, longitude_e7, accuracy_m, "
            "confidence, status) FROM STDIN",
            &err) ||
        !db_copy_data(bench->db, text.data, text.len, &err))
        fail("copy", err.message);
    struct rows *rows = db_copy_end(bench->db, NULL);
    if (!rows_ok(rows) || rows_affected(rows) != BATCH)
        fail("copy", rows_message(rows));
    buf_free(&text);
}

/* ---- ingest ---- */

/* One statement, as COPY is one: what else belongs to the transaction of a fetch is not of storing. */
static void store_batch(struct bench *bench, const struct ingest *ingest)
{
    struct error err;
    struct ingest_result result;
    if (!ingest_store(ingest, bench->db, &result, &err))
        fail("store", err.message);
    if (result.stored != BATCH)
        fail("store", "not all reports were new");
}

/* Opened reports as ingest_open() leaves them. */
static void ingest_batch(struct bench *bench, struct arena *arena, size_t batch)
{
    struct ingest ingest;
    struct error err;
    struct ingest_input *none = NULL;
    if (!ingest_open(&ingest, none, 0, false, bench->now, arena, &err))
        fail("ingest", err.message);
    ingest.trackers = arena_alloc(arena, BATCH * sizeof(*ingest.trackers));
    ingest.times = arena_alloc(arena, BATCH * sizeof(*ingest.times));
    ingest.key_ids = arena_alloc(arena, BATCH * sizeof(*ingest.key_ids));
    ingest.latitudes = arena_alloc(arena, BATCH * sizeof(*ingest.latitudes));
    ingest.longitudes = arena_alloc(arena, BATCH * sizeof(*ingest.longitudes));
    ingest.accuracies = arena_alloc(arena, BATCH * sizeof(*ingest.accuracies));
    ingest.confidences = arena_alloc(arena, BATCH * sizeof(*ingest.confidences));
    ingest.statuses = arena_alloc(arena, BATCH * sizeof(*ingest.statuses));
    for (size_t i = 0; i < BATCH; i++) {
        const struct report *report = &bench->plain[i % PER_TRACKER];
        ingest.trackers[i] = tracker_of(bench, batch, i);
        ingest.times[i] = report->time;
        ingest.key_ids[i] = 1;
        ingest.latitudes[i] = report->lat_e7 / 1e7;
        ingest.longitudes[i] = report->lon_e7 / 1e7;
        ingest.accuracies[i] = report->accuracy;
        ingest.confidences[i] = report->confidence;
        ingest.statuses[i] = report->status;
    }
    ingest.count = BATCH;
    store_batch(bench, &ingest);
}

/* ---- pipeline ---- */

struct judge {
    const char *url;
    const struct config *config;
    struct jobs_shared *shared;
    atomic_bool stored_all;
};

/* The judge's duty as a worker runs it, until everything is stored and judged. */
static void *judge(void *argument)
{
    struct judge *self = argument;
    struct error err;
    struct arena *arena = arena_new();
    struct db *db = connect_to(self->url);
    struct redis *redis = redis_new("", MINUTES(1), &err);
    for (bool last = false;;) {
        bool stored_all = atomic_load(&self->stored_all);
        arena_reset(arena);
        db_use(db, arena, NULL);
        struct task_context task = { .config = self->config,
                                     .db = db,
                                     .redis = redis,
                                     .arena = arena,
                                     .worker = "bench",
                                     .shared = self->shared };
        int64_t done = judge_inbox_duty.run(&task, &err);
        if (done < 0)
            fail("judge", err.message);
        if (done == 0 && last)
            break;
        last = done == 0 && stored_all;
        if (done == 0 && !stored_all)
            clock_sleep(&clock_system, 2000);
    }
    arena_free(arena);
    redis_free(redis);
    db_free(db);
    return NULL;
}

static void open_batch(struct bench *bench, struct arena *arena, size_t batch)
{
    struct ingest ingest;
    struct error err;
    struct ingest_input *inputs = arena_zalloc(arena, BATCH, sizeof(*inputs));
    for (size_t i = 0; i < BATCH; i++) {
        size_t key = i / PER_TRACKER % KEYS;
        inputs[i] = (struct ingest_input){ .payload = bench->payloads[key][i % PER_TRACKER],
                                           .len = REPORT_LONG,
                                           .tracker_id = tracker_of(bench, batch, i),
                                           .key_id = 1,
                                           .private_key = bench->keys[key] };
    }
    if (!ingest_open(&ingest, inputs, BATCH, false, bench->now, arena, &err))
        fail("open", err.message);
    store_batch(bench, &ingest);
}

/* ---- measuring ---- */

static void run_batches(struct bench *bench, const char *mode)
{
    struct arena *arena = arena_new();
    for (size_t batch = 0; batch < bench->batches; batch++) {
        arena_reset(arena);
        db_use(bench->db, arena, NULL);
        if (strcmp(mode, "copy") == 0)
            copy_batch(bench, batch);
        else if (strcmp(mode, "ingest") == 0)
            ingest_batch(bench, arena, batch);
        else
            open_batch(bench, arena, batch);
    }
    arena_free(arena);
}

static void run_pipeline(struct bench *bench, const char *url)
{
    extern char **environ;
    struct error err;
    pthread_t threads[MAX_JUDGES];
    long judges = sysconf(_SC_NPROCESSORS_ONLN);
    struct config *config = config_load(environ, &err);
    struct judge self = { .url = url, .config = config };
    if (config == NULL || (self.shared = jobs_shared_new(config, &err)) == NULL)
        fail("settings", err.message);
    judges = judges < 1 ? 1 : judges > MAX_JUDGES ? MAX_JUDGES : judges;
    for (long i = 0; i < judges; i++)
        if (pthread_create(&threads[i], NULL, judge, &self) != 0)
            fail("judge", "no thread");
    run_batches(bench, "pipeline");
    atomic_store(&self.stored_all, true);
    for (long i = 0; i < judges; i++)
        pthread_join(threads[i], NULL);
    jobs_shared_free(self.shared);
    config_free(config);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        fail("usage", "pipeline_bench URL copy|ingest|pipeline");
    static struct bench bench;
    bench.arena = arena_new();
    bench.db = connect_to(argv[1]);
    bench.now = time_now();
    db_use(bench.db, bench.arena, NULL);
    load_trackers(&bench);
    make_lives(&bench);

    int64_t begin = time_monotonic();
    if (strcmp(argv[2], "pipeline") == 0)
        run_pipeline(&bench, argv[1]);
    else
        run_batches(&bench, argv[2]);
    int64_t usec = time_monotonic() - begin;
    printf("%.1f\n", (double)(bench.batches * BATCH) * (double)USEC_PER_SEC / (double)usec);

    arena_free(bench.arena); /* results of the connection live in it */
    db_free(bench.db);
    return 0;
}
