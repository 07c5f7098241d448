/* Whose address counts when proxies stand in between; which origins are origins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "http/server_private.h"

static void test_networks(void **state)
{
    (void)state;
    struct networks networks;
    struct error err;
    assert_true(networks_parse("10.0.0.0/8, 192.168.1.7,2001:db8::/33 ,::1", &networks, &err));
    assert_int_equal(networks.count, 4);
    assert_true(networks_hold(&networks, "10.255.0.1"));
    assert_false(networks_hold(&networks, "11.0.0.1"));
    assert_true(networks_hold(&networks, "192.168.1.7"));
    assert_false(networks_hold(&networks, "192.168.1.6"));
    assert_true(networks_hold(&networks, "::ffff:10.1.2.3"));
    assert_true(networks_hold(&networks, "2001:db8:7fff::1"));
    assert_false(networks_hold(&networks, "2001:db8:8000::1"));
    assert_true(networks_hold(&networks, "::1"));
    assert_false(networks_hold(&networks, "0.0.0.1"));
    assert_false(networks_hold(&networks, "nonsense"));
    networks_free(&networks);

    assert_true(networks_parse("0.0.0.0/0", &networks, &err));
    assert_true(networks_hold(&networks, "255.255.255.255"));
    assert_false(networks_hold(&networks, "::2"));
    networks_free(&networks);
    assert_true(networks_parse("", &networks, &err));
    assert_int_equal(networks.count, 0);
    assert_true(networks_parse(NULL, &networks, &err));

    static const char *const bad[] = { "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "::1/129",
                                       "example.com", "10.0.0.1/",   "/8" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (networks_parse(bad[i], &networks, &err))
            fail_msg("%s was taken", bad[i]);
}

static const char *client(struct arena *arena, const char *peer, const char *first, const char *second)
{
    struct networks trusted;
    struct error err;
    struct pair items[] = { { "X-Forwarded-For", first }, { "Host", "x" }, { "x-forwarded-for", second } };
    struct pairs headers = { .items = items, .count = second != NULL ? 3 : first != NULL ? 1 : 0 };
    assert_true(networks_parse("127.0.0.1,10.0.0.0/8", &trusted, &err));
    const char *ip = client_address(arena, &trusted, peer, &headers);
    networks_free(&trusted);
    return ip;
}

static void test_clients(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    assert_string_equal(client(arena, "127.0.0.1", NULL, NULL), "127.0.0.1");
    assert_string_equal(client(arena, "127.0.0.1", "9.9.9.9", NULL), "9.9.9.9");
    assert_string_equal(client(arena, "8.8.8.8", "9.9.9.9", NULL), "8.8.8.8"); /* says so, is not believed */
    assert_string_equal(client(arena, "127.0.0.1", "1.1.1.1, 9.9.9.9, 10.0.0.2", NULL), "9.9.9.9");
    assert_string_equal(client(arena, "127.0.0.1", "1.1.1.1", "9.9.9.9,10.0.0.2"), "9.9.9.9");
    assert_string_equal(client(arena, "127.0.0.1", "9.9.9.9", "10.0.0.3"), "9.9.9.9");
    assert_string_equal(client(arena, "127.0.0.1", "10.0.0.9", NULL), "10.0.0.9");
    assert_string_equal(client(arena, "127.0.0.1", "9.9.9.9:4711", NULL), "9.9.9.9");
    assert_string_equal(client(arena, "127.0.0.1", "[2001:db8::1]:4711", NULL), "2001:db8::1");
    assert_string_equal(client(arena, "127.0.0.1", "2001:db8::1", NULL), "2001:db8::1");
    assert_string_equal(client(arena, "127.0.0.1", "9.9.9.9, unknown, 10.0.0.2", NULL), "10.0.0.2");
    assert_string_equal(client(arena, "127.0.0.1", "'; DROP TABLE", NULL), "127.0.0.1");
    assert_string_equal(client(arena, "127.0.0.1", ",", NULL), "127.0.0.1");
    arena_free(arena);
}

static void test_origins(void **state)
{
    (void)state;
    struct error err;
    assert_true(cors_check_origins(NULL, &err));
    assert_true(cors_check_origins("", &err));
    assert_true(cors_check_origins("https://a.example, http://localhost:3000", &err));
    assert_false(cors_check_origins("*", &err));
    assert_false(cors_check_origins("https://a.example/", &err));
    assert_false(cors_check_origins("a.example", &err));
    assert_non_null(strstr(err.message, "CORS_ORIGINS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
