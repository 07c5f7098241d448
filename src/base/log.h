/* One JSON object a line on standard error: time, level, event, then the fields given. Thread-safe; a line is
 * one write.
 *
 *     LOG_INFO("migration applied", LOG_TEXT("name", name), LOG_NUM("ms", ms));
 *
 * Never pass a secret: there is no filter that could know it for one. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_kind { LOG_KIND_TEXT, LOG_KIND_INT, LOG_KIND_DOUBLE, LOG_KIND_BOOL, LOG_KIND_RAW };

struct log_field {
    const char *name;
    enum log_kind kind;
    union {
        const char *text; /* NULL: the field is left out; RAW: valid JSON */
        int64_t number;
        double real;
        bool flag;
    } value;
};

#define LOG_TEXT(n, v) ((struct log_field){ .name = (n), .kind = LOG_KIND_TEXT, .value.text = (v) })
#define LOG_NUM(n, v)  ((struct log_field){ .name = (n), .kind = LOG_KIND_INT, .value.number = (int64_t)(v) })
#define LOG_REAL(n, v) ((struct log_field){ .name = (n), .kind = LOG_KIND_DOUBLE, .value.real = (v) })
#define LOG_FLAG(n, v) ((struct log_field){ .name = (n), .kind = LOG_KIND_BOOL, .value.flag = (v) })
#define LOG_RAW(n, v)  ((struct log_field){ .name = (n), .kind = LOG_KIND_RAW, .value.text = (v) })

/* set up once, before threads start */
void log_init(const char *service, enum log_level level);
void log_to_fd(int fd); /* default 2; tests capture lines with it */
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n);

#define LOG_AT(level, event, ...)                                                                            \
    log_write((level), (event), (const struct log_field[]){ { 0 }, ##__VA_ARGS__ } + 1,                      \
              sizeof((const struct log_field[]){ { 0 }, ##__VA_ARGS__ }) / sizeof(struct log_field) - 1)
#define LOG_DEBUG(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, ##__VA_ARGS__)
#define LOG_INFO(event, ...)  LOG_AT(LOG_LEVEL_INFO, event, ##__VA_ARGS__)
#define LOG_WARN(event, ...)  LOG_AT(LOG_LEVEL_WARN, event, ##__VA_ARGS__)
#define LOG_ERROR(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, ##__VA_ARGS__)

extern const char *const log_level_names[]; /* "debug", "info", "warn", "error", NULL */

#endif
