/* The HTTP client on libcurl, and small helpers around requests and answers. */
#include "net/httpc.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "base/parse.h"
#include "base/timeutil.h"

#define USER_AGENT "trackerd/" TRACKERD_VERSION

/* More than that in header lines is refused, like too many of them. */
#define MAX_HEADER_BYTES (64u * 1024)

struct curl_client {
    struct http_client base;
    CURL *easy; /* one handle, so that connections are kept between requests */
    char *proxy, *ca_file, *user_agent;
    char reason[CURL_ERROR_SIZE];
};

/* What the callbacks of one transfer collect. */
struct transfer {
    struct arena *arena;
    struct buf body;
    struct httpc_header headers[HTTPC_MAX_HEADERS];
    size_t header_count, header_bytes;
    bool too_large;
};

/* ---- collecting the answer ---- */

static size_t on_body(char *data, size_t size, size_t count, void *self)
{
    struct transfer *transfer = self;
    buf_append(&transfer->body, data, size * count);
    transfer->too_large |= transfer->body.overflow;
    return transfer->body.overflow ? 0 : size * count;
}

static char *trimmed(struct arena *arena, const char *text, size_t len)
{
    while (len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
        len--;
    char *copy = arena_secret(arena, len + 1); /* cookies and tokens come in headers */
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static size_t on_header(char *line, size_t size, size_t count, void *self)
{
    struct transfer *transfer = self;
    size_t len = size * count;
    transfer->header_bytes += len;
    if (transfer->header_bytes > MAX_HEADER_BYTES) {
        transfer->too_large = true;
        return 0;
    }
    /* A status line begins a new answer: after "100 Continue", a proxy's answer or a redirect only the last
     * counts. */
    if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
        transfer->header_count = 0;
    const char *colon = memchr(line, ':', len);
    if (colon == NULL || colon == line)
        return len;
    if (transfer->header_count == HTTPC_MAX_HEADERS) {
        transfer->too_large = true;
        return 0;
    }
    transfer->headers[transfer->header_count++] = (struct httpc_header){
        .name = trimmed(transfer->arena, line, (size_t)(colon - line)),
        .value = trimmed(transfer->arena, colon + 1, len - (size_t)(colon + 1 - line)),
    };
    return len;
}

/* ---- one request ---- */

static bool fail(struct error *err, CURLcode code, const struct transfer *transfer, const char *reason)
{
    const char *name;
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        name = "http_timeout";
        break;
    case CURLE_COULDNT_RESOLVE_HOST:
        name = "http_resolve";
        break;
    case CURLE_COULDNT_CONNECT:
        name = "http_connect";
        break;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        name = "http_proxy";
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
        name = "http_tls";
        break;
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
        name = "http_invalid";
        break;
    case CURLE_FILESIZE_EXCEEDED:
        name = "http_too_large";
        break;
    default:
        name = transfer->too_large ? "http_too_large" : "http_broken";
        break;
    }
    if (strcmp(name, "http_too_large") == 0)
        return error_set(err, name, "the answer is larger than allowed");
    return error_set(err, name, "%s", reason[0] != '\0' ? reason : curl_easy_strerror(code));
}

static struct curl_slist *header_lines(const struct http_out *req, struct arena *arena,
                                       const char *user_agent)
{
    struct curl_slist *lines = NULL;
    bool named = false, typed = false;
    for (size_t i = 0; i < req->header_count; i++) {
        const struct httpc_header *header = &req->headers[i];
        size_t size = strlen(header->name) + strlen(header->value) + 3;
        char *line = arena_secret(arena, size); /* Authorization is among them */
        snprintf(line, size, "%s: %s", header->name, header->value);
        named |= strcasecmp(header->name, "User-Agent") == 0;
        typed |= strcasecmp(header->name, "Content-Type") == 0;
        lines = curl_slist_append(lines, line);
    }
    if (!named)
        lines = curl_slist_append(lines, arena_printf(arena, "User-Agent: %s", user_agent));
    /* libcurl signs also the lines that only take a header away, and the other side does not see those. */
    if (req->aws_sigv4 != NULL)
        return lines;
    if (!typed)
        lines = curl_slist_append(lines, "Content-Type:"); /* libcurl would call any body a form */
    return curl_slist_append(lines, "Expect:");            /* no waiting for 100 Continue */
}

/* curl_slist copies what it is given: wipe the copies, credentials stand in them. */
static void free_lines(struct curl_slist *lines)
{
    for (struct curl_slist *line = lines; line != NULL; line = line->next)
        wipe(line->data, strlen(line->data));
    curl_slist_free_all(lines);
}

static void set_method(CURL *easy, const struct http_out *req)
{
    const char *method = req->method != NULL ? req->method : req->body != NULL ? "POST" : "GET";
    bool plain_get = strcmp(method, "GET") == 0 && req->body == NULL;
    if (plain_get) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        return;
    }
    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    if (req->body != NULL || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, req->body != NULL ? req->body : "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
    }
}

static void set_options(struct curl_client *client, const struct http_out *req, struct transfer *transfer)
{
    CURL *easy = client->easy;
    int64_t timeout = req->timeout > 0 ? req->timeout : HTTPC_DEFAULT_TIMEOUT;
    curl_easy_reset(easy); /* keeps connections, TLS sessions and the DNS cache */
    curl_easy_setopt(easy, CURLOPT_URL, req->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, req->follow_redirects ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)HTTPC_MAX_REDIRECTS);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)((timeout + 999) / 1000));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(HTTPC_CONNECT_TIMEOUT / 1000));
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)transfer->body.max);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, ""); /* all that libcurl can undo */
    curl_easy_setopt(easy, CURLOPT_PROXY, client->proxy != NULL ? client->proxy : "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (client->ca_file != NULL) /* beside it the system's folder of authorities (CAPATH) stays in use */
        curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->reason);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    if (req->aws_sigv4 != NULL) {
        curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, req->aws_sigv4);
        curl_easy_setopt(easy, CURLOPT_USERNAME, req->aws_key);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, req->aws_secret);
    }
    set_method(easy, req);
}

/* Header names, values and the method must not break out of their lines. */
static bool well_formed(const struct http_out *req, struct error *err)
{
    if (req->url == NULL || (strncmp(req->url, "http://", 7) != 0 && strncmp(req->url, "https://", 8) != 0))
        return error_set(err, "http_invalid", "the address of a request must begin with http:// or https://");
    for (size_t i = 0; i < req->header_count; i++) {
        const struct httpc_header *header = &req->headers[i];
        if (header->name[strcspn(header->name, ": \t\r\n")] != '\0' || !httpc_value_safe(header->value))
            return error_set(err, "http_invalid", "header %s has a value that cannot be sent", header->name);
    }
    return true;
}

static bool curl_request(struct http_client *self, const struct http_out *req, struct http_in *resp,
                         struct arena *arena, struct error *err)
{
    struct curl_client *client = (struct curl_client *)self;
    if (!well_formed(req, err))
        return false;

    struct transfer transfer = { .arena = arena };
    transfer.body.max = req->max_body != 0 ? req->max_body : HTTPC_MAX_BODY;
    transfer.body.secret = true;
    client->reason[0] = '\0';
    set_options(client, req, &transfer);
    struct curl_slist *lines = header_lines(req, arena, client->user_agent);
    curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, lines);

    CURLcode code = curl_easy_perform(client->easy);
    long status = 0;
    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, NULL);
    free_lines(lines);
    if (code != CURLE_OK) {
        buf_wipe(&transfer.body);
        return fail(err, code, &transfer, client->reason);
    }

    char *body = arena_secret(arena, transfer.body.len + 1);
    memcpy(body, buf_text(&transfer.body), transfer.body.len + 1);
    *resp = (struct http_in){
        .status = (int)status,
        .body = body,
        .body_len = transfer.body.len,
        .headers = arena_memdup(arena, transfer.headers, sizeof(transfer.headers[0]) * transfer.header_count),
        .header_count = transfer.header_count,
    };
    buf_wipe(&transfer.body);
    return true;
}

/* ---- life ---- */

static void curl_close(struct http_client *self)
{
    struct curl_client *client = (struct curl_client *)self;
    curl_easy_cleanup(client->easy);
    if (client->proxy != NULL)
        wipe(client->proxy, strlen(client->proxy)); /* may hold a password */
    free(client->proxy);
    free(client->ca_file);
    free(client->user_agent);
    free(client);
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static char *copy_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? strdup(text) : NULL;
}

struct http_client *httpc_curl_new(const struct httpc_options *options, struct error *err)
{
    pthread_once(&curl_once, start_curl);
    struct curl_client *client = calloc(1, sizeof(*client));
    if (client == NULL || (client->easy = curl_easy_init()) == NULL) {
        free(client);
        error_set(err, "http_invalid", "libcurl could not be started");
        return NULL;
    }
    client->base = (struct http_client){ .request = curl_request, .close = curl_close };
    client->proxy = copy_or_null(options->proxy);
    client->ca_file = copy_or_null(options->ca_file);
    client->user_agent = strdup(options->user_agent != NULL ? options->user_agent : USER_AGENT);
    return &client->base;
}

bool httpc_request(struct http_client *client, const struct http_out *req, struct http_in *resp,
                   struct arena *arena, struct error *err)
{
    return client->request(client, req, resp, arena, err);
}

void httpc_close(struct http_client *client)
{
    if (client != NULL && client->close != NULL)
        client->close(client);
}

/* ---- helpers ---- */

const char *httpc_header(const struct http_in *resp, const char *name)
{
    for (size_t i = 0; i < resp->header_count; i++)
        if (strcasecmp(resp->headers[i].name, name) == 0)
            return resp->headers[i].value;
    return NULL;
}

int64_t httpc_retry_after(const struct http_in *resp, int64_t now)
{
    const char *value = httpc_header(resp, "Retry-After");
    int64_t seconds;
    if (value == NULL)
        return 0;
    if (parse_i64_range(value, 0, INT32_MAX, &seconds))
        return SECONDS(seconds);
    time_t date = curl_getdate(value, NULL);
    if (date == (time_t)-1 || SECONDS(date) <= now)
        return 0;
    return SECONDS(date) - now;
}

const char *httpc_basic(struct arena *arena, const char *user, const char *password)
{
    size_t len = strlen(user) + 1 + strlen(password);
    char *pair = arena_secret(arena, len + 1);
    snprintf(pair, len + 1, "%s:%s", user, password);
    size_t size = sizeof("Basic ") + BASE64_SIZE(len);
    char *value = arena_secret(arena, size);
    memcpy(value, "Basic ", sizeof("Basic "));
    base64_encode(pair, len, value + sizeof("Basic ") - 1);
    return value;
}

void httpc_put(struct httpc_header_list *list, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    for (size_t i = 0; i < list->count; i++) {
        if (strcasecmp(list->items[i].name, name) == 0) {
            list->items[i].value = value;
            return;
        }
    }
    if (list->count < HTTPC_MAX_SENT) /* callers put far fewer; profiles are bounded to 16 more */
        list->items[list->count++] = (struct httpc_header){ name, value };
}

void httpc_put_query(struct buf *url, const char *name, const char *value)
{
    /* RFC 3986: unreserved characters stand for themselves */
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    if (value == NULL || value[0] == '\0')
        return;
    buf_printf(url, "%c%s=", strchr(buf_text(url), '?') == NULL ? '?' : '&', name);
    for (; *value != '\0'; value++) {
        if (strchr(plain, *value) != NULL)
            buf_putc(url, *value);
        else
            buf_printf(url, "%%%02X", (unsigned char)*value);
    }
}

bool httpc_value_safe(const char *value)
{
    for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            return false;
    return true;
}

bool httpc_take_value(char *out, size_t size, const char *text)
{
    return text != NULL && text[0] != '\0' && httpc_value_safe(text) && text_copy(out, size, text);
}

bool httpc_url_exposed(const char *url)
{
    static const char *const local[] = { "localhost", "127.0.0.1", "[::1]" };
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "ws://", 5) != 0)
        return false;
    const char *host = strstr(url, "://") + 3;
    for (size_t i = 0; i < ARRAY_LEN(local); i++) {
        size_t len = strlen(local[i]);
        if (strncmp(host, local[i], len) == 0 && strchr(":/?#", host[len]) != NULL)
            return false; /* strchr also finds the end of the text */
    }
    return true;
}
