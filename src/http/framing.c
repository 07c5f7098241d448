/* RFC 9112's rules for message bodies, without the lenience it allows. */
#include "http/framing.h"

#include <string.h>
#include <strings.h>

#include "base/parse.h"

bool is_token(const char *text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        char c = *text;
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && strchr(others, c) == NULL)
            return false;
    }
    return true;
}

static bool is_value(const char *text)
{
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}

static bool is_host(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f ||
            strchr("/?#@\\\"<>^`{|}", *text) != NULL)
            return false;
    return true;
}

struct seen {
    size_t hosts, lengths, encodings, expects;
    const char *length, *encoding, *expect;
};

static bool look(const struct pairs *headers, struct seen *seen, struct error *err)
{
    for (size_t i = 0; i < headers->count; i++) {
        const char *name = headers->items[i].name, *value = headers->items[i].value;
        if (!is_token(name) || !is_value(value))
            return error_set(err, "bad_request",
                             "A header's name or value holds characters that it must not.");
        if (strcasecmp(name, "Host") == 0) {
            seen->hosts++;
            if (!is_host(value))
                return error_set(err, "bad_request", "The Host header is malformed.");
        } else if (strcasecmp(name, "Content-Length") == 0) {
            seen->lengths++;
            seen->length = value;
        } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
            seen->encodings++;
            seen->encoding = value;
        } else if (strcasecmp(name, "Expect") == 0) {
            seen->expects++;
            seen->expect = value;
        }
    }
    return true;
}

/* Digits only: "+5", "5 ", "0x5" and "5, 5" are not lengths. Leading zeros are harmless and legal. */
static bool read_length(const char *text, int64_t *length)
{
    while (text[0] == '0' && text[1] != '\0')
        text++;
    return text[0] != '-' && parse_i64(text, length);
}

static bool read_framing(const struct seen *seen, bool http11, struct framing *framing, struct error *err)
{
    if (seen->encodings > 0) {
        if (seen->lengths > 0)
            return error_set(err, "bad_framing", "Both Content-Length and Transfer-Encoding are given.");
        if (seen->encodings > 1 || strcasecmp(seen->encoding, "chunked") != 0)
            return error_set(err, "bad_framing",
                             "The only transfer encoding understood is a single \"chunked\".");
        if (!http11)
            return error_set(err, "bad_framing", "HTTP/1.0 has no Transfer-Encoding.");
        *framing = (struct framing){ .has_body = true, .chunked = true, .length = -1 };
        return true;
    }
    if (seen->lengths > 1)
        return error_set(err, "bad_framing", "Content-Length is given more than once.");
    if (seen->lengths == 1) {
        if (!read_length(seen->length, &framing->length))
            return error_set(err, "bad_framing", "Content-Length is not a number.");
        framing->has_body = true;
    }
    return true;
}

bool framing_check(const char *version, const struct pairs *headers, struct framing *framing, int *status,
                   struct error *err)
{
    bool http11 = strcmp(version, "HTTP/1.1") == 0;
    struct seen seen = { 0 };
    *framing = (struct framing){ 0 };
    if (!http11 && strcmp(version, "HTTP/1.0") != 0) {
        *status = 505;
        return error_set(err, "http_version_not_supported", "HTTP/1.1 and HTTP/1.0 are understood.");
    }
    if (headers->count > HTTP_MAX_HEADERS) {
        *status = 431;
        return error_set(err, "too_many_headers", "There are more than %d headers.", HTTP_MAX_HEADERS);
    }
    *status = 400;
    if (!look(headers, &seen, err))
        return false;
    if (seen.hosts > 1 || (http11 && seen.hosts == 0))
        return error_set(err, "bad_request", "There must be one Host header.");
    if (!read_framing(&seen, http11, framing, err))
        return false;
    if (seen.expects > 0) {
        if (seen.expects > 1 || strcasecmp(seen.expect, "100-continue") != 0) {
            *status = 417;
            return error_set(err, "expectation_failed", "The only expectation understood is 100-continue.");
        }
        framing->expects_continue = http11;
    }
    return true;
}
