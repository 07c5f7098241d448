/* The SQL builder: parameters match the text, texts depend on shape alone, pages start where the last ended.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/resources.h"

static struct arena *arena;
static const int64_t clients[] = { 3, 7, 9 };

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

/* Every $n of the text has a parameter, and every parameter is used. */
static void check_parameters(const struct statement *s)
{
    bool used[256] = { false };
    for (const char *p = s->sql; (p = strchr(p, '$')) != NULL; p++) {
        if (!isdigit((unsigned char)p[1]))
            continue;
        unsigned long n = strtoul(p + 1, NULL, 10);
        if (n == 0 || n > s->count)
            fail_msg("$%lu of %zu parameters in: %s", n, s->count, s->sql);
        used[n] = true;
    }
    for (size_t n = 1; n <= s->count; n++)
        if (!used[n])
            fail_msg("$%zu is not used in: %s", n, s->sql);
}

static struct list_query list_of(const struct resource *resource, const char *sort)
{
    bool descending = sort[0] == '-';
    int index = resource_field(resource, sort + descending);
    assert_true(index >= 0);
    return (struct list_query){ .resource = resource,
                                .sort = &resource->fields[index],
                                .descending = descending,
                                .clients = clients,
                                .client_count = 1,
                                .limit = 50 };
}

static const char *text_of(const struct list_query *query)
{
    struct statement s = sql_list(query, arena);
    check_parameters(&s);
    return s.sql;
}

static void has(const char *sql, const char *part)
{
    if (strstr(sql, part) == NULL)
        fail_msg("no \"%s\" in: %s", part, sql);
}

static void has_not(const char *sql, const char *part)
{
    if (strstr(sql, part) != NULL)
        fail_msg("\"%s\" in: %s", part, sql);
}

static void test_clients_are_named(void **state)
{
    (void)state;
    struct list_query query = list_of(&trackers_resource, "name");
    has(text_of(&query), "t.client_id = $2::bigint");
    query.client_count = 3;
    has(text_of(&query), "CROSS JOIN LATERAL");
    has(text_of(&query), "t.client_id = c.id");
    query.client_count = 0; /* a caller without clients: an empty array, not all rows */
    has(text_of(&query), "CROSS JOIN LATERAL");
    struct statement s = sql_list(&query, arena);
    assert_string_equal(s.params[1].value.data, "{}");
    query.every_client = true;
    has_not(text_of(&query), "client_id =");
}

static void test_client_rows_are_their_own_tenant(void **state)
{
    (void)state;
    struct list_query query = list_of(&clients_resource, "name");
    has(text_of(&query), "t.id = ANY");
    query.client_count = 3;
    has_not(text_of(&query), "LATERAL");
}

static void test_order_and_cursor(void **state)
{
    (void)state;
    struct list_query query = list_of(&trackers_resource, "id");
    has(text_of(&query), "ORDER BY t.id LIMIT");
    query.after = true;
    query.after_id = 5;
    has(text_of(&query), "t.id > $2::bigint");

    query = list_of(&trackers_resource, "-name");
    has(text_of(&query), "ORDER BY t.name DESC, t.id DESC LIMIT");
    query.after = true;
    query.after_text = "x";
    has(text_of(&query), "(t.name, t.id) < ($2::text, $3::bigint)");
    has_not(text_of(&query), "UNION");
}

/* Null is the largest value in both directions: after a value come larger ones and then nulls, and so on. */
static void test_nulls(void **state)
{
    (void)state;
    struct list_query query = list_of(&trackers_resource, "last_report_at");
    has_not(text_of(&query), "UNION");
    query.after = true;
    query.after_text = "2025-01-31 12:00:00+00";
    has(text_of(&query), "(t.last_report_at, t.id) > ($2::timestamptz, $3::bigint)");
    has(text_of(&query), "UNION ALL");
    has(text_of(&query), "t.last_report_at IS NULL");
    query.after_text = NULL;
    has(text_of(&query), "t.last_report_at IS NULL AND t.id > $2::bigint");
    has_not(text_of(&query), "UNION");

    query.descending = true;
    has(text_of(&query), "t.last_report_at IS NULL AND t.id < $2::bigint");
    has(text_of(&query), "t.last_report_at IS NOT NULL");
    query.after_text = "2025-01-31 12:00:00+00";
    has_not(text_of(&query), "UNION");
}

/* The same shape gives the same text, whatever the values: prepared statements are found again. */
static void test_stable_texts(void **state)
{
    (void)state;
    struct list_query query = list_of(&brands_resource, "name");
    query.search = "one";
    query.filters[query.filter_count++] = (struct list_filter){
        .field = &brands_resource.fields[resource_field(&brands_resource, "created_at")],
        .kind = FILTER_FROM,
        .text = "2025-01-31T12:00:00Z"
    };
    const char *first = text_of(&query);
    query.search = "another' OR true --";
    query.clients = clients + 1;
    query.limit = 3;
    query.filters[0].text = "2020-01-31T12:00:00Z";
    assert_string_equal(text_of(&query), first);
    has_not(first, "another");

    struct principal principal = { .user_id = 1 };
    struct writer writer = { .principal = &principal };
    struct field_value one[RESOURCE_MAX_FIELDS] = { { 0 } }, two[RESOURCE_MAX_FIELDS] = { { 0 } };
    one[2] = (struct field_value){ .given = true, .text = "x" };
    two[3] = (struct field_value){ .given = true, .text = "y" };
    struct statement a = sql_update(&brands_resource, 1, "update", NULL, one, &writer, arena);
    struct statement b = sql_update(&brands_resource, 2, "update", "{7}", two, &writer, arena);
    assert_string_equal(a.sql, b.sql);
}

static void test_search_is_escaped(void **state)
{
    (void)state;
    assert_string_equal(like_pattern(arena, "50%_\\"), "%50\\%\\_\\\\%");
    struct list_query query = list_of(&brands_resource, "name");
    query.search = "a";
    has(text_of(&query), "search_index");
    query = list_of(&exclusion_areas_resource, "name");
    query.search = "a";
    has_not(text_of(&query), "search_index");
    has(text_of(&query), "lower(t.name) LIKE");
}

static void test_archived(void **state)
{
    (void)state;
    struct list_query query = list_of(&brands_resource, "id");
    has(text_of(&query), "t.archived_at IS NULL");
    query.archived = ARCHIVED_YES;
    has(text_of(&query), "t.archived_at IS NOT NULL");
    query.archived = ARCHIVED_ALL;
    has_not(text_of(&query), "t.archived_at IS");
    query = list_of(&audit_log_resource, "-id");
    has_not(text_of(&query), "archived_at");
}

/* Every resource, every order, every place in it: parameters fit. */
static void test_every_list(void **state)
{
    (void)state;
    const struct resource *const all[] = { &clients_resource,           &brands_resource,
                                           &storage_locations_resource, &trackers_resource,
                                           &exclusion_areas_resource,   &audit_log_resource };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (size_t f = 0; f < all[i]->field_count; f++)
            for (int variant = 0; variant < 16; variant++) {
                struct list_query query = { .resource = all[i], .sort = &all[i]->fields[f], .limit = 1 };
                if (!query.sort->sort)
                    continue;
                query.descending = variant & 1;
                query.after = variant & 2;
                query.after_text = variant & 4 ? "x" : NULL;
                query.every_client = variant & 8;
                query.clients = clients;
                query.client_count = 2;
                query.search = variant & 1 && all[i] != &audit_log_resource ? "q" : NULL;
                if (query.after && query.after_text == NULL && !query.sort->nullable &&
                    query.sort->type != FIELD_ID)
                    continue;
                text_of(&query);
                struct statement count = sql_count(&query, arena);
                check_parameters(&count);
            }
}

static void test_writes(void **state)
{
    (void)state;
    const struct resource *const all[] = { &clients_resource, &brands_resource, &storage_locations_resource,
                                           &trackers_resource, &exclusion_areas_resource };
    struct principal principal = { .user_id = 1 };
    struct writer writer = { .principal = &principal, .request_id = "r" };
    static struct field_value values[RESOURCE_MAX_FIELDS];
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct statement s = sql_insert(all[i], values, &writer, arena);
        check_parameters(&s);
        s = sql_update(all[i], 1, "update", NULL, values, &writer, arena);
        check_parameters(&s);
        has(s.sql, "audit_log");
        has(s.sql, "bump_generations");
        s = sql_update(all[i], 1, "archive", NULL, NULL, &writer, arena);
        check_parameters(&s);
        s = sql_delete(all[i], 1, NULL, &writer, arena);
        check_parameters(&s);
        has(s.sql, "audit_log");
    }
    /* what callers may not set is not set */
    struct statement s = sql_update(&trackers_resource, 1, "update", NULL, values, &writer, arena);
    has_not(s.sql, "client_id = CASE");
    has_not(s.sql, "status = CASE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_clients_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_client_rows_are_their_own_tenant, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order_and_cursor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nulls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stable_texts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_search_is_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_archived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_writes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
