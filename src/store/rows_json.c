/* Result sets as JSON, straight from PostgreSQL's text form. Called for every cell of every list: no printf,
 * no detour by binary values. */
#include "store/rows_json.h"

#include <string.h>

#include "base/timeutil.h"

/* Type OIDs are the same in every PostgreSQL (src/include/catalog/pg_type.dat). */
enum {
    OID_BOOL = 16,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_JSON = 114,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_INT2_ARRAY = 1005,
    OID_INT4_ARRAY = 1007,
    OID_TEXT_ARRAY = 1009,
    OID_VARCHAR_ARRAY = 1015,
    OID_INT8_ARRAY = 1016,
    OID_TIMESTAMPTZ = 1184,
    OID_NUMERIC = 1700,
    OID_JSONB = 3802,
};

/* ---- single values ---- */

/* PostgreSQL's numbers are JSON's but for NaN and the infinities. */
static void write_number(const char *text, size_t len, struct json *json)
{
    char last = text[len - 1];
    if (last >= '0' && last <= '9')
        json_raw(json, text, len);
    else
        json_write_null(json);
}

/* "2026-11-24 10:30:00.25+00", as sessions in UTC with DateStyle ISO write it, becomes
 * "2026-11-24T10:30:00.25Z". What does not look like that (infinity, years beyond 9999) is written as it is.
 */
static void write_time(const char *text, size_t len, struct json *json)
{
    char out[RFC3339_SIZE];
    if (len < sizeof("2026-11-24 10:30:00+00") - 1 || len > sizeof("2026-11-24 10:30:00.123456+00") - 1 ||
        text[4] != '-' || text[10] != ' ' || memcmp(text + len - 3, "+00", 3) != 0) {
        json_text_n(json, text, len);
        return;
    }
    size_t kept = len - 3;
    memcpy(out, text, kept);
    out[10] = 'T';
    out[kept] = 'Z';
    json_text_n(json, out, kept + 1);
}

/* ---- arrays ---- */

/* A quoted element from its opening quote; returns what follows the closing one. */
static const char *write_quoted(const char *at, const char *end, struct json *json)
{
    const char *start = ++at;
    while (at < end && *at != '"' && *at != '\\')
        at++;
    if (at < end && *at == '"') {
        json_text_n(json, start, (size_t)(at - start));
        return at + 1;
    }
    struct buf text = { 0 };
    for (at = start; at < end && *at != '"'; at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
        buf_putc(&text, *at);
    }
    json_text_n(json, buf_text(&text), text.len);
    buf_free(&text);
    return at < end ? at + 1 : end;
}

/* "{1,NULL,3}", "{{a,b},{"c d",e}}", "[0:1]={1,2}" */
static void write_array(const char *text, size_t len, bool numbers, struct json *json)
{
    const char *end = text + len;
    const char *at = memchr(text, '{', len); /* bounds before it say nothing to a reader of JSON */
    while (at != NULL && at < end) {
        if (*at == '{') {
            json_start_array(json);
            at++;
        } else if (*at == '}') {
            json_end_array(json);
            at++;
        } else if (*at == ',') {
            at++;
        } else if (*at == '"') {
            at = write_quoted(at, end, json);
        } else {
            const char *start = at;
            while (at < end && *at != ',' && *at != '}')
                at++;
            size_t n = (size_t)(at - start);
            if (n == 4 && memcmp(start, "NULL", 4) == 0)
                json_write_null(json);
            else if (numbers)
                json_raw(json, start, n);
            else
                json_text_n(json, start, n);
        }
    }
}

/* ---- rows ---- */

static void write_value(const struct rows *rows, size_t row, size_t column, struct json *json)
{
    if (rows_null(rows, row, column)) {
        json_write_null(json);
        return;
    }
    const char *text = rows_text(rows, row, column);
    size_t len = rows_length(rows, row, column);
    switch (rows_type(rows, column)) {
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_JSON:
    case OID_JSONB:
        json_raw(json, text, len);
        break;
    case OID_BOOL:
        json_bool(json, text[0] == 't');
        break;
    case OID_FLOAT4:
    case OID_FLOAT8:
    case OID_NUMERIC:
        write_number(text, len, json);
        break;
    case OID_TIMESTAMPTZ:
        write_time(text, len, json);
        break;
    case OID_INT2_ARRAY:
    case OID_INT4_ARRAY:
    case OID_INT8_ARRAY:
        write_array(text, len, true, json);
        break;
    case OID_TEXT_ARRAY:
    case OID_VARCHAR_ARRAY:
        write_array(text, len, false, json);
        break;
    default:
        json_text_n(json, text, len);
    }
}

static bool all_null(const struct rows *rows, size_t row, size_t from, size_t end)
{
    while (from < end && rows_null(rows, row, from))
        from++;
    return from == end;
}

/* The end of the run of columns whose names share the first prefix characters, which end in a dot. */
static size_t nest_end(const struct rows *rows, const char *name, size_t prefix, size_t from, size_t end)
{
    while (from < end && strncmp(rows_name(rows, from), name, prefix) == 0)
        from++;
    return from;
}

/* Columns [from, end) as members of the open object; the first skip characters of their names are dealt with.
 */
static void write_members(const struct rows *rows, size_t row, size_t from, size_t end, size_t skip,
                          struct json *json)
{
    while (from < end) {
        const char *name = rows_name(rows, from);
        const char *key = name + skip, *dot = strchr(key, '.');
        if (dot == NULL) {
            json_key(json, key);
            write_value(rows, row, from++, json);
            continue;
        }
        size_t prefix = (size_t)(dot - name) + 1;
        size_t next = nest_end(rows, name, prefix, from + 1, end);
        json_key_n(json, key, (size_t)(dot - key));
        if (all_null(rows, row, from, next)) {
            json_write_null(json);
        } else {
            json_start_object(json);
            write_members(rows, row, from, next, prefix, json);
            json_end_object(json);
        }
        from = next;
    }
}

void rows_write_object(const struct rows *rows, size_t row, size_t skip_from, struct json *json)
{
    size_t columns = rows_columns(rows);
    json_start_object(json);
    write_members(rows, row, 0, skip_from < columns ? skip_from : columns, 0, json);
    json_end_object(json);
}

void rows_write_array(const struct rows *rows, size_t skip_from, struct json *json)
{
    size_t n = rows_count(rows);
    json_start_array(json);
    for (size_t i = 0; i < n; i++)
        rows_write_object(rows, i, skip_from, json);
    json_end_array(json);
}
