/* Decrypts many reports on all cores: threads take chunks of the list until it is empty. */
#include "findmy/batch.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Items taken at once: half a millisecond of work, so that taking costs nothing and the threads finish
 * together. */
#define CHUNK 8

struct batch {
    unsigned threads;   /* with the caller's */
    pthread_t *workers; /* threads - 1 */
    unsigned started;

    pthread_mutex_t lock; /* guards all below but next */
    pthread_cond_t work, idle;
    uint64_t round;  /* counts runs: a worker waits for the next one */
    unsigned active; /* workers that have not finished the current round */
    bool stop;
    struct batch_item *items;
    size_t n;
    struct report_counts counts;

    atomic_size_t next; /* first item that nobody has taken */
};

static unsigned count_cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static enum report_result open_item(struct batch_item *item)
{
    item->report = (struct report){ 0 };
    if (item->payload == NULL)
        return REPORT_ENCODING;
    if (item->private_key == NULL)
        return REPORT_KEY;
    if (item->filed_under != NULL && item->key_hash != NULL &&
        memcmp(item->filed_under, item->key_hash, FINDMY_HASH_SIZE) != 0)
        return REPORT_ID;
    return report_open(item->payload, item->len, item->private_key, &item->report);
}

static void take_chunks(struct batch *batch, struct report_counts *counts)
{
    for (;;) {
        size_t from = atomic_fetch_add_explicit(&batch->next, CHUNK, memory_order_relaxed);
        if (from >= batch->n)
            return;
        size_t to = batch->n - from < CHUNK ? batch->n : from + CHUNK;
        for (size_t i = from; i < to; i++) {
            batch->items[i].result = open_item(&batch->items[i]);
            counts->of[batch->items[i].result]++;
        }
    }
}

static void add_counts(struct report_counts *sum, const struct report_counts *counts)
{
    for (int i = 0; i < REPORT_RESULTS; i++)
        sum->of[i] += counts->of[i];
}

static void *work(void *object)
{
    struct batch *batch = object;
    uint64_t seen = 0;
    pthread_mutex_lock(&batch->lock);
    for (;;) {
        while (batch->round == seen && !batch->stop)
            pthread_cond_wait(&batch->work, &batch->lock);
        if (batch->stop)
            break;
        seen = batch->round;
        pthread_mutex_unlock(&batch->lock);

        struct report_counts counts = { 0 };
        take_chunks(batch, &counts);

        pthread_mutex_lock(&batch->lock);
        add_counts(&batch->counts, &counts);
        if (--batch->active == 0)
            pthread_cond_signal(&batch->idle);
    }
    pthread_mutex_unlock(&batch->lock);
    return NULL;
}

struct batch *batch_new(unsigned threads, struct error *err)
{
    if (threads == 0)
        threads = count_cores();
    if (threads > BATCH_MAX_THREADS)
        threads = BATCH_MAX_THREADS;
    struct batch *batch = calloc(1, sizeof(*batch));
    pthread_t *workers = calloc(threads, sizeof(*workers));
    if (batch == NULL || workers == NULL) {
        free(batch);
        free(workers);
        error_set(err, "memory", "out of memory");
        return NULL;
    }
    batch->threads = threads;
    batch->workers = workers;
    pthread_mutex_init(&batch->lock, NULL);
    pthread_cond_init(&batch->work, NULL);
    pthread_cond_init(&batch->idle, NULL);
    for (unsigned i = 0; i + 1 < threads; i++) {
        int failed = pthread_create(&workers[i], NULL, work, batch);
        if (failed != 0) {
            batch_free(batch);
            error_set(err, "thread", "cannot start a thread: %s", strerror(failed));
            return NULL;
        }
        batch->started++;
    }
    return batch;
}

void batch_free(struct batch *batch)
{
    if (batch == NULL)
        return;
    pthread_mutex_lock(&batch->lock);
    batch->stop = true;
    pthread_cond_broadcast(&batch->work);
    pthread_mutex_unlock(&batch->lock);
    for (unsigned i = 0; i < batch->started; i++)
        pthread_join(batch->workers[i], NULL);
    pthread_cond_destroy(&batch->idle);
    pthread_cond_destroy(&batch->work);
    pthread_mutex_destroy(&batch->lock);
    free(batch->workers);
    free(batch);
}

unsigned batch_threads(const struct batch *batch)
{
    return batch->threads;
}

void batch_run(struct batch *batch, struct batch_item *items, size_t n, struct report_counts *counts)
{
    pthread_mutex_lock(&batch->lock);
    batch->items = items;
    batch->n = n;
    batch->counts = (struct report_counts){ 0 };
    atomic_store_explicit(&batch->next, 0, memory_order_relaxed);
    /* A list of one chunk is done sooner than a thread wakes. */
    if (n > CHUNK) {
        batch->active = batch->started;
        batch->round++;
        pthread_cond_broadcast(&batch->work);
    }
    pthread_mutex_unlock(&batch->lock);

    struct report_counts own = { 0 };
    take_chunks(batch, &own);

    pthread_mutex_lock(&batch->lock);
    while (batch->active > 0)
        pthread_cond_wait(&batch->idle, &batch->lock);
    add_counts(&batch->counts, &own);
    if (counts != NULL)
        add_counts(counts, &batch->counts);
    batch->items = NULL;
    batch->n = 0;
    pthread_mutex_unlock(&batch->lock);
}
