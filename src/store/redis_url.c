/* Takes REDIS_URL apart. */
#include "store/redis_url.h"

#include <string.h>

#include "base/encode.h"
#include "base/parse.h"

#define DEFAULT_PORT 6379
#define MAX_DATABASE 65535 /* servers have 16 unless told otherwise; only absurd numbers are refused here */

/* %XX decoded; false when it does not fit, is malformed, or decodes to a NUL */
static bool copy_decoded(char out[REDIS_PART_SIZE], const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        size_t got;
        if (byte == '%') {
            if (len - i < 3 || !hex_decode(text + i + 1, 2, &byte, 1, &got))
                return false;
            i += 2;
        }
        if (byte == '\0' || n + 1 == REDIS_PART_SIZE)
            return false;
        out[n++] = (char)byte;
    }
    out[n] = '\0';
    return true;
}

static bool read_number(const char *text, size_t len, int min, int max, int *out)
{
    char digits[8];
    int64_t value;
    if (len >= sizeof(digits))
        return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    if (!parse_i64_range(digits, min, max, &value))
        return false;
    *out = (int)value;
    return true;
}

/* "[user]:password" or "user" alone */
static bool read_login(const char *text, size_t len, struct redis_url *out)
{
    const char *colon = memchr(text, ':', len);
    size_t user = colon != NULL ? (size_t)(colon - text) : len;
    return copy_decoded(out->user, text, user) &&
           (colon == NULL || copy_decoded(out->password, colon + 1, len - user - 1));
}

/* "host[:port]", "[address][:port]" */
static bool read_host(const char *text, size_t len, struct redis_url *out)
{
    const char *port = memchr(text, ':', len);
    size_t host = port != NULL ? (size_t)(port - text) : len;
    if (len > 0 && text[0] == '[') {
        const char *bracket = memchr(text, ']', len);
        if (bracket == NULL)
            return false;
        size_t end = (size_t)(bracket - text) + 1;
        if (end < len && text[end] != ':')
            return false;
        port = end < len ? text + end : NULL;
        text++;
        len--;
        host = end - 2;
    }
    if (host == 0 || !copy_decoded(out->host, text, host))
        return false;
    if (port == NULL)
        return true;
    return read_number(port + 1, (size_t)(text + len - port) - 1, 1, 65535, &out->port);
}

static bool read_network(const char *rest, struct redis_url *out)
{
    size_t authority = strcspn(rest, "/?#");
    const char *at = memrchr(rest, '@', authority);
    const char *host = at != NULL ? at + 1 : rest;
    if (at != NULL && !read_login(rest, (size_t)(at - rest), out))
        return false;
    if (!read_host(host, authority - (size_t)(host - rest), out))
        return false;
    const char *path = rest + authority;
    if (path[0] == '\0' || strcmp(path, "/") == 0)
        return true;
    return path[0] == '/' && read_number(path + 1, strlen(path + 1), 0, MAX_DATABASE, &out->database);
}

static bool read_socket(const char *rest, struct redis_url *out)
{
    size_t end = strcspn(rest, "?#");
    size_t login = strcspn(rest, "/?#");
    if (login > 0) {
        if (rest[login - 1] != '@' || !read_login(rest, login - 1, out))
            return false;
    }
    if (rest[login] != '/' || !copy_decoded(out->host, rest + login, end - login))
        return false;
    const char *query = rest + end;
    if (query[0] == '\0')
        return true;
    return strncmp(query, "?db=", 4) == 0 &&
           read_number(query + 4, strlen(query + 4), 0, MAX_DATABASE, &out->database);
}

bool redis_url_parse(const char *url, struct redis_url *out, struct error *err)
{
    struct redis_url parsed = { .port = DEFAULT_PORT };
    bool good = false;
    if (strncmp(url, "redis://", 8) == 0) {
        good = read_network(url + 8, &parsed);
    } else if (strncmp(url, "rediss://", 9) == 0) {
        parsed.tls = true;
        good = read_network(url + 9, &parsed);
    } else if (strncmp(url, "unix://", 7) == 0) {
        parsed.local = true;
        good = read_socket(url + 7, &parsed);
    }
    if (good)
        *out = parsed;
    wipe(&parsed, sizeof(parsed));
    if (!good)
        return error_set(err, "redis_url",
                         "REDIS_URL must be redis://[user:password@]host:port/database, rediss:// likewise, "
                         "or unix:///path?db=0");
    return true;
}
