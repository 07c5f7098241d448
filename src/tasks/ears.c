/* The worker's ears: one connection that waits for new messages and hints, and wakes the threads.
 *
 * It reads without taking (XREAD, no group), so that it never holds a message that no thread is free for.
 * What it misses is found by the threads' own looks, a moment later. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/timeutil.h"
#include "tasks/stream.h"
#include "tasks/worker_private.h"

#define LISTEN (300 * 1000) /* microseconds, also how long a stop waits for it at most */

struct ears {
    struct worker *worker;
    struct redis *redis;
    struct arena *arena;
    size_t count; /* of streams: hints, then one for each queue */
    char keys[WORKER_MAX_QUEUES + 1][TASK_KEY_SIZE];
    char seen[WORKER_MAX_QUEUES + 1][48]; /* the last entry that was seen */
};

/* Where to begin: at the end, since the threads look at everything when the worker starts. */
static bool find_ends(struct ears *ears)
{
    for (size_t i = 0; i < ears->count; i++) {
        struct redis_reply reply;
        if (!redis_command(ears->redis, ears->arena, &reply, "XREVRANGE %s + - COUNT 1", ears->keys[i]) ||
            reply.type == REDIS_FAILED)
            return false;
        bool any = reply.type == REDIS_LIST && reply.count == 1 && reply.items[0].count > 0;
        snprintf(ears->seen[i], sizeof(ears->seen[i]), "%s", any ? reply.items[0].items[0].text : "0-0");
    }
    return true;
}

static void hear_hints(struct worker *worker, const struct redis_reply *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        const struct redis_reply *entry = &entries->items[i];
        if (entry->count == 2 && entry->items[1].type == REDIS_LIST && entry->items[1].count >= 2)
            worker_wake(worker, false, entry->items[1].items[1].text);
    }
}

/* One stream of the answer: [key, [entries]]. */
static void hear(struct ears *ears, const struct redis_reply *stream)
{
    if (stream->type != REDIS_LIST || stream->count != 2 || stream->items[1].count == 0)
        return;
    const struct redis_reply *entries = &stream->items[1];
    for (size_t i = 0; i < ears->count; i++) {
        if (strcmp(stream->items[0].text, ears->keys[i]) != 0)
            continue;
        snprintf(ears->seen[i], sizeof(ears->seen[i]), "%s",
                 entries->items[entries->count - 1].items[0].text);
        if (i == 0) {
            hear_hints(ears->worker, entries);
        } else {
            ears->worker->fresh[i - 1] = true;
            worker_wake(ears->worker, true, "");
        }
    }
}

static bool listen_once(struct ears *ears)
{
    const char *argv[6 + 2 * (WORKER_MAX_QUEUES + 1)] = {
        "XREAD", "COUNT", "100", "BLOCK", "300", "STREAMS"
    };
    struct redis_reply reply;
    int argc = 6;
    for (size_t i = 0; i < ears->count; i++)
        argv[argc++] = ears->keys[i];
    for (size_t i = 0; i < ears->count; i++)
        argv[argc++] = ears->seen[i];
    redis_set_timeout(ears->redis, LISTEN);
    if (!redis_command_argv(ears->redis, ears->arena, &reply, argc, argv, NULL) || reply.type == REDIS_FAILED)
        return false;
    for (size_t i = 0; reply.type == REDIS_LIST && i < reply.count; i++)
        hear(ears, &reply.items[i]);
    return true;
}

void *ears_main(void *arg)
{
    struct worker *worker = arg;
    const struct config *config = worker->options.config;
    struct error err;
    bool listening = false;
    struct ears ears = { .worker = worker, .arena = arena_new(), .count = worker->queue_count + 1 };
    ears.redis = redis_new(config->redis_url, config->redis_timeout, &err);
    snprintf(ears.keys[0], TASK_KEY_SIZE, "%s", TASK_KEY_HINTS);
    for (size_t i = 0; i < worker->queue_count; i++)
        snprintf(ears.keys[i + 1], TASK_KEY_SIZE, TASK_KEY_STREAM "%s", worker->queues[i]);
    while (ears.redis != NULL && !worker->stopping) {
        arena_reset(ears.arena);
        if (!listening) {
            listening = find_ends(&ears);
            if (listening) /* whatever came while nobody listened */
                worker_wake_all(worker);
        } else {
            listening = listen_once(&ears);
        }
        if (!listening)
            (void)worker_wait(worker, USEC_PER_SEC / 4);
    }
    if (ears.redis != NULL)
        redis_free(ears.redis);
    arena_free(ears.arena);
    return NULL;
}
