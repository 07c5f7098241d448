/* Provider profiles: the default, what may be changed, and what is refused with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/timeutil.h"
#include "findmy/profile.h"

static const struct profile *parse(struct arena *arena, const char *text, struct error *err)
{
    return profile_parse(arena, text, strlen(text), err);
}

static void the_default(void **state)
{
    (void)state;
    const struct profile *profile = profile_default();
    assert_string_equal(profile->endpoints.fetch_v2, "https://gateway.icloud.com/findmyservice/v2/fetch");
    assert_null(strstr(profile->identity.client_info, "Xcode")); /* refused since September 2026 */
    assert_int_equal(profile->fetch.ids_per_request, 256);
    assert_int_equal(profile->fetch.look_back, DAYS(7));
    assert_int_equal(profile->fetch.empty_retries.count, 5);
    assert_int_equal(profile->fetch.empty_retries.items[4], SECONDS(10));
    assert_int_equal(profile_outcome(&profile->status_gsa, -20209, LOGIN_REFUSED), LOGIN_ACCOUNT_LOCKED);
    assert_int_equal(profile_outcome(&profile->status_gsa, 12345, LOGIN_REFUSED), LOGIN_REFUSED);
    assert_true(profile == profile_default());
}

static void the_default_prints_and_reads_back(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct buf first = { 0 }, second = { 0 };
    struct error err;
    profile_print(profile_default(), &first);
    const struct profile *again = parse(arena, first.data, &err);
    assert_non_null(again);
    profile_print(again, &second);
    assert_string_equal(first.data, second.data);
    buf_free(&first);
    buf_free(&second);
    arena_free(arena);
}

static void a_document_changes_what_it_names(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct error err;
    const struct profile *profile = parse(
        arena,
        "{\"format\":1,\"name\":\"mine\",\"revision\":7,\"endpoints\":{\"gsa\":\"https://x.example/gsa\"},"
        "\"fetch\":{\"api\":\"v1\",\"regroup\":[8,2],\"empty_retries\":[],\"pause\":\"0s\"},"
        "\"status\":{\"gsa\":{\"-20209\":\"refused\",\"-5\":\"bad-code\"},\"fetch\":{\"418\":\"backoff\"}},"
        "\"headers\":{\"fetch\":{\"accept-version\":\"4\",\"Accept\":\"x\"}}}",
        &err);
    assert_non_null(profile);
    assert_string_equal(profile->endpoints.gsa, "https://x.example/gsa");
    assert_string_equal(profile->endpoints.delegates, profile_default()->endpoints.delegates);
    assert_int_equal(profile->fetch.api, PROFILE_API_V1);
    assert_int_equal(profile->fetch.regroup.count, 2);
    assert_int_equal(profile->fetch.empty_retries.count, 0);
    assert_int_equal(profile_outcome(&profile->status_gsa, -20209, LOGIN_SMS), LOGIN_REFUSED);
    assert_int_equal(profile_outcome(&profile->status_gsa, -5, LOGIN_SMS), LOGIN_BAD_CODE);
    assert_int_equal(profile_outcome(&profile->status_gsa, -20101, LOGIN_SMS), LOGIN_BAD_CREDENTIALS);
    assert_int_equal(profile_outcome(&profile->status_fetch, 418, FETCH_OK), FETCH_BACKOFF);

    struct httpc_header_list list = { 0 };
    httpc_put(&list, "accept", "application/json");
    profile_put_headers(profile, PROFILE_FETCH, &list);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].value, "x"); /* over what was there */
    arena_free(arena);
}

static void mistakes_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place;
    } cases[] = {
        { "", "JSON" },
        { "[]", "JSON" },
        { "{", "line 1" },
        { "{\"format\":2}", "format 1" },
        { "{\"format\":\"1\"}", "format 1" },
        { "{\"nmae\":\"x\"}", "nmae" },
        { "{\"fetch\":{\"apii\":\"v1\"}}", "fetch.apii" },
        { "{\"fetch\":7}", "fetch" },
        { "{\"fetch\":{\"api\":\"v3\"}}", "fetch.api" },
        { "{\"fetch\":{\"api\":2}}", "fetch.api" },
        { "{\"fetch\":{\"ids_per_request\":0}}", "fetch.ids_per_request" },
        { "{\"fetch\":{\"ids_per_request\":2001}}", "fetch.ids_per_request" },
        { "{\"fetch\":{\"ids_per_request\":\"64\"}}", "fetch.ids_per_request" },
        { "{\"fetch\":{\"ids_per_request\":1.5}}", "fetch.ids_per_request" },
        { "{\"fetch\":{\"look_back\":\"59m\"}}", "fetch.look_back" },
        { "{\"fetch\":{\"look_back\":\"31d\"}}", "fetch.look_back" },
        { "{\"fetch\":{\"look_back\":604800}}", "fetch.look_back" },
        { "{\"fetch\":{\"look_back\":\"soon\"}}", "fetch.look_back" },
        { "{\"fetch\":{\"regroup\":[4,4]}}", "fetch.regroup" },
        { "{\"fetch\":{\"regroup\":[0]}}", "fetch.regroup" },
        { "{\"fetch\":{\"regroup\":[11,10,9,8,7,6,5,4,3,2,1]}}", "fetch.regroup" },
        { "{\"fetch\":{\"regroup\":{}}}", "fetch.regroup" },
        { "{\"fetch\":{\"empty_retries\":[2]}}", "fetch.empty_retries" },
        { "{\"fetch\":{\"empty_retries\":[\"11m\"]}}", "fetch.empty_retries" },
        { "{\"endpoints\":{\"gsa\":\"\"}}", "endpoints.gsa" },
        { "{\"endpoints\":{\"gsa\":\"ftp://x\"}}", "endpoints.gsa" },
        { "{\"endpoints\":{\"gsa\":\"http://gsa.example/\"}}", "endpoints.gsa" },
        { "{\"endpoints\":{\"gsa\":\"http://localhost.example/\"}}", "endpoints.gsa" },
        { "{\"endpoints\":{\"gsa\":\"https://x\\r\\nHost: y\"}}", "endpoints.gsa" },
        { "{\"identity\":{\"client_info\":\"a\\nb\"}}", "identity.client_info" },
        { "{\"identity\":{\"client_info\":null}}", "identity.client_info" },
        { "{\"headers\":{\"gsa\":{\"Authorization\":\"x\"}}}", "headers.gsa" },
        { "{\"headers\":{\"gsa\":{\"Host\":\"x\"}}}", "headers.gsa" },
        { "{\"headers\":{\"gsa\":{\"a b\":\"x\"}}}", "headers.gsa" },
        { "{\"headers\":{\"gsa\":{\"a\":\"x\\ny\"}}}", "headers.gsa" },
        { "{\"headers\":{\"gsa\":{\"\":\"x\"}}}", "headers.gsa" },
        { "{\"headers\":{\"gsa\":{\"a\":1}}}", "headers.gsa" },
        { "{\"status\":{\"gsa\":{\"x\":\"refused\"}}}", "status.gsa" },
        { "{\"status\":{\"gsa\":{\"1\":\"perhaps\"}}}", "status.gsa" },
        { "{\"status\":{\"fetch\":{\"1\":\"authenticated\"}}}", "status.fetch" },
        { "{\"allow_plain_http\":\"yes\"}", "allow_plain_http" },
        { "{\"name\":\"a\",\"name\":\"b\"}", "JSON" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena *arena = arena_new();
        struct error err = { .code = "" };
        if (parse(arena, cases[i].text, &err) != NULL)
            fail_msg("taken: %s", cases[i].text);
        if (!error_is(&err, "profile_invalid") || strstr(err.message, cases[i].place) == NULL)
            fail_msg("%s: %s", cases[i].text, err.message);
        arena_free(arena);
    }
}

static void plain_http_needs_a_word_or_loopback(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{\"endpoints\":{\"gsa\":\"http://localhost:6970/x\"}}",
        "{\"endpoints\":{\"gsa\":\"http://127.0.0.1/x\"}}",
        "{\"endpoints\":{\"gsa\":\"http://[::1]:1/x\"}}",
        "{\"allow_plain_http\":true,\"endpoints\":{\"gsa\":\"http://sim:6970/x\"}}",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct arena *arena = arena_new();
        struct error err;
        assert_non_null(parse(arena, good[i], &err));
        arena_free(arena);
    }
}

static void files(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct error err;
    char path[] = "/tmp/profile-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "{\"name\":\"x\"}", 12), 12);
    assert_true(profile_load(arena, "", &err) == profile_default());
    assert_true(profile_load(arena, NULL, &err) == profile_default());
    const struct profile *profile = profile_load(arena, path, &err);
    assert_non_null(profile);
    assert_string_equal(profile->name, "x");
    assert_int_equal(ftruncate(fd, PROFILE_MAX_SIZE + 1), 0);
    assert_null(profile_load(arena, path, &err));
    assert_non_null(strstr(err.message, path));
    close(fd);
    unlink(path);
    assert_null(profile_load(arena, path, &err));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default),
        cmocka_unit_test(the_default_prints_and_reads_back),
        cmocka_unit_test(a_document_changes_what_it_names),
        cmocka_unit_test(mistakes_are_refused_with_their_place),
        cmocka_unit_test(plain_http_needs_a_word_or_loopback),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
