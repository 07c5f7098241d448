/* Tells readers of a write through the live bus, and waits for their answers or for their leases to end. */
#include "store/settle.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/encode.h"

/* With the bus on one node of a cluster. A list to which readers push their ids. */
#define ACK_PREFIX "{live}:ack:"

/* Between the clock readings of two threads, and for the answer's own way. */
#define MARGIN (SETTLE_LEASE / 10)

/* Nobody waits for an answer longer. */
#define ACK_EXPIRE_MS "1000"

bool settle_list(struct db *db, struct arena *arena, struct settle_readers *readers)
{
    struct rows *rows = db_query(db, "SELECT id FROM cache_readers WHERE until > now()", "");
    if (!rows_ok(rows))
        return false;
    const char **ids = arena_zalloc(arena, rows_count(rows) + 1, sizeof(*ids));
    for (size_t i = 0; i < rows_count(rows); i++)
        ids[i] = arena_strdup(arena, rows_text(rows, i, 0));
    *readers = (struct settle_readers){ ids, rows_count(rows) };
    return true;
}

static void sleep_until(int64_t deadline)
{
    int64_t left = deadline - time_monotonic();
    struct timespec pause = { .tv_sec = left / USEC_PER_SEC, .tv_nsec = left % USEC_PER_SEC * 1000 };
    while (left > 0 && nanosleep(&pause, &pause) != 0)
        ;
}

/* Position of an id, or the count. */
static size_t find(const struct settle_readers *readers, const char *id)
{
    size_t i = 0;
    while (i < readers->count && strcmp(readers->ids[i], id) != 0)
        i++;
    return i;
}

static bool ask(struct redis *redis, struct arena *arena, char key[64])
{
    uint8_t token[16];
    char hex[HEX_SIZE(sizeof(token))];
    randombytes_buf(token, sizeof(token));
    hex_encode(token, sizeof(token), hex);
    snprintf(key, 64, ACK_PREFIX "%s", hex);
    const struct live_event expire = { .kind = LIVE_EXPIRE, .data = arena_printf(arena, "\"%s\"", hex) };
    return live_publish(redis, &expire, 1);
}

/* The next id that was pushed, or NULL. */
static const char *next_answer(struct redis *redis, struct arena *arena, const char *key, int64_t patience)
{
    struct redis_reply reply;
    redis_set_timeout(redis, patience);
    if (!redis_command(redis, arena, &reply, "BLPOP %s %lld.%06lld", key,
                       (long long)(patience / USEC_PER_SEC), (long long)(patience % USEC_PER_SEC)) ||
        reply.type != REDIS_LIST || reply.count != 2 || reply.items[1].type != REDIS_TEXT)
        return NULL;
    return reply.items[1].text;
}

/* True when each of them has answered. */
static bool all_answered(struct redis *redis, struct arena *arena, const struct settle_readers *readers,
                         const char *self, int64_t deadline)
{
    char key[64];
    bool *answered = arena_zalloc(arena, readers->count + 1, sizeof(*answered));
    size_t own = self != NULL ? find(readers, self) : readers->count;
    size_t waiting = readers->count - (own < readers->count);
    if (waiting > 0 && !ask(redis, arena, key))
        return false;
    while (waiting > 0) {
        int64_t left = deadline - time_monotonic();
        const char *id = left > 0 ? next_answer(redis, arena, key, left) : NULL;
        if (id == NULL)
            return false;
        size_t i = find(readers, id);
        if (i < readers->count && i != own && !answered[i]) {
            answered[i] = true;
            waiting--;
        }
    }
    return true;
}

void settle_write(struct redis *redis, const struct settle_readers *readers, const char *self)
{
    int64_t deadline = time_monotonic() + SETTLE_LEASE + MARGIN;
    struct arena *arena = arena_new();
    if (readers == NULL || !all_answered(redis, arena, readers, self, deadline))
        sleep_until(deadline);
    arena_free(arena);
}

void settle_now(struct db *db, struct redis *redis)
{
    struct arena *arena = arena_new();
    struct settle_readers readers;
    bool known = settle_list(db, arena, &readers);
    settle_write(redis, known ? &readers : NULL, NULL);
    arena_free(arena);
}

void settle_acknowledge(struct redis *redis, const struct live_event *expire, const char *self)
{
    size_t len = strlen(expire->data);
    if (len != 34) /* 32 hex digits in quotes */
        return;
    struct arena *arena = arena_new();
    struct redis_reply reply;
    const char *key = arena_printf(arena, ACK_PREFIX "%.32s", expire->data + 1);
    const char *push[] = { "RPUSH", key, self }, *expiry[] = { "PEXPIRE", key, ACK_EXPIRE_MS };
    if (redis_append_argv(redis, ARRAY_LEN(push), push, NULL) &&
        redis_append_argv(redis, ARRAY_LEN(expiry), expiry, NULL))
        for (int left = 2; left > 0 && redis_read(redis, arena, &reply);)
            left--;
    arena_free(arena);
}
