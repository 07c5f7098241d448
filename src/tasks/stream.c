/* The streams of messages. */
#include "tasks/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/timeutil.h"
#include "store/live.h"

#define DEAD_LETTERS_KEPT "10000"
#define FORGET_AFTER      DAYS(1)

/* Old entries looked at by one call; the rest waits for the next. */
#define STALE_LOOKED_AT "50"

const char *stream_key(struct arena *arena, const char *queue)
{
    return arena_printf(arena, TASK_KEY_STREAM "%s", queue);
}

static bool is_error(const struct redis_reply *reply, const char *code)
{
    return reply->type == REDIS_FAILED && strncmp(reply->text, code, strlen(code)) == 0;
}

/* From the first entry on, so that nothing which was added before is lost. */
static bool make_group(struct redis *redis, struct arena *arena, const char *key)
{
    struct redis_reply reply;
    return redis_command(redis, arena, &reply, "XGROUP CREATE %s %s 0 MKSTREAM", key, TASK_GROUP) &&
           (reply.type != REDIS_FAILED || is_error(&reply, "BUSYGROUP"));
}

bool stream_add(struct redis *redis, struct arena *arena, const char *queue, int64_t keep, const void *data,
                size_t len, const char **entry)
{
    struct redis_reply reply;
    const char *key = stream_key(arena, queue);
    if (!make_group(redis, arena, key) ||
        !redis_command(redis, arena, &reply, "XADD %s MAXLEN ~ %lld * data %b", key, (long long)keep, data,
                       len) ||
        reply.type != REDIS_TEXT)
        return false;
    *entry = arena_printf(arena, "%s %s", key, reply.text);
    return true;
}

/* ---- taking ---- */

/* [id, [field, value, ...]]; the fields are nil when the entry was deleted. */
static void read_entry(struct arena *arena, const char *key, const struct redis_reply *item,
                       struct stream_entry *entry)
{
    const struct redis_reply *fields = &item->items[1];
    *entry = (struct stream_entry){ .key = key, .id = arena_strdup(arena, item->items[0].text) };
    for (size_t i = 0; fields->type == REDIS_LIST && i + 1 < fields->count; i += 2)
        if (strcmp(fields->items[i].text, "data") == 0) {
            entry->data = fields->items[i + 1].text;
            entry->len = fields->items[i + 1].len;
        }
}

static bool is_entry(const struct redis_reply *item)
{
    return item->type == REDIS_LIST && item->count == 2 && item->items[0].type == REDIS_TEXT;
}

enum stream_answer stream_take(struct redis *redis, struct arena *arena, const char *queue,
                               const char *consumer, struct stream_entry *entry)
{
    struct redis_reply reply;
    const char *key = stream_key(arena, queue);
    if (!redis_command(redis, arena, &reply, "XREADGROUP GROUP %s %s COUNT 1 STREAMS %s >", TASK_GROUP,
                       consumer, key))
        return STREAM_AWAY;
    if (is_error(&reply, "NOGROUP"))
        return make_group(redis, arena, key) ? STREAM_EMPTY : STREAM_AWAY;
    if (reply.type == REDIS_FAILED)
        return STREAM_AWAY;
    /* [[key, [entry]]] */
    if (reply.type != REDIS_LIST || reply.count != 1 || reply.items[0].count != 2 ||
        reply.items[0].items[1].count != 1 || !is_entry(&reply.items[0].items[1].items[0]))
        return STREAM_EMPTY;
    read_entry(arena, key, &reply.items[0].items[1].items[0], entry);
    return STREAM_ENTRY;
}

enum stream_answer stream_take_stale(struct redis *redis, struct arena *arena, const char *queue,
                                     const char *consumer, int64_t idle, struct stream_entry *entry)
{
    struct redis_reply pending, claimed;
    const char *key = stream_key(arena, queue);
    /* XPENDING finds, XCLAIM takes one: XAUTOCLAIM would have to start from the oldest each time, and renew
     * what it passes by. */
    if (!redis_command(redis, arena, &pending, "XPENDING %s %s IDLE %lld - + %s", key, TASK_GROUP,
                       (long long)(idle / 1000), STALE_LOOKED_AT) ||
        pending.type == REDIS_FAILED)
        return STREAM_AWAY;
    for (size_t i = 0; pending.type == REDIS_LIST && i < pending.count; i++) {
        const struct redis_reply *item = &pending.items[i];
        if (item->type != REDIS_LIST || item->count != 4)
            continue;
        if (!redis_command(redis, arena, &claimed, "XCLAIM %s %s %s %lld %s", key, TASK_GROUP, consumer,
                           (long long)(idle / 1000), item->items[0].text))
            return STREAM_AWAY;
        if (claimed.type == REDIS_LIST && claimed.count == 1 && is_entry(&claimed.items[0])) {
            read_entry(arena, key, &claimed.items[0], entry);
            return STREAM_ENTRY;
        }
        if (claimed.type == REDIS_LIST && claimed.count == 1) { /* Redis 6: nil for one that was trimmed */
            *entry = (struct stream_entry){ .key = key, .id = arena_strdup(arena, item->items[0].text) };
            return STREAM_ENTRY;
        }
    }
    return STREAM_EMPTY;
}

int64_t stream_deliveries(struct redis *redis, struct arena *arena, const struct stream_entry *entry)
{
    struct redis_reply reply;
    if (!redis_command(redis, arena, &reply, "XPENDING %s %s %s %s 1", entry->key, TASK_GROUP, entry->id,
                       entry->id) ||
        reply.type != REDIS_LIST || reply.count != 1 || reply.items[0].count != 4)
        return 0;
    return reply.items[0].items[3].number;
}

/* ---- what became of an entry ---- */

static bool split(struct arena *arena, const char *entry, const char **key, const char **id)
{
    const char *space = entry != NULL ? strrchr(entry, ' ') : NULL;
    if (space == NULL)
        return false;
    *key = arena_strndup(arena, entry, (size_t)(space - entry));
    *id = space + 1;
    return true;
}

void stream_ack(struct redis *redis, struct arena *arena, const char *entry)
{
    struct redis_reply reply;
    const char *key, *id;
    if (split(arena, entry, &key, &id))
        (void)!redis_command(redis, arena, &reply, "XACK %s %s %s", key, TASK_GROUP, id);
}

void stream_release(struct redis *redis, struct arena *arena, const struct stream_entry *entry,
                    const char *consumer, int64_t idle)
{
    struct redis_reply reply;
    (void)!redis_command(redis, arena, &reply, "XCLAIM %s %s %s 0 %s IDLE %lld JUSTID", entry->key,
                         TASK_GROUP, consumer, entry->id, (long long)(idle / 1000));
}

void stream_renew(struct redis *redis, struct arena *arena, const char *entry, const char *consumer)
{
    struct redis_reply reply;
    const char *key, *id;
    if (split(arena, entry, &key, &id))
        (void)!redis_command(redis, arena, &reply, "XCLAIM %s %s %s 0 %s JUSTID", key, TASK_GROUP, consumer,
                             id);
}

void stream_bury(struct redis *redis, struct arena *arena, const struct stream_entry *entry,
                 const char *reason)
{
    struct redis_reply reply;
    LOG_WARN("a message cannot be executed", LOG_TEXT("stream", entry->key), LOG_TEXT("entry", entry->id),
             LOG_TEXT("reason", reason));
    if (redis_command(redis, arena, &reply, "XADD %s MAXLEN ~ %s * stream %s entry %s reason %s data %b",
                      TASK_KEY_DEAD, DEAD_LETTERS_KEPT, entry->key, entry->id, reason,
                      entry->data != NULL ? entry->data : "", entry->len) &&
        reply.type == REDIS_TEXT)
        stream_ack(redis, arena, arena_printf(arena, "%s %s", entry->key, entry->id));
}

static bool comes_after(const char *id, const char *last)
{
    struct live_id a, b;
    return live_id_parse(id, &a) && live_id_parse(last, &b) && live_id_compare(a, b) > 0;
}

/* An entry that is in the stream and not pending was acknowledged, or not delivered yet. */
static enum stream_place read_or_unread(struct redis *redis, struct arena *arena, const char *key,
                                        const char *id)
{
    struct redis_reply reply;
    if (!redis_command(redis, arena, &reply, "XINFO GROUPS %s", key))
        return STREAM_UNKNOWN;
    for (size_t i = 0; reply.type == REDIS_LIST && i < reply.count; i++) {
        const struct redis_reply *group = &reply.items[i];
        const char *name = "", *last = "0-0";
        for (size_t k = 0; k + 1 < group->count; k += 2) {
            if (strcmp(group->items[k].text, "name") == 0)
                name = group->items[k + 1].text;
            if (strcmp(group->items[k].text, "last-delivered-id") == 0)
                last = group->items[k + 1].text;
        }
        if (strcmp(name, TASK_GROUP) == 0)
            return comes_after(id, last) ? STREAM_UNREAD : STREAM_DONE;
    }
    return STREAM_UNREAD; /* a group that is made again starts from the first entry */
}

enum stream_place stream_find(struct redis *redis, struct arena *arena, const char *entry)
{
    struct redis_reply reply;
    const char *key, *id;
    if (!split(arena, entry, &key, &id))
        return STREAM_DONE;
    if (!redis_command(redis, arena, &reply, "XPENDING %s %s %s %s 1", key, TASK_GROUP, id, id))
        return STREAM_UNKNOWN;
    if (reply.type == REDIS_LIST && reply.count == 1)
        return STREAM_PENDING;
    if (!redis_command(redis, arena, &reply, "XRANGE %s %s %s", key, id, id))
        return STREAM_UNKNOWN;
    if (reply.type != REDIS_LIST || reply.count == 0)
        return STREAM_DONE;
    return read_or_unread(redis, arena, key, id);
}

/* ---- consumers ---- */

void stream_leave(struct redis *redis, struct arena *arena, const char *queue, const char *consumer)
{
    struct redis_reply reply;
    const char *key = stream_key(arena, queue);
    if (redis_command(redis, arena, &reply, "XPENDING %s %s - + 1 %s", key, TASK_GROUP, consumer) &&
        reply.type == REDIS_LIST && reply.count == 0)
        (void)!redis_command(redis, arena, &reply, "XGROUP DELCONSUMER %s %s %s", key, TASK_GROUP, consumer);
}

void stream_forget_consumers(struct redis *redis, struct arena *arena, const char *queue)
{
    struct redis_reply reply, dropped;
    const char *key = stream_key(arena, queue);
    if (!redis_command(redis, arena, &reply, "XINFO CONSUMERS %s %s", key, TASK_GROUP) ||
        reply.type != REDIS_LIST)
        return;
    for (size_t i = 0; i < reply.count; i++) {
        const struct redis_reply *consumer = &reply.items[i];
        const char *name = NULL;
        int64_t pending = 1, idle = 0;
        for (size_t k = 0; k + 1 < consumer->count; k += 2) {
            const struct redis_reply *value = &consumer->items[k + 1];
            if (strcmp(consumer->items[k].text, "name") == 0)
                name = value->text;
            else if (strcmp(consumer->items[k].text, "pending") == 0)
                pending = value->number;
            else if (strcmp(consumer->items[k].text, "idle") == 0)
                idle = value->number * 1000;
        }
        if (name != NULL && pending == 0 && idle > FORGET_AFTER &&
            !redis_command(redis, arena, &dropped, "XGROUP DELCONSUMER %s %s %s", key, TASK_GROUP, name))
            return;
    }
}
