/* Requests per session, API key or address within a window: counted in the process, shared through Redis. */
#include "auth/ratelimit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/timeutil.h"

#define SHARDS  16 /* locks, so that threads rarely meet */
#define BUCKETS 1024
#define WAYS    4

/* A process tells the others what it counted after a fiftieth of the limit, or after this long: by so much a
 * limit can be overrun by each further process. */
#define SHARE_FRACTION 50
#define SHARE_AFTER    (200 * INT64_C(1000))

#define SUBJECT_SIZE 80

struct counter {
    char subject[SUBJECT_SIZE];
    int64_t window_start; /* wall clock; 0: free */
    int64_t others;       /* total in Redis when we last shared, ours included */
    int64_t unshared;     /* ours since then */
    int64_t shared_at;    /* wall clock */
};

struct shard {
    pthread_mutex_t lock;
    struct counter counters[BUCKETS / SHARDS * WAYS];
};

struct ratelimit {
    struct shard shards[SHARDS];
};

struct ratelimit *ratelimit_new(void)
{
    struct ratelimit *limits = calloc(1, sizeof(*limits));
    if (limits == NULL)
        abort();
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_init(&limits->shards[i].lock, NULL);
    return limits;
}

void ratelimit_free(struct ratelimit *limits)
{
    if (limits == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&limits->shards[i].lock);
    free(limits);
}

static uint32_t hash_text(const char *text)
{
    uint32_t hash =
        2166136261u; /* FNV-1a: subjects are ids and addresses, nobody can choose collisions cheaply */
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash;
}

/* The subject's counter; a free or the least recently started one when it has none. */
static struct counter *counter_of(struct shard *shard, uint32_t hash, const char *subject)
{
    struct counter *set = &shard->counters[hash / SHARDS % (BUCKETS / SHARDS) * WAYS];
    struct counter *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].window_start != 0 && strcmp(set[i].subject, subject) == 0)
            return &set[i];
        if (set[i].window_start < oldest->window_start)
            oldest = &set[i];
    }
    *oldest = (struct counter){ 0 };
    snprintf(oldest->subject, sizeof(oldest->subject), "%s", subject);
    return oldest;
}

static bool wants_sharing(const struct counter *counter, int64_t limit, int64_t now)
{
    return counter->shared_at == 0 || now - counter->shared_at >= SHARE_AFTER ||
           counter->unshared >= limit / SHARE_FRACTION + 1;
}

/* Adds amount to the common counter of the window; false when Redis is not there. */
static bool share(struct redis *redis, struct arena *arena, const char *subject, int64_t start,
                  int64_t window, int64_t amount, int64_t *total)
{
    char key[SUBJECT_SIZE + 40], number[24], expiry[24];
    snprintf(key, sizeof(key), "rate:%s:%lld", subject, (long long)(start / USEC_PER_SEC));
    snprintf(number, sizeof(number), "%lld", (long long)amount);
    snprintf(expiry, sizeof(expiry), "%lld", (long long)(2 * window / 1000));
    const char *add[] = { "INCRBY", key, number }, *expire[] = { "PEXPIRE", key, expiry };
    struct redis_reply sum, done;
    if (!redis_append_argv(redis, 3, add, NULL) || !redis_append_argv(redis, 3, expire, NULL))
        return false;
    if (!redis_read(redis, arena, &sum) || !redis_read(redis, arena, &done) || sum.type != REDIS_INT)
        return false;
    *total = sum.number;
    return true;
}

bool ratelimit_take(struct ratelimit *limits, struct redis *redis, struct arena *arena, const char *subject,
                    int64_t limit, int64_t window, int64_t now, struct ratelimit_state *state)
{
    uint32_t hash = hash_text(subject);
    struct shard *shard = &limits->shards[hash % SHARDS];
    int64_t start = now - now % window;

    pthread_mutex_lock(&shard->lock);
    struct counter *counter = counter_of(shard, hash, subject);
    if (counter->window_start != start) {
        counter->window_start = start;
        counter->others = counter->unshared = counter->shared_at = 0;
    }
    counter->unshared++;
    int64_t amount = redis != NULL && wants_sharing(counter, limit, now) ? counter->unshared : 0;
    if (amount > 0) {
        /* What is on its way counts as shared, so that two threads do not send it twice. */
        counter->unshared = 0;
        counter->others += amount;
        counter->shared_at = now;
    }
    int64_t used = counter->others + counter->unshared;
    pthread_mutex_unlock(&shard->lock);

    int64_t total;
    if (amount > 0 && share(redis, arena, subject, start, window, amount, &total)) {
        pthread_mutex_lock(&shard->lock);
        counter = counter_of(shard, hash, subject);
        if (counter->window_start == start && total > counter->others)
            counter->others = total;
        pthread_mutex_unlock(&shard->lock);
        if (total > used)
            used = total;
    }

    state->limit = limit;
    state->remaining = used < limit ? limit - used : 0;
    state->reset = (int)((start + window - now + USEC_PER_SEC - 1) / USEC_PER_SEC);
    return used <= limit;
}
