/* Time: clocks, RFC 3339. */
#include "base/timeutil.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t time_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

int64_t time_monotonic(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

static int64_t system_now(void *self)
{
    (void)self;
    return time_now();
}

static void system_sleep(void *self, int64_t usec)
{
    (void)self;
    if (usec <= 0)
        return;
    struct timespec left = { .tv_sec = usec / USEC_PER_SEC, .tv_nsec = (usec % USEC_PER_SEC) * 1000 };
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

const struct clock clock_system = { .now = system_now, .sleep = system_sleep };

int64_t clock_now(const struct clock *clock)
{
    return clock->now(clock->self);
}

void clock_sleep(const struct clock *clock, int64_t usec)
{
    clock->sleep(clock->self, usec);
}

/* Days since 1970-01-01 of a proleptic Gregorian date (H. Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms"). */
static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, int *m, int *d)
{
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *y = yoe + era * 400 + (*m <= 2);
}

/* n digits at *p as a number within [min, max]; *p moves past them */
static bool take_digits(const char **p, int n, int min, int max, int *value)
{
    int sum = 0;
    for (int i = 0; i < n; i++) {
        char c = (*p)[i];
        if (c < '0' || c > '9')
            return false;
        sum = sum * 10 + (c - '0');
    }
    *p += n;
    *value = sum;
    return sum >= min && sum <= max;
}

static bool take_char(const char **p, const char *accepted)
{
    if (**p == '\0' || strchr(accepted, **p) == NULL)
        return false;
    (*p)++;
    return true;
}

static int days_in_month(int y, int m)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return days[m - 1] + (m == 2 && leap);
}

static bool take_fraction(const char **p, int64_t *usec)
{
    *usec = 0;
    if (**p != '.')
        return true;
    (*p)++;
    int digits = 0;
    for (; **p >= '0' && **p <= '9'; (*p)++, digits++)
        if (digits < 6)
            *usec = *usec * 10 + (**p - '0');
    for (int i = digits; i < 6; i++)
        *usec *= 10;
    return digits > 0;
}

static bool take_offset(const char **p, int *minutes)
{
    *minutes = 0;
    if (take_char(p, "Zz"))
        return true;
    int hours, mins, sign = **p == '-' ? -1 : 1;
    if (!take_char(p, "+-") || !take_digits(p, 2, 0, 23, &hours) || !take_char(p, ":") ||
        !take_digits(p, 2, 0, 59, &mins))
        return false;
    *minutes = sign * (hours * 60 + mins);
    return true;
}

bool time_parse(const char *text, int64_t *usec)
{
    const char *p = text;
    int year, month, day, hour, minute, second, offset;
    int64_t fraction;
    if (!take_digits(&p, 4, 1, 9999, &year) || !take_char(&p, "-") || !take_digits(&p, 2, 1, 12, &month) ||
        !take_char(&p, "-") || !take_digits(&p, 2, 1, days_in_month(year, month), &day) ||
        !take_char(&p, "Tt ") || !take_digits(&p, 2, 0, 23, &hour) || !take_char(&p, ":") ||
        !take_digits(&p, 2, 0, 59, &minute) || !take_char(&p, ":") || !take_digits(&p, 2, 0, 60, &second) ||
        !take_fraction(&p, &fraction) || !take_offset(&p, &offset) || *p != '\0')
        return false;
    int64_t days = days_from_civil(year, month, day);
    int64_t value = (days * 86400 + hour * 3600 + (minute - offset) * 60 + second) * USEC_PER_SEC + fraction;
    if (value < TIME_MIN || value > TIME_MAX)
        return false;
    *usec = value;
    return true;
}

char *time_format(int64_t usec, char *out)
{
    if (usec < TIME_MIN)
        usec = TIME_MIN;
    if (usec > TIME_MAX)
        usec = TIME_MAX;
    int64_t seconds = usec / USEC_PER_SEC, fraction = usec % USEC_PER_SEC;
    if (fraction < 0) {
        fraction += USEC_PER_SEC;
        seconds--;
    }
    int64_t days = seconds / 86400, rest = seconds % 86400, year;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int month, day;
    civil_from_days(days, &year, &month, &day);
    int n = snprintf(out, RFC3339_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year % 10000, month % 100,
                     day % 100, (int)(rest / 3600) % 100, (int)(rest / 60 % 60), (int)(rest % 60));
    if (fraction != 0) {
        n += snprintf(out + n, RFC3339_SIZE - (size_t)n, ".%06d", (int)fraction % 1000000);
        while (out[n - 1] == '0')
            n--;
    }
    out[n] = 'Z';
    out[n + 1] = '\0';
    return out;
}
