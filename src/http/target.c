/* Decodes paths, queries and forms. */
#include "http/target.h"

#include <string.h>
#include <strings.h>

#include "base/encode.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL: a malformed escape, a NUL, or not UTF-8. */
static const char *decode(struct arena *arena, const char *text, size_t len, bool plus_is_space, bool secret)
{
    char *out = secret ? arena_secret(arena, len + 1) : arena_alloc(arena, len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_digit(text[i + 1]) : -1,
                low = i + 2 < len ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return NULL;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return utf8_valid(out, n) ? out : NULL;
}

bool pairs_decode(struct arena *arena, const char *text, size_t len, bool secret, struct pairs *pairs,
                  struct error *err)
{
    const char *end = text + len;
    while (text < end) {
        const char *amp = memchr(text, '&', (size_t)(end - text));
        size_t part = (size_t)((amp != NULL ? amp : end) - text);
        if (part > 0) {
            const char *equals = memchr(text, '=', part);
            size_t name_len = equals != NULL ? (size_t)(equals - text) : part;
            const char *name = decode(arena, text, name_len, true, false);
            const char *value = equals != NULL ? decode(arena, equals + 1, part - name_len - 1, true, secret)
                                               : "";
            if (name == NULL || value == NULL)
                return error_set(err, "bad_target", "A parameter is not percent-encoded UTF-8 without NUL.");
            if (pairs->count == HTTP_MAX_PARAMETERS)
                return error_set(err, "bad_target", "There are more than %d parameters.",
                                 HTTP_MAX_PARAMETERS);
            pairs_add(arena, pairs, name, value);
        }
        text += part + (amp != NULL);
    }
    return true;
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

static bool add_segment(struct arena *arena, struct target *target, const char *raw, size_t len,
                        struct error *err)
{
    const char *segment = decode(arena, raw, len, false, false);
    if (segment == NULL || has_control(segment))
        return error_set(err, "bad_target",
                         "The path is not percent-encoded UTF-8 without control characters.");
    if (strchr(segment, '/') != NULL)
        return error_set(err, "bad_target", "The path holds an escaped slash.");
    if (strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
        return error_set(err, "bad_target", "The path holds a segment of dots.");
    if (target->segment_count == TARGET_MAX_SEGMENTS)
        target->too_deep = true;
    else
        target->segments[target->segment_count++] = segment;
    return true;
}

/* Absolute form ("http://host/path"): what follows the authority. */
static const char *skip_authority(const char *raw)
{
    size_t scheme = strncasecmp(raw, "http://", 7) == 0 ? 7 : strncasecmp(raw, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0)
        return raw;
    const char *path = raw + scheme + strcspn(raw + scheme, "/?#");
    return *path == '\0' ? "/" : path;
}

bool target_parse(struct arena *arena, const char *raw, struct target *target, struct error *err)
{
    *target = (struct target){ .path = "" };
    for (const char *c = raw; *c != '\0'; c++)
        if ((unsigned char)*c <= 0x20 || *c == 0x7f || *c == '#')
            return error_set(err, "bad_target",
                             "The target of the request holds a character that it must not.");
    if (strcmp(raw, "*") == 0) {
        target->path = "*";
        target->too_deep = true;
        return true;
    }
    const char *path = skip_authority(raw);
    if (path[0] != '/')
        return error_set(err, "bad_target", "The target of the request must begin with a slash.");
    size_t path_len = strcspn(path, "?");
    for (const char *at = path, *end = path + path_len; at < end;) {
        at++; /* the slash */
        size_t len = 0;
        while (at + len < end && at[len] != '/')
            len++;
        if (!add_segment(arena, target, at, len, err))
            return false;
        at += len;
    }
    target->path = decode(arena, path, path_len, false, false);
    if (target->path == NULL)
        return error_set(err, "bad_target", "The path is not UTF-8.");
    const char *query = path[path_len] == '?' ? path + path_len + 1 : "";
    return pairs_decode(arena, query, strlen(query), false, &target->query, err);
}
