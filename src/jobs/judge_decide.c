/* The judge's decisions for a batch: reports through the rules of src/tracking, into lists of rows. */
#include <math.h>
#include <string.h>

#include "jobs/judge_batch.h"

void *batch_room(struct arena *arena, void *items, size_t size, size_t count, size_t *room)
{
    static const size_t first = 64;
    if (count < *room)
        return items;
    *room = *room > 0 ? 2 * *room : first;
    void *more = arena_alloc(arena, *room * size);
    if (count > 0)
        memcpy(more, items, count * size);
    return more;
}

/* Rows of one tracker on their way: changes are put together with overrides when all are known. */
struct deciding {
    const struct rules *rules;
    struct arena *arena;
    struct batch *batch;
    struct subject *subject;
    struct {
        struct change *items;
        size_t count, room;
    } changes;
};

static void add_exception(struct deciding *deciding, const struct exception *exception)
{
    *BATCH_ADD(deciding->arena, deciding->batch->exceptions) =
        (typeof(*deciding->batch->exceptions.items)){ deciding->subject, *exception };
}

static void add_flag(struct deciding *deciding, const struct report *report, enum report_flag flag)
{
    *BATCH_ADD(deciding->arena, deciding->batch->flags) =
        (struct flagged){ .tracker = deciding->subject->tracker,
                          .at = report->at,
                          .latitude_e7 = (int32_t)lround(report->latitude * 1e7),
                          .longitude_e7 = (int32_t)lround(report->longitude * 1e7),
                          .reason = report_flag_names[flag] };
}

static void decide_report(struct deciding *deciding, const struct report *report)
{
    struct subject *subject = deciding->subject;
    struct batch *batch = deciding->batch;
    struct exception ended[EXCEPTION_KINDS];
    struct verdict verdict;

    judge_report(&subject->state, report, deciding->rules, &verdict);
    for (size_t i = 0; i < verdict.event_count; i++)
        *BATCH_ADD(deciding->arena, batch->events) = (typeof(*batch->events.items)){ subject,
                                                                                     verdict.events[i] };
    if (verdict.changed)
        *BATCH_ADD(deciding->arena, deciding->changes) = verdict.change;

    size_t n = watch_report(&subject->watch, report, &subject->state, &verdict, deciding->rules, ended);
    for (size_t i = 0; i < n; i++)
        add_exception(deciding, &ended[i]);
    subject->judged_until = report->at;
}

static void decide_history(struct deciding *deciding)
{
    struct subject *subject = deciding->subject;
    struct batch *batch = deciding->batch;
    struct status_row row;
    size_t change = 0, override = 0;

    while (timeline_next(deciding->changes.items, deciding->changes.count, &change, subject->overrides,
                         subject->override_count, &override, &subject->shown, &row)) {
        *BATCH_ADD(deciding->arena, batch->history) = (typeof(*batch->history.items)){ subject, row };
        subject->shown_since = row.since;
    }
}

static void decide_subject(struct deciding *deciding)
{
    struct subject *subject = deciding->subject;
    enum report_flag *flags = arena_alloc(deciding->arena, (subject->loaded_count + 1) * sizeof(*flags));

    deciding->changes.count = 0;
    report_flag_all(subject->loaded, subject->loaded_count, subject->before.at != 0 ? &subject->before : NULL,
                    deciding->rules, flags);
    for (size_t i = 0; i < subject->loaded_count; i++) {
        if (flags[i] == FLAG_NONE)
            decide_report(deciding, &subject->loaded[i]);
        else
            add_flag(deciding, &subject->loaded[i], flags[i]);
    }
    for (int i = 0; i < EXCEPTION_KINDS; i++)
        if (subject->watch.open[i].since != 0)
            add_exception(deciding, &subject->watch.open[i]);
    decide_history(deciding);
}

void judge_decide(const struct rules *rules, struct arena *arena, struct batch *batch)
{
    struct deciding deciding = { .rules = rules, .arena = arena, .batch = batch };
    for (size_t i = 0; i < batch->count; i++) {
        deciding.subject = &batch->subjects[i];
        decide_subject(&deciding);
    }
}
