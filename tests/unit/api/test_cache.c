/* The answer cache: an answer is used while nobody wrote to what it shows, and no longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/answer_cache.h"
#include "auth/auth.h"

/* ---- a database that answers with what the test says ---- */

const struct db_context auth_context = { .role = "auth", .clients = "{}", .user = "" };

static struct answer_cache *cache;
static int64_t table[8][2];
static size_t table_rows;
static bool away, write_during_look;
static int looks;

void db_set_context(struct db *db, const struct db_context *context)
{
    (void)db;
    assert_string_equal(context->role, "auth");
}

struct rows *db_query(struct db *db, const char *sql, const char *types, ...)
{
    (void)db, (void)sql, (void)types;
    looks++;
    if (write_during_look)
        answer_cache_expire(cache);
    return (struct rows *)table;
}

bool rows_ok(const struct rows *rows)
{
    (void)rows;
    return !away;
}

size_t rows_count(const struct rows *rows)
{
    (void)rows;
    return table_rows;
}

int64_t rows_int(const struct rows *rows, size_t row, size_t column)
{
    (void)rows;
    return table[row][column];
}

/* ---- */

#define NOW INT64_C(1000000000)

static struct arena *arena;
static const int64_t mine[] = { 1, 2 };
static const struct principal admin = { .role = ROLE_ADMIN };
static const struct principal reader = { .role = ROLE_USER, .client_ids = mine, .client_count = 2 };

static int set_up(void **state)
{
    (void)state;
    cache = answer_cache_new();
    arena = arena_new();
    memset(table, 0, sizeof(table));
    table_rows = 0;
    away = write_during_look = false;
    looks = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    answer_cache_free(cache);
    arena_free(arena);
    return 0;
}

static void put(const struct principal *who, const char *url)
{
    uint8_t key[CACHE_KEY_SIZE];
    answer_key(who, url, key);
    answer_cache_put(cache, key, answer_stamp(cache, who), NOW,
                     &(struct cached_answer){ "\"1\"", "application/json", "{}", 2 });
}

static bool got(const struct principal *who, const char *url, int64_t now)
{
    uint8_t key[CACHE_KEY_SIZE];
    struct cached_answer answer;
    answer_key(who, url, key);
    if (!answer_cache_get(cache, key, answer_stamp(cache, who), now, true, arena, &answer))
        return false;
    assert_string_equal(answer.etag, "\"1\"");
    assert_int_equal(answer.len, 2);
    assert_memory_equal(answer.body, "{}", 2);
    return true;
}

static void test_hit_and_expiry(void **state)
{
    (void)state;
    assert_false(got(&reader, "/a", NOW));
    put(&reader, "/a");
    assert_true(got(&reader, "/a", NOW));
    assert_true(got(&reader, "/a", NOW + CACHE_LIFE - 1));
    assert_false(got(&reader, "/a", NOW + CACHE_LIFE));
    assert_false(got(&reader, "/a?x", NOW));
}

/* Others' answers are others', whatever the URL. */
static void test_callers_are_kept_apart(void **state)
{
    (void)state;
    static const int64_t one[] = { 1 }, other[] = { 1, 3 };
    const struct principal fewer = { .role = ROLE_USER, .client_ids = one, .client_count = 1 };
    const struct principal different = { .role = ROLE_USER, .client_ids = other, .client_count = 2 };
    const struct principal manager = { .role = ROLE_MANAGER, .client_ids = mine, .client_count = 2 };
    put(&reader, "/a");
    assert_false(got(&fewer, "/a", NOW));
    assert_false(got(&different, "/a", NOW));
    assert_false(got(&manager, "/a", NOW));
    assert_false(got(&admin, "/a", NOW));
}

static void test_a_write_ends_it(void **state)
{
    (void)state;
    put(&reader, "/a");
    put(&admin, "/a");
    answer_cache_learn(cache, 3, 1); /* of a client that the reader does not see */
    assert_true(got(&reader, "/a", NOW));
    assert_false(got(&admin, "/a", NOW));
    answer_cache_learn(cache, 2, 1);
    assert_false(got(&reader, "/a", NOW));
    put(&reader, "/a");
    answer_cache_learn(cache, 2, 1);
    assert_true(got(&reader, "/a", NOW));
    answer_cache_learn(cache, 2, 2);
    assert_false(got(&reader, "/a", NOW));
}

/* Of a 304 only the tag is known. */
static void test_tag_without_body(void **state)
{
    (void)state;
    uint8_t key[CACHE_KEY_SIZE];
    struct cached_answer answer;
    answer_key(&reader, "/a", key);
    answer_cache_put(cache, key, 7, NOW, &(struct cached_answer){ "\"1\"", "", NULL, 0 });
    assert_true(answer_cache_get(cache, key, 7, NOW, true, arena, &answer));
    assert_string_equal(answer.etag, "\"1\"");
    assert_null(answer.body);
    answer_cache_put(cache, key, 7, NOW, &(struct cached_answer){ "\"1\"", "text/plain", "x", 1 });
    assert_true(answer_cache_get(cache, key, 7, NOW, true, arena, &answer));
    assert_memory_equal(answer.body, "x", 1);
    assert_false(answer_cache_put(cache, key, 7, NOW, &(struct cached_answer){ "\"1\"", "", NULL, 0 }));
    assert_true(answer_cache_get(cache, key, 7, NOW, true, arena, &answer));
    assert_memory_equal(answer.body, "x", 1);
}

/* What is known already lives on from now, and is no news for other processes. */
static void test_renewed(void **state)
{
    (void)state;
    uint8_t key[CACHE_KEY_SIZE];
    struct cached_answer answer = { "\"1\"", "text/plain", "x", 1 };
    answer_key(&reader, "/a", key);
    assert_true(answer_cache_put(cache, key, 7, NOW, &answer));
    assert_false(answer_cache_put(cache, key, 7, NOW + CACHE_LIFE - 1, &answer));
    assert_true(answer_cache_get(cache, key, 7, NOW + CACHE_LIFE, true, arena, &answer));
    assert_true(answer_cache_put(cache, key, 8, NOW, &answer));
    assert_true(
        answer_cache_put(cache, key, 8, NOW, &(struct cached_answer){ "\"2\"", "text/plain", "y", 1 }));
    assert_true(answer_cache_put(cache, key, 8, NOW + CACHE_LIFE,
                                 &(struct cached_answer){ "\"2\"", "text/plain", "y", 1 }));
}

/* A look that was overtaken by a newer write takes nothing back. */
static void test_generations_only_grow(void **state)
{
    (void)state;
    answer_cache_learn(cache, 1, 5);
    uint64_t stamp = answer_stamp(cache, &reader);
    answer_cache_learn(cache, 1, 4);
    assert_true(answer_stamp(cache, &reader) == stamp);
}

static void test_lease(void **state)
{
    (void)state;
    assert_false(answer_cache_confirmed(cache, NOW));
    table[0][0] = 1, table[0][1] = 7;
    table_rows = 1;
    uint64_t unknown = answer_stamp(cache, &reader);
    assert_true(answer_cache_confirm(cache, NULL, NOW));
    assert_true(answer_stamp(cache, &reader) != unknown);
    assert_true(answer_cache_confirm(cache, NULL, NOW + CACHE_LEASE - 1));
    assert_int_equal(looks, 1);
    assert_false(answer_cache_confirmed(cache, NOW + CACHE_LEASE));
    put(&reader, "/a");
    table[0][1] = 8;
    assert_true(answer_cache_confirm(cache, NULL, NOW + CACHE_LEASE));
    assert_int_equal(looks, 2);
    assert_false(got(&reader, "/a", NOW));
}

/* After an own write nothing is used until a look that began later. */
static void test_own_writes(void **state)
{
    (void)state;
    assert_true(answer_cache_confirm(cache, NULL, NOW));
    answer_cache_expire(cache);
    assert_false(answer_cache_confirmed(cache, NOW));
    write_during_look = true;
    assert_false(answer_cache_confirm(cache, NULL, NOW));
    assert_false(answer_cache_confirmed(cache, NOW));
    write_during_look = false;
    assert_true(answer_cache_confirm(cache, NULL, NOW));
    assert_int_equal(looks, 3);
}

static void test_without_a_database(void **state)
{
    (void)state;
    away = true;
    assert_false(answer_cache_confirm(cache, NULL, NOW));
    assert_false(answer_cache_confirmed(cache, NOW));
}

static void test_many_clients(void **state)
{
    (void)state;
    int64_t ids[1000];
    const struct principal all = { .role = ROLE_USER, .client_ids = ids, .client_count = 1000 };
    for (int64_t i = 0; i < 1000; i++) {
        ids[i] = i * 64 + 1;
        answer_cache_learn(cache, ids[i], i + 1);
    }
    assert_true(answer_stamp(cache, &all) == answer_stamp(cache, &admin));
}

/* Processes share answers by their stamps, and each learns in its own order. */
static void test_stamps_tell_states_apart(void **state)
{
    (void)state;
    static const int64_t ids[] = { 1, 2 };
    const struct principal both = { .role = ROLE_USER, .client_ids = ids, .client_count = 2 };
    struct answer_cache *other = answer_cache_new();
    answer_cache_learn(cache, 1, 5);
    answer_cache_learn(cache, 2, 3);
    answer_cache_learn(other, 2, 4);
    answer_cache_learn(other, 1, 4);
    assert_true(answer_stamp(cache, &both) != answer_stamp(other, &both));
    assert_true(answer_stamp(cache, &admin) != answer_stamp(other, &admin));
    answer_cache_learn(other, 1, 5);
    answer_cache_learn(cache, 2, 4);
    assert_true(answer_stamp(cache, &both) == answer_stamp(other, &both));
    assert_true(answer_stamp(cache, &admin) == answer_stamp(other, &admin));
    answer_cache_free(other);
}

/* The bound on bytes holds, and the newest answers are those that stay. */
static void test_bytes_are_bounded(void **state)
{
    (void)state;
    static char body[CACHE_MAX_BODY];
    memset(body, 'x', sizeof(body));
    uint8_t key[CACHE_KEY_SIZE];
    struct cached_answer answer;
    size_t kept = 0, n = 2 * CACHE_MAX_TOTAL / CACHE_MAX_BODY;
    for (size_t i = 0; i < n; i++) {
        answer_key(&reader, arena_printf(arena, "/%zu", i), key);
        answer_cache_put(cache, key, 0, NOW,
                         &(struct cached_answer){ "\"1\"", "application/json", body, sizeof(body) });
        assert_true(answer_cache_get(cache, key, 0, NOW, false, arena, &answer));
    }
    for (size_t i = 0; i < n; i++) {
        answer_key(&reader, arena_printf(arena, "/%zu", i), key);
        kept += answer_cache_get(cache, key, 0, NOW, false, arena, &answer);
    }
    assert_in_range(kept, 1, CACHE_MAX_TOTAL / CACHE_MAX_BODY);
    answer_key(&reader, "/large", key);
    answer_cache_put(cache, key, 0, NOW,
                     &(struct cached_answer){ "\"1\"", "application/json", body, sizeof(body) + 1 });
    assert_false(answer_cache_get(cache, key, 0, NOW, false, arena, &answer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hit_and_expiry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_callers_are_kept_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_write_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_generations_only_grow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lease, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_own_writes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_clients, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tag_without_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_renewed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stamps_tell_states_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_are_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
