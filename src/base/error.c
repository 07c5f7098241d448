/* Errors with a stable code and a sentence. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool error_set(struct error *err, const char *code, const char *format, ...)
{
    if (err == NULL)
        return false;
    va_list args;
    va_start(args, format);
    err->code = code;
    vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    return false;
}

bool error_prefix(struct error *err, const char *format, ...)
{
    if (err == NULL)
        return false;
    char prefix[256], rest[sizeof(err->message)];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof(prefix), format, args);
    va_end(args);
    memcpy(rest, err->message, sizeof(rest));
    int n = snprintf(err->message, sizeof(err->message), "%s: ", prefix);
    if (n > 0 && (size_t)n < sizeof(err->message))
        snprintf(err->message + n, sizeof(err->message) - (size_t)n, "%.*s",
                 (int)(sizeof(err->message) - (size_t)n - 1), rest);
    return false;
}

bool error_is(const struct error *err, const char *code)
{
    return err->code != NULL && strcmp(err->code, code) == 0;
}
