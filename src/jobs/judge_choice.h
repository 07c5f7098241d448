/* Which trackers are to be judged anew, as an operator or manager says it. */
#ifndef JOBS_JUDGE_CHOICE_H
#define JOBS_JUDGE_CHOICE_H

#include "jobs/judge.h"

/* All that are given must be true of a tracker; all 0: every tracker. */
struct judge_choice {
    int64_t tracker, client;
    int64_t run;      /* it belongs to it, or did once */
    int64_t location; /* a run that it belongs to, or did once, uses the place */
    int64_t from;     /* the first moment that changes; JUDGE_BEGINNING: all of it */
};

/* Put them into the inbox; *trackers is how many. */
MUST_CHECK bool judge_choice_request(const struct judge_choice *choice, struct db *db, int64_t *trackers,
                                     struct error *err);

/* Those that are still in the inbox. */
MUST_CHECK bool judge_choice_waiting(const struct judge_choice *choice, struct db *db, int64_t *trackers,
                                     struct error *err);

/* Compare the next JUDGE_CHOICE_PAGE of them after *last, which advances, adding to preview (judge.h). An
 * open transaction stays open. */
#define JUDGE_CHOICE_PAGE 16 /* all of their reports are in memory at once */
enum judge_page {
    JUDGE_PAGE_FAILED,
    JUDGE_PAGE_DONE, /* there may be another one */
    JUDGE_PAGE_LAST,
};
enum judge_page judge_choice_preview(const struct judging *judging, const struct judge_choice *choice,
                                     int64_t *last, struct json *out, struct judge_preview *preview,
                                     struct error *err);

#endif
