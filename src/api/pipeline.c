/* GET /health/pipeline and /admin/pipeline: oldest overdue tracker, age of the inbox, batches, accounts. */
#include "api/pipeline.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/app.h"
#include "base/metrics.h"
#include "base/parse.h"
#include "base/timeutil.h"

/* Labels come from few fixed words (results, states); more of them are a mistake and left out. */
#define FIGURES_MAX 64
#define WORD_MAX    51

/* One row of the SQL function pipeline_figures(). */
struct figure {
    char name[WORD_MAX], label[WORD_MAX];
    int64_t value;
};

struct pipeline {
    pthread_mutex_t lock; /* everything below */
    int64_t read_at;      /* monotonic; 0: never */
    int64_t as_of;        /* wall clock */
    size_t count;
    struct figure figures[FIGURES_MAX];
};

struct pipeline *pipeline_new(void)
{
    struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
    if (pipeline == NULL)
        abort();
    pthread_mutex_init(&pipeline->lock, NULL);
    return pipeline;
}

void pipeline_free(struct pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    pthread_mutex_destroy(&pipeline->lock);
    free(pipeline);
}

/* ---- metrics ---- */

/* Figures of one name are one family; those with labels have a series for each. */
static const struct {
    const char *figure, *metric, *label, *help;
} metrics[] = {
    { "overdue_seconds", "tracker_pipeline_overdue_seconds", "",
      "How long the oldest due tracker has been waiting to be fetched." },
    { "due_trackers", "tracker_pipeline_due_trackers", "",
      "Trackers that are due to be fetched, up to 10,000." },
    { "last_batch_seconds", "tracker_pipeline_last_batch_seconds", "", "Age of the last good fetch batch." },
    { "batches", "tracker_pipeline_batches", "result", "Fetch batches of the last 24 hours by result." },
    { "reports", "tracker_pipeline_reports", "outcome", "Reports of the last 24 hours by outcome." },
    { "inbox_rows", "tracker_pipeline_inbox_rows", "", "Rows of the inbox of the judge, up to 10,000." },
    { "inbox_seconds", "tracker_pipeline_judge_lag_seconds", "",
      "Age of the oldest row of the inbox of the judge." },
    { "geocode_wanted", "tracker_pipeline_geocode_wanted", "",
      "Positions that wait for a name, up to 10,000." },
    { "accounts", "tracker_pipeline_accounts", "state", "Apple accounts by state." },
    { "tasks", "tracker_pipeline_tasks", "state", "Tasks that are not finished, by state, up to 10,000." },
};

static void set_to_zero(void *to, const char *const *values, const struct series *series)
{
    (void)series;
    series_set(metric_series(to, values), 0);
}

/* A result or state that is gone from the figures has none: its series goes to 0 and does not keep the last.
 */
static void export_metrics(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
        struct metric *metric = metric_gauge(metrics[i].metric, metrics[i].help, metrics[i].label);
        bool labelled = metrics[i].label[0] != '\0';
        if (labelled)
            metric_each(metric, set_to_zero, metric);
        else
            series_set(metric_series(metric, NULL), 0);
        for (size_t j = 0; j < pipeline->count; j++) {
            const struct figure *figure = &pipeline->figures[j];
            if (strcmp(figure->name, metrics[i].figure) != 0)
                continue;
            const char *values[] = { figure->label };
            series_set(metric_series(metric, labelled ? values : NULL), figure->value);
        }
    }
}

/* ---- reading ---- */

/* The statement sees the whole pipeline, whoever asks; what is shown of it is the handler's matter. */
static const struct db_context operator_context = { .role = "admin", .clients = "{}", .user = "" };
static const struct db_context nobody_context = { .role = "", .clients = "{}", .user = "" };

static struct rows *ask(struct request *req)
{
    db_set_context(req->db, &operator_context);
    struct rows *rows = db_query(req->db, "SELECT name, label, value FROM pipeline_figures()", "");
    db_set_context(req->db, req->principal != NULL ? &req->principal->context : &nobody_context);
    return rows;
}

static void keep(struct pipeline *pipeline, const struct rows *rows, int64_t now)
{
    pipeline->count = 0;
    for (size_t i = 0; i < rows_count(rows) && pipeline->count < FIGURES_MAX; i++) {
        struct figure *figure = &pipeline->figures[pipeline->count];
        if (!text_copy(figure->name, sizeof(figure->name), rows_text(rows, i, 0)) ||
            !text_copy(figure->label, sizeof(figure->label), rows_text(rows, i, 1)))
            continue;
        figure->value = rows_int(rows, i, 2);
        pipeline->count++;
    }
    pipeline->read_at = now;
    pipeline->as_of = time_now();
    export_metrics(pipeline);
}

bool pipeline_refresh(struct request *req)
{
    struct pipeline *pipeline = req->app->pipeline;
    int64_t now = time_monotonic();
    /* Held while the database is asked: others wait for this answer in place of asking the same. */
    pthread_mutex_lock(&pipeline->lock);
    bool fresh = pipeline->read_at != 0 && now - pipeline->read_at < req->app->config->pipeline_refresh;
    if (!fresh) {
        struct rows *rows = ask(req);
        fresh = rows_ok(rows);
        if (fresh)
            keep(pipeline, rows, now);
    }
    pthread_mutex_unlock(&pipeline->lock);
    return fresh;
}

/* ---- writing; the lock is held ---- */

static int64_t value_of(const struct pipeline *pipeline, const char *name, int64_t fallback)
{
    for (size_t i = 0; i < pipeline->count; i++)
        if (strcmp(pipeline->figures[i].name, name) == 0)
            return pipeline->figures[i].value;
    return fallback;
}

/* Null when there is none: no tracker due, no batch ever, an empty inbox. */
static void put_age(struct json *json, const struct pipeline *pipeline, const char *key, const char *name)
{
    int64_t age = value_of(pipeline, name, -1);
    if (age < 0)
        json_put_null(json, key);
    else
        json_put_int(json, key, age);
}

static void put_labelled(struct json *json, const struct pipeline *pipeline, const char *name)
{
    json_key(json, name);
    json_start_object(json);
    for (size_t i = 0; i < pipeline->count; i++)
        if (strcmp(pipeline->figures[i].name, name) == 0)
            json_put_int(json, pipeline->figures[i].label, pipeline->figures[i].value);
    json_end_object(json);
}

/* Work that waits for longer than it should. Nothing to do is no stall. */
static bool stalled(const struct request *req, const struct pipeline *pipeline)
{
    const struct config *config = req->app->config;
    return SECONDS(value_of(pipeline, "overdue_seconds", 0)) > config->pipeline_max_overdue ||
           SECONDS(value_of(pipeline, "inbox_seconds", 0)) > config->pipeline_max_inbox_age;
}

static void put_ages(const struct request *req, const struct pipeline *pipeline, struct json *json)
{
    json_put_text(json, "status", stalled(req, pipeline) ? "stalled" : "ok");
    json_put_time(json, "as_of", pipeline->as_of);
    put_age(json, pipeline, "overdue_seconds", "overdue_seconds");
    put_age(json, pipeline, "last_batch_seconds", "last_batch_seconds");
    put_age(json, pipeline, "inbox_seconds", "inbox_seconds");
}

void pipeline_put(struct request *req, struct json *json)
{
    struct pipeline *pipeline = req->app->pipeline;
    pthread_mutex_lock(&pipeline->lock);
    put_ages(req, pipeline, json);
    json_put_int(json, "due_trackers", value_of(pipeline, "due_trackers", 0));
    json_put_int(json, "inbox_rows", value_of(pipeline, "inbox_rows", 0));
    json_put_int(json, "geocode_wanted", value_of(pipeline, "geocode_wanted", 0));
    put_labelled(json, pipeline, "batches");
    put_labelled(json, pipeline, "reports");
    put_labelled(json, pipeline, "accounts");
    put_labelled(json, pipeline, "tasks");
    pthread_mutex_unlock(&pipeline->lock);
}

/* ---- handlers ---- */

static void reply_unknown(struct request *req)
{
    reply_unavailable(req, "database_unavailable", 2, "The database does not answer at the moment.");
}

/* GET /health/pipeline - 503 when work waits for too long. Ages only: the page is public. */
static void get_health(struct request *req)
{
    if (!pipeline_refresh(req)) {
        reply_unknown(req);
        return;
    }
    struct pipeline *pipeline = req->app->pipeline;
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    pthread_mutex_lock(&pipeline->lock);
    bool bad = stalled(req, pipeline);
    put_ages(req, pipeline, &json);
    pthread_mutex_unlock(&pipeline->lock);
    json_end_object(&json);
    reply_json(req, bad ? 503 : 200, &body);
}

/* GET /admin/pipeline */
static void get_pipeline(struct request *req)
{
    if (!pipeline_refresh(req)) {
        reply_unknown(req);
        return;
    }
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    pipeline_put(req, &json);
    json_end_object(&json);
    reply_json(req, 200, &body);
}

/* ---- routes and schemas ---- */

static const struct answer health_answers[] = {
    { 200, "PipelineHealth", "Work gets done." },
    { 503, "PipelineHealth",
      "Work waits for longer than PIPELINE_MAX_OVERDUE or PIPELINE_MAX_INBOX_AGE allow." },
};
static const struct answer pipeline_answers[] = {
    { 200, "Pipeline", "The figures, a few seconds old at most." },
};

const struct route pipeline_routes[] = {
    { .method = HTTP_GET,
      .path = "/health/pipeline",
      .handle = get_health,
      .access = ACCESS_PUBLIC,
      .tag = "health",
      .summary = "Does the pipeline get its work done?",
      .about =
          "Age of the oldest tracker that is due to be fetched, of the last good fetch batch and of the oldest "
          "report that is not judged; null when there is none.",
      .operation_id = "getPipelineHealth",
      .answers = health_answers,
      .answer_count = ARRAY_LEN(health_answers) },
    { .method = HTTP_GET,
      .path = "/api/v1/admin/pipeline",
      .handle = get_pipeline,
      .access = ACCESS_ADMIN,
      .tag = "admin",
      .summary = "How the pipeline does",
      .about =
          "The figures of the health page; batches by result and reports by outcome of the last 24 hours; "
          "accounts and unfinished tasks by state. Counts of what waits stop at 10,000.",
      .operation_id = "getPipeline",
      .answers = pipeline_answers,
      .answer_count = ARRAY_LEN(pipeline_answers) },
};
const size_t pipeline_route_count = ARRAY_LEN(pipeline_routes);

#define AGE    "{\"type\":[\"integer\",\"null\"]}"
#define WHOLE  "{\"type\":\"integer\"}"
#define COUNTS "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}"
#define AGES                                                                                                 \
    "\"status\":{\"type\":\"string\",\"enum\":[\"ok\",\"stalled\"]},\"as_of\":{\"type\":\"string\","         \
    "\"format\":\"date-time\"},\"overdue_seconds\":" AGE ",\"last_batch_seconds\":" AGE                      \
    ",\"inbox_seconds\":" AGE
#define AGES_REQUIRED "\"status\",\"as_of\",\"overdue_seconds\",\"last_batch_seconds\",\"inbox_seconds\""

void pipeline_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "PipelineHealth",
        "{\"type\":\"object\",\"properties\":{" AGES "},\"required\":[" AGES_REQUIRED "]}");
    add(to, "Pipeline",
        "{\"type\":\"object\",\"properties\":{" AGES ",\"due_trackers\":" WHOLE ",\"inbox_rows\":" WHOLE
        ",\"geocode_wanted\":" WHOLE ",\"batches\":" COUNTS ",\"reports\":" COUNTS ",\"accounts\":" COUNTS
        ",\"tasks\":" COUNTS "},\"required\":[" AGES_REQUIRED
        ",\"due_trackers\",\"inbox_rows\",\"geocode_wanted\","
        "\"batches\",\"reports\",\"accounts\",\"tasks\"]}");
}
