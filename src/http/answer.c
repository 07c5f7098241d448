/* From a request's answer to libmicrohttpd's. */
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "http/server_private.h"
#include "http/sse_private.h"

/* Nothing of an API is a page: no scripts, no frames, nothing to guess about types. */
#define DEFAULT_POLICY "default-src 'none'; frame-ancestors 'none'"

static bool has_header(const struct request *req, const char *name)
{
    for (const struct http_header *h = req->headers; h != NULL; h = h->next)
        if (strcmp(h->name, name) == 0)
            return true;
    return false;
}

static void add_headers(struct MHD_Response *response, const struct request *req)
{
    bool has_body = req->status != 204 && req->status != 304;
    /* Kept newest first; the order of repeated ones should be that of the calls. */
    const struct http_header *reversed[64];
    size_t n = 0;
    for (const struct http_header *h = req->headers; h != NULL && n < ARRAY_LEN(reversed); h = h->next)
        reversed[n++] = h;
    while (n-- > 0)
        MHD_add_response_header(response, reversed[n]->name, reversed[n]->value);
    if (!has_header(req, "Cache-Control"))
        MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Request-Id", req->id);
    if (req->private_->close)
        MHD_add_response_header(response, "Connection", "close");
    if (!has_body)
        return;
    if (req->content_type != NULL)
        MHD_add_response_header(response, "Content-Type", req->content_type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    if (!has_header(req, "Content-Security-Policy"))
        MHD_add_response_header(response, "Content-Security-Policy", DEFAULT_POLICY);
}

static struct MHD_Response *file_response(struct request *req, size_t *bytes)
{
    struct stat info;
    struct MHD_Response *response = NULL;
    if (fstat(req->out_fd, &info) == 0 && S_ISREG(info.st_mode))
        response = MHD_create_response_from_fd64((uint64_t)info.st_size, req->out_fd);
    if (response != NULL) {
        *bytes = (size_t)info.st_size;
        req->out_fd = -1; /* the response closes it */
    }
    return response;
}

static struct MHD_Response *make_response(struct request *req, size_t *bytes)
{
    if (req->private_->stream != NULL)
        return sse_response(req->private_->stream);
    if (req->out_fd >= 0)
        return file_response(req, bytes);
    *bytes = req->out.len;
    /* The bytes belong to the request, which outlives the sending. */
    return MHD_create_response_from_buffer(req->out.len, req->out.data, MHD_RESPMEM_PERSISTENT);
}

enum MHD_Result answer_send(struct http_server *server, struct request *req)
{
    struct request_private *p = req->private_;
    size_t bytes = 0;
    if (atomic_load_explicit(&server->draining, memory_order_relaxed))
        p->close = true;
    cors_headers(req, server->options.cors_origins);
    struct MHD_Response *response = make_response(req, &bytes);
    if (response == NULL) {
        LOG_ERROR("answer cannot be sent", LOG_TEXT("request_id", req->id), LOG_TEXT("path", req->path));
        return MHD_NO;
    }
    add_headers(response, req);
    p->stage = STAGE_SENDING;
    if (p->stream != NULL)
        connection_phase(p->connection, PHASE_STREAM);
    else
        connection_sends(server->connections, p->connection, bytes);
    enum MHD_Result result = MHD_queue_response(p->mhd, (unsigned)req->status, response);
    MHD_destroy_response(response);
    return result;
}
