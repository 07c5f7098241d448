/* Reading of Accept and Content-Type. */
#include "http/media.h"

#include <string.h>
#include <strings.h>

struct span {
    const char *text;
    size_t len;
};

static struct span trim(const char *text, size_t len)
{
    while (len > 0 && (text[0] == ' ' || text[0] == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    return (struct span){ text, len };
}

static bool span_is(struct span span, const char *word)
{
    return strlen(word) == span.len && strncasecmp(span.text, word, span.len) == 0;
}

/* Up to the separator or the end; quoted strings hold none. *rest is behind the separator. */
static struct span cut(const char *text, size_t len, char separator, struct span *rest)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < len && (quoted || text[i] != separator); i++) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (text[i] == '\\' && quoted && i + 1 < len)
            i++;
    }
    *rest = i < len ? (struct span){ text + i + 1, len - i - 1 } : (struct span){ text + len, 0 };
    return trim(text, i);
}

/* How exactly a range names the type: 3 itself, 2 "type/" and a star, 1 all, 0 not at all. */
static int precision(struct span range, const char *type)
{
    const char *slash = strchr(type, '/');
    size_t major = (size_t)(slash - type) + 1;
    if (span_is(range, type))
        return 3;
    if (range.len == major + 1 && strncasecmp(range.text, type, major) == 0 && range.text[major] == '*')
        return 2;
    return span_is(range, "*/*") ? 1 : 0;
}

/* Is the weight zero ("0", "0.", "0.000")? */
static bool is_zero(struct span weight)
{
    if (weight.len == 0 || weight.text[0] != '0')
        return false;
    for (size_t i = 1; i < weight.len; i++)
        if (weight.text[i] != (i == 1 ? '.' : '0'))
            return false;
    return true;
}

static bool refused(struct span parameters)
{
    while (parameters.len > 0) {
        struct span parameter = cut(parameters.text, parameters.len, ';', &parameters);
        if (parameter.len > 2 && strncasecmp(parameter.text, "q=", 2) == 0)
            return is_zero((struct span){ parameter.text + 2, parameter.len - 2 });
    }
    return false;
}

bool accept_matches(const char *accept, const char *type)
{
    if (accept == NULL || accept[strspn(accept, " \t")] == '\0')
        return true;
    struct span rest = { accept, strlen(accept) };
    int best = 0;
    bool accepted = false;
    while (rest.len > 0) {
        struct span element = cut(rest.text, rest.len, ',', &rest), parameters;
        struct span range = cut(element.text, element.len, ';', &parameters);
        int found = precision(range, type);
        /* The most exact range decides: "text/html;q=0, star/star" takes all but HTML. */
        if (found > best) {
            best = found;
            accepted = !refused(parameters);
        }
    }
    return accepted;
}

bool content_type_is(const char *header, const char *const *types)
{
    if (header == NULL)
        return false;
    struct span parameters, type = cut(header, strlen(header), ';', &parameters);
    bool known = false;
    for (size_t i = 0; types[i] != NULL && !known; i++)
        known = span_is(type, types[i]);
    while (known && parameters.len > 0) {
        struct span parameter = cut(parameters.text, parameters.len, ';', &parameters);
        if (parameter.len > 8 && strncasecmp(parameter.text, "charset=", 8) == 0) {
            struct span charset = { parameter.text + 8, parameter.len - 8 };
            known = span_is(charset, "utf-8") || span_is(charset, "\"utf-8\"");
        }
    }
    return known;
}
