/* Where a Redis is: REDIS_URL taken apart. */
#ifndef STORE_REDIS_URL_H
#define STORE_REDIS_URL_H

#include <stdbool.h>

#include "base/error.h"

#define REDIS_PART_SIZE 256 /* longest host, path, user or password, with its NUL */

struct redis_url {
    bool local; /* a Unix socket: host holds its path */
    bool tls;
    char host[REDIS_PART_SIZE]; /* without the brackets of an IPv6 address */
    int port;
    char user[REDIS_PART_SIZE]; /* "" for the default user */
    char password[REDIS_PART_SIZE];
    int database;
};

/* redis://[[user]:password@]host[:port][/database], rediss:// likewise,
 * unix://[[user]:password@]/path[?db=n]. User, password and path may be percent-encoded. The message never
 * holds a part of the url. */
MUST_CHECK bool redis_url_parse(const char *url, struct redis_url *out, struct error *err);

#endif
