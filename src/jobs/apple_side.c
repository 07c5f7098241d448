/* Puts together what requests to Apple need. */
#include "jobs/apple_side.h"

#include <string.h>

#include "findmy/websocket.h"
#include "jobs/failure.h"

struct side {
    struct http_client *http;
    struct websocket_client *websocket;
    struct provider provider;
};

const struct profile *apple_profile(const struct config *config, struct db *db, struct arena *arena,
                                    struct error *err)
{
    struct rows *rows = db_query(db, "SELECT document::text FROM provider_profiles WHERE active", "");
    if (!rows_ok(rows)) {
        database_failed(rows, "reading the provider profile", err);
        return NULL;
    }
    if (rows_count(rows) == 0)
        return profile_load(arena, config->provider_profile, err);
    return profile_parse(arena, rows_text(rows, 0, 0), rows_length(rows, 0, 0), err);
}

static void close_side(void *object)
{
    struct side *side = object;
    anisette_free(side->provider.anisette);
    websocket_close(side->websocket);
    httpc_close(side->http);
}

struct provider *apple_side_open(const struct config *config, const struct profile *profile,
                                 struct arena *arena, struct error *err)
{
    const struct httpc_options http = { .proxy = config->http_proxy_url, .ca_file = config->http_ca_file };
    struct side *side = arena_zalloc(arena, 1, sizeof(*side));
    arena_defer(arena, close_side, side);
    if ((side->http = httpc_curl_new(&http, err)) == NULL ||
        (side->websocket = websocket_new(&http, err)) == NULL)
        return NULL;
    struct anisette *anisette = anisette_new(config->anisette_url, profile, side->http, side->websocket,
                                             &clock_system, err);
    side->provider = (struct provider){
        .profile = profile, .http = side->http, .clock = &clock_system, .anisette = anisette
    };
    return anisette != NULL ? &side->provider : NULL;
}
