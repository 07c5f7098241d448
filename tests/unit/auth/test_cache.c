/* Tests of src/auth/cache.c against a database that exists only here: when is an entry, or a copy, still
 * believed? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "auth/cache.h"

/* ---- the database: auth_changes and the oldest running transaction ---- */

#define MAX_ROWS 70000

struct change {
    int64_t id, user_id, xid;
};
struct rows {
    size_t count;
    int64_t xmin;
    const struct change *changes[MAX_ROWS];
};

static struct {
    bool away;
    int looks;
    int64_t xmin;
    size_t count;
    struct change changes[MAX_ROWS];
} database;

static void change(int64_t user_id, int64_t xid)
{
    database.changes[database.count] = (struct change){ (int64_t)database.count + 1, user_id, xid };
    database.count++;
}

struct rows *db_query(struct db *db, const char *sql, const char *types, ...)
{
    static struct rows rows;
    va_list args;
    (void)db;
    (void)sql;
    assert_string_equal(types, "I");
    va_start(args, types);
    const int64_t *since = va_arg(args, const int64_t *);
    va_end(args);
    database.looks++;
    rows = (struct rows){ .xmin = database.xmin };
    for (size_t i = 0; i < database.count; i++)
        if (database.changes[i].xid >= (since != NULL ? *since : database.xmin))
            rows.changes[rows.count++] = &database.changes[i];
    return &rows;
}

bool rows_ok(const struct rows *rows)
{
    (void)rows;
    return !database.away;
}

size_t rows_count(const struct rows *rows)
{
    return rows->count > 0 ? rows->count : 1;
}

bool rows_null(const struct rows *rows, size_t row, size_t column)
{
    (void)row;
    return column > 0 && rows->count == 0;
}

int64_t rows_int(const struct rows *rows, size_t row, size_t column)
{
    const struct change *c = column > 0 ? rows->changes[row] : NULL;
    return column == 0 ? rows->xmin : column == 1 ? c->id : column == 2 ? c->user_id : c->xid;
}

/* ---- fixture ---- */

struct fixture {
    struct auth_cache *cache;
    struct arena *arena;
};

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    memset(&database, 0, sizeof(database));
    database.xmin = 1000;
    f->cache = auth_cache_new(64);
    f->arena = arena_new();
    *state = f;
    return auth_cache_confirm(f->cache, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    auth_cache_free(f->cache);
    arena_free(f->arena);
    test_free(f);
    return 0;
}

static void key_of(int n, uint8_t key[AUTH_CACHE_KEY])
{
    memset(key, 0, AUTH_CACHE_KEY);
    memcpy(key, &n, sizeof(n));
}

static void put(struct fixture *f, int n, int64_t user_id)
{
    static const int64_t clients[] = { 4, 6 };
    static const char *const scopes[] = { "read", NULL };
    uint8_t key[AUTH_CACHE_KEY];
    const struct principal principal = {
        .user_id = user_id,
        .role = ROLE_MANAGER,
        .client_ids = clients,
        .client_count = 2,
        .scopes = scopes,
        .email = "a@b.c",
        .context = { "manager", "{4,6}", "7" },
    };
    key_of(n, key);
    auth_cache_put(f->cache, key, auth_cache_seen(f->cache), 100, &principal);
}

static const struct principal *get(struct fixture *f, int n, int64_t now)
{
    uint8_t key[AUTH_CACHE_KEY];
    key_of(n, key);
    return auth_cache_get(f->cache, key, now, f->arena);
}

static void look(struct fixture *f)
{
    auth_cache_expire(f->cache);
    assert_true(auth_cache_confirm(f->cache, NULL));
}

/* ---- tests ---- */

static void entries_come_back_whole(void **state)
{
    struct fixture *f = *state;
    put(f, 1, 7);
    const struct principal *p = get(f, 1, 99);
    assert_non_null(p);
    assert_int_equal(p->user_id, 7);
    assert_int_equal(p->client_count, 2);
    assert_int_equal(p->client_ids[1], 6);
    assert_string_equal(p->scopes[0], "read");
    assert_null(p->scopes[1]);
    assert_string_equal(p->email, "a@b.c");
    assert_null(p->name);
    assert_string_equal(p->context.clients, "{4,6}");
    assert_null(get(f, 2, 99));
    assert_null(get(f, 1, 100)); /* valid until, not through */
}

static void one_look_serves_many_requests(void **state)
{
    struct fixture *f = *state;
    int before = database.looks;
    for (int i = 0; i < 1000; i++)
        assert_true(auth_cache_confirm(f->cache, NULL));
    assert_true(database.looks <= before + 1); /* one more if the lease happened to end */
}

static void a_lease_ends(void **state)
{
    struct fixture *f = *state;
    look(f);
    assert_true(auth_cache_confirmed(f->cache));
    nanosleep(&(struct timespec){ .tv_nsec = AUTH_LEASE * 1000 + 1000000 }, NULL);
    assert_false(auth_cache_confirmed(f->cache));
    int before = database.looks;
    assert_true(auth_cache_confirm(f->cache, NULL));
    assert_int_equal(database.looks, before + 1);
}

static void without_the_database_nothing_is_confirmed(void **state)
{
    struct fixture *f = *state;
    put(f, 1, 7);
    database.away = true;
    auth_cache_expire(f->cache);
    assert_false(auth_cache_confirm(f->cache, NULL));
    assert_false(auth_cache_confirmed(f->cache));
    database.away = false;
    look(f);
    assert_non_null(get(f, 1, 0)); /* nothing changed meanwhile */
}

static void a_change_forgets_its_user_only(void **state)
{
    struct fixture *f = *state;
    put(f, 1, 7);
    put(f, 2, 7);
    put(f, 3, 8);
    change(7, 1001);
    look(f);
    assert_null(get(f, 1, 0));
    assert_null(get(f, 2, 0));
    assert_non_null(get(f, 3, 0));
}

/* Transaction 1000 is still running when 1001 commits; 1000 itself commits later. */
static void late_commits_are_not_missed(void **state)
{
    struct fixture *f = *state;
    put(f, 1, 7);
    put(f, 2, 8);
    change(7, 1001);
    look(f);
    assert_null(get(f, 1, 0));
    assert_non_null(get(f, 2, 0));
    change(8, 1000);
    database.xmin = 1002;
    look(f);
    assert_null(get(f, 2, 0));
}

/* While an old transaction runs, changes stay listed: they are acted on once. */
static void changes_count_once(void **state)
{
    struct fixture *f = *state;
    change(7, 1001);
    look(f);
    put(f, 1, 7);
    look(f);
    look(f);
    assert_non_null(get(f, 1, 0));
    change(7, 1005);
    look(f);
    assert_null(get(f, 1, 0));
}

static void what_was_read_before_a_change_is_not_kept(void **state)
{
    struct fixture *f = *state;
    uint8_t key[AUTH_CACHE_KEY];
    const struct principal principal = { .user_id = 7, .context = { "user", "{}", "7" } };
    uint64_t seen = auth_cache_seen(f->cache); /* the rights are read here … */
    change(7, 1001);
    look(f); /* … and change before they are put */
    key_of(1, key);
    auth_cache_put(f->cache, key, seen, 100, &principal);
    assert_null(get(f, 1, 0));
}

static void time_going_back_forgets_everything(void **state)
{
    struct fixture *f = *state;
    put(f, 1, 7);
    database.xmin = 500; /* restored from a backup, or another database */
    look(f);
    assert_null(get(f, 1, 0));
}

static void copies_hold_until_the_user_changes(void **state)
{
    struct fixture *f = *state;
    database.xmin = 1010;
    look(f);
    assert_true(auth_cache_copy_holds(f->cache, 7, 1005));
    assert_true(auth_cache_copy_holds(f->cache, 7, 1000));
    assert_false(auth_cache_copy_holds(f->cache, 7, 999)); /* from before the process watched */
    change(7, 1012);
    database.xmin = 1020;
    look(f);
    assert_false(auth_cache_copy_holds(f->cache, 7, 1005));
    assert_false(auth_cache_copy_holds(f->cache, 7, 1012)); /* 1012 was perhaps still running */
    assert_true(auth_cache_copy_holds(f->cache, 7, 1013));
    assert_true(auth_cache_copy_holds(f->cache, 8, 1005));
}

/* At the first look an old transaction (1000) runs, and a younger one (1003) has changed the user already. A
 * copy read between their begins must not be believed, although the change came before the first look. */
static void changes_before_the_first_look_count(void **state)
{
    (void)state;
    database.count = 0;
    change(7, 1003);
    struct auth_cache *fresh = auth_cache_new(64);
    assert_true(auth_cache_confirm(fresh, NULL));
    assert_false(auth_cache_copy_holds(fresh, 7, 1000));
    assert_false(auth_cache_copy_holds(fresh, 7, 1003));
    assert_true(auth_cache_copy_holds(fresh, 7, 1004));
    auth_cache_free(fresh);
}

static void no_look_no_copies(void **state)
{
    (void)state;
    struct auth_cache *fresh = auth_cache_new(64);
    assert_false(auth_cache_copy_holds(fresh, 7, INT64_MAX));
    auth_cache_free(fresh);
}

static void more_changes_than_are_remembered(void **state)
{
    struct fixture *f = *state;
    for (int64_t i = 0; i < 66000; i++)
        change(i + 1, 2000 + i);
    look(f);
    assert_false(auth_cache_copy_holds(f->cache, 7, 2005));
    assert_false(auth_cache_copy_holds(f->cache, 65999, 67000));
    assert_true(auth_cache_copy_holds(f->cache, 7, 68000));
}

static void the_least_used_makes_room(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 4; i++)
        put(f, i * 1024, 7); /* all of one set */
    assert_non_null(get(f, 0, 0));
    put(f, 4 * 1024, 7);
    assert_non_null(get(f, 0, 0));
    assert_null(get(f, 1024, 0));
    assert_non_null(get(f, 4 * 1024, 0));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(entries_come_back_whole),
        TEST(one_look_serves_many_requests),
        TEST(a_lease_ends),
        TEST(without_the_database_nothing_is_confirmed),
        TEST(a_change_forgets_its_user_only),
        TEST(late_commits_are_not_missed),
        TEST(changes_count_once),
        TEST(what_was_read_before_a_change_is_not_kept),
        TEST(time_going_back_forgets_everything),
        TEST(copies_hold_until_the_user_changes),
        TEST(changes_before_the_first_look_count),
        TEST(no_look_no_copies),
        TEST(more_changes_than_are_remembered),
        TEST(the_least_used_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
