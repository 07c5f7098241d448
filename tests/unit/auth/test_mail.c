/* Tests of src/auth/mail_compose.c: no input ends a header early, and what is written reads back the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "auth/mail.h"
#include "base/encode.h"

#define FROM "Tracker System <tracker@example.com>"

static char *compose(const char *from, const char *to, const char *subject, const char *body)
{
    static struct buf out;
    struct error err;
    buf_free(&out);
    const struct mail mail = { .to = to, .subject = subject, .body = body };
    return mail_compose(from, &mail, false, &out, &err) ? out.data : NULL;
}

static void ordinary_mails_look_ordinary(void **state)
{
    (void)state;
    const char *text = compose(FROM, "jo@example.com", "Set a new password", "Hello\nhttps://x/#token=abc\n");
    assert_non_null(text);
    assert_non_null(strstr(text, "From: \"Tracker System\" <tracker@example.com>\r\n"));
    assert_non_null(strstr(text, "\r\nTo: jo@example.com\r\nSubject: Set a new password\r\n"));
    assert_non_null(strstr(text, "Content-Transfer-Encoding: 7bit\r\n"));
    assert_non_null(strstr(text, "\r\n\r\nHello\r\nhttps://x/#token=abc\r\n"));
    assert_non_null(strstr(text, "\r\nMessage-ID: <"));
    assert_non_null(strstr(text, "@example.com>\r\nMIME-Version: 1.0\r\n"));
}

/* By which a mailbox knows a copy of what it has. */
static void an_outbox_names_its_messages(void **state)
{
    (void)state;
    struct buf out = { 0 };
    struct error err;
    const struct mail mail = { .to = "jo@example.com", .subject = "s", .body = "b", .id = "delivery-7.123" };
    assert_true(mail_compose(FROM, &mail, false, &out, &err));
    assert_non_null(strstr(out.data, "\r\nMessage-ID: <delivery-7.123@example.com>\r\n"));
    buf_free(&out);
}

static void nothing_can_be_injected(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "jo@example.com\r\nBcc: all@example.com",
        "jo@example.com\nBcc: all@example.com",
        "jo@example.com\rBcc: x@y",
        "jo@example.com, eve@example.com",
        "jo@example.com> RCPT TO:<eve@example.com",
        "<jo@example.com>",
        "\"jo\"@example.com",
        "jo @example.com",
        "jo@exam ple.com",
        "jo",
        "@example.com",
        "jo@",
        "a@b@c",
        "",
        "-oQ/tmp@example.com",
        "jo@example.com\x7f",
        "jo\xff@example.com",
        "jo;x@example.com",
    };
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
        if (compose(FROM, addresses[i], "s", "b") != NULL)
            fail_msg("accepted as recipient: %s", addresses[i]);
    assert_null(compose(FROM, "jo@example.com", "s\r\nBcc: all@example.com", "b"));
    assert_null(compose(FROM, "jo@example.com", "s\nx", "b"));
    assert_null(compose(FROM, "jo@example.com", "bad \xff", "b"));
    assert_null(compose(FROM, "jo@example.com", "s", "bad \xff"));
    assert_null(compose("X\r\nBcc: y@z <a@b.c>", "jo@example.com", "s", "b"));
    assert_null(compose("no address", "jo@example.com", "s", "b"));
    assert_null(compose("Name <a@b.c", "jo@example.com", "s", "b"));
}

static void bodies_cannot_end_the_headers_or_lines(void **state)
{
    (void)state;
    const char *text = compose(FROM, "jo@example.com", "s", "one\r\ntwo\rthree\n.\nfour");
    assert_non_null(strstr(text, "\r\n\r\none\r\ntwothree\r\n.\r\nfour"));
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\n')
            assert_true(p > text && p[-1] == '\r');
        if (*p == '\r')
            assert_int_equal(p[1], '\n');
    }
}

static void subjects_in_utf8_are_encoded_words(void **state)
{
    (void)state;
    const char *text = compose(FROM, "jo@example.com",
                               "Passwort für Größe, Maß und über alles – sehr lang, damit gefaltet wird €€€",
                               "b");
    const char *at = strstr(text, "Subject: ");
    char decoded[512];
    size_t total = 0;
    for (at += 9;; at++) {
        assert_int_equal(strncmp(at, "=?UTF-8?B?", 10), 0);
        const char *end = strstr(at, "?=");
        assert_true(end + 2 - at <= 75);
        char word[128];
        size_t n = 0;
        assert_true(base64_decode(at + 10, (size_t)(end - at - 10), word, sizeof(word), &n));
        assert_true(utf8_valid(word, n)); /* no character is cut */
        memcpy(decoded + total, word, n);
        total += n;
        at = end + 2;
        assert_int_equal(strncmp(at, "\r\n", 2), 0);
        at += 2;
        if (*at != ' ')
            break;
    }
    decoded[total] = '\0';
    assert_string_equal(decoded,
                        "Passwort für Größe, Maß und über alles – sehr lang, damit gefaltet wird €€€");
    /* what looks encoded is encoded, so that it shows as it was written */
    assert_null(strstr(compose(FROM, "jo@example.com", "=?UTF-8?Q?x?=", "b"), "Subject: =?UTF-8?Q?x?="));
}

static void sender_names_are_quoted(void **state)
{
    (void)state;
    assert_non_null(strstr(compose("Ann \"The\" Boss, Ltd <a@b.c>", "jo@example.com", "s", "b"),
                           "From: \"Ann \\\"The\\\" Boss, Ltd\" <a@b.c>\r\n"));
    assert_non_null(strstr(compose("Größe <a@b.c>", "jo@example.com", "s", "b"), "From: =?UTF-8?B?"));
    assert_non_null(strstr(compose("a@b.c", "jo@example.com", "s", "b"), "From: a@b.c\r\n"));
}

static size_t decode_qp(const char *in, char *out)
{
    size_t n = 0;
    for (const char *p = in; *p != '\0'; p++) {
        if (strncmp(p, "=\r\n", 3) == 0) {
            p += 2;
        } else if (*p == '=') {
            assert_true(hex_decode((char[]){ (char)(p[1] | 0x20), (char)(p[2] | 0x20) }, 2, out + n, 1,
                                   &(size_t){ 0 }));
            n++;
            p += 2;
        } else if (*p != '\r') {
            out[n++] = *p;
        }
    }
    out[n] = '\0';
    return n;
}

static void bodies_in_utf8_read_back(void **state)
{
    (void)state;
    char body[6000] = "Grüße = schön \nspace at end \n", decoded[8000];
    while (strlen(body) < 5000)
        strcat(body, "äöü long line without an end https://example.com/#token=abc ");
    const char *text = compose(FROM, "jo@example.com", "s", body);
    assert_non_null(strstr(text, "quoted-printable\r\n"));
    const char *start = strstr(text, "\r\n\r\n") + 4;
    decode_qp(start, decoded);
    assert_string_equal(decoded, body);
    size_t line = 0;
    for (const char *p = start; *p != '\0'; p++) {
        line = *p == '\n' ? 0 : line + 1;
        assert_true(line <= 77); /* 76 and the CR */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_mails_look_ordinary),
        cmocka_unit_test(an_outbox_names_its_messages),
        cmocka_unit_test(nothing_can_be_injected),
        cmocka_unit_test(bodies_cannot_end_the_headers_or_lines),
        cmocka_unit_test(subjects_in_utf8_are_encoded_words),
        cmocka_unit_test(sender_names_are_quoted),
        cmocka_unit_test(bodies_in_utf8_read_back),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
