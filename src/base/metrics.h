/* Counters, gauges and histograms, updated without locks and written in Prometheus' text form.
 *
 * Metrics are registered once, before threads use them, with a fixed set of label values; they live until the
 * process ends. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdint.h>

#include "base/buf.h"

struct metric;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* labels: Prometheus label text without braces, e.g. `route="/x",method="GET"`, or NULL. Registering the same
 * name and labels again gives the same metric. Never NULL. Texts are copied. */
struct metric *metric_register(enum metric_kind kind, const char *name, const char *labels, const char *help);

void metric_add(struct metric *metric, int64_t n);     /* counter, gauge */
void metric_set(struct metric *metric, int64_t value); /* gauge */
void metric_observe(struct metric *metric,
                    int64_t usec); /* histogram of times in microseconds, written in seconds */

int64_t metric_value(const struct metric *metric);   /* counter, gauge; count of a histogram */
int64_t metric_slowest(const struct metric *metric); /* histogram: largest observation */

/* Upper bound of the bucket that holds quantile q (0 < q < 1), interpolated; 0 without observations. Buckets
 * grow by about a fifth, so the answer is right within 20 %. */
int64_t metric_quantile(const struct metric *metric, double q);

/* A gauge that is asked for its value when metrics are written. */
void metric_register_callback(const char *name, const char *help, int64_t (*read)(void *self), void *self);

void metrics_write(struct buf *out);

#endif
