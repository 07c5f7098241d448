/* The streams of messages: one for each queue, read by the consumer group that C and Python share.
 *
 * Every function is soft like Redis itself: false or NULL means that it could not be asked; PostgreSQL still
 * knows the work. */
#ifndef TASKS_STREAM_H
#define TASKS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "store/redis.h"
#include "tasks/keys.h"

/* An unread or taken-over entry. */
struct stream_entry {
    const char *key, *id; /* of the stream, of the entry */
    const char *data;     /* the message; NULL: the entry has no field "data", or is gone */
    size_t len;
};

const char *stream_key(struct arena *arena, const char *queue);

/* Adds a message, after making sure that the group exists: what was added before would never be delivered to
 * it. *entry gets "KEY ID". */
MUST_CHECK bool stream_add(struct redis *redis, struct arena *arena, const char *queue, int64_t keep,
                           const void *data, size_t len, const char **entry);

enum stream_answer { STREAM_ENTRY, STREAM_EMPTY, STREAM_AWAY };

/* The next entry that nobody got yet. Makes the group when it is missing (Redis was flushed). */
MUST_CHECK enum stream_answer stream_take(struct redis *redis, struct arena *arena, const char *queue,
                                          const char *consumer, struct stream_entry *entry);

/* An entry that its consumer has not acknowledged for `idle` microseconds. */
MUST_CHECK enum stream_answer stream_take_stale(struct redis *redis, struct arena *arena, const char *queue,
                                                const char *consumer, int64_t idle,
                                                struct stream_entry *entry);

/* How often an unacknowledged entry was delivered; 0: unknown, or not pending. */
int64_t stream_deliveries(struct redis *redis, struct arena *arena, const struct stream_entry *entry);

/* `entry` as "KEY ID", here and below. */
void stream_ack(struct redis *redis, struct arena *arena, const char *entry);

/* Makes an entry that was taken look as if nobody had touched it for `idle` microseconds: others may have it.
 */
void stream_release(struct redis *redis, struct arena *arena, const struct stream_entry *entry,
                    const char *consumer, int64_t idle);

/* Keeps others from taking an entry over that is still worked on. */
void stream_renew(struct redis *redis, struct arena *arena, const char *entry, const char *consumer);

/* Moves an entry that cannot be executed to the dead letters. */
void stream_bury(struct redis *redis, struct arena *arena, const struct stream_entry *entry,
                 const char *reason);

/* Where an entry is. */
enum stream_place {
    STREAM_UNKNOWN, /* Redis could not be asked */
    STREAM_UNREAD,
    STREAM_PENDING, /* some consumer has it */
    STREAM_DONE,    /* acknowledged, trimmed or flushed */
};
enum stream_place stream_find(struct redis *redis, struct arena *arena, const char *entry);

/* Takes a consumer out of the group, unless entries are pending with it. */
void stream_leave(struct redis *redis, struct arena *arena, const char *queue, const char *consumer);

/* Takes out those without entries that were idle for more than a day: each start of a worker makes one. */
void stream_forget_consumers(struct redis *redis, struct arena *arena, const char *queue);

#endif
