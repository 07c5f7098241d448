/* A server with a few routes for the tests in tests/http: echo, slow, big, stream. Prints its port; stops on
 * SIGTERM or when its standard input ends. Options come from the environment. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/timeutil.h"
#include "http/server.h"
#include "http/sse.h"

static int64_t number(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

/* ---- handlers ---- */

static void echo(struct request *req)
{
    struct buf out = { 0 };
    struct json json;
    const char *name, *value;
    json_begin(&json, &out);
    json_start_object(&json);
    json_put_text(&json, "method", http_method_names[req->method]);
    json_put_text(&json, "path", req->path);
    json_put_text(&json, "ip", req->client_ip);
    json_put_text(&json, "id", request_param(req, "id"));
    json_put_text(&json, "cookie", request_cookie(req, "c"));
    json_put_text(&json, "x", request_header(req, "X-Test"));
    json_put_int(&json, "body_len", (int64_t)req->body_len);
    json_key(&json, "body");
    json_text_n(&json, req->body, req->body != NULL ? req->body_len : 0);
    json_key(&json, "query");
    json_start_array(&json);
    for (size_t i = 0; request_query_at(req, i, &name, &value); i++) {
        json_text(&json, name);
        json_text(&json, value);
    }
    json_end_array(&json);
    json_end_object(&json);
    reply_json(req, 200, &out);
}

static void item(struct request *req)
{
    int64_t id;
    if (!param_id(req, "id", &id) || !reply_unless_unchanged(req, "\"7\""))
        return;
    echo(req);
}

static void json_route(struct request *req)
{
    json_t *body;
    if (!request_json(req, &body))
        return;
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    reply_text(req, 200, "application/json", text, strlen(text));
    free(text);
}

static void slow(struct request *req)
{
    int64_t ms;
    if (query_int(req, "ms", 0, 60000, 100, &ms)) {
        usleep((useconds_t)ms * 1000);
        reply_empty(req, 204);
    }
}

static void big(struct request *req)
{
    int64_t bytes;
    if (!query_int(req, "bytes", 0, 64 * 1024 * 1024, 1024, &bytes))
        return;
    char *data = malloc((size_t)bytes + 1);
    memset(data, 'x', (size_t)bytes);
    reply_text(req, 200, "text/plain", data, (size_t)bytes);
    free(data);
}

static void upload(struct request *req)
{
    unsigned long sum = 0, len = 0;
    unsigned char block[65536];
    ssize_t n;
    while (req->body_fd >= 0 && (n = read(req->body_fd, block, sizeof(block))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            sum += block[i];
        len += (unsigned long)n;
    }
    struct buf out = { 0 };
    buf_printf(&out, "{\"len\":%lu,\"sum\":%lu}", len, sum);
    reply_json(req, 200, &out);
}

static void file(struct request *req)
{
    reply_file(req, 200, "text/plain", open(getenv("TEST_FILE"), O_RDONLY | O_CLOEXEC));
}

static void live(struct request *req)
{
    reply_text(req, 200, "application/json", "{}", 2);
}

static void forgetful(struct request *req)
{
    (void)req;
}

static void twice(struct request *req)
{
    reply_empty(req, 204);
    reply_problem(req, 500, "internal_error", "never seen");
}

static void inject(struct request *req)
{
    reply_header(req, "X-Bad", "a\r\nSet-Cookie: stolen=1");
    reply_header(req, "Set-Cookie", "a=1");
    reply_header(req, "Set-Cookie", "b=2");
    reply_header(req, "X-Good", "first");
    reply_header(req, "X-Good", "second");
    reply_empty(req, 204);
}

static void metrics(struct request *req)
{
    struct buf out = { 0 };
    metrics_write(&out);
    reply_text(req, 200, METRICS_CONTENT_TYPE, out.data, out.len);
    buf_free(&out);
}

/* ---- streams: one hub ---- */

#define MAX_STREAMS 6000
static pthread_mutex_t hub_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sse_stream *hub[MAX_STREAMS];
static size_t hub_count;

static void leave(void *self, struct sse_stream *stream)
{
    (void)self;
    pthread_mutex_lock(&hub_lock);
    for (size_t i = 0; i < hub_count; i++) {
        if (hub[i] == stream) {
            hub[i] = hub[--hub_count];
            sse_release(stream);
            break;
        }
    }
    pthread_mutex_unlock(&hub_lock);
}

static void stream_route(struct request *req)
{
    const struct sse_options options = { .queue = (size_t)number("TEST_SSE_QUEUE"), .closed = leave };
    const char *last = sse_last_event_id(req);
    pthread_mutex_lock(&hub_lock);
    struct sse_stream *stream = reply_stream(req, &options);
    if (last != NULL)
        sse_send(stream, NULL, "resumed", last);
    hub[hub_count++] = stream;
    pthread_mutex_unlock(&hub_lock);
}

static void publish(struct request *req)
{
    const char *data = request_query(req, "data");
    struct buf out = { 0 };
    int64_t bytes;
    size_t reached = 0;
    if (!query_int(req, "bytes", 0, 1 << 20, 0, &bytes))
        return;
    char *filler = calloc(1, (size_t)bytes + 1);
    memset(filler, 'y', (size_t)bytes);
    pthread_mutex_lock(&hub_lock);
    for (size_t i = 0; i < hub_count; i++)
        reached += sse_send(hub[i], "5", "news", bytes > 0 || data == NULL ? filler : data);
    pthread_mutex_unlock(&hub_lock);
    free(filler);
    buf_printf(&out, "{\"reached\":%zu}", reached);
    reply_json(req, 200, &out);
}

/* ---- routes ---- */

static const struct answer json_answers[] = { { 200, "Echo", "It.", NULL } };
static const struct answer html_answers[] = { { 200, NULL, "It.", "text/html" } };
static const struct route routes[] = {
    { .method = HTTP_GET, .path = "/echo", .handle = echo, .answers = json_answers, .answer_count = 1 },
    { .method = HTTP_POST, .path = "/echo", .handle = echo, .answers = json_answers, .answer_count = 1 },
    { .method = HTTP_DELETE, .path = "/echo", .handle = echo },
    { .method = HTTP_GET, .path = "/items/{id}", .handle = item },
    { .method = HTTP_PATCH, .path = "/items/{id}", .handle = json_route },
    { .method = HTTP_GET, .path = "/items/first", .handle = echo },
    { .method = HTTP_POST, .path = "/json", .handle = json_route },
    { .method = HTTP_GET, .path = "/slow", .handle = slow },
    { .method = HTTP_POST, .path = "/slow", .handle = slow },
    { .method = HTTP_GET, .path = "/big", .handle = big },
    { .method = HTTP_GET, .path = "/file", .handle = file },
    { .method = HTTP_GET, .path = "/page", .handle = live, .answers = html_answers, .answer_count = 1 },
    { .method = HTTP_POST, .path = "/upload", .handle = upload, .flags = ROUTE_UPLOAD },
    { .method = HTTP_GET, .path = "/live", .handle = live, .flags = ROUTE_FAST },
    { .method = HTTP_GET, .path = "/metrics", .handle = metrics, .flags = ROUTE_FAST },
    { .method = HTTP_GET, .path = "/forgetful", .handle = forgetful },
    { .method = HTTP_GET, .path = "/twice", .handle = twice },
    { .method = HTTP_GET, .path = "/inject", .handle = inject },
    { .method = HTTP_POST, .path = "/secret/{token}", .handle = echo, .flags = ROUTE_NO_BODY_LOG },
    { .method = HTTP_GET, .path = "/stream", .handle = stream_route },
    { .method = HTTP_POST, .path = "/publish", .handle = publish },
};

static void describe(const struct request *req, struct http_log_extra *extra)
{
    (void)req;
    extra->user = "tester";
    extra->db_usec = 1500;
    extra->db_statements = 2;
}

static void queries(const struct request *req, struct json *json)
{
    (void)req;
    json_text(json, "SELECT 1");
}

static bool fast(struct request *req)
{
    if (request_query(req, "cached") == NULL)
        return false;
    if (reply_unless_unchanged(req, "\"cached\""))
        reply_text(req, 200, "text/plain", "cached", 6);
    return true;
}

int main(void)
{
    sigset_t stop;
    struct error err;
    int received;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    log_init("http-test", LOG_LEVEL_INFO);

    const struct route_table tables[] = { { routes, ARRAY_LEN(routes) } };
    const struct http_server_options options = {
        .threads = (unsigned)number("TEST_THREADS"),
        .handlers = (unsigned)number("TEST_HANDLERS"),
        .queue = (unsigned)number("TEST_QUEUE"),
        .max_connections = (unsigned)number("TEST_CONNECTIONS"),
        .ip_connections = (unsigned)number("TEST_IP_CONNECTIONS"),
        .max_header = (size_t)number("TEST_HEADER"),
        .max_body = (size_t)number("TEST_BODY"),
        .max_upload = (size_t)number("TEST_UPLOAD"),
        .idle_timeout = number("TEST_IDLE_MS") * 1000,
        .request_timeout = number("TEST_REQUEST_MS") * 1000,
        .slow_request = number("TEST_SLOW_MS") * 1000,
        .quiet = getenv("TEST_QUIET") != NULL,
        .cors_origins = "https://app.example.com, http://localhost:3000",
        .trusted_proxies = getenv("TEST_PROXIES"),
        .tables = tables,
        .table_count = ARRAY_LEN(tables),
        .hooks = { .fast = fast, .describe = describe, .queries = queries },
    };
    struct http_server *server = http_server_start(&options, &err);
    if (server == NULL) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%u\n", http_server_port(server));
    fflush(stdout);
    sigwait(&stop, &received);
    int64_t timeout = number("TEST_STOP_MS") * 1000;
    if (!http_server_stop(server, timeout != 0 ? timeout : SECONDS(10)))
        _exit(3);
    return 0;
}
