/* Strict number and word parsers. */
#include "base/parse.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/timeutil.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool parse_i64(const char *text, int64_t *value)
{
    const char *p = text;
    bool negative = *p == '-';
    p += negative;
    if (!is_digit(*p) || (p[0] == '0' && (p[1] != '\0' || negative)))
        return false;
    int64_t sum = 0;
    for (; is_digit(*p); p++) {
        int digit = *p - '0';
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, negative ? -digit : digit, &sum))
            return false;
    }
    if (*p != '\0')
        return false;
    *value = sum;
    return true;
}

bool parse_i64_range(const char *text, int64_t min, int64_t max, int64_t *value)
{
    int64_t number;
    if (!parse_i64(text, &number) || number < min || number > max)
        return false;
    *value = number;
    return true;
}

bool parse_double(const char *text, double *value)
{
    /* strtod takes hex, "inf" and leading space as well; only JSON's form is let through to it. */
    const char *p = text + (*text == '-');
    if (!is_digit(*p) || (p[0] == '0' && is_digit(p[1])))
        return false;
    p += strspn(p, "0123456789");
    if (*p == '.') {
        if (!is_digit(*++p))
            return false;
        p += strspn(p, "0123456789");
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        if (!is_digit(*p))
            return false;
        p += strspn(p, "0123456789");
    }
    if (*p != '\0')
        return false;
    double number = strtod(text, NULL);
    if (!isfinite(number))
        return false;
    *value = number;
    return true;
}

bool parse_bool(const char *text, bool *value)
{
    static const char *const yes[] = { "true", "1", "yes", "on" }, *const no[] = { "false", "0", "no",
                                                                                   "off" };
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *value = strcasecmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

struct unit {
    const char *name;
    int64_t factor;
};

/* number * factor of the unit that follows the digits */
static bool parse_with_unit(const char *text, const struct unit *units, size_t n, int64_t *value)
{
    size_t digits = strspn(text, "0123456789");
    char number[20];
    if (digits == 0 || digits >= sizeof(number))
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    int64_t count;
    if (!parse_i64(number, &count))
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(text + digits, units[i].name) == 0)
            return !__builtin_mul_overflow(count, units[i].factor, value);
    return false;
}

bool parse_duration(const char *text, int64_t *usec)
{
    static const struct unit units[] = { { "", USEC_PER_SEC },
                                         { "ms", 1000 },
                                         { "s", USEC_PER_SEC },
                                         { "m", 60 * USEC_PER_SEC },
                                         { "h", 3600 * USEC_PER_SEC },
                                         { "d", 86400 * USEC_PER_SEC },
                                         { "us", 1 } };
    int64_t value;
    if (!parse_with_unit(text, units, ARRAY_LEN(units), &value))
        return false;
    *usec = value;
    return true;
}

bool parse_size(const char *text, int64_t *bytes)
{
    static const struct unit units[] = {
        { "", 1 }, { "K", 1024 }, { "M", 1024 * 1024 }, { "G", 1024 * 1024 * 1024 }
    };
    int64_t value;
    if (!parse_with_unit(text, units, ARRAY_LEN(units), &value))
        return false;
    *bytes = value;
    return true;
}

bool text_copy(char *out, size_t size, const char *text)
{
    size_t len = strlen(text);
    if (len >= size)
        return false;
    memcpy(out, text, len + 1);
    return true;
}

size_t edit_distance(const char *a, const char *b, size_t limit)
{
    enum { MAX_WORD = 64 }; /* longer than any setting or field name */
    size_t la = strlen(a), lb = strlen(b);
    if (la >= MAX_WORD || lb >= MAX_WORD || (la > lb ? la - lb : lb - la) > limit)
        return limit + 1;
    size_t row[MAX_WORD];
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[lb] < limit ? row[lb] : (row[lb] == limit ? limit : limit + 1);
}

int word_index(const char *const *words, const char *word)
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}
