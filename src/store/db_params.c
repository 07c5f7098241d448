/* From C values to PostgreSQL's wire forms. */
#include "store/db_params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/timeutil.h"

/* type OIDs, from PostgreSQL's pg_type.dat */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_BOOL_ARRAY = 1000,
    OID_INT2_ARRAY = 1005,
    OID_INT4_ARRAY = 1007,
    OID_TEXT_ARRAY = 1009,
    OID_INT8_ARRAY = 1016,
    OID_FLOAT4_ARRAY = 1021,
    OID_FLOAT8_ARRAY = 1022,
    OID_TIMESTAMPTZ = 1184,
    OID_TIMESTAMPTZ_ARRAY = 1185
};

/* PostgreSQL counts microseconds from 2000-01-01. */
#define POSTGRES_EPOCH SECONDS(946684800)

/* Array letters: the element's type and its size, which is the same in C and on the wire; 0: texts. */
static const struct array_type {
    char letter;
    Oid array, element;
    size_t size;
} array_types[] = {
    { 'a', OID_INT8_ARRAY, OID_INT8, 8 },     { 'T', OID_TIMESTAMPTZ_ARRAY, OID_TIMESTAMPTZ, 8 },
    { 'F', OID_FLOAT8_ARRAY, OID_FLOAT8, 8 }, { 'R', OID_FLOAT4_ARRAY, OID_FLOAT4, 4 },
    { 'N', OID_INT4_ARRAY, OID_INT4, 4 },     { 'H', OID_INT2_ARRAY, OID_INT2, 2 },
    { 'B', OID_BOOL_ARRAY, OID_BOOL, 1 },     { 'S', OID_TEXT_ARRAY, OID_TEXT, 0 },
};

static const char *number_text(struct arena *arena, int64_t number)
{
    return arena_printf(arena, "%lld", (long long)number);
}

/* ---- arrays, in binary: reading text is a sixth of what storing a batch of reports costs ---- */

static const struct array_type *array_type(char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(array_types); i++)
        if (array_types[i].letter == letter)
            return &array_types[i];
    return NULL;
}

static char *put_u32(char *out, uint32_t value)
{
    const uint8_t bytes[] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value };
    memcpy(out, bytes, sizeof(bytes));
    return out + sizeof(bytes);
}

/* A number of the machine's byte order as one of the network's. */
static char *put_number(char *out, const char *number, size_t size)
{
    const uint16_t probe = 1;
    if (*(const uint8_t *)&probe == 1)
        for (size_t i = 0; i < size; i++)
            out[i] = number[size - 1 - i];
    else
        memcpy(out, number, size);
    return out + size;
}

static char *put_numbers(char *out, const struct array_type *type, const char *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *number = numbers + i * type->size;
        int64_t time = 0;
        if (type->element == OID_TIMESTAMPTZ) {
            memcpy(&time, number, sizeof(time));
            time -= POSTGRES_EPOCH;
            number = (const char *)&time;
        }
        out = put_u32(out, (uint32_t)type->size);
        out = put_number(out, number, type->size);
    }
    return out;
}

static char *put_texts(char *out, const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = texts[i] != NULL ? strlen(texts[i]) : 0;
        out = put_u32(out, texts[i] != NULL ? (uint32_t)len : UINT32_MAX); /* -1: null */
        if (len > 0)
            memcpy(out, texts[i], len);
        out += len;
    }
    return out;
}

/* Wire form: dimensions, has nulls, element type; then count and lower bound of the dimension and each
 * element behind its length. An empty array has no dimension. */
static const char *array_bytes(struct arena *arena, const struct array_type *type, const void *elements,
                               size_t n, int *length)
{
    size_t room = 5 * sizeof(uint32_t) + n * (sizeof(uint32_t) + type->size);
    for (size_t i = 0; type->size == 0 && i < n; i++)
        room += ((const char *const *)elements)[i] != NULL ? strlen(((const char *const *)elements)[i]) : 0;
    char *bytes = arena_alloc(arena, room), *out = put_u32(bytes, n > 0 ? 1 : 0);
    out = put_u32(out, type->size == 0);
    out = put_u32(out, type->element);
    if (n > 0) {
        out = put_u32(out, (uint32_t)n);
        out = put_u32(out, 1);
        out = type->size == 0 ? put_texts(out, elements, n) : put_numbers(out, type, elements, n);
    }
    *length = (int)(out - bytes);
    return bytes;
}

static const char *time_text(struct arena *arena, int64_t usec)
{
    char *text = arena_alloc(arena, RFC3339_SIZE);
    return time_format(usec, text);
}

static void convert_array(struct arena *arena, const struct db_param *param, Oid *type, const char **value,
                          int *length)
{
    const struct array_type *array = array_type(param->type);
    if (array == NULL) {
        fprintf(stderr, "trackerd: unknown parameter type %c\n", param->type);
        abort();
    }
    *type = array->array;
    *value = array_bytes(arena, array, param->value.data, param->count, length);
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
    default:
        convert_array(arena, param, type, value, length);
        *format = 1;
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
        default:
            params[i].value.data = va_arg(args, const void *);
            if (types[i] == 'x' || array_type(types[i]) != NULL)
                params[i].count = va_arg(args, size_t);
        }
    }
    return n;
}
