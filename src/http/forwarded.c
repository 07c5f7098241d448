/* Addresses of callers behind trusted proxies. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "http/server_private.h"

/* IPv4, IPv6, or IPv4 written as IPv6, which counts as IPv4. */
static bool read_address(const char *text, struct network *out)
{
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, out->address) == 1) {
        out->bits = 32;
        return true;
    }
    if (inet_pton(AF_INET6, text, out->address) != 1)
        return false;
    out->ipv6 = true;
    out->bits = 128;
    if (memcmp(out->address, mapped, sizeof(mapped)) == 0) {
        memmove(out->address, out->address + sizeof(mapped), 4);
        memset(out->address + 4, 0, 12);
        out->ipv6 = false;
        out->bits = 32;
    }
    return true;
}

/* "10.0.0.0/8" or an address */
static bool read_network(const char *text, struct network *out)
{
    char address[64];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    int64_t bits;
    if (len >= sizeof(address))
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    if (!read_address(address, out))
        return false;
    if (slash == NULL)
        return true;
    if (!parse_i64_range(slash + 1, 0, out->bits, &bits))
        return false;
    out->bits = (unsigned)bits;
    return true;
}

bool networks_parse(const char *text, struct networks *networks, struct error *err)
{
    *networks = (struct networks){ 0 };
    while (text != NULL && *text != '\0') {
        char word[64];
        text += strspn(text, " ,");
        size_t len = strcspn(text, " ,");
        if (len == 0)
            break;
        struct network *list = realloc(networks->list, (networks->count + 1) * sizeof(*list));
        if (list == NULL)
            abort();
        networks->list = list;
        snprintf(word, sizeof(word), "%.*s", (int)len, text);
        if (len >= sizeof(word) || !read_network(word, &list[networks->count])) {
            networks_free(networks);
            return error_set(err, "bad_network", "TRUSTED_PROXIES: %s is neither an address nor a network",
                             word);
        }
        networks->count++;
        text += len;
    }
    return true;
}

void networks_free(struct networks *networks)
{
    free(networks->list);
    *networks = (struct networks){ 0 };
}

static bool same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

bool networks_hold(const struct networks *networks, const char *ip)
{
    struct network address;
    if (networks->count == 0 || !read_address(ip, &address))
        return false;
    for (size_t i = 0; i < networks->count; i++) {
        const struct network *network = &networks->list[i];
        if (network->ipv6 == address.ipv6 && same_prefix(network->address, address.address, network->bits))
            return true;
    }
    return false;
}

/* The last element of text[0..*len), without spaces, brackets or a port; *len becomes what is before it. */
static const char *last_address(struct arena *arena, const char *text, size_t *len)
{
    size_t end = *len, start;
    while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t'))
        end--;
    start = end;
    while (start > 0 && text[start - 1] != ',')
        start--;
    *len = start > 0 ? start - 1 : 0;
    while (start < end && (text[start] == ' ' || text[start] == '\t'))
        start++;
    char *address = arena_strndup(arena, text + start, end - start);
    char *colon = strchr(address, ':');
    if (address[0] == '[') {
        address++;
        address[strcspn(address, "]")] = '\0';
    } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        *colon = '\0'; /* IPv4 with a port */
    }
    return address;
}

const char *client_address(struct arena *arena, const struct networks *trusted, const char *peer,
                           const struct pairs *headers)
{
    const char *client = peer;
    if (!networks_hold(trusted, peer))
        return peer;
    /* Every proxy appends whom it got the request from: the rightmost that is not ours is the last that can
     * be believed. */
    for (size_t i = headers->count; i-- > 0;) {
        if (strcasecmp(headers->items[i].name, "X-Forwarded-For") != 0)
            continue;
        const char *text = headers->items[i].value;
        for (size_t len = strlen(text); len > 0;) {
            struct network address;
            const char *candidate = last_address(arena, text, &len);
            if (!read_address(candidate, &address))
                return client;
            client = candidate;
            if (!networks_hold(trusted, candidate))
                return client;
        }
    }
    return client;
}
