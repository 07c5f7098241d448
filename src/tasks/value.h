/* JSON values that lose nothing on their way through C: integers beyond 64 bits and the difference between 2
 * and 2.0, both of which Python keeps. */
#ifndef TASKS_VALUE_H
#define TASKS_VALUE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/json.h"

/* Deepest nesting that is read; more is an attack or a mistake. */
#define VALUE_MAX_DEPTH 24

/* Reads a JSON text. An integer that does not fit into int64_t becomes {"$int": "digits"}, which value_write
 * turns back. NULL and err (code "invalid_json") when it is none or nested too deeply. A new reference. */
MUST_CHECK json_t *value_read(const char *text, size_t len, struct error *err);

/* The same, released with the arena. */
MUST_CHECK json_t *value_read_arena(struct arena *arena, const char *text, size_t len, struct error *err);

/* Releases the reference with the arena. Returns value. */
json_t *value_defer(struct arena *arena, json_t *value);

/* Nested more than VALUE_MAX_DEPTH levels deep? */
bool value_too_deep(const json_t *value);

/* Writes a value; a real always shows that it is one ("2.0"). NULL writes null. */
void value_write(struct json *json, const json_t *value);

/* The value as text in the arena. */
const char *value_text(struct arena *arena, const json_t *value);

/* Digits of an integer beyond 64 bits, or NULL when the value is none. */
const char *value_big_integer(const json_t *value);
json_t *value_from_big_integer(const char *digits, size_t len); /* a new reference */

#endif
