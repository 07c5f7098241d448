/* CSV: whatever comes in, rows stay within their bounds, and one piece gives the same rows as many. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool write_row(void *to, const struct csv_row *row, struct error *err)
{
    struct buf *out = to;
    (void)err;
    if (row->count == 0 || row->count > CSV_MAX_FIELDS)
        abort();
    for (size_t i = 0; i < row->count; i++) {
        if (strlen(row->fields[i]) != row->lengths[i])
            abort();
        buf_append(out, row->fields[i], row->lengths[i] + 1);
    }
    buf_putc(out, '\n');
    return true;
}

static bool read_all(const char *text, size_t len, size_t piece, struct buf *out)
{
    struct error err = { "", "" };
    struct csv *csv = csv_new(',', 256, write_row, out);
    bool good = true;
    for (size_t at = 0; good && at < len; at += piece)
        good = csv_feed(csv, text + at, len - at < piece ? len - at : piece, &err);
    good = good && csv_finish(csv, &err);
    if (!good && err.code[0] == '\0')
        abort();
    csv_free(csv);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct buf whole = { 0 }, pieces = { 0 };
    const char *text = (const char *)data + 1;
    bool good = read_all(text, size - 1, size, &whole);
    if (read_all(text, size - 1, 1 + data[0] % 16, &pieces) != good || whole.len != pieces.len ||
        (whole.len > 0 && memcmp(whole.data, pieces.data, whole.len) != 0))
        abort();
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
