/* Results: status by SQLSTATE, values in PostgreSQL's text form. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "store/db_internal.h"

static const struct {
    const char *sqlstate; /* five characters, or two for a class */
    enum db_status status;
} statuses[] = {
    { "23505", DB_UNIQUE },      { "23503", DB_FOREIGN_KEY }, { "23001", DB_FOREIGN_KEY },
    { "23P01", DB_EXCLUSION },   { "23514", DB_CHECK },       { "23502", DB_CHECK },
    { "22", DB_CHECK },          { "42501", DB_DENIED },      { "40001", DB_CONFLICT },
    { "40P01", DB_CONFLICT },    { "57014", DB_TIMEOUT },     { "55P03", DB_TIMEOUT },
    { "08", DB_UNAVAILABLE },    { "57P", DB_UNAVAILABLE },   { "53300", DB_UNAVAILABLE },
    { "25006", DB_UNAVAILABLE }, { "25P03", DB_UNAVAILABLE },
};

static enum db_status status_of(const char *sqlstate)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (strncmp(sqlstate, statuses[i].sqlstate, strlen(statuses[i].sqlstate)) == 0)
            return statuses[i].status;
    return DB_ERROR;
}

static void clear_result(void *result)
{
    PQclear(result);
}

static const char *field(const PGresult *result, int code)
{
    const char *text = PQresultErrorField(result, code);
    return text != NULL ? text : "";
}

struct rows *rows_failed(struct db *db, enum db_status status, const char *message)
{
    struct rows *rows = arena_zalloc(db->arena, 1, sizeof(*rows));
    *rows = (struct rows){ .status = status, .arena = db->arena, .sqlstate = "", .constraint = "" };
    rows->message = arena_strdup(db->arena, message);
    return rows;
}

struct rows *rows_of(struct db *db, PGresult *result)
{
    struct rows *rows = arena_zalloc(db->arena, 1, sizeof(*rows));
    arena_defer(db->arena, clear_result, result);
    *rows = (struct rows){
        .result = result, .arena = db->arena, .message = "", .sqlstate = "", .constraint = ""
    };
    ExecStatusType type = PQresultStatus(result);
    if (type == PGRES_TUPLES_OK || type == PGRES_COMMAND_OK || type == PGRES_COPY_IN ||
        type == PGRES_EMPTY_QUERY)
        return rows;
    rows->sqlstate = field(result, PG_DIAG_SQLSTATE);
    rows->constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
    rows->message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    rows->status = rows->sqlstate[0] != '\0' ? status_of(rows->sqlstate) : DB_UNAVAILABLE;
    if (rows->status == DB_ERROR)
        LOG_ERROR("database refused a statement", LOG_TEXT("sqlstate", rows->sqlstate),
                  LOG_TEXT("message", rows->message));
    return rows;
}

bool rows_ok(const struct rows *rows)
{
    return rows->status == DB_OK;
}

enum db_status rows_status(const struct rows *rows)
{
    return rows->status;
}

const char *rows_constraint(const struct rows *rows)
{
    return rows->constraint;
}

const char *rows_message(const struct rows *rows)
{
    return rows->message;
}

const char *rows_sqlstate(const struct rows *rows)
{
    return rows->sqlstate;
}

size_t rows_count(const struct rows *rows)
{
    return rows->result != NULL ? (size_t)PQntuples(rows->result) : 0;
}

size_t rows_affected(const struct rows *rows)
{
    return rows->result != NULL ? strtoull(PQcmdTuples(rows->result), NULL, 10) : 0;
}

size_t rows_columns(const struct rows *rows)
{
    return rows->result != NULL ? (size_t)PQnfields(rows->result) : 0;
}

struct arena *rows_arena(const struct rows *rows)
{
    return rows->arena;
}

const char *rows_name(const struct rows *rows, size_t column)
{
    return PQfname(rows->result, (int)column);
}

uint32_t rows_type(const struct rows *rows, size_t column)
{
    return PQftype(rows->result, (int)column);
}

bool rows_null(const struct rows *rows, size_t row, size_t column)
{
    return PQgetisnull(rows->result, (int)row, (int)column) != 0;
}

const char *rows_text(const struct rows *rows, size_t row, size_t column)
{
    return rows_null(rows, row, column) ? NULL : PQgetvalue(rows->result, (int)row, (int)column);
}

size_t rows_length(const struct rows *rows, size_t row, size_t column)
{
    return (size_t)PQgetlength(rows->result, (int)row, (int)column);
}

int64_t rows_int(const struct rows *rows, size_t row, size_t column)
{
    const char *text = rows_text(rows, row, column);
    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

double rows_double(const struct rows *rows, size_t row, size_t column)
{
    const char *text = rows_text(rows, row, column);
    return text != NULL ? strtod(text, NULL) : 0;
}

bool rows_bool(const struct rows *rows, size_t row, size_t column)
{
    const char *text = rows_text(rows, row, column);
    return text != NULL && text[0] == 't';
}

int64_t rows_time(const struct rows *rows, size_t row, size_t column)
{
    /* "2026-11-24 08:16:00.5+00": RFC 3339 but for the minutes of the offset, since sessions are in UTC; a
     * date has no time at all */
    static const size_t date_length = sizeof("2026-11-24") - 1;
    const char *text = rows_text(rows, row, column);
    char full[64];
    int64_t usec = 0;
    if (text == NULL)
        return 0;
    if (strcmp(text, "infinity") == 0 || strcmp(text, "-infinity") == 0)
        return text[0] == '-' ? TIME_MIN : TIME_MAX;
    const char *rest = strlen(text) == date_length ? "T00:00:00Z" : ":00";
    if (snprintf(full, sizeof(full), "%s%s", text, rest) >= (int)sizeof(full))
        return 0;
    return time_parse(full, &usec) ? usec : 0;
}

const void *rows_bytes(const struct rows *rows, size_t row, size_t column, size_t *len)
{
    const char *text = rows_text(rows, row, column);
    *len = 0;
    if (text == NULL || text[0] != '\\' || text[1] != 'x')
        return NULL;
    size_t digits = rows_length(rows, row, column) - 2;
    void *bytes = arena_alloc(rows->arena, digits / 2 + 1);
    return hex_decode(text + 2, digits, bytes, digits / 2, len) ? bytes : NULL;
}

const int64_t *rows_ints(const struct rows *rows, size_t row, size_t column, size_t *n)
{
    const char *text = rows_text(rows, row, column);
    *n = 0;
    if (text == NULL || text[0] != '{')
        return NULL;
    int64_t *values = arena_zalloc(rows->arena, rows_length(rows, row, column) / 2 + 1, sizeof(*values));
    for (const char *p = text + 1; *p != '\0' && *p != '}';) {
        values[(*n)++] = strtoll(p, NULL, 10); /* NULL within counts as 0 */
        p += strcspn(p, ",}");
        p += *p == ',';
    }
    return values;
}
