/* The one generic writer from a result set to JSON. */
#ifndef STORE_ROWS_JSON_H
#define STORE_ROWS_JSON_H

#include "base/json.h"
#include "store/db.h"

/* Write one row as an object, column names as keys. By type: int and bool as such, numeric and float as
 * numbers, timestamptz as RFC 3339 UTC, json and jsonb unchanged, bigint[] and text[] as arrays, anything
 * else as text. A column named "a.b" nests: {"a":{"b":…}}; columns of one nest stand side by side. A nest of
 * which all columns are null is written as null. Columns from index skip_from on (helper columns such as
 * cursors) are left out; pass SIZE_MAX for none. */
void rows_write_object(const struct rows *rows, size_t row, size_t skip_from, struct json *json);

/* The first n rows as an array; n must not exceed their count. */
void rows_write_first(const struct rows *rows, size_t n, size_t skip_from, struct json *json);

/* All rows as an array. */
void rows_write_array(const struct rows *rows, size_t skip_from, struct json *json);

#endif
