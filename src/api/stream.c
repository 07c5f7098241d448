/* GET /stream: live updates as server-sent events. */
#include <string.h>

#include "api/app.h"
#include "api/live.h"
#include "api/live_hub.h"
#include "base/parse.h"

static const char *const topic_names[] = { "position", "status", "notification", "task", NULL };
static const unsigned topic_bits[] = { TOPIC_POSITION, TOPIC_STATUS, TOPIC_NOTIFICATION, TOPIC_TASK };

/* "position,status"; left out: all. */
static void take_topics(struct request *req, struct live_filter *filter)
{
    const char *text = request_query(req, "topics");
    filter->topics = text == NULL ? TOPIC_ALL : 0;
    char *rest = arena_strdup(req->arena, text);
    for (char *word; rest != NULL && (word = strsep(&rest, ",")) != NULL;) {
        int topic = word_index(topic_names, word);
        if (topic < 0) {
            problem_field(req, "topics", "unknown_value",
                          "must be words of: position, status, notification, task, separated by commas");
            return;
        }
        filter->topics |= topic_bits[topic];
    }
}

static void take_id(struct request *req, const char *name, int64_t *id)
{
    const char *text = request_query(req, name);
    if (text != NULL && !parse_i64_range(text, 1, INT64_MAX, id))
        problem_field(req, name, "invalid", "must be the id of a row");
}

/* The id of the last event that the reader saw, in the form in which it was sent. What else it may be is not
 * known here, which is answered by a reset. */
static const struct live_id *take_last(struct request *req, struct live_id *last)
{
    const char *text = sse_last_event_id(req);
    if (text == NULL || text[0] == '\0')
        return NULL;
    if (!live_id_parse(text, last))
        *last = (struct live_id){ 0 };
    return last;
}

static void get_stream(struct request *req)
{
    static const char *const known[] = { "topics", "client_id", "production_run_id", "tracker_id", NULL };
    struct live_filter filter = { 0 };
    struct live_id last;
    if (!query_known(req, known))
        return;
    take_topics(req, &filter);
    take_id(req, "client_id", &filter.client_id);
    take_id(req, "production_run_id", &filter.production_run_id);
    take_id(req, "tracker_id", &filter.tracker_id);
    if (problem_pending(req)) {
        reply_invalid(req);
        return;
    }
    reply_header(req, "Cache-Control", "no-store, no-transform");
    live_hub_open(req->app->live, req, &filter, take_last(req, &last));
}

static const struct parameter parameters[] = {
    { .name = "topics",
      .type = VALUE_TEXT,
      .about =
          "Kinds of events, separated by commas: position, status, notification, task. All when left out." },
    { .name = "client_id", .type = VALUE_ID, .about = "Only events of this client." },
    { .name = "production_run_id", .type = VALUE_ID, .about = "Only events of this production run." },
    { .name = "tracker_id", .type = VALUE_ID, .about = "Only events of this tracker." },
    { .name = "Last-Event-ID",
      .type = VALUE_TEXT,
      .in = "header",
      .about = "Id of the last event seen before a lost connection; browsers send it by themselves." },
};
static const struct answer answers[] = {
    { 200, "LiveEvents", "Events, until either side closes.", "text/event-stream" },
    { 422, "Problem", "A parameter is not valid.", "application/problem+json" },
};

const struct route stream_routes[] = {
    { .method = HTTP_GET,
      .path = "/api/v1/stream",
      .handle = get_stream,
      .access = ACCESS_USER,
      .tag = "live updates",
      .summary = "Live updates as server-sent events",
      .about =
          "`position` when a tracker was seen somewhere new, `status` when its status or place changed, "
          "`notification` for the caller's own, `task` for the progress of tasks. Data is one JSON object. "
          "`reset` says that events may be missing: read again what is shown. An event with an id and no "
          "data only moves the id from which a lost connection resumes. API keys need the scope stream:read.",
      .operation_id = "stream",
      .parameters = parameters,
      .parameter_count = ARRAY_LEN(parameters),
      .answers = answers,
      .answer_count = ARRAY_LEN(answers) },
};
const size_t stream_route_count = ARRAY_LEN(stream_routes);

void live_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "LiveEvents",
        "{\"type\":\"string\",\"description\":\"text/event-stream: id, event and data lines; see the guide to live "
        "updates.\"}");
}
