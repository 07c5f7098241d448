/* What all requests of one API process share. */
#ifndef API_APP_H
#define API_APP_H

#include <stdint.h>

#include "api/cursor.h"
#include "api/resource.h"
#include "auth/auth.h"
#include "base/config.h"
#include "base/seal.h"
#include "http/route.h"

struct answer_cache;
struct cache_peers;
struct live_hub;
struct pipeline;
struct task_catalogue;
struct recent_writes;

struct app {
    const struct config *config; /* outlives the app */
    struct auth *auth;
    struct sealer sealer;
    uint8_t cursor_key[CURSOR_KEY_SIZE];
    struct recent_writes *writes;
    struct answer_cache *answers;
    struct cache_peers *peers;
    struct live_hub *live;
    struct pipeline *pipeline;
    struct time_zones *zones;
    const struct task_catalogue
        *catalogue;      /* what workers can do; set by whoever starts the API, outlives it */
    struct arena *arena; /* routes and what they point to */
    const struct route *routes;
    size_t route_count;
    struct buf document; /* OpenAPI, as JSON */
    char document_etag[24];
};

/* Fails when a secret is missing, weak or malformed. */
MUST_CHECK struct app *app_new(const struct config *config, struct error *err);
void app_free(struct app *app);

/* Starts and ends the threads that work beside the requests: after the database was checked, and after the
 * server has stopped. */
MUST_CHECK bool app_start(struct app *app, struct error *err);
void app_stop(struct app *app);

/* All routes of the API, without settings or a database (for `trackerd openapi`); they live in the arena. */
size_t app_collect_routes(struct arena *arena, const struct route **routes);

/* The OpenAPI document of these routes; the name of the refresh cookie is a setting. */
void app_write_document(struct buf *out, const struct route *routes, size_t count,
                        const char *refresh_cookie);

/* Calls add(name, schema JSON) for every component schema. */
void app_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

/* ---- hooks of the server ---- */

/* Before a handler, on its thread: who is asking, and is the answer known? False: answered. */
MUST_CHECK bool app_before(struct request *req);

/* After a handler, on its thread: keep the answer. */
void app_after(struct request *req);

/* In a handler: its answer is not to be kept (it was read where writes come late). */
void app_keep_nothing(void);

/* On the network thread, for GET: true when it was answered from memory. */
MUST_CHECK bool app_fast(struct request *req);

/* ---- reads that may go to a replica ---- */

/* Run a reading statement: on a replica when there is one, unless the caller wrote a moment ago and must see
 * it. */
struct rows *read_rows(struct request *req, const struct statement *statement);

/* Call after a write was committed. */
void note_write(struct request *req);

/* ---- writes ---- */

/* Run one writing statement; tries again when another transaction got in between, unless a transaction is
 * open, whose beginning would have to be repeated too. */
struct rows *write_rows(struct request *req, const struct statement *statement);

struct writer request_writer(const struct request *req);

#endif
