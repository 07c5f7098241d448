/* JSON-lines logger. */
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/timeutil.h"

/* A longer line would be torn by pipes and log shippers. */
#define LINE_MAX_BYTES 32768u

const char *const log_level_names[] = { "debug", "info", "warn", "error", NULL };

static struct {
    const char *service;
    enum log_level level;
    int fd;
} logger = { .service = "trackerd", .level = LOG_LEVEL_INFO, .fd = STDERR_FILENO };

void log_init(const char *service, enum log_level level)
{
    logger.service = service;
    logger.level = level;
}

void log_to_fd(int fd)
{
    logger.fd = fd;
}

bool log_enabled(enum log_level level)
{
    return level >= logger.level;
}

static void put_field(struct json *json, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_KIND_TEXT:
        if (field->value.text != NULL)
            json_put_text(json, field->name, field->value.text);
        break;
    case LOG_KIND_INT:
        json_put_int(json, field->name, field->value.number);
        break;
    case LOG_KIND_DOUBLE:
        json_put_double(json, field->name, field->value.real);
        break;
    case LOG_KIND_BOOL:
        json_put_bool(json, field->name, field->value.flag);
        break;
    case LOG_KIND_RAW:
        if (field->value.text != NULL) {
            json_key(json, field->name);
            json_raw(json, field->value.text, strlen(field->value.text));
        }
        break;
    }
}

static void build_line(struct buf *line, enum log_level level, const char *event,
                       const struct log_field *fields, size_t n)
{
    struct json json;
    json_begin(&json, line);
    json_start_object(&json);
    json_put_time(&json, "time", time_now());
    json_put_text(&json, "level", log_level_names[level]);
    json_put_text(&json, "service", logger.service);
    json_put_text(&json, "event", event);
    for (size_t i = 0; i < n; i++)
        put_field(&json, &fields[i]);
    json_end_object(&json);
    buf_putc(line, '\n');
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
    if (!log_enabled(level))
        return;
    int saved = errno;
    struct buf line = { .max = LINE_MAX_BYTES };
    build_line(&line, level, event, fields, n);
    if (line.overflow) {
        buf_clear(&line);
        build_line(&line, level, event, &LOG_FLAG("truncated", true), 1);
    }
    /* A full or closed log must not stop the service; there is nobody to tell. */
    ssize_t written = write(logger.fd, line.data, line.len);
    (void)written;
    buf_free(&line);
    errno = saved;
}
