/* Fetching: verdicts, retries, groups, signing in again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/encode.h"
#include "fake_apple.h"
#include "findmy/fetch.h"

#define MAX_IDS 1200

struct trip {
    struct fake_env env;
    struct arena *arena;
    struct fetch_id ids[MAX_IDS];
    struct fetch_job job;
    struct fetch_result result;
};

static void begin(struct trip *trip, const struct profile *profile, size_t count)
{
    memset(trip, 0, sizeof(*trip));
    fake_env_init(&trip->env, profile);
    trip->arena = arena_new();
    assert_true(count <= MAX_IDS);
    for (size_t i = 0; i < count; i++) {
        trip->ids[i].hash[0] = (uint8_t)(i >> 8);
        trip->ids[i].hash[1] = (uint8_t)i;
    }
    trip->job = (struct fetch_job){
        .ids = trip->ids, .count = count, .from = trip->env.apple.now - DAYS(7), .to = trip->env.apple.now
    };
    assert_int_equal(account_login(&trip->env.account, &trip->env.env), ACCOUNT_READY);
}

static enum fetch_verdict run(struct trip *trip)
{
    fetch_run(&trip->env.account, &trip->env.env, &trip->job, trip->arena, &trip->result);
    return trip->result.verdict;
}

static void finish(struct trip *trip)
{
    arena_free(trip->arena);
    fake_env_free(&trip->env);
}

/* A payload of the short form with this time; the rest tells payloads apart. */
static void make_payload(uint32_t time, uint8_t mark, char out[BASE64_SIZE(88)])
{
    uint8_t payload[88] = { (uint8_t)(time >> 24), (uint8_t)(time >> 16), (uint8_t)(time >> 8), (uint8_t)time,
                            3 };
    payload[20] = mark;
    base64_encode(payload, sizeof(payload), out);
}

/* ---- verdicts of statuses ---- */

static void statuses(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body, *error, *retry_after;
        enum fetch_verdict verdict;
        int64_t wait; /* seconds, with FETCH_LATER */
        int requests;
    } cases[] = {
        { 200, "{\"acsnLocations\":{\"statusCode\":\"200\"}}", NULL, NULL, FETCH_DONE, 0, 1 },
        { 429, NULL, NULL, NULL, FETCH_LATER, 900, 1 },
        { 429, NULL, NULL, "120", FETCH_LATER, 120, 1 },
        { 429, NULL, NULL, "Sat, 09 May 2026 07:13:20 GMT", FETCH_LATER, 3600, 1 },
        { 429, NULL, NULL, "Sat, 09 May 2020 07:13:20 GMT", FETCH_LATER, 900, 1 }, /* past */
        { 429, NULL, NULL, "soon", FETCH_LATER, 900, 1 },
        { 429, NULL, NULL, "-5", FETCH_LATER, 900, 1 },
        { 429, NULL, NULL, "2000000000", FETCH_LATER, 86400, 1 }, /* capped */
        { 429, NULL, NULL, "99999999999999999999", FETCH_LATER, 900, 1 },
        { 500, "oops", NULL, NULL, FETCH_LATER, 900, 1 },
        { 502, NULL, NULL, NULL, FETCH_LATER, 900, 1 },
        { 503, "<html>", NULL, "60", FETCH_LATER, 60, 1 },
        { 504, NULL, NULL, NULL, FETCH_LATER, 900, 1 },
        { 599, NULL, NULL, NULL, FETCH_LATER, 900, 1 },
        { 408, NULL, NULL, NULL, FETCH_LATER, 900, 1 },
        { 403, NULL, NULL, NULL, FETCH_LOCKED, 0, 1 },
        { 400, NULL, NULL, NULL, FETCH_OUR_FAULT, 0, 1 },
        { 404, NULL, NULL, NULL, FETCH_OUR_FAULT, 0, 1 },
        { 413, NULL, NULL, NULL, FETCH_OUR_FAULT, 0, 1 },
        { 418, NULL, NULL, NULL, FETCH_OUR_FAULT, 0, 1 },
        { 302, NULL, NULL, NULL, FETCH_LATER, 900, 1 },
        { 200, "{\"acsnLocations\":{\"statu", NULL, NULL, FETCH_LATER, 900, 1 },
        { 200, "<html>", NULL, NULL, FETCH_LATER, 900, 1 },
        { 200, "{}", NULL, NULL, FETCH_OUR_FAULT, 0, 1 },
        { 200, "{\"acsnLocations\":{\"statusCode\":\"200\",\"locationPayload\":7}}", NULL, NULL,
          FETCH_OUR_FAULT, 0, 1 },
        { 200, "{\"acsnLocations\":{\"statusCode\":\"503\",\"locationPayload\":[]}}", NULL, NULL, FETCH_LATER,
          900, 1 },
        { 200, "{\"acsnLocations\":{\"statusCode\":429,\"locationPayload\":[]}}", NULL, NULL, FETCH_LATER,
          900, 1 },
        { 200, "{\"acsnLocations\":{\"statusCode\":\"403\",\"locationPayload\":[]}}", NULL, NULL,
          FETCH_LOCKED, 0, 1 },
        { 0, NULL, "http_timeout", NULL, FETCH_LATER, 900, 1 },
        { 0, NULL, "http_broken", NULL, FETCH_LATER, 900, 1 },
        { 0, NULL, "http_too_large", NULL, FETCH_LATER, 900, 2 },
        { 200, "", NULL, NULL, FETCH_LATER, 900, 6 }, /* empty: five retries */
        { 200, " \r\n", NULL, NULL, FETCH_LATER, 900, 6 },
        { 204, NULL, NULL, NULL, FETCH_LATER, 900, 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct trip *trip = test_malloc(sizeof(*trip));
        begin(trip, profile_default(), 3);
        fake_fault(&trip->env.apple,
                   (struct fake_fault){ .place = FAKE_FETCH,
                                        .status = cases[i].status,
                                        .body = cases[i].body,
                                        .error = cases[i].error,
                                        .header = cases[i].retry_after != NULL ? "Retry-After" : NULL,
                                        .header_value = cases[i].retry_after });
        enum fetch_verdict verdict = run(trip);
        if (verdict != cases[i].verdict || trip->result.requests != cases[i].requests)
            fail_msg("case %zu: %s after %lld requests: %s", i, fetch_verdict_names[verdict],
                     (long long)trip->result.requests, trip->result.message);
        if (verdict == FETCH_LATER && trip->result.retry_at - trip->env.apple.now != SECONDS(cases[i].wait))
            fail_msg("case %zu: waits %lld us", i, (long long)(trip->result.retry_at - trip->env.apple.now));
        /* only a locked account is the account's fault */
        assert_int_equal(trip->env.account.phase,
                         verdict == FETCH_LOCKED ? ACCOUNT_PARKED : ACCOUNT_LOGGED_IN);
        finish(trip);
        test_free(trip);
    }
}

static void empty_answers_are_asked_again(void **state)
{
    (void)state;
    struct trip *trip = test_malloc(sizeof(*trip));
    begin(trip, profile_default(), 1);
    fake_fault(&trip->env.apple, (struct fake_fault){ .place = FAKE_FETCH, .status = 200, .count = 3 });
    assert_int_equal(run(trip), FETCH_DONE);
    assert_int_equal(trip->result.requests, 4);
    assert_int_equal(trip->env.apple.slept, SECONDS(2 + 4 + 6));
    finish(trip);
    test_free(trip);
}

/* ---- the account ---- */

static void signs_in_again_once(void **state)
{
    (void)state;
    struct trip *trip = test_malloc(sizeof(*trip));
    begin(trip, profile_default(), 1);
    trip->env.apple.token++; /* our token is void now */
    assert_int_equal(run(trip), FETCH_DONE);
    assert_int_equal(trip->result.requests, 2);
    assert_int_equal(trip->env.account.relogins, 0); /* the good answer forgives */

    /* a token that is refused even when new: wait, do not loop */
    fake_fault(&trip->env.apple, (struct fake_fault){ .place = FAKE_FETCH, .status = 401 });
    int logins = trip->env.apple.calls[FAKE_GSA_COMPLETE];
    for (int i = 0; i < 10; i++) {
        assert_int_equal(run(trip), FETCH_LATER);
        assert_int_equal(trip->result.retry_at, trip->env.account.logged_in_at + HOURS(1));
    }
    assert_int_equal(trip->env.apple.calls[FAKE_GSA_COMPLETE], logins + 1);
    finish(trip);
    test_free(trip);
}

static void status_541_is_a_run_out_login(void **state)
{
    (void)state;
    struct trip *trip = test_malloc(sizeof(*trip));
    begin(trip, profile_default(), 1);
    fake_fault(&trip->env.apple, (struct fake_fault){ .place = FAKE_FETCH, .status = 541, .count = 1 });
    assert_int_equal(run(trip), FETCH_DONE);
    assert_int_equal(trip->env.apple.calls[FAKE_DELEGATES], 2);
    finish(trip);
    test_free(trip);
}

static void second_factor_stops_the_fetch(void **state)
{
    (void)state;
    struct trip *trip = test_malloc(sizeof(*trip));
    begin(trip, profile_default(), 1);
    trip->env.apple.token++;
    trip->env.apple.au = "secondaryAuth";
    for (int i = 0; i < 5; i++)
        assert_int_equal(run(trip), FETCH_SECOND_FACTOR);
    assert_int_equal(trip->env.apple.calls[FAKE_FETCH], 1);
    assert_int_equal(trip->env.apple.codes_sent, 0);
    finish(trip);
    test_free(trip);
}

static void anisette_trouble_is_not_the_accounts(void **state)
{
    (void)state;
    struct trip *trip = test_malloc(sizeof(*trip));
    begin(trip, profile_default(), 1);
    anisette_forget(trip->env.anisette);
    fake_fault(&trip->env.apple, (struct fake_fault){ .place = FAKE_ANISETTE, .error = "http_connect" });
    assert_int_equal(run(trip), FETCH_LATER);
    assert_non_null(strstr(trip->result.message, "anisette_unavailable"));
    assert_int_equal(trip->env.account.phase, ACCOUNT_LOGGED_IN);
    finish(trip);
    test_free(trip);
}

/* ---- requests ---- */

static void ids_are_split(void **state)
{
    (void)state;
    static const struct {
        size_t ids;
        size_t requests[6];
    } cases[] = {
        { 0, { 0 } },
        { 1, { 1 } },
        { 255, { 255 } },
        { 256, { 256 } },
        { 257, { 256, 1 } },
        { 512, { 256, 256 } },
        { 1000, { 256, 256, 256, 232 } },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct trip *trip = test_malloc(sizeof(*trip));
        begin(trip, profile_default(), cases[i].ids);
        assert_int_equal(run(trip), FETCH_DONE);
        size_t n = 0;
        for (; cases[i].requests[n] != 0; n++)
            assert_int_equal(trip->env.apple.fetch_ids[n], cases[i].requests[n]);
        assert_int_equal(trip->result.requests, n);
        for (size_t k = 0; k < cases[i].ids; k++)
            assert_true(trip->result.asked[k]);
        finish(trip);
        test_free(trip);
    }
}

static void requests_are_bounded(void **state)
{
    (void)state;
    struct trip *trip = test_malloc(sizeof(*trip));
    begin(trip, profile_default(), 1000);
    trip->job.max_requests = 2;
    assert_int_equal(run(trip), FETCH_DONE);
    assert_int_equal(trip->result.requests, 2);
    assert_true(trip->result.asked[511]);
    assert_false(trip->result.asked[512]); /* the caller sees what was not asked */
    finish(trip);
    test_free(trip);
}

/* One request means one, also when the token had run out: the account's rate is counted by requests. */
static void signing_in_anew_does_not_break_the_bound(void **state)
{
    (void)state;
    struct trip *trip = test_malloc(sizeof(*trip));
    begin(trip, profile_default(), 1);
    trip->job.max_requests = 1;
    trip->env.apple.token++;
    assert_int_equal(run(trip), FETCH_LATER);
    assert_int_equal(trip->result.requests, 1);
    assert_int_equal(trip->result.outcome, FETCH_REAUTH);
    assert_int_equal(trip->env.account.phase, ACCOUNT_LOGGED_IN);
    assert_false(trip->result.asked[0]);
    assert_int_equal(run(trip), FETCH_DONE);
    assert_int_equal(trip->result.requests, 1);
    assert_true(trip->result.asked[0]);
    finish(trip);
    test_free(trip);
}

static void both_lists(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct error err;
    struct fetch_id ids[3] = { { .kind = FETCH_STATIC },
                               { .kind = FETCH_PRIMARY },
                               { .kind = FETCH_SECONDARY } };
    static const struct {
        const char *profile;
        size_t primary, secondary;
    } cases[] = {
        { "{}", 2, 1 },
        { "{\"fetch\":{\"list\":\"secondary\"}}", 1, 2 },
        { "{\"fetch\":{\"list\":\"both\"}}", 2, 2 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len;
        const struct profile *profile = profile_parse(arena, cases[i].profile, strlen(cases[i].profile),
                                                      &err);
        assert_non_null(profile);
        char *body = fetch_body(profile, PROFILE_API_V2, ids, 3, 0, 1, arena, &len);
        json_t *root = json_loads(body, 0, NULL), *object = json_array_get(json_object_get(root, "fetch"), 0);
        assert_int_equal(json_array_size(json_object_get(object, "primaryIds")), cases[i].primary);
        assert_int_equal(json_array_size(json_object_get(object, "secondaryIds")), cases[i].secondary);
        json_decref(root);
    }
    arena_free(arena);
}

static void windows(void **state)
{
    (void)state;
    const struct profile *profile = profile_default();
    int64_t now = FAKE_START;
    assert_int_equal(fetch_from(profile, now, 0), now - DAYS(7));
    assert_int_equal(fetch_from(profile, now, now - HOURS(1)), now - HOURS(25)); /* with the overlap */
    assert_int_equal(fetch_from(profile, now, now - DAYS(6)), now - DAYS(7));
    assert_int_equal(fetch_from(profile, now, now - DAYS(60)), now - DAYS(7));
    assert_int_equal(fetch_from(profile, now, now + DAYS(60)), now); /* a clock that was wrong */
    assert_true(fetch_time_plausible(now + HOURS(12), now));
    assert_false(fetch_time_plausible(now + HOURS(12) + 1, now));
    assert_true(fetch_time_plausible(now - DAYS(8), now));
    assert_false(fetch_time_plausible(now - DAYS(8) - 1, now));
    assert_false(fetch_time_plausible(SECONDS(978307200), now)); /* 2001 */
}

/* ---- full answers ---- */

/* A server that gives at most 20 reports an answer: all of the first tag of the request, if that is a busy
 * one. */
static const char *stingy(struct fake_apple *fake, const struct http_out *req, struct arena *arena)
{
    (void)fake;
    struct buf out = { 0 };
    char payload[BASE64_SIZE(88)];
    json_t *root = json_loadb(req->body, req->body_len, 0, NULL);
    json_t *list = json_object_get(json_array_get(json_object_get(root, "fetch"), 0), "primaryIds");
    buf_puts(&out, "{\"acsnLocations\":{\"statusCode\":\"200\",\"locationPayload\":[");
    size_t left = 20;
    for (size_t i = 0; i < json_array_size(list) && left > 0; i++) {
        uint8_t hash[32];
        const char *id = json_string_value(json_array_get(list, i));
        if (!base64_decode_exact(id, hash, sizeof(hash)))
            fail();
        size_t reports = hash[1] == 0 ? 30 : 1; /* tag 0 is busy */
        buf_printf(&out, "%s{\"id\":\"%s\",\"locationInfo\":[", i > 0 ? "," : "", id);
        for (size_t k = 0; k < reports && left > 0; k++, left--) {
            make_payload(800000000 + (uint32_t)k, hash[1], payload);
            buf_printf(&out, "%s\"%s\"", k > 0 ? "," : "", payload);
        }
        buf_puts(&out, "]}");
    }
    buf_puts(&out, "]}}");
    json_decref(root);
    char *body = arena_strndup(arena, buf_text(&out), out.len);
    buf_free(&out);
    return body;
}

static void silent_ids_are_asked_again(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct error err;
    static const char text[] = "{\"fetch\":{\"ids_per_request\":64,\"regroup\":[16,4],\"follow_ups\":100}}";
    const struct profile *profile = profile_parse(arena, text, strlen(text), &err);
    struct trip *trip = test_malloc(sizeof(*trip));
    assert_non_null(profile);
    begin(trip, profile, 40);
    trip->env.apple.on_fetch = stingy;
    assert_int_equal(run(trip), FETCH_DONE);
    assert_int_equal(trip->result.unsure, 0);
    assert_int_equal(trip->result.count, 20 + 39); /* every tag was heard */
    /* 40 ids, then the 39 silent ones in groups of 16, 16 and 7: none of these is full */
    assert_int_equal(trip->result.requests, 4);
    assert_int_equal(trip->env.apple.fetch_ids[1], 16);
    assert_int_equal(trip->env.apple.fetch_ids[3], 7);
    for (size_t i = 1; i < trip->result.count; i++)
        assert_true(trip->result.reports[i - 1].time <= trip->result.reports[i].time);
    assert_int_equal(trip->env.apple.slept, SECONDS(3)); /* a pause between requests */
    finish(trip);

    /* with a budget: the rest is told */
    static const char small[] = "{\"fetch\":{\"ids_per_request\":64,\"regroup\":[16,4],\"follow_ups\":2}}";
    profile = profile_parse(arena, small, strlen(small), &err);
    assert_non_null(profile);
    begin(trip, profile, 40);
    trip->env.apple.on_fetch = stingy;
    assert_int_equal(run(trip), FETCH_DONE);
    assert_int_equal(trip->result.requests, 3);
    assert_int_equal(trip->result.unsure, 7);
    finish(trip);
    test_free(trip);
    arena_free(arena);
}

static void what_was_read_stays_good(void **state)
{
    (void)state;
    struct trip *trip = test_malloc(sizeof(*trip));
    begin(trip, profile_default(), 300);
    trip->env.apple.on_fetch = stingy;
    fake_fault(&trip->env.apple, (struct fake_fault){ .place = FAKE_FETCH, .status = 503, .skip = 1 });
    assert_int_equal(run(trip), FETCH_LATER);
    assert_true(trip->result.count >= 20);
    assert_true(trip->result.asked[0]);
    assert_false(trip->result.asked[299]);
    finish(trip);
    test_free(trip);
}

static void answers_that_are_too_large_are_halved(void **state)
{
    (void)state;
    struct trip *trip = test_malloc(sizeof(*trip));
    begin(trip, profile_default(), 5);
    fake_fault(&trip->env.apple,
               (struct fake_fault){ .place = FAKE_FETCH, .error = "http_too_large", .count = 2 });
    assert_int_equal(run(trip), FETCH_DONE);
    static const size_t want[] = { 5, 2, 3, 1, 1 }; /* 5 and 2 are too large */
    assert_int_equal(trip->result.requests, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_int_equal(trip->env.apple.fetch_ids[i], want[i]);
    for (size_t i = 0; i < 5; i++)
        assert_true(trip->result.asked[i]);
    finish(trip);
    test_free(trip);
}

static void an_empty_job_asks_nothing(void **state)
{
    (void)state;
    struct trip *trip = test_malloc(sizeof(*trip));
    begin(trip, profile_default(), 0);
    assert_int_equal(run(trip), FETCH_DONE);
    assert_int_equal(trip->env.apple.calls[FAKE_FETCH], 0);
    finish(trip);
    test_free(trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),
        cmocka_unit_test(empty_answers_are_asked_again),
        cmocka_unit_test(signs_in_again_once),
        cmocka_unit_test(status_541_is_a_run_out_login),
        cmocka_unit_test(second_factor_stops_the_fetch),
        cmocka_unit_test(anisette_trouble_is_not_the_accounts),
        cmocka_unit_test(ids_are_split),
        cmocka_unit_test(requests_are_bounded),
        cmocka_unit_test(signing_in_anew_does_not_break_the_bound),
        cmocka_unit_test(both_lists),
        cmocka_unit_test(windows),
        cmocka_unit_test(silent_ids_are_asked_again),
        cmocka_unit_test(what_was_read_stays_good),
        cmocka_unit_test(answers_that_are_too_large_are_halved),
        cmocka_unit_test(an_empty_job_asks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
