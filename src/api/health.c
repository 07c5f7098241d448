/* GET /health/live and /health/ready, for load balancers and supervisors. */
#include "api/health.h"

#include "api/app.h"
#include "base/json.h"
#include "store/db.h"
#include "store/redis.h"

/* The process answers: that is all. Restarting it would not bring a database back. */
static void live(struct request *req)
{
    static const char body[] = "{\"status\":\"ok\"}";
    reply_text(req, 200, "application/json", body, sizeof(body) - 1);
}

static bool redis_answers(struct request *req)
{
    struct redis_reply reply;
    return req->redis != NULL && redis_command(req->redis, req->arena, &reply, "PING") &&
           reply.type == REDIS_TEXT;
}

/* Ready while the database answers. Redis only makes things faster, so it is told and does not count. */
static void ready(struct request *req)
{
    bool database = db_ping(req->db);
    const char *redis = req->app->config->redis_url[0] == '\0' ? "off" : redis_answers(req) ? "ok" : "away";
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_put_text(&json, "status", database ? "ok" : "unavailable");
    json_put_text(&json, "database", database ? "ok" : "away");
    json_put_text(&json, "redis", redis);
    json_end_object(&json);
    if (!database)
        reply_header(req, "Retry-After", "2");
    reply_json(req, database ? 200 : 503, &body);
}

static const struct answer live_answers[] = {
    { 200, "Live", "The process runs." },
};
static const struct answer ready_answers[] = {
    { 200, "Ready", "Requests can be served." },
    { 503, "Ready", "The database is away." },
};

const struct route health_routes[] = {
    { .method = HTTP_GET,
      .path = "/health/live",
      .handle = live,
      .access = ACCESS_PUBLIC,
      .flags = ROUTE_FAST,
      .tag = "health",
      .summary = "Does the process run?",
      .operation_id = "getLive",
      .answers = live_answers,
      .answer_count = ARRAY_LEN(live_answers) },
    { .method = HTTP_GET,
      .path = "/health/ready",
      .handle = ready,
      .access = ACCESS_PUBLIC,
      .tag = "health",
      .summary = "Can it serve?",
      .operation_id = "getReady",
      .answers = ready_answers,
      .answer_count = ARRAY_LEN(ready_answers) },
};
const size_t health_route_count = ARRAY_LEN(health_routes);
