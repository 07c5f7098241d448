/* Figures: trackers by status, durations, deliveries, and the dashboard that shows them in one call. */
#ifndef API_STATISTICS_H
#define API_STATISTICS_H

#include "http/request.h"
#include "http/route.h"
#include "store/db.h"

extern const struct route statistics_routes[];
extern const size_t statistics_route_count;
void statistics_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

extern const struct route dashboard_routes[];
extern const size_t dashboard_route_count;
void dashboard_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

/* ---- what both share ---- */

/* What figures are about. */
struct scope {
    bool every_client;        /* no client is named: the caller is an admin */
    const char *clients;      /* PostgreSQL array literal; NULL for every client */
    int64_t brand_id, run_id; /* 0: any */
};

/* Reads client_id, brand_id and production_run_id. A client that is not the caller's gives figures of
 * nothing. False: answered. */
MUST_CHECK bool query_scope(struct request *req, struct scope *scope);

/* Parameters $1 clients, $2 run, $3 brand. They point into scope. */
#define SCOPE_PARAMS 3
void scope_params(const struct scope *scope, struct db_param params[SCOPE_PARAMS]);

/* SQL condition for $1 over rows `s` with client_id. Two texts, so that the planner may use an index by
 * client when clients are named. */
const char *scope_clients(const struct scope *scope);

/* A row for each day that the period touches: day, by_status.…, deliveries. */
struct rows *statuses_over_time(struct request *req, const struct scope *scope, const struct period *period);

/* The parameters that it reads. */
#define SCOPE_PARAMETERS                                                                                     \
    { .name = "client_id", .type = VALUE_ID, .about = "Only of this client." },                              \
        { .name = "brand_id", .type = VALUE_ID, .about = "Only of this brand." },                            \
    {                                                                                                        \
        .name = "production_run_id", .type = VALUE_ID, .about = "Only of this production run."               \
    }

#endif
