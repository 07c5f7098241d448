/* What the request line and the headers decide before a byte of the body is read. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/timeutil.h"
#include "http/framing.h"
#include "http/media.h"
#include "http/mhd_compat.h"
#include "http/server_private.h"
#include "http/target.h"

#define MAX_REQUEST_ID 64

/* ---- headers ---- */

static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                   const char *value, size_t value_len)
{
    struct request *req = cls;
    (void)kind;
    (void)name_len;
    if (value == NULL)
        value = "";
    else if (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t')) {
        while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
            value_len--;
        value = arena_strndup(req->arena, value, value_len);
    }
    pairs_add(req->arena, &req->private_->headers, name, value);
    return MHD_YES;
}

/* A header of our size limit that libmicrohttpd, whose limit is for all it keeps of a request, let through.
 */
static bool header_fits(const struct http_server *server, const struct request *req)
{
    const union MHD_ConnectionInfo *size = MHD_get_connection_info(req->private_->mhd,
                                                                   MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return size == NULL || size->header_size <= server->options.max_header;
}

static bool is_request_id(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return len > 0 && len <= MAX_REQUEST_ID && text[len] == '\0';
}

static void identify(struct http_server *server, struct request *req)
{
    const char *given = request_header(req, "X-Request-Id");
    req->id = given != NULL && is_request_id(given) ? given
                                                    : arena_printf(req->arena, "%s%08x", server->id_prefix,
                                                                   atomic_fetch_add(&server->id_next, 1));
    req->client_ip = client_address(req->arena, &server->proxies, req->private_->connection->ip,
                                    &req->private_->headers);
}

/* ---- route ---- */

static void add_parameter(void *to, const char *name, size_t name_len, const char *value, size_t value_len)
{
    struct request *req = to;
    pairs_add(req->arena, &req->private_->params, arena_strndup(req->arena, name, name_len),
              arena_strndup(req->arena, value, value_len));
}

static enum http_method method_of(const char *name)
{
    int index = 0;
    while (http_method_names[index] != NULL && strcmp(http_method_names[index], name) != 0)
        index++;
    return (enum http_method)index; /* HTTP_METHODS: another one */
}

/* "GET, HEAD, OPTIONS" */
static const char *allow_text(struct request *req)
{
    const char *text = "";
    for (int i = 0; i < HTTP_METHODS; i++)
        if (req->private_->allowed & 1u << i)
            text = arena_printf(req->arena, "%s%s%s", text, text[0] != '\0' ? ", " : "",
                                http_method_names[i]);
    return text;
}

static void answer_options(const struct http_server *server, struct request *req)
{
    const char *allow = allow_text(req);
    reply_header(req, "Allow", allow);
    if (cors_is_preflight(req, server->options.cors_origins))
        cors_preflight(req, allow);
    reply_empty(req, 204);
}

static void find_route(const struct http_server *server, struct request *req, const struct target *target)
{
    struct request_private *p = req->private_;
    struct route_match match = { .index = SIZE_MAX };
    if (!target->too_deep)
        match = router_find(server->router, target->segments, target->segment_count, req->method);
    req->route = match.route;
    p->route_index = match.index;
    p->allowed = match.allowed;
    if (match.route != NULL) {
        route_parameters(match.route, target->segments, target->segment_count, add_parameter, req);
    } else if (req->method == HTTP_OPTIONS && (match.allowed != 0 || strcmp(target->path, "*") == 0)) {
        if (match.allowed == 0)
            p->allowed = (1u << HTTP_METHODS) - 1;
        answer_options(server, req);
    } else if (match.allowed != 0) {
        reply_header(req, "Allow", allow_text(req));
        reply_problem(req, 405, "method_not_allowed", "The methods of this address are %s.", allow_text(req));
    } else {
        reply_problem(req, 404, "not_found", "There is nothing under this address.");
    }
}

/* ---- representations ---- */

/* Can the client take what the route answers with on success? */
static bool is_acceptable(const struct request *req)
{
    const char *accept = request_header(req, "Accept");
    bool any = false;
    if (accept == NULL || strcmp(accept, "*/*") == 0)
        return true;
    for (size_t i = 0; i < req->route->answer_count; i++) {
        const struct answer *answer = &req->route->answers[i];
        if (answer->status >= 300 || (answer->schema == NULL && answer->content_type == NULL))
            continue;
        any = true;
        if (accept_matches(accept, answer->content_type != NULL ? answer->content_type : "application/json"))
            return true;
    }
    return !any;
}

static void check_representations(struct request *req, const struct framing *framing)
{
    const char *encoding = request_header(req, "Content-Encoding");
    if (framing->has_body && encoding != NULL && strcasecmp(encoding, "identity") != 0) {
        reply_header(req, "Accept-Encoding", "identity");
        reply_problem(req, 415, "unsupported_media_type", "Bodies must not be compressed.");
    } else if (!is_acceptable(req)) {
        reply_problem(req, 406, "not_acceptable",
                      "What this address answers with is not in the Accept header.");
    }
}

/* ---- all together ---- */

static void check_length(const struct http_server *server, struct request *req, const struct framing *framing)
{
    struct request_private *p = req->private_;
    bool upload = req->route != NULL && (req->route->flags & ROUTE_UPLOAD);
    p->body_limit = upload ? server->options.max_upload : server->options.max_body;
    if (framing->length <= (int64_t)p->body_limit)
        return;
    /* Whatever else was wrong with it, this body will not be read. */
    p->close = true;
    if (req->status == 0)
        reply_problem(req, 413, "body_too_large", "The body has more than %zu bytes.", p->body_limit);
}

/* False: answered, and the connection must end, because it is not certain where the request does. */
static bool head_is_sound(struct http_server *server, struct request *req, const char *method,
                          const char *version, struct framing *framing)
{
    struct request_private *p = req->private_;
    struct error err;
    int status = 400;
    if (!header_fits(server, req)) {
        reply_problem(req, 431, "headers_too_large", "Request line and headers have more than %zu bytes.",
                      server->options.max_header);
    } else if (strlen(p->target) > HTTP_MAX_TARGET) {
        reply_problem(req, 414, "target_too_long", "Path and query have more than %u bytes.",
                      HTTP_MAX_TARGET);
    } else if (!is_token(method) ||
               !layout_is_strict(p->mhd, method, p->target_raw, strlen(p->target), version)) {
        reply_problem(req, 400, "bad_request", "The request line or a header line is malformed.");
    } else if (!framing_check(version, &p->headers, framing, &status, &err)) {
        reply_problem(req, status, err.code, "%s", err.message);
    }
    return req->status == 0;
}

void head_read(struct http_server *server, struct request *req, const char *method, const char *version,
               struct framing *framing)
{
    struct request_private *p = req->private_;
    struct target target;
    struct error err;
    *framing = (struct framing){ 0 };
    req->method = method_of(method);
    MHD_get_connection_values_n(p->mhd, MHD_HEADER_KIND, take_header, req);
    identify(server, req);
    if (!head_is_sound(server, req, method, version, framing)) {
        p->close = true;
        return;
    }
    if (!target_parse(req->arena, p->target, &target, &err)) {
        reply_problem(req, 400, err.code, "%s", err.message);
    } else {
        req->path = target.path;
        p->query = target.query;
        find_route(server, req, &target);
    }
    if (req->status == 0)
        check_representations(req, framing);
    check_length(server, req, framing);
}
