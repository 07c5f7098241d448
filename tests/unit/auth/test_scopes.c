/* Tests of src/auth/principal.c and src/auth/apikey.c: tenancy, scopes, the form of keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "auth/apikey.h"
#include "auth/principal.h"

static void admins_see_all_others_their_list(void **state)
{
    (void)state;
    const int64_t clients[] = { 3, 5 };
    struct principal p = { .role = ROLE_USER, .client_ids = clients, .client_count = 2 };
    assert_true(principal_sees_client(&p, 3));
    assert_true(principal_sees_client(&p, 5));
    assert_false(principal_sees_client(&p, 4));
    p.client_count = 0;
    assert_false(principal_sees_client(&p, 3));
    p.role = ROLE_ADMIN;
    assert_true(principal_sees_client(&p, 4));
}

static bool allows(const char *const *scopes, const char *resource, bool write)
{
    struct principal p = { .kind = PRINCIPAL_API_KEY, .scopes = scopes };
    return principal_in_scope(&p, resource, write);
}

static void scopes_narrow(void **state)
{
    (void)state;
    const char *const reads[] = { "trackers:read", NULL }, *const writes[] = { "trackers:write", NULL },
                      *const all_reads[] = { "read", NULL }, *const everything[] = { "*", NULL },
                      *const nothing[] = { NULL }, *const two[] = { "brands:read", "trackers:write", NULL };
    assert_true(allows(reads, "trackers", false));
    assert_false(allows(reads, "trackers", true));
    assert_false(allows(reads, "tracker", false));
    assert_false(allows(reads, "trackers2", false));
    assert_false(allows(reads, "brands", false));
    assert_true(allows(writes, "trackers", true));
    assert_true(allows(writes, "trackers", false)); /* who may write may read */
    assert_false(allows(writes, "", true));
    assert_true(allows(all_reads, "brands", false));
    assert_false(allows(all_reads, "brands", true));
    assert_true(allows(everything, "brands", true));
    assert_false(allows(nothing, "brands", false));
    assert_true(allows(two, "trackers", true));
    assert_false(allows(two, "brands", true));
    assert_true(allows(NULL, "brands", true)); /* sessions */
}

static void read_only_beats_every_scope(void **state)
{
    (void)state;
    struct principal p = { .kind = PRINCIPAL_API_KEY, .read_only = true };
    assert_true(principal_in_scope(&p, "brands", false));
    assert_false(principal_in_scope(&p, "brands", true));
}

static void only_known_scopes_are_valid(void **state)
{
    (void)state;
    static const char *const good[] = { "*", "read", "write", "trackers:read", "production-runs:write" };
    static const char *const bad[] = {
        "",
        "**",
        "admin",
        "trackers",
        "trackers:",
        ":read",
        "trackers:delete",
        "unknown:read",
        "trackers:read ",
        "Trackers:read",
        "trackers:read:write",
        "a-name-that-is-longer-than-any-resource-could-ever-reasonably-be-called:read"
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(apikey_scope_valid(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(apikey_scope_valid(bad[i]));
}

static void keys_have_a_form(void **state)
{
    (void)state;
    struct apikey key, other;
    uint8_t hash[APIKEY_HASH_SIZE];
    apikey_generate(&key);
    apikey_generate(&other);
    assert_string_not_equal(key.secret, other.secret);
    assert_int_equal(strncmp(key.secret, key.prefix, strlen(key.prefix)), 0);
    assert_int_equal(strncmp(key.prefix, "tk_", 3), 0);
    assert_true(apikey_hash(key.secret, hash));
    assert_memory_equal(hash, key.hash, sizeof(hash));

    char changed[APIKEY_SIZE + 1];
    strcpy(changed, key.secret);
    changed[strlen(changed) - 1] ^= 1;
    assert_true(apikey_hash(changed, hash)); /* still a key in form, of another hash */
    assert_memory_not_equal(hash, key.hash, sizeof(hash));
    assert_false(apikey_hash("", hash));
    assert_false(apikey_hash(key.secret + 1, hash));
    strcpy(changed, key.secret);
    strcat(changed, "x");
    assert_false(apikey_hash(changed, hash));
    strcpy(changed, key.secret);
    changed[0] = 'x';
    assert_false(apikey_hash(changed, hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admins_see_all_others_their_list),
        cmocka_unit_test(scopes_narrow),
        cmocka_unit_test(read_only_beats_every_scope),
        cmocka_unit_test(only_known_scopes_are_valid),
        cmocka_unit_test(keys_have_a_form),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
