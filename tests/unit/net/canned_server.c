/* The server of canned bytes: one thread, one connection at a time. */
#include "canned_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void *serve(void *self)
{
    struct canned_server *server = self;
    int fd;
    while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
        size_t len = 0;
        ssize_t got;
        server->connections++;
        while (len < sizeof(server->seen) - 1 &&
               (got = recv(fd, server->seen + len, sizeof(server->seen) - 1 - len, 0)) > 0) {
            len += (size_t)got;
            server->seen[len] = '\0';
            if (strstr(server->seen, "\r\n\r\n") != NULL)
                break;
        }
        if (server->delay > 0)
            usleep((useconds_t)server->delay);
        for (size_t at = 0; at < server->answer_len;) {
            got = send(fd, server->answer + at, server->answer_len - at, MSG_NOSIGNAL);
            if (got <= 0)
                break;
            at += (size_t)got;
        }
        shutdown(fd, SHUT_RDWR);
        close(fd);
    }
    return NULL;
}

const char *canned_start(struct canned_server *server, const char *answer, size_t len, char url[64])
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    memset(server, 0, sizeof(*server));
    server->answer = answer;
    server->answer_len = len;
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    snprintf(url, 64, "http://127.0.0.1:%d/path", ntohs(address.sin_port));
    return url;
}

void canned_stop(struct canned_server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    close(server->listener);
    pthread_join(server->thread, NULL);
}
