/* TaskiQ's task message. */
#include "tasks/message.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/json.h"
#include "base/parse.h"
#include "tasks/value.h"

/* ---- labels: one reader for each of TaskiQ's types. NULL: the value is none of it ---- */

/* What str() makes of a native value in Python; text as it is. */
static const char *label_text(struct arena *arena, const json_t *value)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "True" : "False";
    return json_is_null(value) ? "None" : value_text(arena, value);
}

static const char *stripped(struct arena *arena, const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    return arena_strndup(arena, text, len);
}

/* Digits as Python's int() takes them: signs and leading zeros are allowed, any length. */
static json_t *read_int(struct arena *arena, const json_t *value)
{
    const char *text = stripped(arena, label_text(arena, value));
    if (json_is_boolean(value))
        return json_integer(json_is_true(value));
    if (json_is_real(value) && fabs(json_real_value(value)) < 9e18)
        return json_integer((json_int_t)json_real_value(value));
    bool minus = *text == '-';
    text += *text == '-' || *text == '+';
    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0')
        return NULL;
    while (text[0] == '0' && text[1] != '\0')
        text++;
    const char *digits = arena_printf(arena, "%s%s", minus && *text != '0' ? "-" : "", text);
    int64_t number;
    return parse_i64(digits, &number) ? json_integer(number) : value_from_big_integer(digits, strlen(digits));
}

static json_t *read_text(struct arena *arena, const json_t *value)
{
    return json_string(label_text(arena, value));
}

static json_t *read_float(struct arena *arena, const json_t *value)
{
    const char *text = stripped(arena, label_text(arena, value));
    char *end;
    if (json_is_boolean(value))
        return json_real(json_is_true(value));
    double number = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || strpbrk(text, "xX") != NULL)
        return NULL;
    return isfinite(number) ? json_real(number) : json_null(); /* JSON has no name for the others */
}

static json_t *read_bool(struct arena *arena, const json_t *value)
{
    return json_boolean(strcasecmp(label_text(arena, value), "true") == 0);
}

/* Bytes that are no text stay in base64: JSON cannot say them, and no task of ours takes bytes. */
static json_t *read_bytes(struct arena *arena, const json_t *value)
{
    const char *text = label_text(arena, value);
    size_t room = strlen(text) / 4 * 3 + 3, len;
    uint8_t *bytes = arena_alloc(arena, room);
    if (!base64_decode(text, strlen(text), bytes, room, &len))
        return NULL;
    json_t *decoded = memchr(bytes, 0, len) == NULL ? json_stringn((const char *)bytes, len) : NULL;
    return decoded != NULL ? decoded : json_string(text);
}

static json_t *read_any(struct arena *arena, const json_t *value)
{
    (void)arena;
    return json_deep_copy(value);
}

/* TaskiQ's LabelType. */
enum { LABEL_ANY = 1, LABEL_INT, LABEL_STR, LABEL_FLOAT, LABEL_BOOL, LABEL_BYTES };

static json_t *(*const label_readers[])(struct arena *arena, const json_t *value) = {
    [LABEL_ANY] = read_any,     [LABEL_INT] = read_int,   [LABEL_STR] = read_text,
    [LABEL_FLOAT] = read_float, [LABEL_BOOL] = read_bool, [LABEL_BYTES] = read_bytes,
};

static bool read_labels(struct arena *arena, json_t *labels, json_t *types, struct error *err)
{
    const char *name;
    json_t *type;
    json_object_foreach(types, name, type)
    {
        json_int_t code = json_integer_value(type);
        const json_t *value = json_object_get(labels, name);
        if (!json_is_integer(type) || code < 1 || code >= (json_int_t)ARRAY_LEN(label_readers))
            return error_set(err, "message_invalid", "label %.64s has an unknown type", name);
        if (value == NULL)
            continue;
        json_t *typed = label_readers[code](arena, value);
        if (typed == NULL || json_object_set_new(labels, name, typed) != 0)
            return error_set(err, "message_invalid", "label %.64s is not what its type says", name);
    }
    return true;
}

/* ---- reading ---- */

static const char *member_text(const json_t *root, const char *name, size_t max)
{
    const char *text = json_string_value(json_object_get(root, name));
    return text != NULL && text[0] != '\0' && strlen(text) <= max ? text : NULL;
}

bool message_read(struct arena *arena, const char *text, size_t len, struct task_message *message,
                  struct error *err)
{
    if (len > MESSAGE_MAX)
        return error_set(err, "message_invalid", "the message has more than %u bytes", MESSAGE_MAX);
    struct error reason;
    json_t *root = value_read_arena(arena, text, len, &reason);
    if (root == NULL)
        return error_set(err, "message_invalid", "%s", reason.message);
    struct task_message read = {
        .id = member_text(root, "task_id", 64),
        .name = member_text(root, "task_name", 200),
        .args = json_object_get(root, "args"),
        .kwargs = json_object_get(root, "kwargs"),
        .labels = json_object_get(root, "labels"),
    };
    json_t *types = json_object_get(root, "labels_types");
    if (read.id == NULL || read.name == NULL || !json_is_array(read.args) || !json_is_object(read.kwargs) ||
        !json_is_object(read.labels))
        return error_set(
            err, "message_invalid",
            "task_id, task_name, args, kwargs or labels is missing, too long or of a wrong type");
    if (types != NULL && !json_is_null(types) && !json_is_object(types))
        return error_set(err, "message_invalid", "labels_types is no object");
    if (!read_labels(arena, read.labels, types, err))
        return false;
    *message = read;
    return true;
}

/* ---- writing ---- */

static int label_type(const json_t *value)
{
    if (json_is_integer(value) || value_big_integer(value) != NULL)
        return LABEL_INT;
    if (json_is_string(value))
        return LABEL_STR;
    if (json_is_real(value))
        return LABEL_FLOAT;
    return json_is_boolean(value) ? LABEL_BOOL : LABEL_ANY;
}

void message_write(struct buf *out, const struct task_message *message)
{
    struct json json;
    struct arena *arena = arena_new();
    const char *name;
    json_t *value;
    json_begin(&json, out);
    json_start_object(&json);
    json_put_text(&json, "task_id", message->id);
    json_put_text(&json, "task_name", message->name);
    json_key(&json, "labels");
    json_start_object(&json);
    json_object_foreach(message->labels, name, value)
    {
        json_put_text(&json, name, label_text(arena, value));
    }
    json_end_object(&json);
    json_key(&json, "labels_types");
    json_start_object(&json);
    json_object_foreach(message->labels, name, value)
    {
        json_put_int(&json, name, label_type(value));
    }
    json_end_object(&json);
    json_key(&json, "args");
    value_write(&json, message->args);
    json_key(&json, "kwargs");
    value_write(&json, message->kwargs);
    json_end_object(&json);
    arena_free(arena);
}

/* ---- looking labels up ---- */

int64_t label_int(const json_t *labels, const char *name, int64_t fallback)
{
    const json_t *value = json_object_get(labels, name);
    int64_t number;
    if (json_is_integer(value))
        return json_integer_value(value);
    return json_is_string(value) && parse_i64(json_string_value(value), &number) ? number : fallback;
}

double label_number(const json_t *labels, const char *name, double fallback)
{
    const json_t *value = json_object_get(labels, name);
    double number;
    if (json_is_number(value))
        return json_number_value(value);
    return json_is_string(value) && parse_double(json_string_value(value), &number) ? number : fallback;
}
