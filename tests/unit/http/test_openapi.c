/* The OpenAPI document that routes are described by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "http/openapi.h"

static const char *const kinds[] = { "storage", "delivery", NULL };
static const struct parameter list_parameters[] = {
    { .name = "limit", .type = VALUE_INT, .min = 1, .max = 200, .about = "How many." },
    { .name = "kind", .type = VALUE_ENUM, .words = kinds, .required = true },
    { .name = "since", .type = VALUE_TIME },
    { .name = "If-Match", .in = "header" },
};
static const struct parameter file_parameters[] = { { .name = "name", .in = "path" } };
static const struct answer list_answers[] = { { 200, "ThingPage", "Things." } };
static const struct answer create_answers[] = { { 201, "Thing", "Made." },
                                                { 409, "Problem", "Name is taken." } };
static const struct answer delete_answers[] = { { 204, NULL, "Gone." },
                                                { 404, "Problem", "No such thing." } };
static const struct answer export_answers[] = { { 200, "Text", "CSV.", "text/csv" } };

static const struct route routes[] = {
    { .method = HTTP_GET,
      .path = "/things",
      .access = ACCESS_USER,
      .tag = "things",
      .summary = "List",
      .about = "All \"things\".",
      .operation_id = "listThings",
      .parameters = list_parameters,
      .parameter_count = ARRAY_LEN(list_parameters),
      .answers = list_answers,
      .answer_count = ARRAY_LEN(list_answers) },
    { .method = HTTP_POST,
      .path = "/things",
      .access = ACCESS_PUBLIC,
      .operation_id = "createThing",
      .body_schema = "Thing",
      .answers = create_answers,
      .answer_count = ARRAY_LEN(create_answers) },
    { .method = HTTP_DELETE,
      .path = "/things/{id}",
      .access = ACCESS_ADMIN,
      .operation_id = "deleteThing",
      .answers = delete_answers,
      .answer_count = ARRAY_LEN(delete_answers) },
    { .method = HTTP_GET,
      .path = "/things/{id}/files/{name}",
      .access = ACCESS_USER,
      .operation_id = "exportThing",
      .parameters = file_parameters,
      .parameter_count = ARRAY_LEN(file_parameters),
      .answers = export_answers,
      .answer_count = ARRAY_LEN(export_answers) },
    { .method = HTTP_GET, .path = "/secret", .flags = ROUTE_HIDDEN, .operation_id = "getSecret" },
};

static void schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "Thing", "{\"type\":\"object\"}");
    add(to, "ThingPage", "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Thing\"}}");
}

static const struct openapi_info info = { .title = "Things",
                                          .version = "1.2.3",
                                          .description = "About \"things\".",
                                          .server_url = "https://example.com",
                                          .refresh_cookie = "refresh",
                                          .routes = routes,
                                          .route_count = ARRAY_LEN(routes),
                                          .schemas = schemas };
static json_t *document;

/* Keys from the document down, NULL-terminated. */
static json_t *at(json_t *value, const char *const *keys)
{
    for (size_t i = 0; keys[i] != NULL; i++)
        value = json_object_get(value, keys[i]);
    return value;
}

#define AT(value, ...)   at((value), (const char *const[]){ __VA_ARGS__, NULL })
#define TEXT(value, ...) json_string_value(AT((value), __VA_ARGS__))

static json_t *parameter(json_t *operation, const char *name)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(operation, "parameters"), i,
                       entry) if (strcmp(json_string_value(json_object_get(entry, "name")), name) ==
                                  0) return entry;
    return NULL;
}

static void test_head(void **state)
{
    (void)state;
    assert_string_equal(TEXT(document, "openapi"), "3.1.0");
    assert_string_equal(TEXT(document, "info", "title"), "Things");
    assert_string_equal(TEXT(document, "info", "version"), "1.2.3");
    assert_string_equal(TEXT(document, "info", "description"), "About \"things\".");
    json_t *server = json_array_get(AT(document, "servers"), 0);
    assert_string_equal(TEXT(server, "url"), "https://example.com");
}

static void test_paths(void **state)
{
    (void)state;
    json_t *paths = AT(document, "paths");
    assert_int_equal(json_object_size(paths), 3);
    assert_null(AT(paths, "/secret"));
    assert_int_equal(json_object_size(AT(paths, "/things")), 2);
    json_t *list = AT(paths, "/things", "get");
    assert_string_equal(TEXT(list, "operationId"), "listThings");
    assert_string_equal(TEXT(list, "summary"), "List");
    assert_string_equal(TEXT(list, "description"), "All \"things\".");
    assert_string_equal(json_string_value(json_array_get(AT(list, "tags"), 0)), "things");
    assert_null(AT(list, "requestBody"));
    assert_string_equal(TEXT(AT(paths, "/things", "post"), "operationId"), "createThing");
}

static void test_query_parameters(void **state)
{
    (void)state;
    json_t *list = AT(document, "paths", "/things", "get");
    json_t *limit = parameter(list, "limit");
    assert_string_equal(TEXT(limit, "in"), "query");
    assert_string_equal(TEXT(limit, "description"), "How many.");
    assert_false(json_is_true(AT(limit, "required")));
    assert_string_equal(TEXT(limit, "schema", "type"), "integer");
    assert_int_equal(json_integer_value(AT(limit, "schema", "minimum")), 1);
    assert_int_equal(json_integer_value(AT(limit, "schema", "maximum")), 200);
    json_t *kind = parameter(list, "kind");
    assert_true(json_is_true(AT(kind, "required")));
    assert_int_equal(json_array_size(AT(kind, "schema", "enum")), 2);
    assert_string_equal(TEXT(parameter(list, "since"), "schema", "format"), "date-time");
    assert_string_equal(TEXT(parameter(list, "If-Match"), "in"), "header");
}

/* Those that the table leaves out are ids; those that it has are not listed twice. */
static void test_path_parameters(void **state)
{
    (void)state;
    json_t *operation = AT(document, "paths", "/things/{id}/files/{name}", "get");
    assert_int_equal(json_array_size(AT(operation, "parameters")), 2);
    json_t *id = parameter(operation, "id"), *name = parameter(operation, "name");
    assert_string_equal(TEXT(id, "in"), "path");
    assert_true(json_is_true(AT(id, "required")));
    assert_string_equal(TEXT(id, "schema", "format"), "int64");
    assert_true(json_is_true(AT(name, "required")));
    assert_string_equal(TEXT(name, "schema", "type"), "string");
}

static void test_answers(void **state)
{
    (void)state;
    json_t *created = AT(document, "paths", "/things", "post", "responses");
    assert_string_equal(TEXT(created, "201", "content", "application/json", "schema", "$ref"),
                        "#/components/schemas/Thing");
    assert_string_equal(TEXT(created, "409", "description"), "Name is taken.");
    assert_string_equal(TEXT(created, "409", "content", "application/problem+json", "schema", "$ref"),
                        "#/components/schemas/Problem");
    assert_null(AT(created, "409", "content", "application/json"));
    json_t *deleted = AT(document, "paths", "/things/{id}", "delete", "responses");
    assert_non_null(AT(deleted, "204"));
    assert_null(AT(deleted, "204", "content"));
    assert_string_equal(TEXT(deleted, "404", "description"), "No such thing."); /* not the common text */
    json_t *exported = AT(document, "paths", "/things/{id}/files/{name}", "get", "responses");
    assert_string_equal(TEXT(exported, "200", "content", "text/csv", "schema", "type"), "string");
}

static void test_common_errors(void **state)
{
    (void)state;
    static const struct {
        const char *path, *method;
        const char *has[8], *lacks[8];
    } cases[] = {
        { "/things", "get", { "400", "401", "403", "429", "500", "503" }, { "404", "415", "408" } },
        { "/things", "post", { "400", "408", "413", "415", "422", "429" }, { "401", "403", "404" } },
        { "/things/{id}", "delete", { "401", "403", "404", "504" }, { "415", "408" } },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *answers = AT(document, "paths", cases[i].path, cases[i].method, "responses");
        for (size_t j = 0; cases[i].has[j] != NULL; j++)
            if (AT(answers, cases[i].has[j], "content", "application/problem+json") == NULL)
                fail_msg("%s %s lacks %s", cases[i].method, cases[i].path, cases[i].has[j]);
        for (size_t j = 0; cases[i].lacks[j] != NULL; j++)
            if (AT(answers, cases[i].lacks[j]) != NULL)
                fail_msg("%s %s has %s", cases[i].method, cases[i].path, cases[i].lacks[j]);
    }
}

static void test_bodies(void **state)
{
    (void)state;
    json_t *body = AT(document, "paths", "/things", "post", "requestBody");
    assert_true(json_is_true(AT(body, "required")));
    assert_string_equal(TEXT(body, "content", "application/json", "schema", "$ref"),
                        "#/components/schemas/Thing");
}

static void test_security(void **state)
{
    (void)state;
    json_t *public = AT(document, "paths", "/things", "post", "security");
    assert_true(json_is_array(public));
    assert_int_equal(json_array_size(public), 0);
    json_t *signed_in = AT(document, "paths", "/things", "get", "security");
    assert_int_equal(json_array_size(signed_in), 2); /* either of the two */
    assert_non_null(AT(json_array_get(signed_in, 0), "bearer"));
    assert_non_null(AT(json_array_get(signed_in, 1), "apiKey"));
    json_t *schemes = AT(document, "components", "securitySchemes");
    assert_string_equal(TEXT(schemes, "apiKey", "name"), "X-API-Key");
    assert_string_equal(TEXT(schemes, "bearer", "scheme"), "bearer");
    assert_string_equal(TEXT(schemes, "refreshCookie", "in"), "cookie");
}

static void assert_references(json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    const char prefix[] = "#/components/schemas/";
    const char *reference = json_string_value(json_object_get(value, "$ref"));
    if (reference != NULL) {
        assert_memory_equal(reference, prefix, sizeof(prefix) - 1);
        if (AT(document, "components", "schemas", reference + sizeof(prefix) - 1) == NULL)
            fail_msg("%s leads nowhere", reference);
    }
    json_object_foreach(value, key, item) assert_references(item);
    json_array_foreach(value, i, item) assert_references(item);
}

static void test_references_lead_somewhere(void **state)
{
    (void)state;
    assert_non_null(AT(document, "components", "schemas", "Problem"));
    assert_references(document);
}

static void test_deterministic(void **state)
{
    (void)state;
    struct buf first = { 0 }, second = { 0 };
    openapi_write(&first, &info);
    openapi_write(&second, &info);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    buf_free(&first);
    buf_free(&second);
}

static int set_up(void **state)
{
    (void)state;
    struct buf out = { 0 };
    openapi_write(&out, &info);
    document = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    buf_free(&out);
    return document == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(document);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_query_parameters),
        cmocka_unit_test(test_path_parameters),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_common_errors),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_security),
        cmocka_unit_test(test_references_lead_somewhere),
        cmocka_unit_test(test_deterministic),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
