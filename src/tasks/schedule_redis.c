/* TaskiQ's schedules in Redis: the keys of ListRedisScheduleSource, read as its scheduler reads them.
 *
 * It keeps one object for each schedule and three kinds of lists of ids: by cron, by interval, and by the
 * minute of a one-off. When a schedule ran last stands in PostgreSQL (task_schedule_marks). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/timeutil.h"
#include "tasks/cron.h"
#include "tasks/duration.h"
#include "tasks/keys.h"
#include "tasks/result.h"
#include "tasks/schedule.h"
#include "tasks/value.h"

/* Read at most; a client that leaves more has a mistake that this must not multiply. */
#define MAX_SCHEDULES 5000

/* A schedule's interval counts as over a little early: Python rounds to whole seconds. */
#define INTERVAL_SLACK (SECONDS(1) / 2)

struct redis_schedule {
    const char *id, *task_name, *task_id; /* task_id: NULL for a new one each time */
    const char *cron, *zone;              /* zone: NULL for UTC */
    int64_t shift;                        /* of the clock, when the zone is a length of time */
    int64_t interval, time;               /* microseconds; 0: none */
    const char *time_key;                 /* the list that holds it */
    json_t *args, *kwargs, *labels;
    bool due, handed_over;
};

/* ---- reading ---- */

static const char *text_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* "2026-01-02T03:04:05[.6][Z]"; without a zone it is UTC. */
static bool read_time(struct arena *arena, const char *text, int64_t *usec)
{
    return time_parse(text, usec) || time_parse(arena_printf(arena, "%sZ", text), usec);
}

static int64_t read_interval(const json_t *value)
{
    int64_t usec = 0;
    if (json_is_integer(value) && json_integer_value(value) > 0 &&
        json_integer_value(value) < INT64_C(1) << 31)
        return SECONDS(json_integer_value(value));
    return json_is_string(value) && duration_parse(json_string_value(value), &usec) && usec > 0 ? usec : 0;
}

static const char *time_key(struct arena *arena, int64_t usec)
{
    char text[RFC3339_SIZE];
    time_format(usec, text);
    return arena_printf(arena, TASK_KEY_SCHEDULE ":time:%.16s", text); /* up to the minute */
}

static bool read_schedule(struct arena *arena, const json_t *object, struct redis_schedule *schedule)
{
    const char *zone = text_member(object, "cron_offset"), *time = text_member(object, "time");
    *schedule = (struct redis_schedule){
        .id = text_member(object, "schedule_id"),
        .task_name = text_member(object, "task_name"),
        .task_id = text_member(object, "task_id"),
        .cron = text_member(object, "cron"),
        .interval = read_interval(json_object_get(object, "interval")),
        .args = json_object_get(object, "args"),
        .kwargs = json_object_get(object, "kwargs"),
        .labels = json_object_get(object, "labels"),
    };
    if (schedule->id == NULL || strlen(schedule->id) > 150 || schedule->task_name == NULL ||
        !json_is_array(schedule->args) || !json_is_object(schedule->kwargs) ||
        !json_is_object(schedule->labels))
        return false;
    if (zone != NULL && !duration_parse(zone, &schedule->shift))
        schedule->zone = zone;
    if (time != NULL && !read_time(arena, time, &schedule->time))
        return false;
    if (schedule->time > 0)
        schedule->time_key = time_key(arena, schedule->time);
    return schedule->cron != NULL || schedule->interval > 0 || schedule->time > 0;
}

static bool read_one(struct redis *redis, struct arena *arena, const char *id,
                     struct redis_schedules *schedules)
{
    struct redis_reply reply;
    struct error err = { .message = "a member is missing or of a wrong form" };
    if (!redis_command(redis, arena, &reply, "GET " TASK_KEY_SCHEDULE ":data:%s", id))
        return false;
    if (reply.type != REDIS_TEXT)
        return true; /* an id without an object is passed over */
    const json_t *object = wire_read(arena, reply.text, reply.len, &err);
    if (object != NULL && read_schedule(arena, object, &schedules->list[schedules->count]))
        schedules->count++;
    else
        LOG_WARN("a schedule in Redis cannot be read", LOG_TEXT("schedule", id),
                 LOG_TEXT("message", err.message));
    return true;
}

static bool read_list(struct redis *redis, struct arena *arena, const char *key,
                      struct redis_schedules *schedules)
{
    struct redis_reply ids;
    if (!redis_command(redis, arena, &ids, "LRANGE %s 0 %d", key, MAX_SCHEDULES))
        return false;
    for (size_t i = 0; ids.type == REDIS_LIST && i < ids.count && schedules->count < MAX_SCHEDULES; i++)
        if (!read_one(redis, arena, ids.items[i].text, schedules))
            return false;
    return true;
}

/* The lists of minutes up to this one; names of fixed length, so that their order is that of time. */
static bool read_times(struct redis *redis, struct arena *arena, struct redis_schedules *schedules)
{
    struct redis_reply page;
    const char *now = time_key(arena, time_now()), *cursor = "0";
    do {
        if (!redis_command(redis, arena, &page, "SCAN %s MATCH " TASK_KEY_SCHEDULE ":time:* COUNT 1000",
                           cursor) ||
            page.type != REDIS_LIST || page.count != 2)
            return false;
        for (size_t i = 0; i < page.items[1].count; i++) {
            const char *key = page.items[1].items[i].text;
            if (strlen(key) == strlen(now) && strcmp(key, now) <= 0 &&
                !read_list(redis, arena, key, schedules))
                return false;
        }
        cursor = page.items[0].text;
    } while (strcmp(cursor, "0") != 0);
    return true;
}

bool schedule_redis_read(struct redis *redis, struct arena *arena, struct redis_schedules *schedules)
{
    *schedules = (struct redis_schedules){ .list = arena_zalloc(arena, MAX_SCHEDULES,
                                                                sizeof(*schedules->list)) };
    if (read_list(redis, arena, TASK_KEY_SCHEDULE ":cron", schedules) &&
        read_list(redis, arena, TASK_KEY_SCHEDULE ":interval", schedules) &&
        read_times(redis, arena, schedules))
        return true;
    schedules->count = 0;
    return false;
}

/* ---- due ---- */

static struct cron_time shifted_clock(int64_t usec)
{
    struct tm tm;
    time_t seconds = (time_t)(usec / USEC_PER_SEC);
    gmtime_r(&seconds, &tm);
    return (struct cron_time){ tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min };
}

static bool zone_clock(struct schedule_pass *pass, const char *zone, struct cron_time *time)
{
    struct rows *rows = db_query(pass->db, "SELECT to_char(now() AT TIME ZONE $1, 'YYYY-MM-DD HH24:MI')", "s",
                                 zone);
    return rows_ok(rows) && rows_count(rows) == 1 &&
           sscanf(rows_text(rows, 0, 0), "%d-%d-%d %d:%d", &time->year, &time->month, &time->day, &time->hour,
                  &time->minute) == 5;
}

static bool cron_due(struct schedule_pass *pass, const struct redis_schedule *schedule)
{
    struct cron cron;
    struct error err;
    struct cron_time now = shifted_clock(time_now() + schedule->shift);
    if (!cron_read(schedule->cron, &cron, &err) ||
        (schedule->zone != NULL && !zone_clock(pass, schedule->zone, &now))) {
        LOG_DEBUG("a schedule in Redis never comes", LOG_TEXT("schedule", schedule->id));
        return false;
    }
    return cron_matches(&cron, &now);
}

void schedule_redis_look(struct schedule_pass *pass, struct redis_schedules *schedules)
{
    for (size_t i = 0; i < schedules->count; i++) {
        struct redis_schedule *schedule = &schedules->list[i];
        if (schedule->cron != NULL) /* wins over time, time over interval, as in TaskiQ */
            schedule->due = cron_due(pass, schedule);
        else if (schedule->time > 0)
            schedule->due = schedule->time <= time_now();
        else
            schedule->due = true; /* as the mark says */
    }
}

/* ---- handing over ---- */

/* Notes that it ran now, unless that is noted already: for this minute, this interval, or this one time. */
static bool mark(struct schedule_pass *pass, const struct redis_schedule *schedule, bool *fresh,
                 struct error *err)
{
    int64_t ago = 0; /* how long ago the last run must be; 0: in an earlier minute; -1: there must be none */
    const char *key = schedule->id;
    if (schedule->cron == NULL && schedule->time > 0) {
        ago = -1;
        key = arena_printf(pass->arena, "%s %s", schedule->id, schedule->time_key);
    } else if (schedule->cron == NULL) {
        ago = schedule->interval - INTERVAL_SLACK;
    }
    struct rows *rows = db_query(
        pass->db,
        "INSERT INTO task_schedule_marks AS m (schedule_id, last_run_at) VALUES ($1, now()) "
        "ON CONFLICT (schedule_id) DO UPDATE SET last_run_at = now() WHERE CASE WHEN $2 < 0 THEN false "
        "WHEN $2 = 0 THEN m.last_run_at < date_trunc('minute', now()) "
        "ELSE m.last_run_at <= now() - $2 * interval '1 microsecond' END RETURNING 1",
        "si", key, ago);
    if (!rows_ok(rows))
        return error_set(err, "database_error", "the marks of schedules: %s", rows_message(rows));
    *fresh = rows_count(rows) == 1;
    return true;
}

/* The queue of a message: the label names a stream, the name of ours or of another's; else the task's own. */
static const char *queue_of(const struct schedule_pass *pass, const struct redis_schedule *schedule)
{
    const char *stream = text_member(schedule->labels, "queue_name");
    const struct task_type *type = task_type_find(pass->catalogue, schedule->task_name);
    if (stream != NULL && strncmp(stream, TASK_KEY_STREAM, strlen(TASK_KEY_STREAM)) == 0)
        return stream + strlen(TASK_KEY_STREAM);
    return type != NULL ? type->queue : "default";
}

static bool hand_over(struct schedule_pass *pass, const struct redis_schedule *schedule, struct error *err)
{
    json_t *labels = value_defer(pass->arena, json_deep_copy(schedule->labels));
    json_object_set_new(labels, "schedule_id", json_string(schedule->id));
    const struct task_request task = { .id = schedule->task_id,
                                       .name = schedule->task_name,
                                       .queue = queue_of(pass, schedule),
                                       .args = schedule->args,
                                       .kwargs = schedule->kwargs,
                                       .labels = labels };
    if (schedule->task_id != NULL &&
        task_restart(pass->db, pass->redis, pass->arena, schedule->task_id, err)) {
        pass->ids[pass->count++] = schedule->task_id; /* each run has the same id */
        return true;
    }
    return schedule_add(pass, &task, err);
}

bool schedule_redis_pass(struct schedule_pass *pass, struct redis_schedules *schedules, struct error *err)
{
    for (size_t i = 0; i < schedules->count && pass->count < SCHEDULE_MAX_TASKS; i++) {
        struct redis_schedule *schedule = &schedules->list[i];
        bool fresh = false;
        if (!schedule->due)
            continue;
        if (!mark(pass, schedule, &fresh, err) || (fresh && !hand_over(pass, schedule, err)))
            return false;
        schedule->handed_over = true;
    }
    return true;
}

void schedule_redis_forget(struct schedule_pass *pass, struct redis_schedules *schedules)
{
    struct redis_reply reply;
    for (size_t i = 0; i < schedules->count; i++) {
        struct redis_schedule *schedule = &schedules->list[i];
        if (!schedule->handed_over || schedule->cron != NULL || schedule->time == 0)
            continue;
        if (!redis_command(pass->redis, pass->arena, &reply, "DEL " TASK_KEY_SCHEDULE ":data:%s",
                           schedule->id) ||
            !redis_command(pass->redis, pass->arena, &reply, "LREM %s 0 %s", schedule->time_key,
                           schedule->id))
            return; /* read again later; the mark keeps it from running twice */
        schedule->due = false;
    }
}
