/* A state machine over bytes; fields of the current row stand NUL-terminated in one buffer. */
#include "base/csv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"

enum state {
    AT_START,    /* of a field */
    IN_PLAIN,    /* in a field without quotes */
    IN_QUOTES,   /* between quotes */
    AFTER_QUOTE, /* behind a quote in quotes: its end, or the first of two */
    AFTER_CR,    /* only LF may follow */
};

static const char mark[] = "\xEF\xBB\xBF";

struct csv {
    csv_take take;
    void *to;
    char separator;
    enum state state;
    size_t mark_seen; /* bytes of the byte order mark at the very beginning; SIZE_MAX: past it */
    int64_t line;     /* of the next byte */
    struct csv_row row;
    size_t starts[CSV_MAX_FIELDS];
    size_t field; /* where the current field begins in bytes */
    size_t len, max;
    bool quoted; /* the row has a quoted field: it is not an empty line */
    char bytes[];
};

struct csv *csv_new(char separator, size_t max_row, csv_take take, void *to)
{
    size_t max = max_row != 0 ? max_row : CSV_MAX_ROW;
    struct csv *csv = calloc(1, sizeof(*csv) + max + CSV_MAX_FIELDS);
    if (csv == NULL)
        abort();
    csv->take = take;
    csv->to = to;
    csv->separator = separator;
    csv->max = max;
    csv->line = 1;
    csv->row.line = 1;
    return csv;
}

void csv_free(struct csv *csv)
{
    if (csv == NULL)
        return;
    wipe(csv->bytes, csv->max + CSV_MAX_FIELDS);
    free(csv);
}

static bool syntax(const struct csv *csv, const char *what, struct error *err)
{
    return error_set(err, "csv_syntax", "line %" PRId64 ": %s", csv->line, what);
}

/* The terminating NULs have room of their own behind max. */
static bool put(struct csv *csv, char c, struct error *err)
{
    if (csv->len - csv->row.count == csv->max)
        return error_set(err, "csv_size", "line %" PRId64 ": the row has more than %zu bytes", csv->row.line,
                         csv->max);
    csv->bytes[csv->len++] = c;
    return true;
}

static bool end_field(struct csv *csv, struct error *err)
{
    if (csv->row.count == CSV_MAX_FIELDS)
        return error_set(err, "csv_size", "line %" PRId64 ": the row has more than %d fields", csv->row.line,
                         CSV_MAX_FIELDS);
    size_t i = csv->row.count++;
    csv->row.fields[i] = csv->bytes + csv->field;
    csv->row.lengths[i] = csv->len - csv->field;
    csv->bytes[csv->len++] = '\0';
    csv->field = csv->len;
    return true;
}

static bool end_row(struct csv *csv, struct error *err)
{
    if (!end_field(csv, err))
        return false;
    bool empty = csv->row.count == 1 && csv->row.lengths[0] == 0 && !csv->quoted;
    if (!empty && !csv->take(csv->to, &csv->row, err))
        return false;
    csv->row.count = 0;
    csv->len = csv->field = 0;
    csv->quoted = false;
    csv->state = AT_START;
    return true;
}

/* Outside quotes: what ends a field, or a byte of it. */
static bool plain_byte(struct csv *csv, char c, struct error *err)
{
    if (c == csv->separator) {
        csv->state = AT_START;
        return end_field(csv, err);
    }
    if (c == '\r') {
        csv->state = AFTER_CR;
        return true;
    }
    if (c == '\n') {
        csv->line++;
        bool done = end_row(csv, err);
        csv->row.line = csv->line;
        return done;
    }
    if (csv->state == AFTER_QUOTE)
        return syntax(csv, "text behind a closing quote", err);
    if (c == '"')
        return syntax(csv, "a quote inside a field that does not begin with one", err);
    csv->state = IN_PLAIN;
    return put(csv, c, err);
}

static bool byte(struct csv *csv, char c, struct error *err)
{
    if (c == '\0')
        return syntax(csv, "a NUL byte", err);
    switch (csv->state) {
    case AT_START:
        if (c != '"')
            return plain_byte(csv, c, err);
        csv->state = IN_QUOTES;
        csv->quoted = true;
        return true;
    case IN_PLAIN:
        return plain_byte(csv, c, err);
    case IN_QUOTES:
        if (c == '"') {
            csv->state = AFTER_QUOTE;
            return true;
        }
        csv->line += c == '\n';
        return put(csv, c, err);
    case AFTER_QUOTE:
        if (c != '"')
            return plain_byte(csv, c, err);
        csv->state = IN_QUOTES;
        return put(csv, c, err);
    default:
        return c == '\n' ? plain_byte(csv, c, err) : syntax(csv, "a CR without LF", err);
    }
}

/* The byte order mark may come in pieces. One that is not whole is text. */
static bool skip_mark(struct csv *csv, char c, bool *skipped, struct error *err)
{
    *skipped = false;
    if (csv->mark_seen == SIZE_MAX)
        return true;
    if (c == mark[csv->mark_seen]) {
        *skipped = true;
        csv->mark_seen = csv->mark_seen + 1 == strlen(mark) ? SIZE_MAX : csv->mark_seen + 1;
        return true;
    }
    size_t seen = csv->mark_seen;
    csv->mark_seen = SIZE_MAX;
    for (size_t i = 0; i < seen; i++)
        if (!byte(csv, mark[i], err))
            return false;
    return true;
}

bool csv_feed(struct csv *csv, const char *data, size_t len, struct error *err)
{
    bool skipped;
    for (size_t i = 0; i < len; i++)
        if (!skip_mark(csv, data[i], &skipped, err) || (!skipped && !byte(csv, data[i], err)))
            return false;
    return true;
}

bool csv_finish(struct csv *csv, struct error *err)
{
    if (csv->mark_seen != SIZE_MAX)
        for (size_t i = 0; i < csv->mark_seen; i++)
            if (!byte(csv, mark[i], err))
                return false;
    if (csv->state == IN_QUOTES)
        return error_set(err, "csv_syntax", "line %" PRId64 ": a quote that is opened here is never closed",
                         csv->row.line);
    if (csv->state == AFTER_CR)
        return syntax(csv, "a CR without LF", err);
    bool pending = csv->state != AT_START || csv->row.count > 0;
    return !pending || end_row(csv, err);
}

void csv_put(struct buf *out, const char *field, char separator)
{
    const char special[] = { separator, '"', '\r', '\n', '\0' };
    if (strpbrk(field, special) == NULL) {
        buf_puts(out, field);
        return;
    }
    buf_putc(out, '"');
    for (; *field != '\0'; field++) {
        if (*field == '"')
            buf_putc(out, '"');
        buf_putc(out, *field);
    }
    buf_putc(out, '"');
}
