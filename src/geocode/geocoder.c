/* The provider that the settings name, asked within its limits. */
#include "geocode/geocoder.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/timeutil.h"
#include "geocode/answers.h"
#include "geocode/offline.h"
#include "geocode/throttle.h"
#include "geocode/web.h"
#include "net/httpc.h"

/* Ten places with all their names are some 20 KB. */
#define MAX_ANSWER ((size_t)1024 * 1024)

/* What a caller is told to wait when nothing more precise is known. */
#define USUAL_WAIT SECONDS(10)

struct geocoder {
    const struct config *config;
    const struct web_provider *web; /* NULL: offline or none */
    struct web_manner manner;
    struct http_client *http; /* NULL until the first question */
};

/* Usage policies ask who is asking; the default agent of a library is refused. */
#define USER_AGENT "trackerd/" TRACKERD_VERSION " (Tracker System; geocoding)"

struct geocoder *geocoder_new(const struct config *config, struct error *err)
{
    struct geocoder *geocoder = calloc(1, sizeof(*geocoder));
    if (geocoder == NULL)
        abort();
    geocoder->config = config;
    geocoder->web = web_provider(config->geocoder);
    if (geocoder->web != NULL)
        geocoder->manner = (struct web_manner){
            .base = config->geocoder_url[0] != '\0' ? config->geocoder_url : geocoder->web->public_url,
            .language = config->geocoder_language,
            .email = config->geocoder_email,
        };
    if (strchr(config->geocoder_url, '?') != NULL) {
        geocoder_free(geocoder);
        error_set(err, "geocoder_url", "GEOCODER_URL must have no query");
        return NULL;
    }
    return geocoder;
}

void geocoder_free(struct geocoder *geocoder)
{
    if (geocoder == NULL)
        return;
    httpc_close(geocoder->http);
    free(geocoder);
}

const char *geocoder_name(const struct geocoder *geocoder)
{
    return geocoder->config->geocoder;
}

bool geocoder_on_web(const struct geocoder *geocoder)
{
    return geocoder->web != NULL;
}

static bool is_offline(const struct geocoder *geocoder)
{
    return strcmp(geocoder->config->geocoder, OFFLINE_NAME) == 0;
}

const char *geocoder_attribution(const struct geocoder *geocoder)
{
    return geocoder->web != NULL  ? geocoder->web->attribution
           : is_offline(geocoder) ? OFFLINE_ATTRIBUTION
                                  : "";
}

/* ---- asking a server ---- */

static bool open_client(struct geocoder *geocoder, struct error *err)
{
    if (geocoder->http == NULL)
        geocoder->http = httpc_curl_new(
            &(struct httpc_options){
                .proxy = geocoder->config->http_proxy_url,
                .ca_file = geocoder->config->http_ca_file,
                .user_agent = USER_AGENT,
            },
            err);
    return geocoder->http != NULL;
}

/* The status and body of an answer, as an outcome. */
static enum geocode_outcome judge(struct geocoder *geocoder, struct db *db, const struct http_in *resp,
                                  struct arena *arena, struct geo_places *places, int64_t *wait,
                                  struct error *err)
{
    const char *name = geocoder->web->name;
    if (resp->status == 429 || resp->status >= 500) {
        int64_t asked = httpc_retry_after(resp, time_now());
        throttle_bad(db, name, asked);
        *wait = asked > 0 ? asked : USUAL_WAIT;
        error_set(err, "geocoder_status", "%s answered with status %d", name, resp->status);
        return resp->status == 429 ? GEOCODE_WAIT : GEOCODE_DOWN;
    }
    throttle_good(db, name);
    if (resp->status != 200) {
        error_set(err, "geocoder_status", "%s answered with status %d", name, resp->status);
        return GEOCODE_REFUSED;
    }
    json_t *answer = json_loadb(resp->body, resp->body_len, 0, NULL);
    bool good = geocoder->web->read(answer, arena, places, err);
    json_decref(answer);
    return good ? GEOCODE_DONE : GEOCODE_REFUSED;
}

static enum geocode_outcome ask_server(struct geocoder *geocoder, struct db *db, struct arena *arena,
                                       const char *url, int64_t max_wait, struct geo_places *places,
                                       int64_t *wait, struct error *err)
{
    const struct config *config = geocoder->config;
    switch (throttle_take(db, geocoder->web->name, config->geocoder_interval, max_wait, wait)) {
    case THROTTLE_WAIT:
        error_set(err, "geocoder_limit", "%s may not be asked yet", geocoder->web->name);
        return GEOCODE_WAIT;
    case THROTTLE_UNKNOWN:
        error_set(err, "database_unavailable", "the limit of %s cannot be looked up", geocoder->web->name);
        return GEOCODE_DOWN;
    case THROTTLE_GO:
        break;
    }
    clock_sleep(&clock_system, *wait);
    *wait = USUAL_WAIT;
    struct http_in resp;
    struct http_out question = { .url = url, .timeout = config->geocoder_timeout, .max_body = MAX_ANSWER };
    if (!open_client(geocoder, err))
        return GEOCODE_DOWN;
    if (!httpc_request(geocoder->http, &question, &resp, arena, err)) {
        throttle_bad(db, geocoder->web->name, 0);
        return GEOCODE_DOWN;
    }
    return judge(geocoder, db, &resp, arena, places, wait, err);
}

/* Ask a server, or remember what it said. key: NULL for a question that is not kept. */
static enum geocode_outcome ask_web(struct geocoder *geocoder, struct db *db, struct arena *arena,
                                    struct buf *url, const char *key, int64_t max_wait,
                                    struct geo_places *places, int64_t *wait, struct error *err)
{
    enum geocode_outcome outcome = GEOCODE_DONE;
    if (key == NULL || !answers_find(db, arena, key, geocoder->web->name, places)) {
        outcome = ask_server(geocoder, db, arena, buf_text(url), max_wait, places, wait, err);
        if (outcome == GEOCODE_DONE && key != NULL)
            answers_keep(db, key, geocoder->web->name, places);
    }
    buf_free(url);
    return outcome;
}

/* ---- the two questions ---- */

/* An offline question went wrong, or found nothing, perhaps because nothing is loaded. */
static enum geocode_outcome offline_outcome(struct db *db, bool good, const struct geo_places *places,
                                            struct error *err)
{
    bool loaded = true;
    if (good && places->count == 0)
        good = offline_loaded(db, &loaded, err);
    if (good && !loaded)
        error_set(err, "geocoder_empty", "no towns are loaded; see `trackerd places load`");
    return !good ? GEOCODE_DOWN : loaded ? GEOCODE_DONE : GEOCODE_OFF;
}

static enum geocode_outcome off(struct error *err)
{
    error_set(err, "geocoder_off", "geocoding is turned off (GEOCODER=none)");
    return GEOCODE_OFF;
}

enum geocode_outcome geocoder_reverse(struct geocoder *geocoder, struct db *db, struct arena *arena,
                                      double latitude, double longitude, const struct geocode_manner *manner,
                                      struct geo_places *places, int64_t *wait, struct error *err)
{
    *wait = USUAL_WAIT;
    if (is_offline(geocoder))
        return offline_outcome(db, offline_reverse(db, arena, latitude, longitude, places, err), places, err);
    if (geocoder->web == NULL)
        return off(err);
    struct buf url = { 0 };
    const char *key = manner->remember ? answers_position_key(arena, latitude, longitude) : NULL;
    geocoder->web->reverse_url(&url, &geocoder->manner, latitude, longitude, manner->town);
    return ask_web(geocoder, db, arena, &url, key, manner->max_wait, places, wait, err);
}

enum geocode_outcome geocoder_search(struct geocoder *geocoder, struct db *db, struct arena *arena,
                                     const char *query, const struct geocode_manner *manner,
                                     struct geo_places *places, int64_t *wait, struct error *err)
{
    size_t limit = manner->limit > 0 ? manner->limit : 1;
    *wait = USUAL_WAIT;
    if (is_offline(geocoder))
        return offline_outcome(db, offline_search(db, arena, query, limit, places, err), places, err);
    if (geocoder->web == NULL)
        return off(err);
    struct buf url = { 0 };
    const char *key = manner->remember ? answers_query_key(arena, query) : NULL;
    /* All that may be kept are asked for: the same text typed with another limit is the same question. */
    geocoder->web->search_url(&url, &geocoder->manner, query, GEO_MAX_PLACES);
    enum geocode_outcome outcome = ask_web(geocoder, db, arena, &url, key, manner->max_wait, places, wait,
                                           err);
    if (outcome == GEOCODE_DONE && places->count > limit)
        places->count = limit;
    return outcome;
}
