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

/* How the columns become members of an object, worked out once for all rows: in the order of writing, each a
 * value or the head of a nested object. */
struct member {
    const char *key; /* as it is written: "name": */
    size_t key_len;
    size_t column; /* of the value, or the first of the object */
    size_t end;    /* behind the object's last column; 0 for a value */
    size_t next;   /* member behind the object */
};

struct plan {
    struct member *members;
    size_t count;
};

static void plan_member(struct plan *plan, struct arena *arena, const char *key, size_t len, size_t column)
{
    struct buf text = { 0 };
    struct json json;
    json_begin(&json, &text);
    json_key_n(&json, key, len);
    plan->members[plan->count++] =
        (struct member){ .key = arena_strdup(arena, text.data), .key_len = text.len, .column = column };
    buf_free(&text);
}

/* The end of the run of columns whose names share the first prefix characters, which end in a dot. */
static size_t nest_end(const struct rows *rows, const char *name, size_t prefix, size_t from, size_t end)
{
    while (from < end && strncmp(rows_name(rows, from), name, prefix) == 0)
        from++;
    return from;
}

/* Columns [from, end) as members; the first skip characters of their names are dealt with. */
static void plan_members(struct plan *plan, const struct rows *rows, size_t from, size_t end, size_t skip)
{
    while (from < end) {
        const char *name = rows_name(rows, from);
        const char *key = name + skip, *dot = strchr(key, '.');
        if (dot == NULL) {
            plan_member(plan, rows_arena(rows), key, strlen(key), from++);
            continue;
        }
        size_t prefix = (size_t)(dot - name) + 1, head = plan->count;
        plan_member(plan, rows_arena(rows), key, (size_t)(dot - key), from);
        size_t next = nest_end(rows, name, prefix, from + 1, end);
        plan_members(plan, rows, from, next, prefix);
        plan->members[head].end = from = next;
        plan->members[head].next = plan->count;
    }
}

static struct plan plan_object(const struct rows *rows, size_t skip_from)
{
    size_t columns = rows_columns(rows), dots = 0;
    if (skip_from < columns)
        columns = skip_from;
    for (size_t i = 0; i < columns; i++)
        for (const char *at = rows_name(rows, i); (at = strchr(at, '.')) != NULL; at++)
            dots++;
    struct plan plan = { .members = arena_alloc(rows_arena(rows), (columns + dots) * sizeof(struct member)) };
    plan_members(&plan, rows, 0, columns, 0);
    return plan;
}

static void write_members(const struct plan *plan, size_t from, size_t end, const struct rows *rows,
                          size_t row, struct json *json)
{
    while (from < end) {
        const struct member *member = &plan->members[from++];
        json_key_written(json, member->key, member->key_len);
        if (member->end == 0) {
            write_value(rows, row, member->column, json);
            continue;
        }
        if (all_null(rows, row, member->column, member->end)) {
            json_write_null(json);
        } else {
            json_start_object(json);
            write_members(plan, from, member->next, rows, row, json);
            json_end_object(json);
        }
        from = member->next;
    }
}

static void write_object(const struct plan *plan, const struct rows *rows, size_t row, struct json *json)
{
    json_start_object(json);
    write_members(plan, 0, plan->count, rows, row, json);
    json_end_object(json);
}

void rows_write_object(const struct rows *rows, size_t row, size_t skip_from, struct json *json)
{
    struct plan plan = plan_object(rows, skip_from);
    write_object(&plan, rows, row, json);
}

void rows_write_first(const struct rows *rows, size_t n, size_t skip_from, struct json *json)
{
    struct plan plan = plan_object(rows, skip_from);
    json_start_array(json);
    for (size_t i = 0; i < n; i++)
        write_object(&plan, rows, i, json);
    json_end_array(json);
}

void rows_write_array(const struct rows *rows, size_t skip_from, struct json *json)
{
    rows_write_first(rows, rows_count(rows), skip_from, json);
}
