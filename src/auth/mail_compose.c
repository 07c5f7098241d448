/* Composing mails: addresses, headers that nothing can be injected into, and bodies in quoted-printable. */
#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "auth/mail.h"
#include "base/encode.h"
#include "base/timeutil.h"

#define MAX_SUBJECT 400 /* bytes; more is no subject */

/* RFC 2047 bounds an encoded word at 75 characters: 12 of frame, the rest base64 of 45 bytes. */
#define WORD_BYTES 45

/* RFC 2045 bounds a quoted-printable line at 76 characters; one is kept for the soft break. */
#define QP_LINE 75

/* RFC 5322 bounds a line at 998; beyond this the body is encoded. */
#define PLAIN_LINE 900

bool mail_address_valid(const char *address)
{
    size_t len = strlen(address), ats = 0;
    if (len < 3 || len > 254 || !utf8_valid(address, len))
        return false;
    for (const unsigned char *p = (const unsigned char *)address; *p != '\0'; p++) {
        if (*p <= ' ' || *p == 0x7f || strchr("<>(),;:\\\"[]", *p) != NULL)
            return false;
        ats += *p == '@';
    }
    return ats == 1 && address[0] != '@' && address[len - 1] != '@' && address[0] != '-';
}

static bool has_control(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p < ' ' || *p == 0x7f)
            return true;
    return false;
}

static bool is_ascii(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p >= 0x80)
            return false;
    return true;
}

bool mail_parse_from(const char *from, char *name, char *address)
{
    const char *open = strchr(from, '<');
    size_t len = strlen(from);
    name[0] = '\0';
    if (len >= MAIL_ADDRESS_SIZE || has_control(from) || !utf8_valid(from, len))
        return false;
    if (open == NULL) {
        memcpy(address, from, len + 1);
        return mail_address_valid(address);
    }
    if (from[len - 1] != '>')
        return false;
    snprintf(address, MAIL_ADDRESS_SIZE, "%.*s", (int)(from + len - 1 - open - 1), open + 1);
    size_t end = (size_t)(open - from);
    while (end > 0 && from[end - 1] == ' ')
        end--;
    snprintf(name, MAIL_ADDRESS_SIZE, "%.*s", (int)end, from);
    return mail_address_valid(address);
}

/* ---- headers ---- */

static size_t character_bytes(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* Encoded words, folded, none of which cuts a character. */
static void put_encoded_words(struct buf *out, const char *text)
{
    while (*text != '\0') {
        size_t n = 0;
        while (text[n] != '\0' && n + character_bytes((unsigned char)text[n]) <= WORD_BYTES)
            n += character_bytes((unsigned char)text[n]);
        char word[BASE64_SIZE(WORD_BYTES)];
        base64_encode(text, n, word);
        buf_printf(out, "=?UTF-8?B?%s?=", word);
        text += n;
        if (*text != '\0')
            buf_puts(out, "\r\n ");
    }
}

/* As it is when it cannot be mistaken for anything else, encoded otherwise. */
static void put_text(struct buf *out, const char *text)
{
    if (is_ascii(text) && strlen(text) <= 60 && strstr(text, "=?") == NULL)
        buf_puts(out, text);
    else
        put_encoded_words(out, text);
}

static void put_phrase(struct buf *out, const char *name)
{
    if (!is_ascii(name) || strlen(name) > 60) {
        put_encoded_words(out, name);
        return;
    }
    buf_putc(out, '"');
    for (const char *p = name; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *p);
    }
    buf_putc(out, '"');
}

static void put_date_and_id(struct buf *out, const char *from_address, const char *stable_id)
{
    /* strftime's names follow the locale, which a server may have set. */
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(time_now() / USEC_PER_SEC);
    struct tm tm;
    gmtime_r(&now, &tm);
    buf_printf(out, "Date: %.3s, %d %.3s %d %02d:%02d:%02d +0000\r\n", days + 3 * (size_t)tm.tm_wday,
               tm.tm_mday, months + 3 * (size_t)tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
               tm.tm_sec);

    uint8_t random[16];
    char id[HEX_SIZE(sizeof(random))];
    randombytes_buf(random, sizeof(random));
    hex_encode(random, sizeof(random), id);
    buf_printf(out, "Message-ID: <%s%s>\r\n", stable_id != NULL ? stable_id : id, strchr(from_address, '@'));
}

/* ---- bodies ---- */

static bool fits_plain(const char *body)
{
    size_t line = 0;
    for (const char *p = body; *p != '\0'; p++) {
        line = *p == '\n' ? 0 : line + 1;
        if (line > PLAIN_LINE)
            return false;
    }
    return is_ascii(body);
}

static void put_plain(struct buf *out, const char *body)
{
    for (const char *p = body; *p != '\0'; p++) {
        if (*p == '\n')
            buf_puts(out, "\r\n");
        else if (*p != '\r')
            buf_putc(out, *p);
    }
}

static void put_quoted_printable(struct buf *out, const char *body)
{
    size_t column = 0;
    for (const unsigned char *p = (const unsigned char *)body; *p != '\0'; p++) {
        if (*p == '\n') {
            buf_puts(out, "\r\n");
            column = 0;
            continue;
        }
        if (*p == '\r')
            continue;
        bool last = p[1] == '\n' || p[1] == '\0';
        bool plain = (*p > ' ' && *p < 0x7f && *p != '=') || (*p == ' ' && !last);
        size_t width = plain ? 1 : 3;
        if (column + width > QP_LINE) {
            buf_puts(out, "=\r\n");
            column = 0;
        }
        if (plain)
            buf_putc(out, (char)*p);
        else
            buf_printf(out, "=%02X", *p);
        column += width;
    }
}

bool mail_compose(const char *from, const struct mail *mail, bool eight_bit, struct buf *out,
                  struct error *err)
{
    char name[MAIL_ADDRESS_SIZE], address[MAIL_ADDRESS_SIZE];
    if (!mail_parse_from(from, name, address))
        return error_set(err, "mail_from_invalid", "MAIL_FROM must be an address or NAME <ADDRESS>");
    if (!mail_address_valid(mail->to))
        return error_set(err, "mail_to_invalid", "the recipient is not a mail address");
    if (has_control(mail->subject) || strlen(mail->subject) > MAX_SUBJECT ||
        !utf8_valid(mail->subject, strlen(mail->subject)))
        return error_set(err, "mail_subject_invalid", "the subject must be one short line of UTF-8");
    if (!utf8_valid(mail->body, strlen(mail->body)))
        return error_set(err, "mail_body_invalid", "the body must be UTF-8");

    buf_puts(out, "From: ");
    if (name[0] != '\0') {
        put_phrase(out, name);
        buf_printf(out, " <%s>\r\n", address);
    } else {
        buf_printf(out, "%s\r\n", address);
    }
    buf_printf(out, "To: %s\r\nSubject: ", mail->to);
    put_text(out, mail->subject);
    buf_puts(out, "\r\n");
    put_date_and_id(out, address, mail->id);
    bool plain = eight_bit || fits_plain(mail->body);
    buf_printf(out,
               "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: %s\r\nAuto-Submitted: auto-generated\r\n\r\n",
               is_ascii(mail->body) && plain ? "7bit"
               : plain                       ? "8bit"
                                             : "quoted-printable");
    if (plain)
        put_plain(out, mail->body);
    else
        put_quoted_printable(out, mail->body);
    return !out->overflow || error_set(err, "mail_too_long", "the mail is too long");
}
