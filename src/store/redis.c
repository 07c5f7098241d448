/* Redis by hiredis: connects when needed, gives up quickly, tries again with back-off. */
#include "store/redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "store/redis_tls.h"
#include "store/redis_url.h"

#define DEFAULT_TIMEOUT (USEC_PER_SEC / 2)

/* Back-off after a failure: the first wait is also at least one timeout, so that a server which does not
 * answer costs callers at most half of their time; the longest keeps a returning cache from idling. */
#define FIRST_WAIT (USEC_PER_SEC / 5)
#define MAX_WAIT   SECONDS(5)

struct redis {
    bool off;  /* no url: nothing will ever be connected */
    bool told; /* the failure was logged; its end will be, too */
    struct redis_url url;
    redisContext *context; /* NULL while not connected */
    struct redis_tls *tls;
    int64_t timeout;
    int64_t patience;   /* beyond timeout, for the next reply only */
    int64_t wait;       /* length of the next back-off */
    int64_t not_before; /* monotonic time of the next attempt to connect */
    size_t pending;     /* commands appended of which the reply is still to be read */
};

/* ---- create, destroy ---- */

/* hiredis writes without MSG_NOSIGNAL: a server that went away must not end the process. */
static void ignore_broken_pipes(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
        (void)signal(SIGPIPE, SIG_IGN);
}

static bool prepare_tls(struct redis *redis, struct error *err)
{
    if (redis->url.tls)
        redis->tls = redis_tls_new(redis->url.host, err);
    return !redis->url.tls || redis->tls != NULL;
}

struct redis *redis_new(const char *url, int64_t timeout_usec, struct error *err)
{
    struct redis *redis = calloc(1, sizeof(*redis));
    if (redis == NULL) {
        error_set(err, "memory", "not enough memory");
        return NULL;
    }
    redis->timeout = timeout_usec > 0 ? timeout_usec : DEFAULT_TIMEOUT;
    redis->off = url == NULL || url[0] == '\0';
    if (!redis->off && (!redis_url_parse(url, &redis->url, err) || !prepare_tls(redis, err))) {
        redis_free(redis);
        return NULL;
    }
    ignore_broken_pipes();
    return redis;
}

static void disconnect(struct redis *redis)
{
    if (redis->context != NULL)
        redisFree(redis->context);
    redis->context = NULL;
    redis->pending = 0;
    redis->patience = 0;
}

void redis_free(struct redis *redis)
{
    if (redis == NULL)
        return;
    disconnect(redis);
    redis_tls_free(redis->tls);
    wipe(redis, sizeof(*redis));
    free(redis);
}

/* ---- connection ---- */

static struct timeval to_timeval(int64_t usec)
{
    return (struct timeval){ .tv_sec = usec / USEC_PER_SEC, .tv_usec = usec % USEC_PER_SEC };
}

/* Drop the connection and wait before the next; reason is logged once for each time of absence. */
static bool give_up(struct redis *redis, const char *reason)
{
    if (!redis->told)
        LOG_WARN("redis is away", LOG_TEXT("reason", reason));
    redis->told = true;
    disconnect(redis);

    int64_t least = redis->timeout > FIRST_WAIT ? redis->timeout : FIRST_WAIT;
    if (redis->wait < least)
        redis->wait = least;
    /* a quarter of jitter, so that the handles of many threads do not come back in step */
    redis->not_before = time_monotonic() + redis->wait - redis->wait / 8 +
                        (int64_t)randombytes_uniform((uint32_t)(redis->wait / 4));
    redis->wait = redis->wait * 2 < MAX_WAIT ? redis->wait * 2 : (least > MAX_WAIT ? least : MAX_WAIT);
    return false;
}

/* The reason of hiredis for what just failed. */
static bool give_up_context(struct redis *redis)
{
    char reason[128];
    bool timeout = redis->context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
    snprintf(reason, sizeof(reason), "%s", timeout ? "no answer within the timeout" : redis->context->errstr);
    return give_up(redis, reason);
}

/* True when the greeting's next reply is no error. */
static bool greeted(struct redis *redis, const char *what)
{
    void *got = NULL;
    if (redisGetReply(redis->context, &got) != REDIS_OK)
        return give_up_context(redis);
    redisReply *reply = got;
    char reason[128] = "";
    if (reply->type == REDIS_REPLY_ERROR)
        snprintf(reason, sizeof(reason), "%s: %s", what, reply->str);
    freeReplyObject(reply);
    return reason[0] == '\0' || give_up(redis, reason);
}

/* Sign in and choose the database, in one round trip. */
static bool greet(struct redis *redis)
{
    const struct redis_url *url = &redis->url;
    bool login = url->password[0] != '\0', choose = url->database != 0;
    int status = REDIS_OK;
    if (login && url->user[0] != '\0')
        status = redisAppendCommand(redis->context, "AUTH %s %s", url->user, url->password);
    else if (login)
        status = redisAppendCommand(redis->context, "AUTH %s", url->password);
    if (status == REDIS_OK && choose)
        status = redisAppendCommand(redis->context, "SELECT %d", url->database);
    if (status != REDIS_OK)
        return give_up_context(redis);
    return (!login || greeted(redis, "AUTH")) && (!choose || greeted(redis, "SELECT"));
}

static bool open_connection(struct redis *redis)
{
    struct timeval limit = to_timeval(redis->timeout);
    redis->context = redis->url.local ? redisConnectUnixWithTimeout(redis->url.host, limit)
                                      : redisConnectWithTimeout(redis->url.host, redis->url.port, limit);
    if (redis->context == NULL)
        return give_up(redis, "not enough memory");
    if (redis->context->err != 0 || redisSetTimeout(redis->context, limit) != REDIS_OK)
        return give_up_context(redis);
    if (!redis->url.local)
        (void)redisEnableKeepAlive(redis->context);
    if (redis->tls != NULL && !redis_tls_start(redis->tls, redis->context))
        return give_up_context(redis);
    if (!greet(redis))
        return false;
    if (redis->told)
        LOG_INFO("redis is back");
    redis->told = false;
    return true;
}

/* Nothing may come in unasked: readable means closed by the server, or out of step. TLS has records of its
 * own, so there only the end counts. */
static bool went_stale(const struct redis *redis)
{
    char byte;
    ssize_t n = recv(redis->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0)
        return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
    return n == 0 || !redis->url.tls;
}

static bool ready(struct redis *redis)
{
    if (redis == NULL || redis->off)
        return false;
    if (redis->context != NULL && redis->pending == 0 && went_stale(redis))
        disconnect(redis); /* a restart of the server costs nothing but the new connection */
    if (redis->context != NULL)
        return true;
    return time_monotonic() >= redis->not_before && open_connection(redis);
}

/* ---- replies ---- */

static const char *copy_bytes(struct arena *arena, const char *bytes, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);
    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

static void convert(struct arena *arena, const redisReply *from, struct redis_reply *to)
{
    *to = (struct redis_reply){ .type = REDIS_NIL };
    switch (from->type) {
    case REDIS_REPLY_NIL:
        return;
    case REDIS_REPLY_INTEGER:
        to->type = REDIS_INT;
        to->number = from->integer;
        return;
    case REDIS_REPLY_ARRAY: {
        struct redis_reply *items = arena_zalloc(arena, from->elements, sizeof(*items));
        for (size_t i = 0; i < from->elements; i++)
            convert(arena, from->element[i], &items[i]);
        to->type = REDIS_LIST;
        to->items = items;
        to->count = from->elements;
        return;
    }
    default: /* string, status, error; nothing else comes in RESP2 */
        to->type = from->type == REDIS_REPLY_ERROR ? REDIS_FAILED : REDIS_TEXT;
        to->len = from->str != NULL ? (size_t)from->len : 0;
        to->text = copy_bytes(arena, from->str, to->len);
    }
}

static bool set_limit(struct redis *redis, int64_t usec)
{
    return redisSetTimeout(redis->context, to_timeval(usec)) == REDIS_OK || give_up_context(redis);
}

/* Read the next reply that is owed; NULL when the connection broke. */
static redisReply *take_reply(struct redis *redis)
{
    void *got = NULL;
    int64_t patience = redis->patience;
    redis->patience = 0;
    if (patience > 0 && !set_limit(redis, redis->timeout + patience))
        return NULL;
    if (redisGetReply(redis->context, &got) != REDIS_OK) {
        give_up_context(redis);
        return NULL;
    }
    redis->pending--;
    redis->wait = 0;
    if (patience > 0 && !set_limit(redis, redis->timeout)) {
        freeReplyObject(got);
        return NULL;
    }
    return got;
}

bool redis_read(struct redis *redis, struct arena *arena, struct redis_reply *reply)
{
    if (redis == NULL || redis->context == NULL || redis->pending == 0)
        return false;
    redisReply *got = take_reply(redis);
    if (got == NULL)
        return false;
    convert(arena, got, reply);
    freeReplyObject(got);
    return true;
}

/* Replies that nobody read must not be taken for those of the next command. */
static bool settle(struct redis *redis)
{
    int64_t patience = redis->patience;
    redis->patience = 0;
    while (redis->context != NULL && redis->pending > 0) {
        redisReply *got = take_reply(redis);
        if (got != NULL)
            freeReplyObject(got);
    }
    redis->patience = patience;
    return ready(redis);
}

/* ---- commands ---- */

bool redis_append_argv(struct redis *redis, int argc, const char **argv, const size_t *lengths)
{
    /* In the middle of a pipeline a lost connection has lost the commands before this one as well. */
    if (!ready(redis))
        return false;
    if (redisAppendCommandArgv(redis->context, argc, argv, lengths) != REDIS_OK)
        return give_up_context(redis);
    redis->pending++;
    return true;
}

bool redis_command(struct redis *redis, struct arena *arena, struct redis_reply *reply, const char *format,
                   ...)
{
    if (redis == NULL || !settle(redis))
        return false;
    va_list args;
    va_start(args, format);
    int status = redisvAppendCommand(redis->context, format, args);
    va_end(args);
    if (status != REDIS_OK)
        return give_up_context(redis);
    redis->pending++;
    return redis_read(redis, arena, reply);
}

bool redis_command_argv(struct redis *redis, struct arena *arena, struct redis_reply *reply, int argc,
                        const char **argv, const size_t *lengths)
{
    return redis != NULL && settle(redis) && redis_append_argv(redis, argc, argv, lengths) &&
           redis_read(redis, arena, reply);
}

void redis_set_timeout(struct redis *redis, int64_t timeout_usec)
{
    if (redis != NULL)
        redis->patience = timeout_usec > 0 ? timeout_usec : 0;
}

bool redis_available(const struct redis *redis)
{
    return redis != NULL && redis->context != NULL;
}
