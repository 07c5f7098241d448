/* Open streams of this process, and the two threads that serve them: one reads the live bus and hands each
 * event to the streams that may see it, the other looks whether their readers' rights still hold.
 *
 * A stream sees what its reader's rights allow and its filter asks for. It begins with what followed the last
 * event that the reader saw, or with a `reset` when that is not known any more; so does every stream when
 * events may have been lost (Redis was away or flushed). */
#ifndef API_LIVE_HUB_H
#define API_LIVE_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/auth.h"
#include "auth/principal.h"
#include "base/config.h"
#include "base/error.h"
#include "http/sse.h"
#include "store/live.h"
#include "store/redis.h"

struct live_hub;
struct cache_peers;

/* Kinds of events, as bits of a filter. */
enum live_topic {
    TOPIC_POSITION = 1,
    TOPIC_STATUS = 2,
    TOPIC_NOTIFICATION = 4,
    TOPIC_TASK = 8,
    TOPIC_ALL = 15
};

struct live_filter {
    unsigned topics;                                  /* enum live_topic */
    int64_t client_id, production_run_id, tracker_id; /* 0: any */
};

/* Whose eyes and what of it, without the stream: may the principal see the event, and does the filter want
 * it? */
bool live_visible(const struct principal *principal, const struct live_filter *filter,
                  const struct live_event *event);

/* All outlive the hub. Its threads also serve peers, who live on the same bus. */
struct live_hub *live_hub_new(const struct config *config, struct auth *auth, struct cache_peers *peers);
void live_hub_free(struct live_hub *hub); /* after stop, and after the server stopped; NULL is allowed */

/* Starts and ends the threads. Streams may be opened before the start: they are served from then on. */
MUST_CHECK bool live_hub_start(struct live_hub *hub, struct error *err);
void live_hub_stop(struct live_hub *hub);

/* Answers the request with a stream that goes on after `last` (NULL: the reader is new). */
void live_hub_open(struct live_hub *hub, struct request *req, const struct live_filter *filter,
                   const struct live_id *last);

#endif
