/* One thread's way to Redis, Valkey or Dragonfly. Redis holds only what may be lost, so every failure here is
 * soft: the call returns false quickly, the connection is tried again with back-off, and the caller goes on
 * without. */
#ifndef STORE_REDIS_H
#define STORE_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

struct redis;

/* url as in REDIS_URL; "" gives a handle of which every command fails softly. NULL and err only for a
 * malformed url. Does not connect. */
struct redis *redis_new(const char *url, int64_t timeout_usec, struct error *err);
void redis_free(struct redis *redis);

enum redis_type { REDIS_NIL, REDIS_TEXT, REDIS_INT, REDIS_LIST, REDIS_FAILED };

struct redis_reply {
    enum redis_type type; /* FAILED: an error reply of the server, its text is in text */
    int64_t number;
    const char *text; /* NUL-terminated; may hold NULs within len */
    size_t len;
    const struct redis_reply *items; /* LIST */
    size_t count;
};

/* printf-like as in hiredis (%s, %b with size_t, %lld …). The reply lives in the arena. False: Redis could
 * not be asked. */
MUST_CHECK bool redis_command(struct redis *redis, struct arena *arena, struct redis_reply *reply,
                              const char *format, ...);

/* The same with an argument vector. */
MUST_CHECK bool redis_command_argv(struct redis *redis, struct arena *arena, struct redis_reply *reply,
                                   int argc, const char **argv, const size_t *lengths);

/* Several commands in one round trip: append each, then read as many replies. */
MUST_CHECK bool redis_append_argv(struct redis *redis, int argc, const char **argv, const size_t *lengths);
MUST_CHECK bool redis_read(struct redis *redis, struct arena *arena, struct redis_reply *reply);

/* Wait up to timeout for the next reply beyond the usual limit (blocking commands such as XREADGROUP BLOCK).
 */
void redis_set_timeout(struct redis *redis, int64_t timeout_usec);

bool redis_available(const struct redis *redis); /* connected, as far as known */

#endif
