/* Fuzzes the reading of cookies and If-None-Match: any bytes a header may hold. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/request_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request *req = request_new();
    const char *text = arena_strndup(req->arena, (const char *)data, size);
    req->method = HTTP_GET;
    pairs_add(req->arena, &req->private_->headers, "Cookie", text);
    pairs_add(req->arena, &req->private_->headers, "If-None-Match", text);

    const char *value = request_cookie(req, "refresh");
    if (value != NULL && (strchr(value, ';') != NULL || strstr(text, "refresh=") == NULL))
        abort(); /* more than one cookie, or out of nothing */
    if (request_cookie(req, "") != NULL && strchr(text, '=') == NULL)
        abort();
    bool changed = reply_unless_unchanged(req, "\"7\"");
    if (!changed && strchr(text, '*') == NULL && strstr(text, "\"7\"") == NULL)
        abort(); /* 304 for a tag that was not sent */
    if (changed != (req->status == 0))
        abort();
    request_free(req);
    return 0;
}
