/* Cron expressions in the dialect of pycron. */
#include "tasks/cron.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIELD_SIZE   200 /* longest field, with its NUL */
#define SEARCH_YEARS 10
#define DAYS_IN_WEEK 7
#define NO_NUMBER    (-1)
#define LARGEST      1000000 /* numbers beyond are as good as this one: they match nothing */

static const char *const day_names[] = { "sunday",   "monday", "tuesday", "wednesday",
                                         "thursday", "friday", "saturday" };

/* ---- one field ---- */

/* A number, or a day's name or its first three letters; NO_NUMBER when it is neither. */
static int number(const char *text, size_t len, bool names)
{
    int value = 0;
    size_t i = 0;
    for (; i < len && isdigit((unsigned char)text[i]) && value < LARGEST; i++)
        value = value * 10 + text[i] - '0';
    while (i < len && isdigit((unsigned char)text[i]))
        i++;
    if (len > 0 && i == len)
        return value;
    for (int day = 0; names && day < DAYS_IN_WEEK; day++)
        if ((len == 3 || len == strlen(day_names[day])) && strncasecmp(text, day_names[day], len) == 0)
            return day;
    return NO_NUMBER;
}

static void set(uint64_t *mask, int value)
{
    if (value >= 0 && value < 64)
        *mask |= UINT64_C(1) << value;
}

struct part {
    const char *text;
    size_t len;
    int least, most; /* of the field */
    bool names;
};

/* "a-b" or "a-b/step". False: no range. *bad: a step of zero. *wrapped: it ends before it begins. */
static bool read_range(const struct part *part, uint64_t *mask, bool *bad, bool *wrapped)
{
    const char *dash = memchr(part->text, '-', part->len), *end = part->text + part->len;
    const char *slash = memchr(part->text, '/', part->len);
    if (dash == NULL || memchr(dash + 1, '-', (size_t)(end - dash - 1)) != NULL ||
        (slash != NULL && slash < dash))
        return false;
    if (slash != NULL && memchr(slash + 1, '/', (size_t)(end - slash - 1)) != NULL)
        return false;
    const char *to_end = slash != NULL ? slash : end;
    int from = number(part->text, (size_t)(dash - part->text), part->names && slash == NULL);
    int to = number(dash + 1, (size_t)(to_end - dash - 1), part->names);
    int step = slash != NULL ? number(slash + 1, (size_t)(end - slash - 1), part->names) : 1;
    if (from == NO_NUMBER || to == NO_NUMBER || step == NO_NUMBER)
        return false;
    if (step == 0) {
        *bad = true;
        return false;
    }
    if (part->names &&
        from > to) { /* pycron: fri-sun is 5, 6 and never comes round to 0, whatever the step */
        to += DAYS_IN_WEEK - 1;
        step = 1;
        *wrapped = true;
    }
    for (int value = from; value <= to && value < 64; value += step)
        set(mask, value);
    return true;
}

/* "*" with a step. */
static bool read_step(const struct part *part, uint64_t *mask, bool *bad)
{
    if (part->len < 3 || part->text[0] != '*' || part->text[1] != '/')
        return false;
    int step = number(part->text + 2, part->len - 2, part->names);
    if (step == NO_NUMBER)
        return false;
    *bad = step == 0;
    for (int value = part->least; !*bad && value <= part->most; value += step)
        set(mask, value);
    return !*bad;
}

static bool in_bounds(const struct part *part, uint64_t mask)
{
    for (int value = 0; value < 64; value++)
        if ((mask >> value & 1) && (value < part->least || value > part->most))
            return false;
    return mask != 0;
}

/* One field's mask. strict: every part of the list has to be understood and within the bounds. */
static bool read_field(const char *text, const struct part *bounds, bool strict, uint64_t *mask,
                       struct error *err)
{
    *mask = 0;
    if (strcmp(text, "*") == 0) {
        for (int value = bounds->least; value <= bounds->most; value++)
            set(mask, value);
        return true;
    }
    bool wrapped = false; /* pycron then looks at no further part */
    for (const char *at = text; *at != '\0' && !wrapped;) {
        struct part part = *bounds;
        uint64_t own = 0;
        bool bad = false;
        part.text = at;
        part.len = strcspn(at, ",");
        int value = number(part.text, part.len, part.names);
        bool understood = value != NO_NUMBER || read_range(&part, &own, &bad, &wrapped) ||
                          read_step(&part, &own, &bad);
        set(&own, value);
        if (bad)
            return error_set(err, "cron_invalid", "\"%s\": a step of zero", text);
        if (strict && (!understood || wrapped || !in_bounds(&part, own)))
            return error_set(err, "cron_invalid",
                             "\"%.*s\" would never match; it takes numbers from %d to %d%s", (int)part.len,
                             part.text, part.least, part.most,
                             part.names ? " (0 is Sunday) or names of days" : "");
        *mask |= own;
        at += part.len + (at[part.len] == ',');
    }
    return !strict || *mask != 0 || error_set(err, "cron_invalid", "a field is empty");
}

/* ---- the expression ---- */

static bool split(const char *text, char fields[5][FIELD_SIZE])
{
    for (int i = 0; i < 5; i++) {
        size_t len = strcspn(text, " ");
        if (len == 0 || len >= FIELD_SIZE || (text[len] == '\0') != (i == 4))
            return false;
        memcpy(fields[i], text, len);
        fields[i][len] = '\0';
        text += len + 1;
    }
    return true;
}

static bool read_all(const char *text, bool strict, struct cron *cron, struct error *err)
{
    char fields[5][FIELD_SIZE];
    const struct part bounds[5] = { { .least = 0, .most = 59 },
                                    { .least = 0, .most = 23 },
                                    { .least = 1, .most = 31 },
                                    { .least = 1, .most = 12 },
                                    { .least = 0, .most = 6, .names = true } };
    struct cron read = { 0 };
    uint64_t *masks[5] = { &read.minutes, &read.hours, &read.days, &read.months, &read.weekdays };
    if (!split(text, fields))
        return error_set(err, "cron_invalid",
                         "five fields separated by single spaces: minute, hour, day, month, day of the week");
    for (int i = 0; i < 5; i++)
        if (!read_field(fields[i], &bounds[i], strict, masks[i], err))
            return false;
    read.either_day = strchr(fields[2], '*') == NULL && strchr(fields[4], '*') == NULL;
    *cron = read;
    return true;
}

bool cron_read(const char *text, struct cron *cron, struct error *err)
{
    return read_all(text, false, cron, err);
}

bool cron_parse(const char *text, struct cron *cron, struct error *err)
{
    return read_all(text, true, cron, err);
}

/* ---- time ---- */

static bool leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return days[(month - 1) % 12] + (month == 2 && leap(year));
}

/* Sakamoto's method. */
int cron_weekday(int year, int month, int day)
{
    static const int shift[] = { 0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4 };
    if (month < 3)
        year--;
    return (year + year / 4 - year / 100 + year / 400 + shift[(month - 1) % 12] + day) % DAYS_IN_WEEK;
}

static bool day_matches(const struct cron *cron, const struct cron_time *time)
{
    bool day = cron->days >> time->day & 1;
    bool weekday = cron->weekdays >> cron_weekday(time->year, time->month, time->day) & 1;
    return (cron->months >> time->month & 1) && (cron->either_day ? day || weekday : day && weekday);
}

bool cron_matches(const struct cron *cron, const struct cron_time *time)
{
    return (cron->minutes >> time->minute & 1) && (cron->hours >> time->hour & 1) && day_matches(cron, time);
}

static void next_day(struct cron_time *time)
{
    time->hour = time->minute = 0;
    if (++time->day <= month_days(time->year, time->month))
        return;
    time->day = 1;
    if (++time->month <= 12)
        return;
    time->month = 1;
    time->year++;
}

bool cron_next(const struct cron *cron, const struct cron_time *time, struct cron_time *next)
{
    struct cron_time at = *time;
    at.minute++; /* may be 60 here: the loop over minutes then finds none in this hour */
    for (; at.year <= time->year + SEARCH_YEARS; next_day(&at)) {
        if (!day_matches(cron, &at))
            continue;
        for (; at.hour < 24; at.hour++, at.minute = 0)
            for (; (cron->hours >> at.hour & 1) && at.minute < 60; at.minute++)
                if (cron->minutes >> at.minute & 1) {
                    *next = at;
                    return true;
                }
    }
    return false;
}
