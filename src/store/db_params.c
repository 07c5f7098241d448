/* From C values to PostgreSQL's wire forms. */
#include "store/db_params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/timeutil.h"

/* type OIDs, from PostgreSQL's pg_type.dat */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_FLOAT8 = 701,
    OID_INT8_ARRAY = 1016,
    OID_TIMESTAMPTZ = 1184
};

static const char *number_text(struct arena *arena, int64_t number)
{
    return arena_printf(arena, "%lld", (long long)number);
}

static const char *array_text(struct arena *arena, const int64_t *numbers, size_t n)
{
    struct buf text = { 0 };
    buf_putc(&text, '{');
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, i == 0 ? "%lld" : ",%lld", (long long)numbers[i]);
    buf_putc(&text, '}');
    const char *copy = arena_strndup(arena, text.data, text.len);
    buf_free(&text);
    return copy;
}

static const char *time_text(struct arena *arena, int64_t usec)
{
    char *text = arena_alloc(arena, RFC3339_SIZE);
    return time_format(usec, text);
}

static void convert(struct arena *arena, const struct db_param *param, Oid *type, const char **value,
                    int *length, int *format)
{
    *type = 0;
    *value = NULL;
    *length = *format = 0;
    switch (param->type) {
    case 'i':
        *type = OID_INT8;
        *value = number_text(arena, param->value.number);
        break;
    case 'I':
        *type = OID_INT8;
        if (param->value.data != NULL)
            *value = number_text(arena, *(const int64_t *)param->value.data);
        break;
    case 't':
        *type = OID_TIMESTAMPTZ;
        *value = time_text(arena, param->value.number);
        break;
    case 'd':
        *type = OID_FLOAT8;
        *value = arena_printf(arena, "%.17g", param->value.real);
        break;
    case 'b':
        *type = OID_BOOL;
        *value = param->value.number != 0 ? "t" : "f";
        break;
    case 's':
        *value = param->value.data;
        break;
    case 'x':
        *type = OID_BYTEA;
        *value = param->value.data;
        *length = (int)param->count;
        *format = 1;
        break;
    case 'a':
        *type = OID_INT8_ARRAY;
        *value = array_text(arena, param->value.data, param->count);
        break;
    default:
        fprintf(stderr, "trackerd: unknown parameter type %c\n", param->type);
        abort();
    }
}

void params_to_wire(struct arena *arena, const struct db_param *params, size_t n, struct pg_params *wire)
{
    Oid *types = arena_zalloc(arena, n + 1, sizeof(*types));
    const char **values = arena_zalloc(arena, n + 1, sizeof(*values));
    int *lengths = arena_zalloc(arena, n + 1, sizeof(*lengths)),
        *formats = arena_zalloc(arena, n + 1, sizeof(*formats));
    for (size_t i = 0; i < n; i++)
        convert(arena, &params[i], &types[i], &values[i], &lengths[i], &formats[i]);
    *wire = (struct pg_params){ n, types, values, lengths, formats };
}

size_t params_from_arguments(const char *types, va_list args, struct db_param *params)
{
    size_t n = strlen(types);
    if (n > DB_MAX_ARGUMENTS) {
        fputs("trackerd: too many parameters of one statement\n", stderr);
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        params[i] = (struct db_param){ .type = types[i] };
        switch (types[i]) {
        case 'i':
        case 't':
            params[i].value.number = va_arg(args, int64_t);
            break;
        case 'b':
            params[i].value.number = va_arg(args, int);
            break;
        case 'd':
            params[i].value.real = va_arg(args, double);
            break;
        case 'x':
        case 'a':
            params[i].value.data = va_arg(args, const void *);
            params[i].count = va_arg(args, size_t);
            break;
        default:
            params[i].value.data = va_arg(args, const void *);
        }
    }
    return n;
}
