/* A server that reads one request per connection and writes the bytes it was told, for tests of HTTP clients.
 */
#ifndef TESTS_NET_CANNED_SERVER_H
#define TESTS_NET_CANNED_SERVER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct canned_server {
    int listener;
    pthread_t thread;
    const char *answer;
    size_t answer_len;
    int64_t delay;
    int connections;
    char seen[8192];
};

/* Begins to answer on a free port of the loopback address; url gets the address of a page there. answer stays
 * the caller's. delay (microseconds before an answer) may be set afterwards. */
const char *canned_start(struct canned_server *server, const char *answer, size_t len, char url[64]);
void canned_stop(struct canned_server *server);

#endif
