/* Streaming JSON writer. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/timeutil.h"

void json_begin(struct json *json, struct buf *out)
{
    *json = (struct json){ .out = out };
}

static void separate(struct json *json)
{
    if (json->comma[json->depth])
        buf_putc(json->out, ',');
    json->comma[json->depth] = true;
}

static void open_nest(struct json *json, char bracket)
{
    separate(json);
    buf_putc(json->out, bracket);
    if (json->depth == JSON_MAX_DEPTH)
        abort(); /* documents of this code base have a fixed depth */
    json->comma[++json->depth] = false;
}

static void close_nest(struct json *json, char bracket)
{
    json->depth--;
    buf_putc(json->out, bracket);
}

void json_start_object(struct json *json)
{
    open_nest(json, '{');
}

void json_end_object(struct json *json)
{
    close_nest(json, '}');
}

void json_reopen_object(struct json *json)
{
    struct buf *out = json->out;
    if (out->len < 2 || out->data[out->len - 1] != '}' || json->depth >= JSON_MAX_DEPTH)
        return;
    out->data[--out->len] = '\0';
    json->comma[++json->depth] = out->data[out->len - 1] != '{';
}

void json_start_array(struct json *json)
{
    open_nest(json, '[');
}

void json_end_array(struct json *json)
{
    close_nest(json, ']');
}

static void write_escape(struct buf *out, unsigned char c)
{
    static const char letters[] = "btn_fr"; /* \b \t \n (none) \f \r for 8..13 */
    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c >= 8 && c <= 13 && c != 11)
        buf_printf(out, "\\%c", letters[c - 8]);
    else
        buf_printf(out, "\\u%04x", c);
}

static void write_escaped(struct buf *out, const char *text, size_t len)
{
    /* Runs of plain characters are copied whole. */
    size_t start = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        buf_append(out, text + start, i - start);
        write_escape(out, c);
        start = i + 1;
    }
    buf_append(out, text + start, len - start);
}

/* Copy text with each malformed byte replaced, so that the document stays valid UTF-8. */
static void write_repaired(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = 4 < len - i ? 4 : len - i;
        while (n > 0 && !(utf8_valid(text + i, n) && utf8_length(text + i, n) == 1))
            n--;
        if (n == 0 && text[i] == '\0') {
            write_escape(out, 0);
            i++;
        } else if (n == 0) {
            buf_puts(out, "\xef\xbf\xbd");
            i++;
        } else {
            write_escaped(out, text + i, n);
            i += n;
        }
    }
}

/* Printable ASCII that needs no escape: what nearly all texts are made of. Eight bytes at a time, by the
 * usual tests for a zero byte and for a byte below a bound in a word. */
static bool is_plain(const char *text, size_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    size_t i = 0;
    for (; len - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text + i, sizeof(word));
        uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\'), delete = word ^ (ones * 0x7f);
        uint64_t special = (word - ones * 0x20) | (quote - ones) | (backslash - ones) | (delete - ones);
        if (((special | word) & high) != 0)
            return false;
    }
    for (; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            return false;
    }
    return true;
}

void json_text_n(struct json *json, const char *text, size_t len)
{
    separate(json);
    if (is_plain(text, len)) {
        buf_putc(json->out, '"');
        buf_append(json->out, text, len);
        buf_putc(json->out, '"');
        return;
    }
    buf_putc(json->out, '"');
    if (utf8_valid(text, len))
        write_escaped(json->out, text, len);
    else
        write_repaired(json->out, text, len);
    buf_putc(json->out, '"');
}

void json_text(struct json *json, const char *text)
{
    if (text == NULL)
        json_write_null(json);
    else
        json_text_n(json, text, strlen(text));
}

void json_key_n(struct json *json, const char *key, size_t len)
{
    json_text_n(json, key, len);
    buf_putc(json->out, ':');
    json->comma[json->depth] = false;
}

void json_key_written(struct json *json, const char *key, size_t len)
{
    json_raw(json, key, len);
    json->comma[json->depth] = false;
}

void json_key(struct json *json, const char *key)
{
    json_key_n(json, key, strlen(key));
}

void json_raw(struct json *json, const char *value, size_t len)
{
    separate(json);
    buf_append(json->out, value, len);
}

void json_int(struct json *json, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%lld", (long long)value);
    json_raw(json, text, (size_t)n);
}

void json_double(struct json *json, double value)
{
    if (!isfinite(value)) {
        json_write_null(json);
        return;
    }
    /* 15 digits suffice for most values, 17 for all. */
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    json_raw(json, text, strlen(text));
}

void json_bool(struct json *json, bool value)
{
    if (value)
        json_raw(json, "true", 4);
    else
        json_raw(json, "false", 5);
}

void json_write_null(struct json *json)
{
    json_raw(json, "null", 4);
}

void json_time(struct json *json, int64_t usec)
{
    char text[RFC3339_SIZE];
    json_text(json, time_format(usec, text));
}

void json_put_text(struct json *json, const char *key, const char *text)
{
    json_key(json, key);
    json_text(json, text);
}

void json_put_int(struct json *json, const char *key, int64_t value)
{
    json_key(json, key);
    json_int(json, value);
}

void json_put_double(struct json *json, const char *key, double value)
{
    json_key(json, key);
    json_double(json, value);
}

void json_put_bool(struct json *json, const char *key, bool value)
{
    json_key(json, key);
    json_bool(json, value);
}

void json_put_time(struct json *json, const char *key, int64_t usec)
{
    json_key(json, key);
    json_time(json, usec);
}

void json_put_null(struct json *json, const char *key)
{
    json_key(json, key);
    json_write_null(json);
}
