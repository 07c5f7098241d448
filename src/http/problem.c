/* Table of problems and their JSON. */
#include "http/problem.h"

#include <string.h>

#include "base/json.h"

const struct problem problems[] = {
    { "bad_framing", "The request's framing is ambiguous", 400 },
    { "bad_request", "Malformed request", 400 },
    { "bad_target", "Malformed path or query", 400 },
    { "invalid_json", "Malformed JSON", 400 },
    { "invalid_form", "Malformed form", 400 },
    { "not_found", "Not found", 404 },
    { "method_not_allowed", "Method not allowed", 405 },
    { "not_acceptable", "No acceptable representation", 406 },
    { "request_timeout", "The request took too long to arrive", 408 },
    { "body_too_large", "Body too large", 413 },
    { "target_too_long", "Path and query too long", 414 },
    { "unsupported_media_type", "Unsupported media type", 415 },
    { "expectation_failed", "Expectation failed", 417 },
    { "validation_failed", "Validation failed", 422 },
    { "headers_too_large", "Headers too large", 431 },
    { "too_many_headers", "Too many headers", 431 },
    { "internal_error", "Internal error", 500 },
    { "overloaded", "Overloaded", 503 },
    { "shutting_down", "Shutting down", 503 },
    { "http_version_not_supported", "HTTP version not supported", 505 },
};
const size_t problem_count = ARRAY_LEN(problems);

static const struct {
    int status;
    const char *phrase;
} phrases[] = {
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 304, "Not Modified" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 412, "Precondition Failed" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 417, "Expectation Failed" },
    { 422, "Unprocessable Content" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
};

const char *status_phrase(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Error";
}

const char *problem_title(struct arena *arena, const char *code)
{
    for (size_t i = 0; i < problem_count; i++)
        if (strcmp(problems[i].code, code) == 0)
            return problems[i].title;
    char *title = arena_strdup(arena, code);
    if (title[0] >= 'a' && title[0] <= 'z')
        title[0] = (char)(title[0] - 'a' + 'A');
    for (char *c = title; *c != '\0'; c++)
        if (*c == '_')
            *c = ' ';
    return title;
}

void problem_write(struct buf *out, int status, const char *code, const char *title, const char *detail,
                   const char *request_id, const char *errors)
{
    struct json json;
    json_begin(&json, out);
    json_start_object(&json);
    json_put_text(&json, "type", "about:blank");
    json_put_text(&json, "title", title);
    json_put_int(&json, "status", status);
    json_put_text(&json, "code", code);
    json_put_text(&json, "detail", detail);
    if (request_id != NULL)
        json_put_text(&json, "request_id", request_id);
    if (errors != NULL) {
        json_key(&json, "errors");
        json_raw(&json, errors, strlen(errors));
    }
    json_end_object(&json);
}
