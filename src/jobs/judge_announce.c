/* Who hears of a batch after its commit: open streams of positions and statuses, and the notifier. */
#include "jobs/judge_batch.h"
#include "store/live.h"
#include "store/settle.h"
#include "tasks/queue.h"

static void put_id(struct json *json, const char *key, int64_t id)
{
    if (id != 0)
        json_put_int(json, key, id);
    else
        json_put_null(json, key);
}

static void put_position(struct json *json, const struct subject *subject)
{
    static const char *const batteries[] = { "full", "medium", "low", "very_low" }; /* battery_of() */
    const struct report *newest = &subject->loaded[subject->loaded_count - 1];

    json_key(json, "position");
    json_start_object(json);
    json_put_double(json, "latitude", newest->latitude);
    json_put_double(json, "longitude", newest->longitude);
    json_end_object(json);
    json_put_double(json, "accuracy_m", newest->accuracy);
    json_put_time(json, "reported_at", newest->at);
    json_put_text(json, "battery",
                  subject->battery_status < 0 ? NULL : batteries[subject->battery_status >> 6 & 3]);
}

static void put_status(struct json *json, const struct subject *subject)
{
    json_put_text(json, "status", status_names[subject->shown.status]);
    json_put_time(json, "status_since", subject->shown_since);
    put_id(json, "location_id", subject->shown.location);
    json_put_text(json, "previous_status", status_names[subject->old.shown.status]);
}

static struct live_event event_of(struct arena *arena, const struct subject *subject, const char *kind,
                                  void (*put)(struct json *json, const struct subject *subject))
{
    struct buf buf = { 0 };
    struct json json;
    json_begin(&json, &buf);
    json_start_object(&json);
    json_put_int(&json, "tracker_id", subject->tracker);
    put_id(&json, "production_run_id", subject->run);
    put(&json, subject);
    json_end_object(&json);
    const struct live_event event = { .client_id = subject->client,
                                      .tracker_id = subject->tracker,
                                      .production_run_id = subject->run,
                                      .kind = kind,
                                      .data = arena_strdup(arena, buf_text(&buf)) };
    buf_free(&buf);
    return event;
}

static bool has_moved(const struct subject *subject)
{
    return subject->loaded_count > 0 &&
           subject->loaded[subject->loaded_count - 1].at > subject->old.last_report_at;
}

static bool has_changed(const struct subject *subject)
{
    return subject->shown.status != subject->old.shown.status ||
           subject->shown.location != subject->old.shown.location;
}

void judge_announce(const struct judging *judging, const struct batch *batch)
{
    if (judging->redis == NULL)
        return;
    struct live_event *events = arena_zalloc(judging->arena, 2 * batch->count + 1, sizeof(*events));
    size_t n = 0;
    bool facts = false;
    for (size_t i = 0; i < batch->count; i++) {
        const struct subject *subject = &batch->subjects[i];
        facts = facts || subject->changed_from != 0;
        if (has_moved(subject))
            events[n++] = event_of(judging->arena, subject, LIVE_POSITION, put_position);
        if (has_changed(subject))
            events[n++] = event_of(judging->arena, subject, LIVE_STATUS, put_status);
    }
    if (n > 0) {
        settle_now(judging->db, judging->redis); /* who hears of it and reads must see it */
        (void)live_publish(judging->redis, events, n);
    }
    if (facts)
        (void)task_hint(judging->redis, "notify.facts");
}
