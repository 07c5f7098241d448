/* Which route a path and method find, and which tables are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "http/router.h"

#define BIT(method) (1u << (method))

static const struct route trackers[] = {
    { .method = HTTP_GET, .path = "/trackers" },
    { .method = HTTP_POST, .path = "/trackers" },
    { .method = HTTP_GET, .path = "/trackers/{id}" },
    { .method = HTTP_PATCH, .path = "/trackers/{id}" },
    { .method = HTTP_POST, .path = "/trackers/import" },
    { .method = HTTP_GET, .path = "/trackers/{id}/keys/{key}" },
};
static const struct route others[] = {
    { .method = HTTP_GET, .path = "/trackers/import/template" },
    { .method = HTTP_GET, .path = "/" },
    { .method = HTTP_GET, .path = "/trackers/status" },
};
static struct router *router;

/* Takes "a/b" apart; "" is the one empty segment of "/". */
static struct route_match find(enum http_method method, const char *path)
{
    char text[128];
    const char *segments[8];
    size_t n = 0;
    snprintf(text, sizeof(text), "%s", path);
    char *rest = text;
    do
        segments[n++] = strsep(&rest, "/");
    while (rest != NULL && n < ARRAY_LEN(segments));
    return router_find(router, segments, n, method);
}

static void assert_found(enum http_method method, const char *path, size_t index)
{
    struct route_match match = find(method, path);
    if (match.route == NULL)
        fail_msg("%s %s was not found", http_method_names[method], path);
    assert_int_equal(match.index, index);
    assert_ptr_equal(match.route, router_route(router, index));
}

static void assert_missing(enum http_method method, const char *path, unsigned allowed)
{
    struct route_match match = find(method, path);
    assert_null(match.route);
    assert_true(match.index == SIZE_MAX);
    assert_int_equal(match.allowed, allowed);
}

static void test_found(void **state)
{
    (void)state;
    assert_int_equal(router_count(router), 9);
    assert_found(HTTP_GET, "trackers", 0);
    assert_found(HTTP_POST, "trackers", 1);
    assert_found(HTTP_GET, "trackers/5", 2);
    assert_found(HTTP_PATCH, "trackers/5", 3);
    assert_found(HTTP_GET, "trackers/5/keys/6", 5);
    assert_found(HTTP_GET, "trackers/import/template", 6);
    assert_found(HTTP_GET, "", 7);
}

static void test_literal_wins_unless_it_lacks_the_method(void **state)
{
    (void)state;
    assert_found(HTTP_GET, "trackers/status", 8);
    assert_found(HTTP_POST, "trackers/import", 4);
    assert_found(HTTP_GET, "trackers/import", 2);
    assert_found(HTTP_PATCH, "trackers/import", 3);
    assert_found(HTTP_GET, "trackers/import/keys/6", 5);
}

static void test_head_finds_get(void **state)
{
    (void)state;
    assert_found(HTTP_HEAD, "trackers", 0);
    assert_found(HTTP_HEAD, "trackers/import", 2);
    assert_found(HTTP_HEAD, "", 7);
    assert_found(HTTP_HEAD, "trackers/status", 8);
    assert_int_equal(find(HTTP_HEAD, "trackers/status").allowed, find(HTTP_GET, "trackers/status").allowed);
}

static void test_missing(void **state)
{
    (void)state;
    const unsigned get = BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS);
    assert_missing(HTTP_DELETE, "trackers", get | BIT(HTTP_POST));
    assert_missing(HTTP_POST, "trackers/5", get | BIT(HTTP_PATCH));
    assert_missing(HTTP_DELETE, "trackers/import", get | BIT(HTTP_POST) | BIT(HTTP_PATCH));
    assert_missing(HTTP_OPTIONS, "trackers/5/keys/6", get);
    assert_missing(HTTP_METHODS, "trackers", get | BIT(HTTP_POST)); /* a method that we do not know */
    static const char *const unknown[] = { "tracker",         "trackerss",        "Trackers",
                                           "trackers/",       "trackers/5/",      "trackers//keys/6",
                                           "trackers/5/keys", "trackers/5/keys/", "trackers/5/keys/6/7" };
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        assert_missing(HTTP_GET, unknown[i], 0);
}

static void assert_refused(const struct route *routes, size_t count)
{
    const struct route_table table = { routes, count };
    struct error err;
    assert_null(router_new(&table, 1, &err));
    assert_true(error_is(&err, "bad_route"));
}

static void test_refused_tables(void **state)
{
    (void)state;
    const struct route twice[] = { { .method = HTTP_GET, .path = "/a/{id}" },
                                   { .method = HTTP_GET, .path = "/a/{other}" } };
    assert_refused(twice, 2);
    static const char *const bad[] = { "a", "", "//", "/a/", "/a//b" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct route route = { .method = HTTP_GET, .path = bad[i] };
        assert_refused(&route, 1);
    }
    struct error err;
    const struct route_table both[] = { { trackers, 1 }, { trackers, 1 } };
    assert_null(router_new(both, 2, &err));
    router_free(NULL);
}

static void test_no_routes(void **state)
{
    (void)state;
    struct error err;
    struct router *empty = router_new(NULL, 0, &err);
    assert_non_null(empty);
    const char *const segments[] = { "a" };
    assert_null(router_find(empty, segments, 1, HTTP_GET).route);
    router_free(empty);
}

static void note_parameter(void *to, const char *name, size_t name_len, const char *value, size_t value_len)
{
    char *text = to;
    snprintf(text + strlen(text), 64 - strlen(text), "%.*s=%.*s;", (int)name_len, name, (int)value_len,
             value);
}

static void test_parameters(void **state)
{
    (void)state;
    const char *const segments[] = { "trackers", "5", "keys", "6" };
    char text[64] = "";
    route_parameters(&trackers[5], segments, 4, note_parameter, text);
    assert_string_equal(text, "id=5;key=6;");
    text[0] = '\0';
    route_parameters(&trackers[0], segments, 1, note_parameter, text);
    assert_string_equal(text, "");
}

static void test_suffixes(void **state)
{
    (void)state;
    static const struct route tiles[] = { { .method = HTTP_GET, .path = "/tiles/{x}/{y}.mvt" },
                                          { .method = HTTP_POST, .path = "/tiles/{x}/{row}.mvt" } };
    const struct route_table table = { tiles, 2 };
    struct error err;
    struct router *own = router_new(&table, 1, &err);
    assert_non_null(own);
    static const struct {
        const char *last;
        bool found;
    } cases[] = {
        { "7.mvt", true }, { ".mvt.mvt", true }, { ".mvt", false }, { "7", false }, { "7.mvt2", false }
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *const segments[] = { "tiles", "5", cases[i].last };
        assert_int_equal(router_find(own, segments, 3, HTTP_GET).route != NULL, cases[i].found);
    }
    const char *const segments[] = { "tiles", "5", "7.mvt" };
    char text[64] = "";
    route_parameters(&tiles[0], segments, 3, note_parameter, text);
    assert_string_equal(text, "x=5;y=7;");
    router_free(own);

    const struct route mixed[] = { { .method = HTTP_GET, .path = "/a/{id}.mvt" },
                                   { .method = HTTP_POST, .path = "/a/{id}" } };
    assert_refused(mixed, 2);
}

static int set_up(void **state)
{
    (void)state;
    const struct route_table tables[] = { { trackers, ARRAY_LEN(trackers) }, { others, ARRAY_LEN(others) } };
    struct error err;
    router = router_new(tables, ARRAY_LEN(tables), &err);
    return router == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    router_free(router);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),          cmocka_unit_test(test_literal_wins_unless_it_lacks_the_method),
        cmocka_unit_test(test_head_finds_get), cmocka_unit_test(test_missing),
        cmocka_unit_test(test_refused_tables), cmocka_unit_test(test_no_routes),
        cmocka_unit_test(test_parameters),     cmocka_unit_test(test_suffixes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
