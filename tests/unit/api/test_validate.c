/* Bodies against descriptions: every type at its edges, unknown and fixed fields, defaults, merge patches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api/resources.h"

static const char *const words[] = { "red", "green", NULL };

static const struct field fields[] = {
    FIELD_ROW_ID,
    { "client_id", FIELD_REF, .ref = "clients", .fixed = true },
    { "name", FIELD_TEXT, .min = 1, .max = 5, .required = true },
    { "note", FIELD_TEXT, .max = 10, .fallback = "\"none\"" },
    { "count", FIELD_INT, .min = 1, .max = 20, .nullable = true },
    { "weight", FIELD_NUMBER, .min = -0.5, .max = 0.5, .nullable = true },
    { "active", FIELD_BOOL, .fallback = "true" },
    { "at", FIELD_TIME, .nullable = true },
    { "color", FIELD_ENUM, .words = words, .nullable = true },
    { "mac", FIELD_MAC, .nullable = true },
    { "place", FIELD_POSITION, .nullable = true },
    { "shape", FIELD_POLYGON, .nullable = true },
    { "area", FIELD_AREA, .nullable = true },
    FIELD_CREATED,
};

static const struct resource things = {
    .name = "things",
    .table = "things",
    .singular = "Thing",
    .plural = "Things",
    .label = "thing",
    FIELDS(fields),
};

struct outcome {
    bool good;
    struct field_value values[ARRAY_LEN(fields)];
    struct problems problems;
};

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct outcome validate(const char *text, bool create)
{
    struct outcome outcome = { .problems.arena = arena };
    json_t *body = json_loads(text, 0, NULL);
    assert_non_null(body);
    outcome.good = resource_validate(&things, body, create, outcome.values, &outcome.problems);
    json_decref(body);
    return outcome;
}

static const struct field_value *value(const struct outcome *outcome, const char *name)
{
    return &outcome->values[resource_field(&things, name)];
}

/* A patch of one field is refused for one reason. */
static void refused(const char *body, const char *field, const char *code)
{
    struct outcome outcome = validate(body, false);
    if (outcome.good || outcome.problems.count != 1)
        fail_msg("%s: good %d, %zu problems", body, outcome.good, outcome.problems.count);
    assert_string_equal(outcome.problems.list[0].field, field);
    assert_string_equal(outcome.problems.list[0].code, code);
}

/* A patch of one field is accepted and stores this text. */
static void accepted(const char *body, const char *field, const char *text)
{
    struct outcome outcome = validate(body, false);
    if (!outcome.good)
        fail_msg("%s: %s %s", body, outcome.problems.list[0].code, outcome.problems.list[0].message);
    assert_true(value(&outcome, field)->given);
    if (text == NULL)
        assert_null(value(&outcome, field)->text);
    else
        assert_string_equal(value(&outcome, field)->text, text);
}

static void test_text(void **state)
{
    (void)state;
    accepted("{\"name\":\"a\"}", "name", "a");
    accepted("{\"name\":\"äöüß€\"}", "name", "äöüß€");
    accepted("{\"name\":\"  ab \\n\"}", "name", "ab");
    refused("{\"name\":\"\"}", "name", "too_short");
    refused("{\"name\":\"   \"}", "name", "too_short");
    refused("{\"name\":\"abcdef\"}", "name", "too_long");
    refused("{\"name\":7}", "name", "wrong_type");
    refused("{\"name\":null}", "name", "not_null");
}

static void test_numbers(void **state)
{
    (void)state;
    accepted("{\"count\":1}", "count", "1");
    accepted("{\"count\":20}", "count", "20");
    refused("{\"count\":0}", "count", "out_of_range");
    refused("{\"count\":21}", "count", "out_of_range");
    refused("{\"count\":1.0}", "count", "wrong_type");
    refused("{\"count\":\"1\"}", "count", "wrong_type");
    refused("{\"count\":true}", "count", "wrong_type");
    accepted("{\"weight\":0.5}", "weight", "0.5");
    accepted("{\"weight\":0}", "weight", "0");
    refused("{\"weight\":0.50000001}", "weight", "out_of_range");
    refused("{\"weight\":\"0\"}", "weight", "wrong_type");
    accepted("{\"active\":false}", "active", "false");
    refused("{\"active\":0}", "active", "wrong_type");
    refused("{\"active\":\"true\"}", "active", "wrong_type");
}

static void test_references(void **state)
{
    (void)state;
    struct outcome outcome = validate("{\"name\":\"a\",\"client_id\":9223372036854775807}", true);
    assert_true(outcome.good);
    assert_string_equal(value(&outcome, "client_id")->text, "9223372036854775807");
    outcome = validate("{\"name\":\"a\",\"client_id\":0}", true);
    assert_false(outcome.good);
    assert_string_equal(outcome.problems.list[0].code, "not_found");
    outcome = validate("{\"name\":\"a\",\"client_id\":\"1\"}", true);
    assert_string_equal(outcome.problems.list[0].code, "wrong_type");
}

static void test_times_and_words(void **state)
{
    (void)state;
    accepted("{\"at\":\"2025-01-31T13:00:00+01:00\"}", "at", "2025-01-31T12:00:00Z");
    refused("{\"at\":\"2025-02-30T12:00:00Z\"}", "at", "invalid_time");
    refused("{\"at\":\"2025-01-31\"}", "at", "invalid_time");
    refused("{\"at\":0}", "at", "wrong_type");
    accepted("{\"color\":\"green\"}", "color", "green");
    refused("{\"color\":\"Green\"}", "color", "unknown_value");
    refused("{\"color\":\"\"}", "color", "unknown_value");
    accepted("{\"color\":null}", "color", NULL);
}

static void test_mac(void **state)
{
    (void)state;
    accepted("{\"mac\":\"aa:bb:cc:dd:ee:0f\"}", "mac", "AA:BB:CC:DD:EE:0F");
    accepted("{\"mac\":\"AA-BB-CC-DD-EE-FF\"}", "mac", "AA:BB:CC:DD:EE:FF");
    accepted("{\"mac\":\"aabbccddeeff\"}", "mac", "AA:BB:CC:DD:EE:FF");
    refused("{\"mac\":\"aa:bb-cc:dd:ee:ff\"}", "mac", "invalid_mac");
    refused("{\"mac\":\"aa:bb:cc:dd:ee\"}", "mac", "invalid_mac");
    refused("{\"mac\":\"aabbccddeefg\"}", "mac", "invalid_mac");
    refused("{\"mac\":\"aa:bb:cc:dd:ee:ff:\"}", "mac", "invalid_mac");
    refused("{\"mac\":\"\"}", "mac", "invalid_mac");
}

static void test_position(void **state)
{
    (void)state;
    struct outcome outcome = validate("{\"place\":{\"latitude\":-90,\"longitude\":180}}", false);
    assert_true(outcome.good);
    assert_string_equal(value(&outcome, "place")->text, "-90");
    assert_string_equal(value(&outcome, "place")->more, "180");
    refused("{\"place\":{\"latitude\":90.0001,\"longitude\":0}}", "place.latitude", "out_of_range");
    refused("{\"place\":{\"latitude\":0,\"longitude\":-180.5}}", "place.longitude", "out_of_range");
    refused("{\"place\":{\"latitude\":0}}", "place.longitude", "required");
    refused("{\"place\":{\"latitude\":\"0\",\"longitude\":0}}", "place.latitude", "wrong_type");
    refused("{\"place\":{\"latitude\":0,\"longitude\":0,\"lat\":0}}", "place.lat", "unknown_field");
    refused("{\"place\":[0,0]}", "place", "wrong_type");
    accepted("{\"place\":null}", "place", NULL);
}

static void test_geometry(void **state)
{
    (void)state;
    const char *ring = "[[13,52],[14,52],[14,53],[13,52]]";
    char body[512];
    snprintf(body, sizeof(body), "{\"shape\":{\"type\":\"Polygon\",\"coordinates\":[%s]}}", ring);
    struct outcome outcome = validate(body, false);
    assert_true(outcome.good);
    snprintf(body, sizeof(body), "{\"area\":{\"type\":\"MultiPolygon\",\"coordinates\":[[%s],[%s]]}}", ring,
             ring);
    assert_true(validate(body, false).good);
    snprintf(body, sizeof(body), "{\"shape\":{\"type\":\"MultiPolygon\",\"coordinates\":[[%s]]}}", ring);
    refused(body, "shape", "invalid_geometry");
    refused("{\"shape\":{\"type\":\"Polygon\",\"coordinates\":[]}}", "shape", "invalid_geometry");
    refused("{\"shape\":{\"type\":\"Polygon\",\"coordinates\":[[[13,52],[14,52],[13,52]]]}}", "shape",
            "invalid_geometry");
    refused("{\"shape\":{\"type\":\"Polygon\",\"coordinates\":[[[13,52],[14,52],[14,53],[13,51]]]}}", "shape",
            "invalid_geometry");
    refused("{\"shape\":{\"type\":\"Polygon\",\"coordinates\":[[[13,91],[14,52],[14,53],[13,91]]]}}", "shape",
            "invalid_geometry");
    refused("{\"shape\":{\"type\":\"Polygon\",\"coordinates\":[[[13,52,1],[14,52],[14,53],[13,52,1]]]}}",
            "shape", "invalid_geometry");
    snprintf(body, sizeof(body), "{\"shape\":{\"type\":\"Polygon\",\"coordinates\":[%s],\"crs\":{}}}", ring);
    refused(body, "shape", "invalid_geometry");
    refused("{\"shape\":\"POLYGON((0 0))\"}", "shape", "wrong_type");
}

/* `corners` positions in one ring, closed. */
static bool polygon_of(size_t corners)
{
    struct buf body = { 0 };
    buf_puts(&body, "{\"shape\":{\"type\":\"Polygon\",\"coordinates\":[[");
    for (size_t i = 0; i + 1 < corners; i++)
        buf_printf(&body, "[%g,%g],", 10 + (double)i / 1000, 50 + (double)(i * i % 97) / 1000);
    buf_puts(&body, "[10,50]]]}}");
    bool good = validate(buf_text(&body), false).good;
    buf_free(&body);
    return good;
}

static void test_polygon_size(void **state)
{
    (void)state;
    assert_true(polygon_of(1000));
    assert_false(polygon_of(1001));
}

static void test_defaults(void **state)
{
    (void)state;
    struct outcome outcome = validate("{\"name\":\"a\"}", true);
    assert_true(outcome.good);
    assert_string_equal(value(&outcome, "note")->text, "none");
    assert_string_equal(value(&outcome, "active")->text, "true");
    assert_true(value(&outcome, "count")->given);
    assert_null(value(&outcome, "count")->text);
    /* a patch leaves alone what it does not name, and null takes a field back to its default */
    outcome = validate("{\"note\":null}", false);
    assert_true(outcome.good);
    assert_string_equal(value(&outcome, "note")->text, "none");
    assert_false(value(&outcome, "active")->given);
    assert_true(validate("{}", false).good);
}

static void test_fields(void **state)
{
    (void)state;
    refused("{\"nmae\":\"a\"}", "nmae", "unknown_field");
    struct outcome outcome = validate("{\"nmae\":\"a\"}", false);
    assert_non_null(strstr(outcome.problems.list[0].message, "did you mean name?"));
    refused("{\"quite_different\":1}", "quite_different", "unknown_field");
    refused("{\"client_id\":1}", "client_id", "fixed");
    refused("{\"id\":1}", "id", "read_only");
    refused("{\"created_at\":\"2025-01-31T12:00:00Z\"}", "created_at", "read_only");
}

static void test_all_problems_at_once(void **state)
{
    (void)state;
    struct outcome outcome = validate("{\"count\":0,\"mac\":\"x\",\"what\":1,\"id\":5}", true);
    assert_false(outcome.good);
    assert_int_equal(outcome.problems.count, 5);
    assert_string_equal(outcome.problems.list[4].field, "name");
    assert_string_equal(outcome.problems.list[4].code, "required");
}

/* More problems than are kept neither overflow nor pass. */
static void test_many_problems(void **state)
{
    (void)state;
    struct buf body = { 0 };
    buf_puts(&body, "{");
    for (int i = 0; i < PROBLEMS_MAX + 10; i++)
        buf_printf(&body, "%s\"zzzzzzzz%d\":1", i > 0 ? "," : "", i);
    buf_puts(&body, "}");
    struct outcome outcome = validate(buf_text(&body), false);
    assert_false(outcome.good);
    assert_int_equal(outcome.problems.count, PROBLEMS_MAX);
    buf_free(&body);
}

/* ---- locations: rules over several fields ---- */

static bool location(const char *text, bool create, struct field_value *values, struct problems *problems)
{
    *problems = (struct problems){ .arena = arena };
    json_t *body = json_loads(text, 0, NULL);
    assert_non_null(body);
    bool good = resource_validate(&storage_locations_resource, body, create, values, problems);
    json_decref(body);
    return good;
}

static void test_locations(void **state)
{
    (void)state;
    struct field_value values[RESOURCE_MAX_FIELDS];
    struct problems problems;
    int polygon = resource_field(&storage_locations_resource, "polygon");
    int valid_from = resource_field(&storage_locations_resource, "valid_from");

    assert_false(location("{\"name\":\"a\"}", true, values, &problems));
    assert_string_equal(problems.list[0].field, "center");
    assert_true(
        location("{\"name\":\"a\",\"center\":{\"latitude\":1,\"longitude\":2}}", true, values, &problems));

    /* a new centre takes the polygon away */
    assert_true(location("{\"center\":{\"latitude\":1,\"longitude\":2}}", false, values, &problems));
    assert_true(values[polygon].given);
    assert_null(values[polygon].text);
    assert_false(values[valid_from].given);

    assert_false(location("{\"effective\":\"from\",\"radius_m\":60}", false, values, &problems));
    assert_string_equal(problems.list[0].field, "effective_from");
    assert_false(
        location("{\"effective_from\":\"2025-01-31T12:00:00Z\",\"radius_m\":60}", false, values, &problems));
    assert_true(
        location("{\"effective\":\"from\",\"effective_from\":\"2025-01-31T12:00:00Z\",\"radius_m\":60}",
                 false, values, &problems));
    assert_string_equal(values[valid_from].text, "2025-01-31T12:00:00Z");

    assert_true(location("{\"radius_m\":50}", false, values, &problems));
    assert_false(location("{\"radius_m\":49.999}", false, values, &problems));
    assert_true(location("{\"radius_m\":50000}", false, values, &problems));
    assert_false(location("{\"radius_m\":50001}", false, values, &problems));
    assert_false(location("{\"valid_from\":\"2025-01-31T12:00:00Z\"}", false, values, &problems));
}

/* Every default in the tables is a valid value of its field. */
static void test_own_defaults(void **state)
{
    (void)state;
    const struct resource *const all[] = { &clients_resource, &brands_resource, &storage_locations_resource,
                                           &trackers_resource, &exclusion_areas_resource };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct field_value values[RESOURCE_MAX_FIELDS];
        struct problems problems = { .arena = arena };
        assert_in_range(all[i]->field_count, 1, RESOURCE_MAX_FIELDS);
        json_t *body = json_object();
        assert_false(resource_validate(all[i], body, true, values, &problems)); /* required fields only */
        for (size_t k = 0; k < problems.count; k++)
            assert_string_equal(problems.list[k].code, "required");
        json_decref(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_references, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_times_and_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mac, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_position, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_geometry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_polygon_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_problems_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_problems, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_locations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_own_defaults, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
