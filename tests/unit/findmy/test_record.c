/* Recorded answers replay in order, and only with the key that sealed them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "findmy/record.h"

static bool canned(struct http_client *self, const struct http_out *req, struct http_in *resp,
                   struct arena *arena, struct error *err)
{
    (void)self;
    if (strstr(req->url, "fail") != NULL)
        return error_set(err, "http_timeout", "too slow");
    struct httpc_header *headers = arena_zalloc(arena, 1, sizeof(*headers));
    *headers = (struct httpc_header){ "Retry-After", "5" };
    char *body = arena_printf(arena, "answer to %s", req->url);
    *resp = (struct http_in){
        .status = 429, .body = body, .body_len = strlen(body), .headers = headers, .header_count = 1
    };
    return true;
}

static void recordings_replay(void **state)
{
    (void)state;
    char path[] = "/tmp/tape-XXXXXX";
    close(mkstemp(path));
    struct http_client inner = { .request = canned };
    struct sealer sealer, none = { 0 }, other;
    struct error err;
    struct http_in resp;
    struct arena *arena = arena_new();
    assert_true(sealer_init(&sealer, "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", &err));
    assert_true(sealer_init(&other, "b2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", &err));
    assert_null(record_new(&inner, path, &none, &clock_system, &err)); /* never in the clear */
    struct http_client *tape = record_new(&inner, path, &sealer, &clock_system, &err);
    assert_non_null(tape);
    struct http_out a = { .url = "http://h/a" }, b = { .url = "http://h/b", .body = "x", .body_len = 1 },
                    bad = { .url = "http://h/fail" };
    assert_true(httpc_request(tape, &a, &resp, arena, &err));
    assert_false(httpc_request(tape, &bad, &resp, arena, &err));
    assert_true(httpc_request(tape, &b, &resp, arena, &err));
    assert_true(httpc_request(tape, &a, &resp, arena, &err));
    httpc_close(tape);

    tape = replay_new(path, &sealer, &err);
    assert_non_null(tape);
    assert_true(httpc_request(tape, &a, &resp, arena, &err));
    assert_int_equal(resp.status, 429);
    assert_string_equal(resp.body, "answer to http://h/a");
    assert_string_equal(httpc_header(&resp, "retry-after"), "5");
    assert_false(httpc_request(tape, &bad, &resp, arena, &err));
    assert_true(error_is(&err, "http_timeout"));
    assert_true(httpc_request(tape, &a, &resp, arena, &err)); /* passes over the answer to b */
    assert_false(httpc_request(tape, &a, &resp, arena, &err));
    assert_true(error_is(&err, "record_end"));
    httpc_close(tape);

    tape = replay_new(path, &other, &err);
    assert_non_null(tape);
    assert_false(httpc_request(tape, &a, &resp, arena, &err));
    assert_true(error_is(&err, "record_damaged"));
    httpc_close(tape);
    assert_int_equal(truncate(path, 60), 0);
    tape = replay_new(path, &sealer, &err);
    assert_false(httpc_request(tape, &a, &resp, arena, &err));
    assert_true(error_is(&err, "record_damaged"));
    httpc_close(tape);
    unlink(path);
    assert_null(replay_new(path, &sealer, &err));
    arena_free(arena);
}

/* The same answers through memory and a file made of it. */
static void lines_become_a_recording(void **state)
{
    (void)state;
    char path[] = "/tmp/tape-XXXXXX";
    close(mkstemp(path));
    struct http_client inner = { .request = canned };
    struct sealer sealer, none = { 0 };
    struct error err;
    struct http_in resp;
    struct arena *arena = arena_new();
    struct buf lines = { .max = 700, .secret = true };
    assert_true(sealer_init(&sealer, "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=", &err));
    struct http_client *tape = record_lines_new(arena, &inner, &lines, &clock_system);
    struct http_out a = { .url = "http://h/a" }, bad = { .url = "http://h/fail" };
    assert_true(httpc_request(tape, &a, &resp, arena, &err));
    assert_string_equal(resp.body, "answer to http://h/a"); /* the asker sees what came */
    assert_false(httpc_request(tape, &bad, &resp, arena, &err));
    assert_true(error_is(&err, "http_timeout"));
    assert_false(lines.overflow);

    assert_false(record_write_file(path, lines.data, lines.len, &sealer, &err)); /* overwrites nothing */
    assert_true(error_is(&err, "record_open"));
    unlink(path);
    assert_false(record_write_file(path, lines.data, lines.len, &none, &err)); /* never in the clear */
    assert_true(record_write_file(path, lines.data, lines.len, &sealer, &err));
    struct http_client *replay = replay_new(path, &sealer, &err);
    assert_non_null(replay);
    assert_true(httpc_request(replay, &a, &resp, arena, &err));
    assert_int_equal(resp.status, 429);
    assert_string_equal(resp.body, "answer to http://h/a");
    assert_false(httpc_request(replay, &bad, &resp, arena, &err));
    assert_true(error_is(&err, "http_timeout"));
    httpc_close(replay);

    for (int i = 0; i < 10; i++) /* beyond the bound the asker notices nothing */
        assert_true(httpc_request(tape, &a, &resp, arena, &err));
    assert_true(lines.overflow);
    buf_wipe(&lines);
    unlink(path);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recordings_replay),
        cmocka_unit_test(lines_become_a_recording),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
