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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recordings_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
