/* Strict readers for numbers and words that come from outside: the whole text must match, or nothing is
 * taken. */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Decimal digits with an optional minus; no plus, no space, no leading zeros beyond "0"; refuses overflow. */
MUST_CHECK bool parse_i64(const char *text, int64_t *value);

/* The same within [min, max]. */
MUST_CHECK bool parse_i64_range(const char *text, int64_t min, int64_t max, int64_t *value);

/* JSON's number form; finite only. */
MUST_CHECK bool parse_double(const char *text, double *value);

/* "true", "false" (and for settings "1", "0", "yes", "no", "on", "off"), without case. */
MUST_CHECK bool parse_bool(const char *text, bool *value);

/* A length of time in microseconds: a whole number with a unit: "15m", "12h", "7d", "500ms", "30s"; a bare
 * number is seconds. */
MUST_CHECK bool parse_duration(const char *text, int64_t *usec);

/* A size in bytes: a whole number with an optional K, M or G (powers of 1024). */
MUST_CHECK bool parse_size(const char *text, int64_t *bytes);

/* Copy a text whole into an array of size bytes; nothing is copied when it does not fit (with its NUL). */
MUST_CHECK bool text_copy(char *out, size_t size, const char *text);

/* Number of edits (insert, delete, replace) from a to b, capped at limit + 1; for "did you mean". */
size_t edit_distance(const char *a, const char *b, size_t limit);

/* Position of word in a NULL-terminated list, or -1. */
int word_index(const char *const *words, const char *word);

#endif
