/* Settings: sources, mistakes, masking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/timeutil.h"

static struct config *load(struct error *err, const char *a, const char *b)
{
    char *env[] = { (char *)"PATH=/bin", (char *)"HOME=/", (char *)a, (char *)b, NULL };
    return config_load(env, err);
}

/* A file with this text; the name is "NAME=" followed by its path, for use as a variable. */
static const char *variable_with_file(const char *name, const char *text)
{
    static char variable[128];
    int n = snprintf(variable, sizeof(variable), "%s=", name);
    snprintf(variable + n, sizeof(variable) - (size_t)n, "/tmp/test-config-XXXXXX");
    int fd = mkstemp(variable + n);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return variable;
}

static void refused(const char *variable, const char *expected)
{
    struct error err;
    struct config *config = load(&err, variable, NULL);
    if (config != NULL || strstr(err.message, expected) == NULL)
        fail_msg("%s: %s", variable, config != NULL ? "accepted" : err.message);
    assert_null(strchr(err.message, '\n'));
}

static void test_table(void **state)
{
    (void)state;
    struct error err;
    struct config *config = load(&err, NULL, NULL);
    if (config == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(config->http_port, 8100);
    assert_int_equal(config->http_idle_timeout, SECONDS(75));
    for (size_t i = 0; i < config_settings_count; i++) {
        assert_true(strlen(config_settings[i].meaning) > 10);
        assert_string_equal(config_source(config, &config_settings[i]), "default");
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(config_settings[i].name, config_settings[j].name);
    }
    config_free(config);
}

static void test_mistakes(void **state)
{
    (void)state;
    refused("HTTP_PROT=1", "did you mean HTTP_PORT");
    refused("DATABASE_NAME=x", "unknown setting DATABASE_NAME");
    refused("TRACKERD_X=1", "unknown setting");
    refused("HTTP_PORT=0", "from 1 to 65535");
    refused("HTTP_PORT=80x", "whole number");
    refused("HTTP_PORT=", "whole number");
    refused("LOG_LEVEL=loud", "debug|info|warn|error");
    refused("COOKIE_SECURE=maybe", "true or false");
    refused("DATABASE_URL=mysql://x", "postgresql");
    refused("HTTP_IDLE_TIMEOUT=1y", "length of time");
    refused("HTTP_MAX_BODY=1", "bytes");
    refused("JWT_ISSUER=\xff", "UTF-8");
}

static void test_secret_values_are_not_repeated(void **state)
{
    (void)state;
    struct error err;
    assert_null(load(&err, "DATABASE_URL=mysql://user:hunter2@host", NULL));
    assert_null(strstr(err.message, "hunter2"));
}

static void test_secret_file(void **state)
{
    (void)state;
    struct error err;
    const char *variable = variable_with_file("JWT_SECRET_FILE", "from-a-file\n");
    struct config *config = load(&err, variable, NULL);
    assert_non_null(config);
    assert_string_equal(config->jwt_secret, "from-a-file");
    config_free(config);
    unlink(strchr(variable, '=') + 1);
    assert_null(load(&err, "JWT_SECRET_FILE=/nowhere/at/all", NULL));
    assert_non_null(strstr(err.message, "JWT_SECRET_FILE"));
}

static void test_settings_file(void **state)
{
    (void)state;
    struct error err;
    const char *variable = variable_with_file("TRACKERD_CONFIG",
                                              "# comment\n\n HTTP_PORT=81 \nJWT_ISSUER=\"quoted value\"\r\n");
    struct config *config = load(&err, variable, "HTTP_PORT=82");
    if (config == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(config->http_port, 82);
    assert_string_equal(config->jwt_issuer, "quoted value");
    config_free(config);
    unlink(strchr(variable, '=') + 1);

    variable = variable_with_file("TRACKERD_CONFIG", "HTTP_PORT=81\nNO_SUCH_SETTING=1\n");
    assert_null(load(&err, variable, NULL));
    assert_non_null(strstr(err.message, "line 2"));
    unlink(strchr(variable, '=') + 1);
    variable = variable_with_file("TRACKERD_CONFIG", "just words\n");
    assert_null(load(&err, variable, NULL));
    assert_non_null(strstr(err.message, "NAME=VALUE"));
    unlink(strchr(variable, '=') + 1);
}

static void test_print_masks_secrets(void **state)
{
    (void)state;
    struct error err;
    struct config *config = load(&err, "JWT_SECRET=do-not-show-me", "HTTP_PORT=8123");
    assert_non_null(config);
    for (int format = CONFIG_FORMAT_TABLE; format <= CONFIG_FORMAT_MARKDOWN; format++) {
        struct buf out = { 0 };
        config_print(config, (enum config_format)format, &out);
        assert_null(strstr(buf_text(&out), "do-not-show-me"));
        assert_non_null(strstr(buf_text(&out), "JWT_SECRET"));
        if (format != CONFIG_FORMAT_MARKDOWN)
            assert_non_null(strstr(buf_text(&out), "8123"));
        buf_free(&out);
    }
    config_free(config);
    config_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_secret_values_are_not_repeated),
        cmocka_unit_test(test_secret_file),
        cmocka_unit_test(test_settings_file),
        cmocka_unit_test(test_print_masks_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
