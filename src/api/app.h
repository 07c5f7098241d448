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

struct recent_writes;

struct app {
    const struct config *config; /* outlives the app */
    struct auth *auth;
    struct sealer sealer;
    uint8_t cursor_key[CURSOR_KEY_SIZE];
    struct recent_writes *writes;
    struct arena *arena; /* routes and what they point to */
    const struct route *routes;
    size_t route_count;
};

/* Fails when a secret is missing, weak or malformed. */
MUST_CHECK struct app *app_new(const struct config *config, struct error *err);
void app_free(struct app *app);

/* All routes of the API, without settings or a database (for `trackerd openapi`); they live in the arena. */
size_t app_collect_routes(struct arena *arena, const struct route **routes);

/* Calls add(name, schema JSON) for every component schema. */
void app_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

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
