/* Reads of the time series: reports and history of trackers and runs. */
#ifndef API_SERIES_H
#define API_SERIES_H

#include "http/route.h"

extern const struct route report_routes[];
extern const size_t report_route_count;
void report_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

/* Answers with the history of a tracker, or of a run, as the parameters of the request want it. */
void reply_history_of(struct request *req, bool of_run, int64_t id);

extern const struct route history_routes[];
extern const size_t history_route_count;
void history_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
