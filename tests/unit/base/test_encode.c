/* Base64, hex, UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <string.h>

#include "base/encode.h"

static void test_round_trips(void **state)
{
    (void)state;
    unsigned char data[64], back[64];
    char text[BASE64_SIZE(64)], hex[HEX_SIZE(64)];
    for (size_t len = 0; len <= sizeof(data); len++) {
        size_t n;
        randombytes_buf(data, sizeof(data));
        base64_encode(data, len, text);
        assert_int_equal(strlen(text) + 1, BASE64_SIZE(len));
        assert_true(base64_decode(text, strlen(text), back, sizeof(back), &n) && n == len);
        assert_memory_equal(back, data, len);
        base64url_encode(data, len, text);
        assert_null(strpbrk(text, "+/="));
        assert_true(base64_decode(text, strlen(text), back, sizeof(back), &n) && n == len);
        assert_memory_equal(back, data, len);
        hex_encode(data, len, hex);
        assert_true(hex_decode(hex, strlen(hex), back, sizeof(back), &n) && n == len);
        assert_memory_equal(back, data, len);
    }
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = { "A",    "AAA==", "AA=A", "AAA*", "AAA ",
                                       " AAA", "AB==x", "A-A/", "/w=",  "/x==" };
    unsigned char out[16];
    size_t n;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (base64_decode(bad[i], strlen(bad[i]), out, sizeof(out), &n))
            fail_msg("decoded %s", bad[i]);
    assert_false(hex_decode("abc", 3, out, sizeof(out), &n));
    assert_false(hex_decode("ag", 2, out, sizeof(out), &n));
    assert_false(hex_decode("0011", 4, out, 1, &n));
    assert_false(base64_decode("AAAA", 4, out, 2, &n));
}

static void test_exact(void **state)
{
    (void)state;
    unsigned char out[3];
    assert_true(base64_decode_exact("AAEC", out, 3));
    assert_int_equal(out[2], 2);
    assert_false(base64_decode_exact("AAE=", out, 3));
    assert_false(base64_decode_exact("AAECAw==", out, 3));
    assert_true(hex_decode_exact("000102", out, 3));
    assert_false(hex_decode_exact("0001", out, 3));
}

static void test_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x9a\x9a", "\xf4\x8f\xbf\xbf"
    };
    static const char *const bad[] = {
        "\x80",             /* continuation alone */
        "\xc0\x80",         /* overlong NUL */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xe2\x82",
        "a\xc3",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(utf8_valid(bad[i], strlen(bad[i])));
    assert_false(utf8_valid("a\0b", 3));
    assert_int_equal(utf8_length("\xc3\xa4\xe2\x82\xac!", 6), 3);
}

static void test_equal_secret(void **state)
{
    (void)state;
    assert_true(equal_secret("abc", "abc", 3));
    assert_false(equal_secret("abc", "abd", 3));
    char secret[] = "secret";
    wipe(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++)
        assert_int_equal(secret[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trips), cmocka_unit_test(test_malformed),
                                        cmocka_unit_test(test_exact), cmocka_unit_test(test_utf8),
                                        cmocka_unit_test(test_equal_secret) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
