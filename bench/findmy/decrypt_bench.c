/* Measures how many reports a second are decrypted, against what `openssl speed ecdhp224` reaches with the
 * same number of threads in the same run: a report costs one ECDH, and everything else should cost next to
 * nothing.
 *
 * The two are measured in turn, several times, and the medians compared, since a busy machine changes its
 * speed from one second to the next. Prints one JSON object a line; exits with 1 when the ratio is below
 * --min (default 0: only measure). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/timeutil.h"
#include "findmy/batch.h"
#include "make_report.h"

#define REPORTS    16384 /* distinct ones, so that no cache helps; half a second of work for two cores */
#define MAX_ROUNDS 100

struct options {
    int64_t threads; /* 0: all cores */
    int64_t rounds;
    int64_t seconds; /* each measurement */
    double min;
};

static void fail(const char *what)
{
    fprintf(stderr, "decrypt_bench: %s\n", what);
    exit(2);
}

/* ---- ours ---- */

struct work {
    uint8_t keys[64][FINDMY_PRIVATE_SIZE]; /* as many tags as one request to Apple asks for */
    uint8_t payloads[REPORTS][REPORT_LONG];
    struct batch_item items[REPORTS];
};

static struct work *make_work(void)
{
    struct work *work = calloc(1, sizeof(*work));
    struct findmy_public public_key;
    if (work == NULL)
        fail("out of memory");
    for (size_t i = 0; i < 64; i++)
        if (!findmy_generate(work->keys[i], &public_key, NULL))
            fail("cannot make a key");
    for (size_t i = 0; i < REPORTS; i++) {
        size_t form = i % 2 == 0 ? REPORT_SHORT : REPORT_LONG;
        struct plain_report plain = { 800000000 + (uint32_t)i, 2, 500000000, 80000000, 15, 0 };
        make_report(work->keys[i % 64], &plain, form, work->payloads[i]);
        work->items[i] = (struct batch_item){
            .payload = work->payloads[i],
            .len = form,
            .private_key = work->keys[i % 64],
        };
    }
    return work;
}

static double measure_ours(struct batch *batch, struct work *work, int64_t seconds)
{
    struct report_counts counts = { { 0 } };
    int64_t begin = time_monotonic(), now;
    do {
        batch_run(batch, work->items, REPORTS, &counts);
        now = time_monotonic();
    } while (now - begin < SECONDS(seconds));
    if (report_failures(&counts) > 0)
        fail("a report did not open");
    return (double)counts.of[REPORT_OK] * (double)USEC_PER_SEC / (double)(now - begin);
}

/* ---- OpenSSL's ---- */

/* The last line of `openssl speed -mr` of the form +F5:<n>:<bits>:<operations a second>:<seconds an
 * operation>; with -multi that is the sum of all processes. */
static double measure_openssl(unsigned threads, int64_t seconds)
{
    char command[128], line[256];
    double rate = 0;
    snprintf(command, sizeof(command), "openssl speed -mr -seconds %d -multi %u ecdhp224 2>/dev/null",
             (int)seconds, threads);
    FILE *output = popen(command, "r");
    if (output == NULL)
        fail("cannot start openssl");
    while (fgets(line, sizeof(line), output) != NULL) {
        double found;
        if (sscanf(line, "+F5:%*[^:]:%*[^:]:%lf", &found) == 1)
            rate = found;
    }
    if (pclose(output) != 0 || rate <= 0)
        fail("openssl speed printed no rate");
    return rate;
}

/* ---- the comparison ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), compare);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static double run(const struct options *options)
{
    double ours[MAX_ROUNDS], openssl[MAX_ROUNDS], ratios[MAX_ROUNDS];
    struct batch *batch = batch_new((unsigned)options->threads, NULL);
    struct work *work = make_work();
    if (batch == NULL)
        fail("cannot start the threads");
    size_t n = (size_t)options->rounds;
    for (size_t i = 0; i < n; i++) {
        openssl[i] = measure_openssl(batch_threads(batch), options->seconds);
        ours[i] = measure_ours(batch, work, options->seconds);
        ratios[i] = ours[i] / openssl[i];
    }
    double ratio = median(ratios, n);
    printf(
        "{\"bench\":\"decrypt_vs_ecdh\",\"ratio\":%.3f,\"target\":0.9,\"threads\":%u,\"reports_per_second\":%.0f,"
        "\"openssl_ecdhp224_per_second\":%.0f,\"rounds\":%zu}\n",
        ratio, batch_threads(batch), median(ours, n), median(openssl, n), n);
    batch_free(batch);
    free(work);
    return ratio;
}

static int64_t take_int(const char *text, int64_t min, int64_t max)
{
    int64_t value;
    if (text == NULL || !parse_i64_range(text, min, max, &value))
        fail("usage: decrypt_bench [--threads N] [--rounds N] [--seconds N] [--min RATIO]");
    return value;
}

int main(int argc, char **argv)
{
    struct options options = { .rounds = 7, .seconds = 1 };
    for (int i = 1; i < argc; i += 2) {
        const char *value = argv[i + 1]; /* NULL behind the last */
        if (strcmp(argv[i], "--threads") == 0)
            options.threads = take_int(value, 1, BATCH_MAX_THREADS);
        else if (strcmp(argv[i], "--rounds") == 0)
            options.rounds = take_int(value, 1, MAX_ROUNDS);
        else if (strcmp(argv[i], "--seconds") == 0)
            options.seconds = take_int(value, 1, 60);
        else if (strcmp(argv[i], "--min") != 0 || value == NULL || !parse_double(value, &options.min))
            take_int(NULL, 0, 0);
    }
    return run(&options) >= options.min ? 0 : 1;
}
