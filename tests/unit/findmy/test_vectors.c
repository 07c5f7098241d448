/* Runs all test vectors: folders of FINDMY_VECTORS (colon-separated), by default the project's own and,
 * beside the checkout, the shared ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vectors/vectors.h"

static const char *const default_folders[] = { SOURCE_ROOT "/tests/vectors",
                                               SOURCE_ROOT "/../shared/reference/vectors" };

static void run_listed(const char *list, struct vec_result *result)
{
    char *copy = strdup(list), *rest = copy;
    assert_non_null(copy);
    for (char *folder; (folder = strsep(&rest, ":")) != NULL;)
        if (*folder != '\0')
            vec_run_folder(folder, false, result);
    free(copy);
}

static void all_vectors_pass(void **state)
{
    (void)state;
    struct vec_result result = { 0 };
    const char *list = getenv("FINDMY_VECTORS");
    if (list != NULL && *list != '\0')
        run_listed(list, &result);
    else
        for (size_t i = 0; i < sizeof(default_folders) / sizeof(default_folders[0]); i++)
            if (access(default_folders[i], R_OK) == 0)
                vec_run_folder(default_folders[i], false, &result);
    printf("total: %u files, %u cases, %u failures\n", result.files, result.cases, result.failures);
    fflush(stdout);
    assert_int_equal(result.failures, 0);
    assert_true(result.cases > 0);
}

/* ---- the runner itself: what it does not understand is a failure ---- */

static struct vec_result run_text(const char *text)
{
    char folder[] = "/tmp/vectors-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/x.json", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    struct vec_result result = { 0 };
    vec_run_folder(folder, true, &result);
    unlink(path);
    rmdir(folder);
    return result;
}

#define FRAME(file, count, cases)                                                                            \
    "{\"format\":\"tracker-vectors/1\",\"file\":\"" file "\",\"count\":" count ",\"cases\":[" cases "]}"
#define KDF(id, more)                                                                                        \
    "{\"id\":\"" id                                                                                          \
    "\",\"z_hex\":\"96c05619d56c328ab95fe84b18264b08725b85e33fd34f08\",\"shared_info_hex\":\"\","            \
    "\"length\":16,\"out_hex\":\"443024c3dae66b95e6f5670601558f71\"" more "}"

static void runner_refuses_the_unknown(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned failures;
    } cases[] = {
        { FRAME("kdf-x963.json", "1", KDF("a", "")), 0 },
        { FRAME("kdf-x963.json", "1", KDF("a", ",\"note\":\"n\"")), 0 },
        { FRAME("kdf-x963.json", "1", KDF("a", ",\"more\":1")), 1 },
        { FRAME("kdf-x963.json", "2", KDF("a", "") "," KDF("a", "")), 1 },
        { FRAME("kdf-x963.json", "2", KDF("a", "")), 1 },
        { FRAME("kdf-x963.json", "0", ""), 1 },
        { FRAME("kdf-x963.json", "1", "{\"id\":\"a\"}"), 1 },
        { FRAME("kdf-x963.json", "1", "{\"id\":\"a\",\"z_hex\":7}"), 1 },
        { FRAME("something-else.json", "1", KDF("a", "")), 1 },
        { FRAME("rolling.json", "1", "{\"id\":\"a\",\"kind\":\"new\"}"), 1 },
        { FRAME("alignment.json", "1", "{\"id\":\"a\",\"kind\":\"new\"}"), 1 },
        { FRAME("keyfiles.json", "1", "{\"id\":\"a\",\"format\":\"new\",\"text\":\"\",\"expect\":{}}"), 1 },
        { "{\"format\":\"tracker-vectors/2\",\"file\":\"kdf-x963.json\",\"count\":1,\"cases\":[]}", 1 },
        { "{", 1 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (run_text(cases[i].text).failures != cases[i].failures)
            fail_msg("case %zu: want %u failures", i, cases[i].failures);
}

static void missing_folder_is_a_failure(void **state)
{
    (void)state;
    struct vec_result result = { 0 };
    vec_run_folder("/nonexistent", true, &result);
    assert_int_equal(result.failures, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_vectors_pass),
        cmocka_unit_test(runner_refuses_the_unknown),
        cmocka_unit_test(missing_folder_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
