/* REDIS_URL taken apart: every form it may have, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "store/redis.h"
#include "store/redis_url.h"

static void test_accepted_forms(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        struct redis_url expected;
    } cases[] = {
        { "redis://cache", { .host = "cache", .port = 6379 } },
        { "redis://cache/", { .host = "cache", .port = 6379 } },
        { "redis://cache:1/3", { .host = "cache", .port = 1, .database = 3 } },
        { "redis://cache:65535", { .host = "cache", .port = 65535 } },
        { "redis://:pw@cache", { .host = "cache", .port = 6379, .password = "pw" } },
        { "redis://me:p%40s%2Fs@cache:6380/1",
          { .host = "cache", .port = 6380, .user = "me", .password = "p@s/s", .database = 1 } },
        { "redis://me:a@b@cache", { .host = "cache", .port = 6379, .user = "me", .password = "a@b" } },
        { "redis://me:a:b@cache", { .host = "cache", .port = 6379, .user = "me", .password = "a:b" } },
        { "redis://[::1]", { .host = "::1", .port = 6379 } },
        { "redis://[fe80::1]:6380/2", { .host = "fe80::1", .port = 6380, .database = 2 } },
        { "rediss://cache", { .tls = true, .host = "cache", .port = 6379 } },
        { "unix:///run/redis.sock", { .local = true, .host = "/run/redis.sock", .port = 6379 } },
        { "unix:///run/redis.sock?db=7",
          { .local = true, .host = "/run/redis.sock", .port = 6379, .database = 7 } },
        { "unix:///a%20b", { .local = true, .host = "/a b", .port = 6379 } },
        { "unix://:pw@/run/redis.sock",
          { .local = true, .host = "/run/redis.sock", .port = 6379, .password = "pw" } },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct redis_url url;
        struct error err;
        const struct redis_url *expected = &cases[i].expected;
        if (!redis_url_parse(cases[i].url, &url, &err))
            fail_msg("%s: %s", cases[i].url, err.message);
        assert_int_equal(url.local, expected->local);
        assert_int_equal(url.tls, expected->tls);
        assert_string_equal(url.host, expected->host);
        assert_int_equal(url.port, expected->port);
        assert_string_equal(url.user, expected->user);
        assert_string_equal(url.password, expected->password);
        assert_int_equal(url.database, expected->database);
    }
}

static void test_refused_forms(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "cache:6379",
        "http://cache",
        "redis:/cache",
        "redis://",
        "redis://:6379",
        "redis://cache:",
        "redis://cache:0",
        "redis://cache:65536",
        "redis://cache:6379x",
        "redis://cache/x",
        "redis://cache/-1",
        "redis://cache/65536",
        "redis://cache/0/1",
        "redis://cache?db=1",
        "redis://cache#1",
        "redis://[::1",
        "redis://[]",
        "redis://[::1]6379",
        "redis://a%zz@cache",
        "redis://a%4",
        "redis://:a%00b@cache",
        "unix://run/redis.sock",
        "unix://",
        "unix:///run/redis.sock?db=",
        "unix:///run/redis.sock?db=1&x=2",
        "unix:///run/redis.sock?password=x",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct redis_url url;
        struct error err;
        if (redis_url_parse(bad[i], &url, &err))
            fail_msg("%s was accepted", bad[i]);
        assert_string_equal(err.code, "redis_url");
    }
}

static void test_part_lengths(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        char text[REDIS_PART_SIZE + 32];
        struct redis_url url;
        struct error err;
        snprintf(text, sizeof(text), "redis://%0*d", REDIS_PART_SIZE - 1 + extra, 0);
        assert_int_equal(redis_url_parse(text, &url, &err), extra == 0);
        if (extra == 0)
            assert_int_equal(strlen(url.host), REDIS_PART_SIZE - 1);
    }
}

static void test_message_keeps_the_password(void **state)
{
    (void)state;
    struct redis_url url;
    struct error err;
    assert_false(redis_url_parse("redis://:hunter2@cache:none", &url, &err));
    assert_null(strstr(err.message, "hunter2"));
}

/* Without a url every command fails, and none crashes. */
static void test_off(void **state)
{
    (void)state;
    struct error err;
    struct redis_reply reply;
    struct arena *arena = arena_new();
    const char *argv[] = { "PING" };
    struct redis *redis = redis_new("", 0, &err);
    assert_non_null(redis);
    assert_false(redis_command(redis, arena, &reply, "PING"));
    assert_false(redis_command_argv(redis, arena, &reply, 1, argv, NULL));
    assert_false(redis_append_argv(redis, 1, argv, NULL));
    assert_false(redis_read(redis, arena, &reply));
    assert_false(redis_available(redis));
    redis_free(redis);
    redis_free(NULL);
    assert_null(redis_new("redis://", 0, &err));
    assert_string_equal(err.code, "redis_url");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted_forms),
        cmocka_unit_test(test_refused_forms),
        cmocka_unit_test(test_part_lengths),
        cmocka_unit_test(test_message_keeps_the_password),
        cmocka_unit_test(test_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
