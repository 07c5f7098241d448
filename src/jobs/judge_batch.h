/* A batch of trackers on its way through the judge: loaded (judge_load.c), decided (judge_decide.c), written
 * (judge_write.c). Private to the judge. */
#ifndef JOBS_JUDGE_BATCH_H
#define JOBS_JUDGE_BATCH_H

#include "jobs/failure.h"
#include "jobs/judge.h"
#include "tracking/timeline.h"
#include "tracking/watch.h"

/* What a tracker shows in its own row. */
struct current {
    struct shown shown;
    int64_t last_report_at; /* 0: none */
};

/* One tracker of the batch. */
struct subject {
    int64_t tracker, client, run; /* run: of this moment, 0: none */
    int64_t from;                 /* derived rows from this time on are made anew */
    int64_t reports;              /* from then on */
    bool has_overrides, has_exceptions;
    bool too_much; /* for the memory of this batch: left to a later one */

    /* as it is at `from` */
    struct judge_state state;
    struct watch watch;
    struct report before; /* the last usable report ahead of from; at 0: none */
    struct shown shown;
    int64_t shown_since;

    struct current old; /* its row in trackers before */

    /* what is judged, in order */
    struct report *loaded;
    size_t loaded_count;
    int battery_status; /* status byte of the newest report, -1: none */
    struct override *overrides;
    size_t override_count;

    /* what came of it */
    int64_t judged_until; /* 0: nothing was judged */
    int64_t changed_from; /* earliest row of the history that was replaced; 0: none */
};

/* Growing lists in the arena; each row names its subject. */
struct flagged {
    int64_t tracker, at;
    int32_t latitude_e7, longitude_e7;
    const char *reason;
};

struct batch {
    struct subject *subjects; /* by ascending tracker */
    size_t count;
    struct {
        struct {
            const struct subject *subject;
            struct status_row row;
        } * items;
        size_t count, room;
    } history;
    struct {
        struct {
            const struct subject *subject;
            struct event event;
        } * items;
        size_t count, room;
    } events;
    struct {
        struct {
            const struct subject *subject;
            struct exception exception;
        } * items;
        size_t count, room;
    } exceptions;
    struct {
        struct flagged *items;
        size_t count, room;
    } flags;
};

/* Make room for one more in a list of the batch; evaluates to the new last item. */
#define BATCH_ADD(arena, list)                                                                               \
    ((list).items = batch_room((arena), (list).items, sizeof(*(list).items), (list).count, &(list).room),    \
     &(list).items[(list).count++])
void *batch_room(struct arena *arena, void *items, size_t size, size_t count, size_t *room);

struct rules judge_rules(const struct config *config);

/* Where judging has to begin for each claim, and what is so at that moment. */
MUST_CHECK bool judge_resume(const struct judging *judging, const struct judge_claim *claims, size_t n,
                             struct batch *batch, struct error *err);

/* Reports with the places near them, and overrides. */
MUST_CHECK bool judge_load(const struct judging *judging, struct batch *batch, struct error *err);

/* Pure: fills history, events, exceptions, flags and the subjects' outcome. */
void judge_decide(const struct rules *rules, struct arena *arena, struct batch *batch);

/* Replace what differs, in the open transaction. */
MUST_CHECK bool judge_write(const struct judging *judging, struct batch *batch, struct error *err);

/* What judge_write would replace in history and events. */
MUST_CHECK bool judge_compare(const struct judging *judging, struct batch *batch, struct json *out,
                              struct judge_preview *preview, struct error *err);

/* Tell open streams and the notifier, after the commit. */
void judge_announce(const struct judging *judging, const struct batch *batch);

#endif
