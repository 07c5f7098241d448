/* The registry of metrics, lock-free updates, and the Prometheus writer. */
#include "base/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Histograms are log-linear: values below SUB are exact, above each power of two is cut into SUB parts, so a
 * bucket is at most 1/SUB wider than its lower end. TOP powers reach 2^37 µs, which is 38 hours. */
#define SUB     8
#define SUB_LOG 3
#define TOP     37
#define BUCKETS (SUB + (TOP - SUB_LOG) * SUB)

/* Exported boundaries: powers of two, which are boundaries of the buckets above, so that counts are exact. */
#define EXPORT_FIRST 7  /* 128 µs */
#define EXPORT_LAST  24 /* 16.8 s */

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM, KIND_READ };

struct histogram {
    _Atomic uint64_t buckets[BUCKETS];
    _Atomic int64_t sum, slowest;
};

struct series {
    struct series *next;
    _Atomic int64_t value;       /* histogram: how many */
    struct histogram *histogram; /* NULL for the others */
    char *values[METRIC_MAX_LABELS];
};

struct metric {
    struct metric *next;
    const char *name, *help;
    enum kind kind;
    size_t label_count;
    char labels[METRIC_MAX_LABELS][32];
    struct series *first, *last, *other; /* guarded by lock; a series never goes away */
    size_t count;
    int64_t (*read)(void *self);
    void *self;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric *families, **families_end = &families; /* guarded by lock */

static void *must_zalloc(size_t size)
{
    void *p = calloc(1, size);
    if (p == NULL) {
        fputs("trackerd: out of memory\n", stderr);
        abort();
    }
    return p;
}

/* ---- families ---- */

static void split_labels(struct metric *metric, const char *labels)
{
    while (*labels != '\0' && metric->label_count < METRIC_MAX_LABELS) {
        size_t len = strcspn(labels, ",");
        snprintf(metric->labels[metric->label_count++], sizeof(metric->labels[0]), "%.*s", (int)len, labels);
        labels += len + (labels[len] == ',');
    }
}

static struct metric *family(const char *name, const char *help, const char *labels, enum kind kind)
{
    struct metric *metric;
    for (metric = families; metric != NULL; metric = metric->next)
        if (strcmp(metric->name, name) == 0)
            return metric;
    metric = must_zalloc(sizeof(*metric));
    metric->name = name;
    metric->help = help;
    metric->kind = kind;
    split_labels(metric, labels);
    *families_end = metric;
    families_end = &metric->next;
    return metric;
}

static struct metric *locked_family(const char *name, const char *help, const char *labels, enum kind kind)
{
    pthread_mutex_lock(&lock);
    struct metric *metric = family(name, help, labels, kind);
    pthread_mutex_unlock(&lock);
    return metric;
}

struct metric *metric_counter(const char *name, const char *help, const char *labels)
{
    return locked_family(name, help, labels, KIND_COUNTER);
}

struct metric *metric_gauge(const char *name, const char *help, const char *labels)
{
    return locked_family(name, help, labels, KIND_GAUGE);
}

struct metric *metric_histogram(const char *name, const char *help, const char *labels)
{
    return locked_family(name, help, labels, KIND_HISTOGRAM);
}

void metric_gauge_read(const char *name, const char *help, int64_t (*read)(void *self), void *self)
{
    pthread_mutex_lock(&lock);
    struct metric *metric = family(name, help, "", KIND_READ);
    metric->read = read;
    metric->self = self;
    pthread_mutex_unlock(&lock);
}

void metric_gauge_forget(const char *name)
{
    pthread_mutex_lock(&lock);
    for (struct metric *metric = families; metric != NULL; metric = metric->next)
        if (strcmp(metric->name, name) == 0)
            metric->read = NULL;
    pthread_mutex_unlock(&lock);
}

/* ---- series ---- */

static struct series *series_new(const struct metric *metric, const char *const *values)
{
    struct series *series = must_zalloc(sizeof(*series));
    for (size_t i = 0; i < metric->label_count; i++) {
        series->values[i] = strdup(values != NULL ? values[i] : "other");
        if (series->values[i] == NULL)
            abort();
    }
    if (metric->kind == KIND_HISTOGRAM)
        series->histogram = must_zalloc(sizeof(*series->histogram));
    return series;
}

static void append(struct metric *metric, struct series *series)
{
    if (metric->last != NULL)
        metric->last->next = series;
    else
        metric->first = series;
    metric->last = series;
    metric->count++;
}

static bool same_values(const struct metric *metric, const struct series *series, const char *const *values)
{
    for (size_t i = 0; i < metric->label_count; i++)
        if (strcmp(series->values[i], values[i]) != 0)
            return false;
    return true;
}

static struct series *find_or_add(struct metric *metric, const char *const *values)
{
    for (struct series *series = metric->first; series != NULL; series = series->next)
        if (same_values(metric, series, values))
            return series;
    if (metric->count >= METRIC_MAX_SERIES) {
        if (metric->other == NULL) {
            metric->other = series_new(metric, NULL);
            append(metric, metric->other);
        }
        return metric->other;
    }
    struct series *series = series_new(metric, values);
    append(metric, series);
    return series;
}

struct series *metric_series(struct metric *metric, const char *const *values)
{
    pthread_mutex_lock(&lock);
    struct series *series = find_or_add(metric, values);
    pthread_mutex_unlock(&lock);
    return series;
}

/* ---- updates ---- */

void series_add(struct series *series, int64_t n)
{
    atomic_fetch_add_explicit(&series->value, n, memory_order_relaxed);
}

void series_set(struct series *series, int64_t value)
{
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

static size_t bucket_of(uint64_t usec)
{
    if (usec < SUB)
        return (size_t)usec;
    unsigned power = 63u - (unsigned)__builtin_clzll(usec);
    if (power >= TOP)
        return BUCKETS - 1;
    return SUB + (size_t)(power - SUB_LOG) * SUB + (size_t)((usec >> (power - SUB_LOG)) & (SUB - 1));
}

/* Highest value that falls into the bucket. */
static int64_t bucket_end(size_t bucket)
{
    if (bucket < SUB)
        return (int64_t)bucket;
    unsigned shift = (unsigned)((bucket - SUB) / SUB);
    int64_t lower = (int64_t)(SUB + (bucket - SUB) % SUB) << shift;
    return lower + ((int64_t)1 << shift) - 1;
}

void series_observe(struct series *series, int64_t usec)
{
    struct histogram *h = series->histogram;
    if (usec < 0)
        usec = 0;
    atomic_fetch_add_explicit(&h->buckets[bucket_of((uint64_t)usec)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum, usec, memory_order_relaxed);
    atomic_fetch_add_explicit(&series->value, 1, memory_order_relaxed);
    int64_t slowest = atomic_load_explicit(&h->slowest, memory_order_relaxed);
    while (usec > slowest && !atomic_compare_exchange_weak_explicit(
                                 &h->slowest, &slowest, usec, memory_order_relaxed, memory_order_relaxed))
        ;
}

/* ---- reading ---- */

int64_t series_value(const struct series *series)
{
    return atomic_load_explicit(&series->value, memory_order_relaxed);
}

static uint64_t bucket_count(const struct histogram *h, size_t bucket)
{
    return atomic_load_explicit(&h->buckets[bucket], memory_order_relaxed);
}

void series_quantiles(const struct series *series, struct quantiles *out)
{
    const struct histogram *h = series->histogram;
    uint64_t counts[BUCKETS], seen = 0;
    *out = (struct quantiles){ 0 };
    /* Counts may grow meanwhile; the copy is what the quantiles are of. */
    for (size_t i = 0; i < BUCKETS; i++)
        out->count += counts[i] = bucket_count(h, i);
    out->sum = atomic_load_explicit(&h->sum, memory_order_relaxed);
    out->slowest = atomic_load_explicit(&h->slowest, memory_order_relaxed);

    const struct {
        unsigned percent;
        int64_t *value;
    } wanted[] = { { 50, &out->p50 }, { 95, &out->p95 }, { 99, &out->p99 } };
    size_t next = 0;
    for (size_t i = 0; i < BUCKETS && next < ARRAY_LEN(wanted); i++) {
        seen += counts[i];
        while (next < ARRAY_LEN(wanted) && seen > 0 && seen * 100 >= out->count * wanted[next].percent) {
            int64_t end = bucket_end(i);
            *wanted[next++].value = end < out->slowest ? end : out->slowest;
        }
    }
}

void metric_each(struct metric *metric,
                 void (*visit)(void *to, const char *const *values, const struct series *series), void *to)
{
    pthread_mutex_lock(&lock);
    const struct series *series = metric->first;
    pthread_mutex_unlock(&lock);
    while (series != NULL) {
        visit(to, (const char *const *)series->values, series);
        pthread_mutex_lock(&lock);
        series = series->next;
        pthread_mutex_unlock(&lock);
    }
}

/* ---- Prometheus text ---- */

static void write_escaped(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '"')
            buf_putc(out, '\\');
        if (*text == '\n')
            buf_puts(out, "\\n");
        else
            buf_putc(out, *text);
    }
}

/* {a="b",le="…"}; le may be NULL */
static void write_labels(struct buf *out, const struct metric *metric, const struct series *series,
                         const char *le)
{
    if (metric->label_count == 0 && le == NULL)
        return;
    buf_putc(out, '{');
    for (size_t i = 0; i < metric->label_count; i++) {
        buf_printf(out, "%s%s=\"", i > 0 ? "," : "", metric->labels[i]);
        write_escaped(out, series->values[i]);
        buf_putc(out, '"');
    }
    if (le != NULL)
        buf_printf(out, "%sle=\"%s\"", metric->label_count > 0 ? "," : "", le);
    buf_putc(out, '}');
}

static void write_value(struct buf *out, const struct metric *metric, const struct series *series)
{
    buf_puts(out, metric->name);
    write_labels(out, metric, series, NULL);
    buf_printf(out, " %" PRId64 "\n", series_value(series));
}

static void write_histogram(struct buf *out, const struct metric *metric, const struct series *series)
{
    const struct histogram *h = series->histogram;
    uint64_t seen = 0;
    size_t bucket = 0;
    char le[32];
    for (unsigned power = EXPORT_FIRST; power <= EXPORT_LAST; power++) {
        /* Observations are cut to whole microseconds: what was cut to 2^power took longer. */
        size_t end = bucket_of((uint64_t)1 << power);
        for (; bucket < end; bucket++)
            seen += bucket_count(h, bucket);
        snprintf(le, sizeof(le), "%.6f", (double)((uint64_t)1 << power) / 1e6);
        buf_printf(out, "%s_bucket", metric->name);
        write_labels(out, metric, series, le);
        buf_printf(out, " %" PRIu64 "\n", seen);
    }
    for (; bucket < BUCKETS; bucket++)
        seen += bucket_count(h, bucket);
    buf_printf(out, "%s_bucket", metric->name);
    write_labels(out, metric, series, "+Inf");
    buf_printf(out, " %" PRIu64 "\n%s_sum", seen, metric->name);
    write_labels(out, metric, series, NULL);
    buf_printf(out, " %.6f\n%s_count", (double)atomic_load_explicit(&h->sum, memory_order_relaxed) / 1e6,
               metric->name);
    write_labels(out, metric, series, NULL);
    buf_printf(out, " %" PRIu64 "\n", seen);
}

static void write_family(struct buf *out, const struct metric *metric)
{
    static const char *const types[] = { "counter", "gauge", "histogram", "gauge" };
    if (metric->kind == KIND_READ ? metric->read == NULL : metric->first == NULL)
        return;
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
               types[metric->kind]);
    if (metric->kind == KIND_READ)
        buf_printf(out, "%s %" PRId64 "\n", metric->name, metric->read(metric->self));
    for (const struct series *series = metric->first; series != NULL; series = series->next) {
        if (metric->kind == KIND_HISTOGRAM)
            write_histogram(out, metric, series);
        else
            write_value(out, metric, series);
    }
}

void metrics_write(struct buf *out)
{
    pthread_mutex_lock(&lock);
    for (const struct metric *metric = families; metric != NULL; metric = metric->next)
        write_family(out, metric);
    pthread_mutex_unlock(&lock);
}
