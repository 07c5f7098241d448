/* JSON values that lose nothing: big integers are kept as text in an object that cannot be mistaken. */
#include "tasks/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

#define BIG_INTEGER "$int"

/* ---- reading ---- */

static bool number_character(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Digits with an optional minus that parse_i64 refuses: too large, since JSON has no leading zeros. The text
 * may end right behind them. */
static bool is_big(const char *text, size_t len)
{
    char copy[24];
    int64_t value;
    size_t sign = text[0] == '-', digits = len - sign;
    if (digits < 19 || text[sign] == '0')
        return false;
    for (size_t i = sign; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false; /* a real, or nothing at all */
    if (len >= sizeof(copy))
        return true;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return !parse_i64(copy, &value);
}

/* Copies text to out, wrapping big integers; jansson then checks the whole. */
static void wrap_big_integers(struct buf *out, const char *text, size_t len)
{
    bool in_string = false;
    size_t i = 0;
    while (i < len) {
        if (in_string) {
            size_t step = text[i] == '\\' && i + 1 < len ? 2 : 1;
            in_string = text[i] != '"';
            buf_append(out, text + i, step);
            i += step;
            continue;
        }
        size_t n = 0;
        while (i + n < len && number_character(text[i + n]))
            n++;
        if (n > 0 && is_big(text + i, n))
            buf_printf(out, "{\"" BIG_INTEGER "\":\"%.*s\"}", (int)n, text + i);
        else
            buf_append(out, text + i, n > 0 ? n : 1);
        in_string = n == 0 && text[i] == '"';
        i += n > 0 ? n : 1;
    }
}

/* jansson's own bound is in the thousands; writers here stop at JSON_MAX_DEPTH. */
static bool deeper_than(const json_t *value, int left)
{
    const char *key;
    json_t *item;
    size_t i;
    if (left == 0)
        return true;
    json_object_foreach((json_t *)value, key, item)
    {
        if (deeper_than(item, left - 1))
            return true;
    }
    json_array_foreach((json_t *)value, i, item)
    {
        if (deeper_than(item, left - 1))
            return true;
    }
    return false;
}

bool value_too_deep(const json_t *value)
{
    return deeper_than(value, VALUE_MAX_DEPTH);
}

json_t *value_read(const char *text, size_t len, struct error *err)
{
    struct buf wrapped = { 0 };
    json_error_t reason;
    wrap_big_integers(&wrapped, text, len);
    json_t *value = json_loadb(buf_text(&wrapped), wrapped.len, JSON_DECODE_ANY, &reason);
    buf_free(&wrapped);
    if (value == NULL) {
        error_set(err, "invalid_json", "not JSON: %s at byte %d", reason.text, reason.position);
        return NULL;
    }
    if (value_too_deep(value)) {
        json_decref(value);
        error_set(err, "invalid_json", "JSON is nested more than %d levels deep", VALUE_MAX_DEPTH);
        return NULL;
    }
    return value;
}

static void release(void *value)
{
    json_decref(value);
}

json_t *value_defer(struct arena *arena, json_t *value)
{
    if (value != NULL)
        arena_defer(arena, release, value);
    return value;
}

json_t *value_read_arena(struct arena *arena, const char *text, size_t len, struct error *err)
{
    return value_defer(arena, value_read(text, len, err));
}

/* ---- big integers ---- */

const char *value_big_integer(const json_t *value)
{
    if (!json_is_object(value) || json_object_size(value) != 1)
        return NULL;
    const char *digits = json_string_value(json_object_get(value, BIG_INTEGER));
    if (digits == NULL || digits[0] == '\0')
        return NULL;
    size_t sign = digits[0] == '-';
    return digits[sign] != '\0' && strspn(digits + sign, "0123456789") == strlen(digits + sign) ? digits
                                                                                                : NULL;
}

json_t *value_from_big_integer(const char *digits, size_t len)
{
    json_t *value = json_object();
    json_object_set_new(value, BIG_INTEGER, json_stringn(digits, len));
    return value;
}

/* ---- writing ---- */

/* Shortest digits that read back the same, with a point or an exponent so that Python sees a float. */
static void write_real(struct json *json, double value)
{
    char text[40];
    if (!isfinite(value)) {
        json_write_null(json);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text) - 2, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    size_t len = strlen(text);
    if (strpbrk(text, ".e") == NULL)
        len += (size_t)snprintf(text + len, sizeof(text) - len, ".0");
    json_raw(json, text, len);
}

static void write_object(struct json *json, const json_t *value)
{
    const char *key, *digits = value_big_integer(value);
    json_t *item;
    if (digits != NULL) {
        json_raw(json, digits, strlen(digits));
        return;
    }
    json_start_object(json);
    json_object_foreach((json_t *)value, key, item)
    {
        json_key(json, key);
        value_write(json, item);
    }
    json_end_object(json);
}

static void write_array(struct json *json, const json_t *value)
{
    json_t *item;
    size_t i;
    json_start_array(json);
    json_array_foreach((json_t *)value, i, item)
    {
        value_write(json, item);
    }
    json_end_array(json);
}

void value_write(struct json *json, const json_t *value)
{
    json_type type = value == NULL ? JSON_NULL : json_typeof(value);
    switch (type) {
    case JSON_OBJECT:
        write_object(json, value);
        break;
    case JSON_ARRAY:
        write_array(json, value);
        break;
    case JSON_STRING:
        json_text_n(json, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        json_int(json, json_integer_value(value));
        break;
    case JSON_REAL:
        write_real(json, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        json_bool(json, json_is_true(value));
        break;
    case JSON_NULL:
        json_write_null(json);
        break;
    }
}

const char *value_text(struct arena *arena, const json_t *value)
{
    struct buf out = { 0 };
    struct json json;
    json_begin(&json, &out);
    value_write(&json, value);
    const char *text = arena_strndup(arena, buf_text(&out), out.len);
    buf_free(&out);
    return text;
}
