/* Decrypted reports as JSON, GeoJSON, GPX and CSV. */
#ifndef CLI_REPORT_EXPORT_H
#define CLI_REPORT_EXPORT_H

#include <stddef.h>

#include "base/buf.h"
#include "findmy/report.h"

enum export_format { EXPORT_JSON, EXPORT_GEOJSON, EXPORT_GPX, EXPORT_CSV };

extern const char *const export_format_names[]; /* "json", "geojson", "gpx", "csv", NULL */

struct export_row {
    const char *name;  /* of the tag; NULL: none */
    const char *id;    /* of the key: hashed advertisement key in base64 */
    int64_t published; /* microseconds; INT64_MIN: not told */
    struct report report;
};

/* A whole document, rows in the order given. GPX has one track per tag, so rows of one tag must stand
 * together there (export_sort does that); the others want them by time. */
void export_write(enum export_format format, const struct export_row *rows, size_t count, struct buf *out);

/* By time, then id; for GPX by name and id first. */
void export_sort(enum export_format format, struct export_row *rows, size_t count);

#endif
