/* Metrics: identity of series, quantiles against exact ones, the Prometheus text, updates from many threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/metrics.h"

static void test_series_are_found_again(void **state)
{
    (void)state;
    struct metric *metric = metric_counter("t_found_total", "Found.", "a,b");
    assert_ptr_equal(metric, metric_counter("t_found_total", "Found.", "a,b"));
    struct series *one = metric_series(metric, (const char *const[]){ "x", "y" });
    struct series *two = metric_series(metric, (const char *const[]){ "x", "z" });
    assert_ptr_not_equal(one, two);
    assert_ptr_equal(one, metric_series(metric, (const char *const[]){ "x", "y" }));
    series_add(one, 3);
    series_add(one, 4);
    assert_int_equal(series_value(one), 7);
    assert_int_equal(series_value(two), 0);
}

static void test_quantiles_are_close(void **state)
{
    (void)state;
    struct series *series = metric_series(metric_histogram("t_quantiles_seconds", "Q.", ""), NULL);
    struct quantiles q;
    series_quantiles(series, &q);
    assert_int_equal(q.count, 0);
    assert_int_equal(q.p99, 0);
    for (int i = 1; i <= 10000; i++)
        series_observe(series, i);
    series_quantiles(series, &q);
    assert_int_equal(q.count, 10000);
    assert_int_equal(q.slowest, 10000);
    assert_int_equal(q.sum, 50005000);
    assert_in_range(q.p50, 5000, 5000 * 9 / 8);
    assert_in_range(q.p95, 9500, 10000);
    assert_in_range(q.p99, 9900, 10000);
}

static void test_one_observation_is_its_own_quantile(void **state)
{
    (void)state;
    const int64_t values[] = { 0, 1, 7, 8, 9, 127, 128, 1000003, INT64_MAX };
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        static const char *const names[] = { "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8" };
        struct series *series = metric_series(metric_histogram(names[i], "One.", ""), NULL);
        struct quantiles q;
        series_observe(series, values[i]);
        series_quantiles(series, &q);
        assert_int_equal(q.count, 1);
        /* beyond the last bucket, what is known is only that it is at least its end */
        if (values[i] == INT64_MAX)
            assert_true(q.p50 >= INT64_C(1) << 36);
        else
            assert_int_equal(q.p50, values[i]);
    }
}

static int64_t forty_two(void *self)
{
    return *(int *)self;
}

static void test_text(void **state)
{
    (void)state;
    int answer = 42;
    metric_gauge_read("t_read", "Read.", forty_two, &answer);
    series_add(
        metric_series(metric_counter("t_text_total", "Text.", "a"), (const char *const[]){ "q\"\\\n" }), 5);
    struct series *series = metric_series(metric_histogram("t_text_seconds", "H.", "r"),
                                          (const char *const[]){ "x" });
    series_observe(series, 127);
    series_observe(series, 128);
    series_observe(series, 60000000);

    struct buf out = { 0 };
    metrics_write(&out);
    const char *text = buf_text(&out);
    assert_non_null(strstr(text, "# HELP t_read Read.\n# TYPE t_read gauge\nt_read 42\n"));
    assert_non_null(strstr(text, "# TYPE t_text_total counter\nt_text_total{a=\"q\\\"\\\\\\n\"} 5\n"));
    assert_non_null(strstr(text, "t_text_seconds_bucket{r=\"x\",le=\"0.000128\"} 1\n"));
    assert_non_null(strstr(text, "t_text_seconds_bucket{r=\"x\",le=\"0.000256\"} 2\n"));
    assert_non_null(strstr(text, "t_text_seconds_bucket{r=\"x\",le=\"16.777216\"} 2\n"));
    assert_non_null(strstr(text, "t_text_seconds_bucket{r=\"x\",le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(text, "t_text_seconds_sum{r=\"x\"} 60.000255\n"));
    assert_non_null(strstr(text, "t_text_seconds_count{r=\"x\"} 3\n"));
    buf_clear(&out);
    metric_gauge_forget("t_read");
    metrics_write(&out);
    assert_null(strstr(buf_text(&out), "t_read"));
    buf_free(&out);
}

static void test_families_are_bounded(void **state)
{
    (void)state;
    struct metric *metric = metric_counter("t_bounded_total", "B.", "n");
    char name[16];
    struct series *last = NULL;
    for (int i = 0; i < METRIC_MAX_SERIES + 10; i++) {
        snprintf(name, sizeof(name), "%d", i);
        last = metric_series(metric, (const char *const[]){ name });
        series_add(last, 1);
    }
    assert_int_equal(series_value(last), 10);
}

static void *add_many(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        series_add(arg, 1);
        series_observe(metric_series(metric_histogram("t_threads_seconds", "T.", ""), NULL), i % 100);
    }
    return NULL;
}

static void test_threads_lose_nothing(void **state)
{
    (void)state;
    struct series *series = metric_series(metric_counter("t_threads_total", "T.", ""), NULL);
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, series), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(series_value(series), 80000);
    assert_int_equal(series_value(metric_series(metric_histogram("t_threads_seconds", "T.", ""), NULL)),
                     80000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series_are_found_again),
        cmocka_unit_test(test_quantiles_are_close),
        cmocka_unit_test(test_one_observation_is_its_own_quantile),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_families_are_bounded),
        cmocka_unit_test(test_threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
