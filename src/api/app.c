/* What all requests of one API process share: settings, keys, routes. */
#include "api/app.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/accounts.h"
#include "api/admin.h"
#include "api/answer_cache.h"
#include "api/apple_accounts.h"
#include "api/cache_peers.h"
#include "api/geocoding.h"
#include "api/health.h"
#include "api/images.h"
#include "api/judging.h"
#include "api/live.h"
#include "api/live_hub.h"
#include "api/map_tiles.h"
#include "api/notifications.h"
#include "api/pipeline.h"
#include "api/rejected_reports.h"
#include "api/replica.h"
#include "api/resources.h"
#include "api/search.h"
#include "api/series.h"
#include "api/shared.h"
#include "api/statistics.h"
#include "api/sublists.h"
#include "api/task_start.h"
#include "api/tasks.h"
#include "api/time_zones.h"
#include "api/tracker_bulk.h"
#include "api/tracker_import.h"
#include "base/encode.h"
#include "http/openapi.h"

/* Hand-written routes, one table a file. */
static const struct {
    const struct route *routes;
    const size_t *count;
} tables[] = {
    { auth_routes, &auth_route_count },
    { password_routes, &password_route_count },
    { me_routes, &me_route_count },
    { user_routes, &user_route_count },
    { api_key_routes, &api_key_route_count },
    { production_run_routes, &production_run_route_count },
    { search_routes, &search_route_count },
    { geocoding_routes, &geocoding_route_count },
    { admin_routes, &admin_route_count },
    { health_routes, &health_route_count },
    { stream_routes, &stream_route_count },
    { notification_routes, &notification_route_count },
    { tracker_import_routes, &tracker_import_route_count },
    { tracker_key_routes, &tracker_key_route_count },
    { report_routes, &report_route_count },
    { history_routes, &history_route_count },
    { apple_account_routes, &apple_account_route_count },
    { provider_profile_routes, &provider_profile_route_count },
    { tracker_refresh_routes, &tracker_refresh_route_count },
    { status_override_routes, &status_override_route_count },
    { replay_routes, &replay_route_count },
    { statistics_routes, &statistics_route_count },
    { dashboard_routes, &dashboard_route_count },
    { pipeline_routes, &pipeline_route_count },
    { task_routes, &task_route_count },
    { queue_routes, &queue_route_count },
    { schedule_routes, &schedule_route_count },
    { client_erase_routes, &client_erase_route_count },
    { shared_routes, &shared_route_count },
    { image_routes, &image_route_count },
    { rejected_report_routes, &rejected_report_route_count },
    { tracker_bulk_routes, &tracker_bulk_route_count },
};

/* Resources whose reading routes are generated and whose writes are written by hand. */
static const struct resource *const account_resources[] = { &users_resource, &api_keys_resource,
                                                            &notifications_resource };

/* More routes than this are a loop gone wrong. */
#define MAX_ROUTES 512

static void take(struct route *all, size_t *n, const struct route *routes, size_t count)
{
    if (*n + count > MAX_ROUTES)
        abort();
    memcpy(all + *n, routes, count * sizeof(*routes));
    *n += count;
}

size_t app_collect_routes(struct arena *arena, const struct route **routes)
{
    struct route *all = arena_zalloc(arena, MAX_ROUTES, sizeof(*all));
    const struct route *generated;
    size_t n = 0, count;
    for (size_t i = 0; resources[i] != NULL; i++) {
        count = resource_routes(resources[i], arena, &generated);
        take(all, &n, generated, count);
    }
    for (size_t i = 0; i < ARRAY_LEN(account_resources); i++) {
        count = resource_routes(account_resources[i], arena, &generated);
        take(all, &n, generated, count);
    }
    count = sublist_routes(arena, &generated);
    take(all, &n, generated, count);
    count = map_tile_routes(arena, &generated);
    take(all, &n, generated, count);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        take(all, &n, tables[i].routes, *tables[i].count);
    *routes = all;
    return n;
}

/* ---- component schemas ---- */

#define RING                                                                                                 \
    "{\"type\":\"array\",\"minItems\":4,\"items\":{\"type\":\"array\",\"minItems\":2,\"maxItems\":2,"        \
    "\"items\":{\"type\":\"number\"}}}"
#define POINT                                                                                                 \
    "{\"type\":\"object\",\"properties\":{\"latitude\":{\"type\":\"number\",\"minimum\":-90,\"maximum\":90}," \
    "\"longitude\":{\"type\":\"number\",\"minimum\":-180,\"maximum\":180}},\"required\":[\"latitude\","       \
    "\"longitude\"],\"additionalProperties\":false,\"description\":\"WGS 84, degrees.\"}"
#define POLYGON_PROPERTIES                                                                                   \
    "\"properties\":{\"type\":{\"const\":\"Polygon\"},\"coordinates\":{\"type\":\"array\",\"minItems\":1,"   \
    "\"items\":" RING "}},\"required\":[\"type\",\"coordinates\"],\"additionalProperties\":false"

/* Schemas that no resource generates. */
static const struct {
    const char *name, *json;
} shared_schemas[] = {
    { "Position", POINT },
    { "Polygon", "{\"type\":\"object\",\"description\":\"GeoJSON, WGS 84.\"," POLYGON_PROPERTIES "}" },
    { "Area",
      "{\"description\":\"GeoJSON, WGS 84.\",\"anyOf\":[{\"type\":\"object\"," POLYGON_PROPERTIES
      "},{\"type\":\"object\",\"properties\":{\"type\":{\"const\":\"MultiPolygon\"},\"coordinates\":{\"type\":"
      "\"array\",\"minItems\":1,\"items\":{\"type\":\"array\",\"minItems\":1,\"items\":" RING
      "}}},\"required\":[\"type\",\"coordinates\"],\"additionalProperties\":false}]}" },
    { "RunLocations",
      "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
      "\"properties\":{\"id\":{\"type\":\"integer\",\"format\":\"int64\"},\"kind\":{\"type\":\"string\","
      "\"enum\":[\"storage\",\"delivery\"]},\"name\":{\"type\":\"string\"},\"address\":{\"type\":\"string\"},"
      "\"center\":{\"anyOf\":[{\"$ref\":\"#/components/schemas/Position\"},{\"type\":\"null\"}]},"
      "\"radius_m\":{\"type\":[\"number\",\"null\"]},\"polygon\":{\"anyOf\":[{\"$ref\":"
      "\"#/components/schemas/Polygon\"},{\"type\":\"null\"}]}},\"required\":[\"id\",\"kind\",\"name\","
      "\"address\",\"center\",\"radius_m\",\"polygon\"],\"additionalProperties\":false}}},\"required\":"
      "[\"items\"],\"additionalProperties\":false}" },
    { "RunLocationsPut",
      "{\"type\":\"object\",\"properties\":{\"location_ids\":{\"type\":\"array\",\"maxItems\":1000,\"items\":"
      "{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1}}},\"required\":[\"location_ids\"],"
      "\"additionalProperties\":false}" },
    { "SearchResult",
      "{\"type\":\"object\",\"properties\":{\"groups\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
      "\"properties\":{\"resource\":{\"type\":\"string\"},\"matches\":{\"type\":\"integer\",\"description\":"
      "\"How many there are; of very common words a part.\"},\"items\":{\"type\":\"array\",\"items\":{\"type\":"
      "\"object\",\"properties\":{\"id\":{\"type\":\"integer\",\"format\":\"int64\"},\"client_id\":{\"type\":"
      "\"integer\",\"format\":\"int64\"},\"name\":{\"type\":\"string\"},\"code\":{\"type\":[\"string\",\"null\"],"
      "\"description\":\"MAC address.\"},\"excerpt\":{\"type\":\"string\"}},\"required\":[\"id\",\"client_id\","
      "\"name\",\"code\",\"excerpt\"],\"additionalProperties\":false}}},\"required\":[\"resource\",\"matches\","
      "\"items\"],\"additionalProperties\":false}}},\"required\":[\"groups\"],\"additionalProperties\":false}" },
    { "StatusReason",
      "{\"type\":\"object\",\"properties\":{\"rule\":{\"type\":\"string\",\"description\":\"Name of the rule, such "
      "as entered_delivery, left_storage, first_report, override.\"},\"reported_at\":{\"type\":[\"string\",\"null\"],"
      "\"format\":\"date-time\",\"description\":\"The report that decided; null for an override.\"},\"position\":"
      "{\"anyOf\":[{\"$ref\":\"#/components/schemas/Position\"},{\"type\":\"null\"}]},\"accuracy_m\":{\"type\":"
      "[\"number\",\"null\"]},\"distance_m\":{\"type\":[\"number\",\"null\"],\"description\":\"To the edge of the "
      "place, negative inside.\"},\"override\":{\"anyOf\":[{\"type\":\"object\",\"properties\":{\"id\":{\"type\":"
      "\"integer\",\"format\":\"int64\"},\"at\":{\"type\":\"string\",\"format\":\"date-time\"},\"user_id\":{\"type\":"
      "[\"integer\",\"null\"],\"format\":\"int64\"},\"user_name\":{\"type\":[\"string\",\"null\"],\"description\":"
      "\"Null when the caller may not see that user.\"},\"reason\":{\"type\":\"string\"}},\"required\":[\"id\",\"at\","
      "\"user_id\",\"user_name\",\"reason\"]},{\"type\":\"null\"}]}},\"required\":[\"rule\",\"reported_at\","
      "\"position\",\"accuracy_m\",\"distance_m\",\"override\"]}" },
    { "Live",
      "{\"type\":\"object\",\"properties\":{\"status\":{\"const\":\"ok\"}},\"required\":[\"status\"]}" },
    { "Ready",
      "{\"type\":\"object\",\"properties\":{\"status\":{\"type\":\"string\",\"enum\":[\"ok\",\"unavailable\"]},"
      "\"database\":{\"type\":\"string\",\"enum\":[\"ok\",\"away\"]},\"redis\":{\"type\":\"string\",\"enum\":"
      "[\"ok\",\"away\",\"off\"]}},\"required\":[\"status\",\"database\",\"redis\"]}" },
};

void app_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    for (size_t i = 0; i < ARRAY_LEN(shared_schemas); i++)
        add(to, shared_schemas[i].name, shared_schemas[i].json);
    for (size_t i = 0; resources[i] != NULL; i++)
        resource_schemas(resources[i], add, to);
    for (size_t i = 0; i < ARRAY_LEN(account_resources); i++)
        resource_schemas(account_resources[i], add, to);
    account_schemas(add, to);
    admin_schemas(add, to);
    tracker_key_schemas(add, to);
    report_schemas(add, to);
    history_schemas(add, to);
    geocoding_schemas(add, to);
    live_schemas(add, to);
    notification_schemas(add, to);
    start_schemas(add, to);
    apple_account_schemas(add, to);
    provider_profile_schemas(add, to);
    tracker_refresh_schemas(add, to);
    judging_override_schemas(add, to);
    judging_replay_schemas(add, to);
    statistics_schemas(add, to);
    dashboard_schemas(add, to);
    pipeline_schemas(add, to);
    task_schemas(add, to);
    queue_schemas(add, to);
    client_erase_schemas(add, to);
    map_tile_schemas(add, to);
    share_schemas(add, to);
    image_schemas(add, to);
    rejected_report_schemas(add, to);
    tracker_bulk_schemas(add, to);
}

void app_write_document(struct buf *out, const struct route *routes, size_t count, const char *refresh_cookie)
{
    const struct openapi_info info = {
        .title = "Tracker System",
        .version = TRACKERD_VERSION,
        .description = "Where tagged goods are: in storage, in transit or delivered, and since when.",
        .server_url = "/",
        .refresh_cookie = refresh_cookie,
        .routes = routes,
        .route_count = count,
        .schemas = app_schemas,
    };
    openapi_write(out, &info);
}

/* The document and its tag, made once: routes do not change while the process runs. */
static void make_document(struct app *app)
{
    app_write_document(&app->document, app->routes, app->route_count, app->config->cookie_name);
    uint8_t digest[8];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, crypto_generichash_BYTES_MIN);
    crypto_generichash_update(&state, (const uint8_t *)app->document.data, app->document.len);
    uint8_t full[crypto_generichash_BYTES_MIN];
    crypto_generichash_final(&state, full, sizeof(full));
    memcpy(digest, full, sizeof(digest));
    char hex[HEX_SIZE(sizeof(digest))];
    hex_encode(digest, sizeof(digest), hex);
    snprintf(app->document_etag, sizeof(app->document_etag), "\"%s\"", hex);
}

/* ---- life ---- */

struct app *app_new(const struct config *config, struct error *err)
{
    struct app *app = calloc(1, sizeof(*app));
    if (app == NULL)
        abort();
    app->config = config;
    app->arena = arena_new();
    app->auth = auth_new(config, err);
    if (app->auth == NULL)
        goto failed;
    if (config->master_key[0] == '\0' && strcmp(config->environment, "production") == 0) {
        error_set(err, "master_key_missing", "MASTER_KEY must be set in production");
        goto failed;
    }
    if (config->master_key[0] != '\0' && !sealer_init(&app->sealer, config->master_key, err))
        goto failed;

    /* From the secret that all processes share, so that each of them takes the others' cursors. */
    static const char purpose[] = "page cursors";
    const char *secret = app->auth->tokens.keys[0];
    crypto_generichash_state state;
    crypto_generichash_init(&state, (const uint8_t *)purpose, sizeof(purpose), CURSOR_KEY_SIZE);
    crypto_generichash_update(&state, (const uint8_t *)secret, strlen(secret));
    crypto_generichash_final(&state, app->cursor_key, CURSOR_KEY_SIZE);

    app->answers = answer_cache_new();
    app->peers = cache_peers_new(app->answers);
    app->live = live_hub_new(config, app->auth, app->peers);
    app->pipeline = pipeline_new();
    app->zones = time_zones_new();
    app->writes = recent_writes_new(config->database_replica_max_lag + REPLICA_MARGIN);
    app->route_count = app_collect_routes(app->arena, &app->routes);
    make_document(app);
    return app;

failed:
    app_free(app);
    return NULL;
}

void app_free(struct app *app)
{
    if (app == NULL)
        return;
    live_hub_free(app->live);
    cache_peers_free(app->peers);
    answer_cache_free(app->answers);
    pipeline_free(app->pipeline);
    time_zones_free(app->zones);
    recent_writes_free(app->writes);
    sealer_wipe(&app->sealer);
    auth_free(app->auth);
    buf_free(&app->document);
    arena_free(app->arena);
    wipe(app, sizeof(*app));
    free(app);
}

bool app_start(struct app *app, struct error *err)
{
    return live_hub_start(app->live, err);
}

void app_stop(struct app *app)
{
    live_hub_stop(app->live);
}

struct writer request_writer(const struct request *req)
{
    return (struct writer){ .principal = req->principal, .request_id = req->id, .address = req->client_ip };
}
