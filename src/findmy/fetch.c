/* A whole fetch: groups of ids, retries, signing in again, and the verdict. */
#include "findmy/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

const char *const fetch_verdict_names[FETCH_VERDICTS + 1] = {
    [FETCH_DONE] = "done",
    [FETCH_LATER] = "later",
    [FETCH_SIGN_IN] = "sign_in",
    [FETCH_SECOND_FACTOR] = "second_factor",
    [FETCH_LOCKED] = "account_locked",
    [FETCH_OUR_FAULT] = "our_fault",
    [FETCH_VERDICTS] = NULL,
};

#define FUTURE_LIMIT HOURS(12)
#define PAST_LIMIT   DAYS(8) /* Apple keeps reports for seven days */

/* Ids that are asked for together; follow-ups for silent ids are smaller and smaller. */
struct group {
    size_t *members; /* indices into the job's ids */
    size_t count, level;
    struct group *next;
};

struct run {
    struct account *account;
    const struct account_env *env;
    const struct fetch_job *job;
    struct arena *arena;
    struct fetch_result *result;
    struct group *first, **last;
    int64_t follow_ups;
    bool signed_in_again, paused_before;
    bool too_large; /* the last answer was larger than allowed */
    size_t room;
    int64_t wait; /* as told by Retry-After */
};

static const struct profile *profile_of(const struct run *run)
{
    return run->env->provider->profile;
}

/* ---- groups ---- */

static void push_group(struct run *run, const size_t *members, size_t count, size_t level)
{
    struct group *group = arena_zalloc(run->arena, 1, sizeof(*group));
    *group = (struct group){ arena_memdup(run->arena, members, count * sizeof(size_t)), count, level, NULL };
    *run->last = group;
    run->last = &group->next;
}

static void push_all(struct run *run)
{
    size_t *members = arena_alloc(run->arena, (run->job->count + 1) * sizeof(size_t));
    for (size_t i = 0; i < run->job->count; i++)
        members[i] = i;
    for (size_t at = 0, n; at < run->job->count; at += n) {
        n = fetch_batch(run->job->count - at, profile_of(run)->fetch.ids_per_request);
        push_group(run, members + at, n, 0);
    }
}

/* Ask silent ids again in groups of the next smaller size, as far as the budget goes. */
static void push_follow_ups(struct run *run, const struct group *group, const size_t *silent, size_t count)
{
    const struct profile_steps *sizes = &profile_of(run)->fetch.regroup;
    size_t level = group->level, at = 0;
    while (level < sizes->count && (size_t)sizes->items[level] >= group->count)
        level++;
    if (level == sizes->count) {
        run->result->unsure += count;
        return;
    }
    while (at < count && run->follow_ups < profile_of(run)->fetch.follow_ups) {
        size_t n = fetch_batch(count - at, sizes->items[level]);
        push_group(run, silent + at, n, level + 1);
        run->follow_ups++;
        at += n;
    }
    run->result->unsure += count - at;
}

/* ---- collecting ---- */

static void keep_report(struct run *run, const struct fetch_report *report, size_t id)
{
    struct fetch_result *result = run->result;
    if (result->count == run->room) {
        size_t room = run->room != 0 ? run->room * 2 : 256;
        struct fetch_report *grown = arena_alloc(run->arena, room * sizeof(*grown));
        if (result->count > 0)
            memcpy(grown, result->reports, result->count * sizeof(*grown));
        result->reports = grown;
        run->room = room;
    }
    result->reports[result->count] = *report;
    result->reports[result->count].id = id;
    result->reports[result->count++].payload = arena_memdup(run->arena, report->payload, report->len);
}

static void keep_answer(struct run *run, const struct group *group, const struct fetch_answer *answer)
{
    bool *heard = arena_zalloc(run->arena, group->count + 1, sizeof(bool));
    size_t *silent = arena_alloc(run->arena, (group->count + 1) * sizeof(size_t)), silent_count = 0;
    for (size_t i = 0; i < answer->count; i++) {
        heard[answer->reports[i].id] = true;
        keep_report(run, &answer->reports[i], group->members[answer->reports[i].id]);
    }
    for (size_t i = 0; i < group->count; i++) {
        run->result->asked[group->members[i]] = true;
        if (!heard[i])
            silent[silent_count++] = group->members[i];
    }
    run->result->counts.duplicates += answer->counts.duplicates;
    run->result->counts.ignored += answer->counts.ignored;
    run->result->counts.malformed += answer->counts.malformed;
    uint64_t size = answer->count + answer->counts.duplicates;
    if (silent_count > 0 && size >= (uint64_t)profile_of(run)->fetch.full_answer)
        push_follow_ups(run, group, silent, silent_count);
}

static int by_time(const void *left, const void *right)
{
    const struct fetch_report *a = left, *b = right;
    return a->time != b->time ? (a->time < b->time ? -1 : 1) : (a->id > b->id) - (a->id < b->id);
}

/* ---- one request ---- */

static bool put_headers(struct run *run, struct httpc_header_list *list, struct arena *arena)
{
    const struct profile *profile = profile_of(run);
    struct account *account = run->account;
    struct anisette_values values;
    struct error err;
    if (!anisette_get(run->env->provider->anisette, &account->machine, &values, &err)) {
        snprintf(run->result->message, sizeof(run->result->message), "%s: %.200s", err.code, err.message);
        return false;
    }
    httpc_put(list, "Content-Type", "application/json");
    httpc_put(list, "Accept", "application/json");
    httpc_put(list, "User-Agent", profile->identity.fetch_user_agent);
    httpc_put(list, "X-Mme-Client-Info", profile->identity.fetch_client_info);
    httpc_put(list, "Authorization",
              httpc_basic(arena, account->tokens.dsid, account->tokens.search_party_token));
    anisette_put_headers(list, &values, &account->machine, profile, clock_now(run->env->provider->clock),
                         arena);
    profile_put_headers(profile, PROFILE_FETCH, list);
    return true;
}

/* Send one group once and read the answer into `arena`. */
static void send_group(struct run *run, const struct group *group, struct arena *arena,
                       struct fetch_answer *answer)
{
    const struct profile *profile = profile_of(run);
    enum profile_api api = (enum profile_api)profile->fetch.api;
    struct httpc_header_list list = { 0 };
    struct http_in resp;
    struct error err;
    size_t len;

    memset(answer, 0, sizeof(*answer));
    answer->outcome = FETCH_SERVER_ERROR;
    run->wait = 0;
    run->too_large = false;
    if (!put_headers(run, &list, arena)) {
        snprintf(answer->message, sizeof(answer->message), "%.150s", run->result->message);
        return;
    }
    struct fetch_id *ids = arena_alloc(arena, group->count * sizeof(*ids));
    for (size_t i = 0; i < group->count; i++)
        ids[i] = run->job->ids[group->members[i]];
    char *body = fetch_body(profile, api, ids, group->count, run->job->from, run->job->to, arena, &len);
    const struct http_out req = {
        .method = "POST",
        .url = fetch_url(profile, api),
        .headers = list.items,
        .header_count = list.count,
        .body = body,
        .body_len = len,
        .timeout = profile->fetch.timeout,
        .max_body = (size_t)profile->fetch.max_answer,
    };
    run->result->requests++;
    if (!httpc_request(run->env->provider->http, &req, &resp, arena, &err)) {
        run->too_large = error_is(&err, "http_too_large");
        snprintf(answer->message, sizeof(answer->message), "no answer: %.140s", err.message);
        return;
    }
    run->wait = httpc_retry_after(&resp, clock_now(run->env->provider->clock));
    fetch_read(profile, api, resp.status, resp.body, resp.body_len, ids, group->count, arena, answer);
    LOG_DEBUG("apple reports", LOG_TEXT("outcome", fetch_outcome_names[answer->outcome]),
              LOG_NUM("status", resp.status), LOG_NUM("ids", group->count),
              LOG_NUM("reports", answer->count));
}

/* Keep a distance between the requests of one fetch. */
static void pause_between(struct run *run)
{
    if (run->paused_before && profile_of(run)->fetch.pause > 0)
        clock_sleep(run->env->provider->clock, profile_of(run)->fetch.pause);
    run->paused_before = true;
}

static bool may_send(const struct run *run)
{
    return run->job->max_requests == 0 || run->result->requests < run->job->max_requests;
}

/* Empty answers are repeated after growing pauses: they are a passing fault, not "no reports". */
static void send_patiently(struct run *run, const struct group *group, struct arena *arena,
                           struct fetch_answer *answer)
{
    const struct profile_steps *pauses = &profile_of(run)->fetch.empty_retries;
    send_group(run, group, arena, answer);
    for (size_t i = 0; i < pauses->count && answer->outcome == FETCH_RETRY_EMPTY && may_send(run); i++) {
        clock_sleep(run->env->provider->clock, pauses->items[i]);
        send_group(run, group, arena, answer);
    }
}

/* ---- verdicts ---- */

static void conclude(struct run *run, enum fetch_verdict verdict, const char *message)
{
    run->result->verdict = verdict;
    snprintf(run->result->message, sizeof(run->result->message), "%.250s", message);
}

static void conclude_later(struct run *run, int64_t wait, const char *message)
{
    const struct profile *profile = profile_of(run);
    int64_t pause = wait > 0 ? wait : profile->fetch.retry;
    if (pause > profile->fetch.max_retry)
        pause = profile->fetch.max_retry;
    conclude(run, FETCH_LATER, message);
    run->result->retry_at = clock_now(run->env->provider->clock) + pause;
}

/* The new token is good, but the caller's bound on requests is reached: its next turn may come at once. */
static void conclude_signed_in(struct run *run)
{
    conclude(run, FETCH_LATER, "signed in anew; the reports are for the next request");
    run->result->retry_at = clock_now(run->env->provider->clock);
}

/* What an account that is not ready means for the fetch. */
static void conclude_account(struct run *run, enum account_status status)
{
    const struct account *account = run->account;
    switch (status) {
    case ACCOUNT_READY:
        break;
    case ACCOUNT_NEEDS_CODE:
        conclude(run, FETCH_SECOND_FACTOR, "a second-factor code is due");
        break;
    case ACCOUNT_NEEDS_PERSON:
        conclude(run, FETCH_LOCKED, account->last.message);
        break;
    case ACCOUNT_WAITS:
    case ACCOUNT_UNSAVED:
        conclude_later(run, account->not_before - clock_now(run->env->provider->clock),
                       account->last.message);
        break;
    }
}

static bool sign_in(struct run *run)
{
    enum account_status status = account_status(run->account, clock_now(run->env->provider->clock));
    if (status == ACCOUNT_WAITS)
        status = account_login(run->account, run->env);
    conclude_account(run, status);
    return status == ACCOUNT_READY;
}

/* True when the group is worth sending once more: the account was signed in anew. */
static bool recover(struct run *run)
{
    if (run->signed_in_again) {
        conclude_account(run, account_token_useless(run->account, run->env));
        return false;
    }
    run->signed_in_again = true;
    enum account_status status = account_token_refused(run->account, run->env);
    conclude_account(run, status);
    return status == ACCOUNT_READY;
}

/* A group that failed for good. */
static void conclude_failure(struct run *run, const struct fetch_answer *answer)
{
    enum account_status status;
    switch (answer->outcome) {
    case FETCH_AUTH_ERROR:
        status = account_park(run->account, run->env, LOGIN_ACCOUNT_LOCKED,
                              "the report server refuses the account");
        conclude_account(run, status);
        break;
    case FETCH_BAD_REQUEST:
        conclude(run, FETCH_OUR_FAULT, answer->message);
        break;
    case FETCH_BAD_RESPONSE:
        if (answer->foreign)
            conclude(run, FETCH_OUR_FAULT, answer->message);
        else
            conclude_later(run, run->wait, answer->message);
        break;
    default:
        conclude_later(run, run->wait, answer->message);
        break;
    }
}

/* ---- the run ---- */

/* An answer that is too large would be so again: ask for half as many ids each time. */
static bool halve(struct run *run, const struct group *group)
{
    size_t half = group->count / 2;
    if (!run->too_large || half == 0)
        return false;
    push_group(run, group->members, half, group->level);
    push_group(run, group->members + half, group->count - half, group->level);
    return true;
}

/* True when the group was answered and the run goes on. */
static bool run_group(struct run *run, const struct group *group)
{
    struct fetch_answer answer;
    struct arena *arena = arena_new();
    pause_between(run);
    send_patiently(run, group, arena, &answer);
    if (answer.outcome == FETCH_REAUTH && recover(run)) {
        if (may_send(run))
            send_patiently(run, group, arena, &answer);
        else
            conclude_signed_in(run);
    }
    run->result->outcome = answer.outcome;
    bool goes_on = answer.outcome == FETCH_OK || halve(run, group);
    if (answer.outcome == FETCH_OK)
        keep_answer(run, group, &answer);
    else if (answer.outcome == FETCH_REAUTH && run->result->verdict == FETCH_DONE)
        recover(run); /* refused again right after the new sign-in */
    else if (answer.outcome != FETCH_REAUTH && !goes_on)
        conclude_failure(run, &answer);
    arena_free(arena);
    return goes_on;
}

void fetch_run(struct account *account, const struct account_env *env, const struct fetch_job *job,
               struct arena *arena, struct fetch_result *result)
{
    struct run run = { .account = account, .env = env, .job = job, .arena = arena, .result = result };
    memset(result, 0, sizeof(*result));
    run.last = &run.first;
    result->asked = arena_zalloc(arena, job->count + 1, sizeof(bool));
    if (job->count > FETCH_MAX_IDS) {
        conclude(&run, FETCH_OUR_FAULT, "too many keys for one fetch");
        return;
    }
    if (!sign_in(&run))
        return;
    push_all(&run);
    const struct group *group = run.first;
    while (group != NULL && may_send(&run) && run_group(&run, group))
        group = group->next;
    for (; group != NULL && result->verdict == FETCH_DONE; group = group->next)
        if (group->level > 0)
            result->unsure += group->count; /* the caller's bound on requests was reached */
    if (result->count > 0)
        qsort(result->reports, result->count, sizeof(result->reports[0]), by_time);
    if (result->verdict == FETCH_DONE && result->requests > 0 &&
        account_token_worked(account, env) == ACCOUNT_UNSAVED)
        conclude_later(&run, 0, account->last.message);
    LOG_INFO("apple fetch", LOG_TEXT("account", account->name),
             LOG_TEXT("verdict", fetch_verdict_names[result->verdict]), LOG_NUM("requests", result->requests),
             LOG_NUM("ids", job->count), LOG_NUM("reports", result->count),
             LOG_NUM("unsure", result->unsure));
}

int64_t fetch_from(const struct profile *profile, int64_t now, int64_t last_success)
{
    int64_t earliest = now - profile->fetch.look_back;
    int64_t from = last_success > 0 ? last_success - profile->fetch.overlap : earliest;
    return from < earliest ? earliest : from > now ? now : from;
}

bool fetch_time_plausible(int64_t time, int64_t now)
{
    return time <= now + FUTURE_LIMIT && time >= now - PAST_LIMIT;
}
