/* The live bus on a Redis stream: entries are added with XADD, read with XREAD and XRANGE. */
#include "store/live.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

/* The braces keep everything of the bus on one node of a Redis Cluster. */
#define STREAM "{live}:events"

/* Commands on their way at once: more could fill both sockets' buffers while neither side reads. */
#define PUBLISH_AT_ONCE 128

/* Entries that a waiting reader takes at once. */
#define WAIT_BATCH "500"

#define NUMBER_SIZE sizeof("-9223372036854775808")

/* ---- publishing ---- */

static bool append_event(struct redis *redis, const struct live_event *event)
{
    char keep[NUMBER_SIZE], client[NUMBER_SIZE], user[NUMBER_SIZE], tracker[NUMBER_SIZE], run[NUMBER_SIZE];
    snprintf(keep, sizeof(keep), "%d", LIVE_KEEP);
    snprintf(client, sizeof(client), "%" PRId64, event->client_id);
    snprintf(user, sizeof(user), "%" PRId64, event->user_id);
    snprintf(tracker, sizeof(tracker), "%" PRId64, event->tracker_id);
    snprintf(run, sizeof(run), "%" PRId64, event->production_run_id);
    const char *argv[] = { "XADD",    STREAM,      "MAXLEN", "~",    keep,   "*",
                           "kind",    event->kind, "client", client, "user", user,
                           "tracker", tracker,     "run",    run,    "data", event->data };
    return redis_append_argv(redis, ARRAY_LEN(argv), argv, NULL);
}

static bool publish_some(struct redis *redis, struct arena *arena, const struct live_event *events, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!append_event(redis, &events[i]))
            return false;
    bool all = true;
    for (size_t i = 0; i < n; i++) {
        struct redis_reply reply;
        if (!redis_read(redis, arena, &reply))
            return false;
        all &= reply.type == REDIS_TEXT;
    }
    return all;
}

bool live_publish(struct redis *redis, const struct live_event *events, size_t n)
{
    struct arena *arena = arena_new();
    bool all = true;
    for (size_t done = 0; done < n && all; done += PUBLISH_AT_ONCE) {
        size_t left = n - done;
        all = publish_some(redis, arena, events + done, left < PUBLISH_AT_ONCE ? left : PUBLISH_AT_ONCE);
    }
    arena_free(arena);
    return all;
}

/* ---- ids ---- */

static bool parse_u64(const char *text, size_t len, uint64_t *value)
{
    uint64_t sum = 0;
    if (len == 0 || len > 20 || (len > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned char)text[i] - '0';
        if (digit > 9 || sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

bool live_id_parse(const char *text, struct live_id *id)
{
    struct live_id got;
    const char *dash = strchr(text, '-');
    if (dash == NULL || !parse_u64(text, (size_t)(dash - text), &got.ms) ||
        !parse_u64(dash + 1, strlen(dash + 1), &got.sequence))
        return false;
    *id = got;
    return true;
}

char *live_id_format(struct live_id id, char out[LIVE_ID_SIZE])
{
    snprintf(out, LIVE_ID_SIZE, "%" PRIu64 "-%" PRIu64, id.ms, id.sequence);
    return out;
}

int live_id_compare(struct live_id a, struct live_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.sequence < b.sequence ? -1 : a.sequence > b.sequence;
}

static bool is_start(struct live_id id)
{
    return id.ms == 0 && id.sequence == 0;
}

/* ---- reading ---- */

/* Value of a field in [name, value, …], or NULL. */
static const char *field(const struct redis_reply *pairs, const char *name)
{
    for (size_t i = 0; i + 1 < pairs->count; i += 2)
        if (pairs->items[i].type == REDIS_TEXT && pairs->items[i + 1].type == REDIS_TEXT &&
            strcmp(pairs->items[i].text, name) == 0)
            return pairs->items[i + 1].text;
    return NULL;
}

static bool number(const struct redis_reply *pairs, const char *name, int64_t *value)
{
    const char *text = field(pairs, name);
    return text != NULL && parse_i64_range(text, 0, INT64_MAX, value);
}

/* [id, [name, value, …]]. False: nothing that this program wrote. */
static bool read_entry(const struct redis_reply *from, struct live_entry *entry)
{
    if (from->type != REDIS_LIST || from->count != 2 || from->items[0].type != REDIS_TEXT ||
        from->items[1].type != REDIS_LIST || !live_id_parse(from->items[0].text, &entry->id))
        return false;
    const struct redis_reply *pairs = &from->items[1];
    struct live_event *event = &entry->event;
    event->kind = field(pairs, "kind");
    event->data = field(pairs, "data");
    return event->kind != NULL && event->data != NULL && number(pairs, "client", &event->client_id) &&
           number(pairs, "user", &event->user_id) && number(pairs, "tracker", &event->tracker_id) &&
           number(pairs, "run", &event->production_run_id);
}

static void read_entries(const struct redis_reply *list, struct arena *arena, struct live_batch *batch)
{
    struct live_entry *entries = arena_zalloc(arena, list->count + 1, sizeof(*entries));
    batch->entries = entries;
    for (size_t i = 0; i < list->count; i++)
        if (read_entry(&list->items[i], &entries[batch->count]))
            batch->count++;
}

bool live_newest(struct redis *redis, struct arena *arena, struct live_id *id)
{
    struct redis_reply reply;
    *id = (struct live_id){ 0 };
    if (!redis_command(redis, arena, &reply, "XREVRANGE " STREAM " + - COUNT 1") || reply.type != REDIS_LIST)
        return false;
    return reply.count == 0 || (reply.items[0].type == REDIS_LIST && reply.items[0].count == 2 &&
                                live_id_parse(reply.items[0].items[0].text, id));
}

static bool append_lookup(struct redis *redis, const char *id)
{
    const char *argv[] = { "XRANGE", STREAM, id, id, "COUNT", "1" };
    return redis_append_argv(redis, ARRAY_LEN(argv), argv, NULL);
}

/* Is the entry that was looked up still there? */
static bool read_lookup(struct redis *redis, struct arena *arena, bool *there)
{
    struct redis_reply reply;
    if (!redis_read(redis, arena, &reply) || reply.type != REDIS_LIST)
        return false;
    *there = reply.count > 0;
    return true;
}

bool live_after(struct redis *redis, struct arena *arena, struct live_id after, size_t limit,
                struct live_batch *batch)
{
    char id[LIVE_ID_SIZE], from[LIVE_ID_SIZE + 1], count[NUMBER_SIZE];
    live_id_format(after, id);
    snprintf(from, sizeof(from), "(%s", id);
    snprintf(count, sizeof(count), "%zu", limit);
    const char *argv[] = { "XRANGE", STREAM, from, "+", "COUNT", count };
    struct redis_reply reply;
    bool there;
    *batch = (struct live_batch){ 0 };
    /* The entry is looked for after the range was read: while it is there, nothing behind it was trimmed. */
    if (!redis_append_argv(redis, ARRAY_LEN(argv), argv, NULL) || !append_lookup(redis, id) ||
        !redis_read(redis, arena, &reply) || !read_lookup(redis, arena, &there) || reply.type != REDIS_LIST)
        return false;
    read_entries(&reply, arena, batch);
    batch->gap = !there;
    return true;
}

bool live_wait(struct redis *redis, struct arena *arena, struct live_id after, int64_t patience,
               struct live_batch *batch)
{
    char id[LIVE_ID_SIZE], block[NUMBER_SIZE];
    live_id_format(after, id);
    snprintf(block, sizeof(block), "%" PRId64,
             patience >= 1000 ? patience / 1000 : 1); /* 0 would be for ever */
    const char *argv[] = { "XREAD", "COUNT", WAIT_BATCH, "BLOCK", block, "STREAMS", STREAM, id };
    struct redis_reply reply;
    bool there;
    *batch = (struct live_batch){ 0 };
    redis_set_timeout(redis, patience);
    if (!redis_append_argv(redis, ARRAY_LEN(argv), argv, NULL) || !append_lookup(redis, id) ||
        !redis_read(redis, arena, &reply) || !read_lookup(redis, arena, &there) || reply.type == REDIS_FAILED)
        return false;
    /* [[stream, entries]] */
    if (reply.type == REDIS_LIST && reply.count == 1 && reply.items[0].count == 2)
        read_entries(&reply.items[0].items[1], arena, batch);
    batch->gap = !there && !is_start(after);
    return true;
}
