/* Counters, gauges and latency histograms of this process, and their Prometheus text.
 *
 * A family has a name and label names; a series is one member of it with label values. Making either takes a
 * lock and happens at start or on first use; keep the pointer, it lives as long as the process. Updates are
 * relaxed atomic additions and may come from any thread. Labels come from fixed sets (routes, outcomes),
 * never from input: a family beyond METRIC_MAX_SERIES hands out one shared series with the labels "other". */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define METRIC_MAX_LABELS 4
#define METRIC_MAX_SERIES 4096

struct metric; /* family */
struct series;

/* ---- families: asking again for a name gives the same one. Texts are not copied. labels: names separated
 * by commas, "" for none ---- */
struct metric *metric_counter(const char *name, const char *help, const char *labels);
struct metric *metric_gauge(const char *name, const char *help, const char *labels);

/* Lengths of time: observed in microseconds, exported in seconds; name ends in _seconds. */
struct metric *metric_histogram(const char *name, const char *help, const char *labels);

/* A gauge that is read when it is written out. */
void metric_gauge_read(const char *name, const char *help, int64_t (*read)(void *self), void *self);

/* The same, no longer read: call before self goes away. */
void metric_gauge_forget(const char *name);

/* ---- series: one text for each label name, copied ---- */
struct series *metric_series(struct metric *metric, const char *const *values);

/* ---- updates ---- */
void series_add(struct series *series, int64_t n);
void series_set(struct series *series, int64_t value);
void series_observe(struct series *series, int64_t usec); /* histogram; negative counts as 0 */

/* ---- reading ---- */
int64_t series_value(const struct series *series); /* counter, gauge; histogram: how many were observed */

struct quantiles {
    uint64_t count;
    int64_t p50, p95, p99; /* microseconds, at most one eighth above the true value; 0 when count is 0 */
    int64_t slowest, sum;  /* microseconds */
};
void series_quantiles(const struct series *series, struct quantiles *out);

/* Calls visit for every series of a family, in the order in which they were made. */
void metric_each(struct metric *metric,
                 void (*visit)(void *to, const char *const *values, const struct series *series), void *to);

/* Everything, as Prometheus text format 0.0.4. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
void metrics_write(struct buf *out);

#endif
