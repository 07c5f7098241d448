/* Path and query parameters: what is taken, and how the rest is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/timeutil.h"
#include "http/request_private.h"

static struct request *req;

static void set_query(const char *name, const char *value)
{
    pairs_add(req->arena, &req->private_->query, name, value);
}

static void start_with(const char *name, const char *value)
{
    request_reset(req);
    set_query(name, value);
}

/* A 422 of one field with this code. */
static void assert_refused(const char *field, const char *code)
{
    assert_int_equal(req->status, 422);
    json_t *problem = json_loadb(req->out.data, req->out.len, 0, NULL);
    json_t *errors = json_object_get(problem, "errors");
    assert_int_equal(json_array_size(errors), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(errors, 0), "field")), field);
    assert_string_equal(json_string_value(json_object_get(json_array_get(errors, 0), "code")), code);
    json_decref(problem);
}

static void test_id(void **state)
{
    (void)state;
    int64_t id = 0;
    pairs_add(req->arena, &req->private_->params, "id", "9223372036854775807");
    assert_true(param_id(req, "id", &id));
    assert_true(id == INT64_MAX);
    static const char *const bad[] = { "0", "-1", "", "x", "1x", " 1", "+1", "1.0", "9223372036854775808" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        request_reset(req);
        pairs_add(req->arena, &req->private_->params, "id", bad[i]);
        if (param_id(req, "id", &id))
            fail_msg("\"%s\" was taken for an id", bad[i]);
        assert_int_equal(req->status, 404);
        assert_string_equal(req->error_code, "not_found");
    }
    request_reset(req);
    assert_false(param_id(req, "id", &id));
    assert_int_equal(req->status, 404);
}

static void test_int(void **state)
{
    (void)state;
    int64_t value = 0;
    assert_true(query_int(req, "limit", 1, 100, 25, &value));
    assert_int_equal(value, 25);
    static const struct {
        const char *text;
        int64_t value;
    } good[] = { { "1", 1 }, { "100", 100 }, { "42", 42 } };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        start_with("limit", good[i].text);
        assert_true(query_int(req, "limit", 1, 100, 25, &value));
        assert_int_equal(value, good[i].value);
        assert_int_equal(req->status, 0);
    }
    static const char *const bad[] = { "0", "101", "", "ten", "1e1", "99999999999999999999" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        start_with("limit", bad[i]);
        if (query_int(req, "limit", 1, 100, 25, &value))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_refused("limit", "out_of_range");
    }
}

static void test_bool(void **state)
{
    (void)state;
    bool value = false;
    assert_true(query_bool(req, "all", true, &value));
    assert_true(value);
    start_with("all", "false");
    assert_true(query_bool(req, "all", true, &value));
    assert_false(value);
    start_with("all", "true");
    assert_true(query_bool(req, "all", false, &value));
    assert_true(value);
    static const char *const bad[] = { "", "1", "True", "yes", "truex" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        start_with("all", bad[i]);
        if (query_bool(req, "all", false, &value))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_refused("all", "wrong_type");
    }
}

static void test_time(void **state)
{
    (void)state;
    int64_t usec = 0;
    assert_true(query_time(req, "at", 7, &usec));
    assert_int_equal(usec, 7);
    start_with("at", "1970-01-01T01:00:01+01:00");
    assert_true(query_time(req, "at", 7, &usec));
    assert_int_equal(usec, 1000000);
    static const char *const bad[] = { "", "1", "2025-02-30T00:00:00Z", "2025-01-01", "tomorrow" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        start_with("at", bad[i]);
        if (query_time(req, "at", 7, &usec))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_refused("at", "invalid_time");
    }
}

static void test_enum(void **state)
{
    (void)state;
    static const char *const words[] = { "storage", "delivery", NULL };
    int index = 5;
    assert_true(query_enum(req, "kind", words, -1, &index));
    assert_int_equal(index, -1);
    start_with("kind", "delivery");
    assert_true(query_enum(req, "kind", words, -1, &index));
    assert_int_equal(index, 1);
    start_with("kind", "Storage");
    assert_false(query_enum(req, "kind", words, -1, &index));
    assert_refused("kind", "unknown_value");
    assert_non_null(strstr(req->out.data, "must be storage or delivery"));
}

static bool period(const char *from, const char *to, struct period *period)
{
    request_reset(req);
    if (from != NULL)
        set_query("from", from);
    if (to != NULL)
        set_query("to", to);
    return query_period(req, period, DAYS(7));
}

static void test_period(void **state)
{
    (void)state;
    struct period p;
    int64_t before = time_now();
    assert_true(period(NULL, NULL, &p));
    assert_in_range(p.to, before, time_now());
    assert_true(p.to - p.from == DAYS(7));
    assert_true(period(NULL, "1970-01-08T00:00:00Z", &p));
    assert_int_equal(p.from, 0);
    assert_true(period("1970-01-01T00:00:00Z", "1970-01-08T00:00:00Z", &p)); /* exactly the most */
    assert_true(period("1970-01-07T23:59:59.999999Z", "1970-01-08T00:00:00Z", &p));
    assert_int_equal(p.to - p.from, 1);
}

static void test_refused_periods(void **state)
{
    (void)state;
    struct period p;
    assert_false(period("1970-01-01T00:00:00Z", "1970-01-08T00:00:00.000001Z", &p));
    assert_refused("from", "out_of_range");
    assert_false(period("1970-01-08T00:00:00Z", "1970-01-08T00:00:00Z", &p));
    assert_refused("from", "out_of_range");
    assert_false(period("1970-01-09T00:00:00Z", "1970-01-08T00:00:00Z", &p));
    assert_refused("from", "out_of_range");
    assert_false(period("x", NULL, &p));
    assert_refused("from", "invalid_time");
    assert_false(period(NULL, "x", &p));
    assert_refused("to", "invalid_time");
    assert_false(period("x", "y", &p)); /* both are named */
    json_t *problem = json_loadb(req->out.data, req->out.len, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(problem, "errors")), 2);
    json_decref(problem);
}

/* The beginning of time has no seven days before it. */
static void test_period_at_the_beginning(void **state)
{
    (void)state;
    struct period p;
    assert_true(period(NULL, "0001-01-02T00:00:00Z", &p));
    assert_true(p.from == TIME_MIN);
    assert_false(period(NULL, "0001-01-01T00:00:00Z", &p));
    assert_refused("from", "out_of_range");
}

static void test_known(void **state)
{
    (void)state;
    static const char *const names[] = { "limit", "cursor", NULL };
    assert_true(query_known(req, names));
    start_with("limit", "1");
    set_query("cursor", "x");
    assert_true(query_known(req, names));
    start_with("limt", "1");
    assert_false(query_known(req, names));
    assert_refused("limt", "unknown_parameter");
    assert_non_null(strstr(req->out.data, "did you mean limit?"));
    start_with("colour", "red");
    assert_false(query_known(req, names));
    assert_refused("colour", "unknown_parameter");
    assert_null(strstr(req->out.data, "did you mean"));
}

static int set_up(void **state)
{
    (void)state;
    req = request_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    request_free(req);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_id),
        TEST(test_int),
        TEST(test_bool),
        TEST(test_time),
        TEST(test_enum),
        TEST(test_period),
        TEST(test_refused_periods),
        TEST(test_period_at_the_beginning),
        TEST(test_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
