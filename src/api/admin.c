/* What the process tells of itself: performance by route, Prometheus metrics, the OpenAPI document and its
 * pages. */
#include "api/admin.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/app.h"
#include "api/pipeline.h"
#include "base/json.h"
#include "base/metrics.h"
#include "http/server.h"

/* ---- GET /api/v1/admin/performance ---- */

static double milliseconds(int64_t usec)
{
    return (double)usec / 1000;
}

static void write_route(void *to, const struct http_route_stats *stats)
{
    struct json *json = to;
    if (stats->latency.count == 0)
        return;
    json_start_object(json);
    json_put_text(json, "method", http_method_names[stats->route->method]);
    json_put_text(json, "route", stats->route->path);
    json_put_int(json, "count", (int64_t)stats->latency.count);
    json_put_int(json, "errors", (int64_t)stats->errors);
    json_put_double(json, "p50_ms", milliseconds(stats->latency.p50));
    json_put_double(json, "p95_ms", milliseconds(stats->latency.p95));
    json_put_double(json, "p99_ms", milliseconds(stats->latency.p99));
    json_put_double(json, "slowest_ms", milliseconds(stats->latency.slowest));
    json_end_object(json);
}

static void performance(struct request *req)
{
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "routes");
    json_start_array(&json);
    http_performance(req, write_route, &json);
    json_end_array(&json);
    json_end_object(&json);
    reply_json(req, 200, &body);
}

/* ---- GET /metrics ---- */

static void metrics(struct request *req)
{
    struct buf text = { 0 };
    (void)!pipeline_refresh(req); /* without a database the last figures stand */
    metrics_write(&text);
    reply_text(req, 200, METRICS_CONTENT_TYPE, text.data, text.len);
    buf_free(&text);
}

/* ---- GET /openapi.json, /docs ---- */

static void document(struct request *req)
{
    const struct app *app = req->app;
    reply_header(req, "Cache-Control", "no-cache");
    if (reply_unless_unchanged(req, app->document_etag))
        reply_text(req, 200, "application/json", app->document.data, app->document.len);
}

static const char page[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Tracker System API</title>"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
    "<link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/docs/swagger-ui.css\"></head><body>"
    "<div id=\"swagger-ui\"><p>This page needs Swagger UI. If it stays empty: <code>make deps</code> "
    "fetches it, and the setting DOCS_FOLDER names the folder. The document itself is "
    "<a href=\"/openapi.json\">/openapi.json</a>.</p></div>"
    "<script src=\"/docs/swagger-ui-bundle.js\"></script><script src=\"/docs/start.js\"></script>"
    "</body></html>";
static const char start_script[] =
    "SwaggerUIBundle({url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true});\n";

/* Swagger UI sets style attributes and shows data: images; scripts come from here only. */
static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void docs_page(struct request *req)
{
    reply_header(req, "Content-Security-Policy", page_policy);
    reply_text(req, 200, "text/html; charset=utf-8", page, sizeof(page) - 1);
}

/* The files that the page asks for; no other name reaches the file system. */
static const struct {
    const char *name, *content_type;
} docs_files[] = {
    { "swagger-ui.css", "text/css; charset=utf-8" },
    { "swagger-ui-bundle.js", "text/javascript; charset=utf-8" },
};

static void docs_file(struct request *req)
{
    const char *name = request_param(req, "file");
    if (strcmp(name, "start.js") == 0) {
        reply_text(req, 200, "text/javascript; charset=utf-8", start_script, sizeof(start_script) - 1);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(docs_files); i++) {
        if (strcmp(name, docs_files[i].name) != 0)
            continue;
        const char *path = arena_printf(req->arena, "%s/%s", req->app->config->docs_folder, name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            break;
        reply_header(req, "Cache-Control", "public, max-age=3600");
        reply_file(req, 200, docs_files[i].content_type, fd);
        return;
    }
    reply_problem(req, 404, "not_found",
                  "there is no such file; `make deps` fetches Swagger UI into DOCS_FOLDER");
}

/* ---- routes ---- */

static const struct answer performance_answers[] = { { 200, "Performance",
                                                       "Per route, since the start of this process." } };

#define HIDDEN_PAGE(address, handler, id)                                                                    \
    {                                                                                                        \
        .method = HTTP_GET, .path = (address), .handle = (handler), .access = ACCESS_PUBLIC,                 \
        .flags = ROUTE_HIDDEN, .tag = "documentation", .operation_id = (id)                                  \
    }

const struct route admin_routes[] = {
    { .method = HTTP_GET,
      .path = "/api/v1/admin/performance",
      .handle = performance,
      .access = ACCESS_ADMIN,
      .tag = "admin",
      .summary = "How fast each route answers",
      .operation_id = "getPerformance",
      .answers = performance_answers,
      .answer_count = ARRAY_LEN(performance_answers) },
    HIDDEN_PAGE("/metrics", metrics, "getMetrics"),
    HIDDEN_PAGE("/openapi.json", document, "getDocument"),
    HIDDEN_PAGE("/docs", docs_page, "getDocs"),
    HIDDEN_PAGE("/docs/{file}", docs_file, "getDocsFile"),
};
const size_t admin_route_count = ARRAY_LEN(admin_routes);

void admin_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "Performance",
        "{\"type\":\"object\",\"properties\":{\"routes\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
        "\"method\":{\"type\":\"string\"},\"route\":{\"type\":\"string\"},\"count\":{\"type\":\"integer\"},\"errors\":{"
        "\"type\":\"integer\",\"description\":\"Answered 500 and above.\"},\"p50_ms\":{\"type\":\"number\"},\"p95_ms\":{"
        "\"type\":\"number\"},\"p99_ms\":{\"type\":\"number\"},\"slowest_ms\":{\"type\":\"number\"}},\"required\":["
        "\"method\",\"route\",\"count\",\"errors\",\"p50_ms\",\"p95_ms\",\"p99_ms\",\"slowest_ms\"]}}},\"required\":["
        "\"routes\"]}");
}
