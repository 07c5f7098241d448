/* WebSocket conversations on libwebsockets. */
#include "findmy/websocket.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/timeutil.h"

#define MAX_URL 2048

struct lws_client_impl {
    struct websocket_client base;
    char *proxy, *ca_file;
    bool proxy_unusable; /* libwebsockets speaks to http:// proxies only */
};

/* One conversation; lives on the stack of converse(). */
struct talk {
    const struct websocket_dialog *dialog;
    struct error *err;
    struct buf incoming; /* the message that is arriving */
    struct buf reply;    /* LWS_PRE bytes of room, then what is to be sent */
    bool message_ready, finished, failed, timed_out;
    int messages;
    struct lws_context *context;
    lws_sorted_usec_list_t deadline;
    struct lws *connection;
};

static bool talk_fail(struct talk *talk, const char *code, const char *text)
{
    if (!talk->failed)
        error_set(talk->err, code, "%s", text);
    talk->failed = talk->finished = true;
    return false;
}

static int on_receive(struct talk *talk, struct lws *wsi, const char *data, size_t len)
{
    buf_append(&talk->incoming, data, len);
    if (talk->incoming.overflow) {
        talk_fail(talk, "ws_too_large", "the server's message is too large");
        return -1;
    }
    if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0)
        talk->message_ready = true;
    return 0;
}

static int on_writable(struct talk *talk, struct lws *wsi)
{
    size_t len = talk->reply.len > LWS_PRE ? talk->reply.len - LWS_PRE : 0;
    if (len == 0)
        return 0;
    int sent = lws_write(wsi, (unsigned char *)talk->reply.data + LWS_PRE, len, LWS_WRITE_TEXT);
    buf_wipe(&talk->reply);
    if (sent < (int)len) {
        talk_fail(talk, "ws_closed", "the answer could not be sent");
        return -1;
    }
    return 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *data, size_t len)
{
    (void)user;
    struct talk *talk = lws_context_user(lws_get_context(wsi));
    if (talk == NULL)
        return 0;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        talk_fail(talk, "ws_connect", data != NULL ? (const char *)data : "no connection");
        talk->connection = NULL;
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return on_receive(talk, wsi, data, len);
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return on_writable(talk, wsi);
    case LWS_CALLBACK_CLIENT_CLOSED:
        talk->connection = NULL;
        if (!talk->finished && !talk->message_ready)
            talk_fail(talk, "ws_closed", "the server ended the conversation");
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    { .name = "", .callback = on_event, .rx_buffer_size = 16 * 1024 },
    { .name = NULL },
};

static void on_deadline(lws_sorted_usec_list_t *entry)
{
    struct talk *talk = lws_container_of(entry, struct talk, deadline);
    talk_fail(talk, "ws_timeout", "the server took too long");
    /* The service that calls us would wait for its next event first. */
    lws_cancel_service(talk->context);
}

/* Outside of libwebsockets' callbacks, because the dialog may itself make requests that take a while. */
static void answer_message(struct talk *talk)
{
    struct buf reply = { .max = WEBSOCKET_MAX_MESSAGE, .secret = true };
    talk->message_ready = false;
    enum websocket_verdict verdict = WEBSOCKET_FAILED;
    if (++talk->messages > WEBSOCKET_MAX_MESSAGES)
        talk_fail(talk, "ws_too_large", "the server sends too many messages");
    else
        verdict = talk->dialog->message(talk->dialog->self, buf_text(&talk->incoming), talk->incoming.len,
                                        &reply, talk->err);
    buf_wipe(&talk->incoming);
    if (verdict == WEBSOCKET_FAILED)
        talk->failed = true;
    talk->finished |= verdict != WEBSOCKET_GO_ON;
    if (!talk->finished && talk->connection == NULL)
        talk_fail(talk, "ws_closed", "the server ended the conversation");
    if (!talk->finished && reply.len > 0) {
        static const char room[LWS_PRE];
        buf_append(&talk->reply, room, LWS_PRE);
        buf_append(&talk->reply, reply.data, reply.len);
        lws_callback_on_writable(talk->connection);
    }
    buf_wipe(&reply);
}

/* Address split as lws_parse_uri does it, which writes into its input. */
struct address {
    char text[MAX_URL], path[MAX_URL + 1];
    const char *host;
    int port;
    bool tls;
};

static bool split_address(const char *url, struct address *at, struct error *err)
{
    const char *scheme, *path;
    if (!text_copy(at->text, sizeof(at->text), url))
        return error_set(err, "ws_invalid", "the address is too long");
    if (lws_parse_uri(at->text, &scheme, &at->host, &at->port, &path) != 0 ||
        (strcmp(scheme, "ws") != 0 && strcmp(scheme, "wss") != 0))
        return error_set(err, "ws_invalid", "the address must begin with ws:// or wss://");
    at->tls = strcmp(scheme, "wss") == 0;
    snprintf(at->path, sizeof(at->path), "/%s", path);
    return true;
}

static struct lws_context *make_context(const struct lws_client_impl *impl, struct talk *talk, bool direct)
{
    struct lws_context_creation_info info = { 0 };
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.protocols = protocols;
    info.gid = info.uid = (gid_t)-1;
    info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.client_ssl_ca_filepath = impl->ca_file;
    info.user = talk;
    /* A given address, also an empty one, keeps libwebsockets from taking the environment's proxy. */
    info.http_proxy_address = impl->proxy != NULL && !direct ? impl->proxy + strlen("http://") : "";
    return lws_create_context(&info);
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0;
}

static void connect_to(struct talk *talk, struct lws_context *context, const struct address *at)
{
    struct lws_client_connect_info info = {
        .context = context,
        .address = at->host,
        .port = at->port,
        .path = at->path,
        .host = at->host,
        .origin = at->host,
        .ssl_connection = at->tls ? LCCSCF_USE_SSL : 0, /* without any of the flags that soften checks */
        .pwsi = &talk->connection,
    };
    if (lws_client_connect_via_info(&info) == NULL)
        talk_fail(talk, "ws_connect", "no connection");
}

static bool lws_converse(struct websocket_client *self, const char *url, int64_t timeout,
                         const struct websocket_dialog *dialog, struct error *err)
{
    const struct lws_client_impl *impl = (const struct lws_client_impl *)self;
    struct address at = { .host = "" };
    if (!split_address(url, &at, err))
        return false;
    if (impl->proxy_unusable && !is_loopback(at.host))
        return error_set(err, "ws_invalid", "WebSockets can only go through an http:// proxy");

    struct talk talk = { .dialog = dialog, .err = err };
    talk.incoming = (struct buf){ .max = WEBSOCKET_MAX_MESSAGE, .secret = true };
    talk.reply = (struct buf){ .max = WEBSOCKET_MAX_MESSAGE + LWS_PRE, .secret = true };
    struct lws_context *context = make_context(impl, &talk, is_loopback(at.host));
    if (context == NULL)
        return error_set(err, "ws_connect", "libwebsockets could not be started");

    talk.context = context;
    lws_sul_schedule(context, 0, &talk.deadline, on_deadline, timeout);
    connect_to(&talk, context, &at);
    while (!talk.finished && lws_service(context, 0) >= 0)
        if (talk.message_ready)
            answer_message(&talk);
    if (!talk.finished)
        talk_fail(&talk, "ws_closed", "the conversation broke off");

    lws_sul_cancel(&talk.deadline);
    lws_context_destroy(context);
    buf_wipe(&talk.incoming);
    buf_wipe(&talk.reply);
    return !talk.failed;
}

static void lws_close(struct websocket_client *self)
{
    struct lws_client_impl *impl = (struct lws_client_impl *)self;
    free(impl->proxy);
    free(impl->ca_file);
    free(impl);
}

struct websocket_client *websocket_new(const struct httpc_options *options, struct error *err)
{
    lws_set_log_level(0, NULL); /* its lines are not ours, and could quote what is secret */
    struct lws_client_impl *impl = calloc(1, sizeof(*impl));
    if (impl == NULL) {
        error_set(err, "ws_invalid", "out of memory");
        return NULL;
    }
    impl->base = (struct websocket_client){ .converse = lws_converse, .close = lws_close };
    bool proxied = options->proxy != NULL && options->proxy[0] != '\0';
    impl->proxy_unusable = proxied && strncmp(options->proxy, "http://", 7) != 0;
    impl->proxy = proxied && !impl->proxy_unusable ? strdup(options->proxy) : NULL;
    impl->ca_file = options->ca_file != NULL && options->ca_file[0] != '\0' ? strdup(options->ca_file) : NULL;
    return &impl->base;
}

bool websocket_converse(struct websocket_client *client, const char *url, int64_t timeout,
                        const struct websocket_dialog *dialog, struct error *err)
{
    return client->converse(client, url, timeout, dialog, err);
}

void websocket_close(struct websocket_client *client)
{
    if (client != NULL && client->close != NULL)
        client->close(client);
}
