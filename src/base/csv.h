/* Reading CSV (RFC 4180) piece by piece: the caller pushes bytes as they come and is called back for each
 * row.
 *
 * Quoted fields may hold separators, quotes ("" stands for one) and line breaks. Lines end with CRLF or LF,
 * the last one with either or the end. A byte order mark is skipped, and so are empty lines. Memory is one
 * row, which is bounded, and is wiped: rows may hold keys. */
#ifndef BASE_CSV_H
#define BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CSV_MAX_FIELDS 64
#define CSV_MAX_ROW    (64u * 1024) /* bytes of one row's fields; no field can be larger */

struct csv_row {
    int64_t line; /* where the row begins, from 1; quoted line breaks count */
    size_t count;
    const char *fields[CSV_MAX_FIELDS]; /* NUL-terminated, without the quotes; valid during the call */
    size_t lengths[CSV_MAX_FIELDS];
};

/* Takes one row; false ends the reading, with a reason of its own in err. */
typedef bool (*csv_take)(void *to, const struct csv_row *row, struct error *err);

struct csv;

/* separator: ',' for most; ';' and tab are in use as well. max_row: 0 for CSV_MAX_ROW. */
struct csv *csv_new(char separator, size_t max_row, csv_take take, void *to);
void csv_free(struct csv *csv); /* NULL is allowed */

/* Errors: "csv_syntax" (a quote out of place, a lone CR, NUL, an open quote at the end), "csv_size" (row or
 * number of fields), or that of take(). Messages name the line and repeat nothing of it. After a failure only
 * csv_free() may follow. */
MUST_CHECK bool csv_feed(struct csv *csv, const char *data, size_t len, struct error *err);
MUST_CHECK bool csv_finish(struct csv *csv, struct error *err);

/* One field as CSV, quoted when it needs to be. */
struct buf;
void csv_put(struct buf *out, const char *field, char separator);

#endif
