/* The part of Python's pickle that plain values need: dict, list, str, int, float, bool, None.
 *
 * TaskiQ pickles results and schedules by default, always of plain values. Classes, functions and calls are
 * refused, so that reading one can do nothing but make a value. */
#ifndef TASKS_PICKLE_H
#define TASKS_PICKLE_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/* Larger ones are refused. */
#define PICKLE_MAX (16u * 1024 * 1024)

/* Protocols 2 to 5. NULL and err (code "invalid_pickle") for anything else, and for what JSON cannot say:
 * keys that are no text, texts with NUL, nesting deeper than VALUE_MAX_DEPTH. NaN and infinities become null.
 * A new reference. */
MUST_CHECK json_t *pickle_read(const void *data, size_t len, struct error *err);

/* In protocol 2. Big integers as value.h holds them. NULL writes None. */
void pickle_write(struct buf *out, const json_t *value);

#endif
