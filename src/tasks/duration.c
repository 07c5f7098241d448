/* Lengths of time in ISO 8601's form. */
#include "tasks/duration.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/timeutil.h"

#define LONGEST (DAYS(366) * 100)

/* "12" or "2.000003" in front of a unit. */
static bool read_amount(const char **text, int64_t unit, int64_t *usec)
{
    char *end;
    if (!isdigit((unsigned char)**text) || strspn(*text, "0123456789.") > 16)
        return false;
    double amount = strtod(*text, &end);
    if (amount * (double)unit > (double)LONGEST)
        return false;
    *usec += (int64_t)(amount * (double)unit + 0.5);
    *text = end;
    return true;
}

bool duration_parse(const char *text, int64_t *usec)
{
    static const struct {
        char letter;
        bool time; /* after the T */
        int64_t unit;
    } units[] = {
        { 'W', false, DAYS(7) },   { 'D', false, DAYS(1) },   { 'H', true, HOURS(1) },
        { 'M', true, MINUTES(1) }, { 'S', true, SECONDS(1) },
    };
    bool minus = *text == '-', in_time = false;
    size_t next = 0, parts = 0;
    int64_t sum = 0;
    text += *text == '-' || *text == '+';
    if (*text++ != 'P')
        return false;
    while (*text != '\0') {
        if (*text == 'T' && !in_time) {
            in_time = true;
            text++;
            continue;
        }
        int64_t part = 0;
        const char *number = text;
        text += strspn(text, "0123456789.");
        while (next < ARRAY_LEN(units) && (units[next].letter != *text || units[next].time != in_time))
            next++;
        if (next == ARRAY_LEN(units) || !read_amount(&number, units[next].unit, &part) || number != text)
            return false;
        sum += part;
        next++;
        parts++;
        text++;
    }
    if (parts == 0 || sum > LONGEST)
        return false;
    *usec = minus ? -sum : sum;
    return true;
}
