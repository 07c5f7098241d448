/* Reads of the time series: reports and history of trackers and runs. */
#ifndef API_SERIES_H
#define API_SERIES_H

#include "http/route.h"

extern const struct route report_routes[];
extern const size_t report_route_count;
void report_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

extern const struct route history_routes[];
extern const size_t history_route_count;
void history_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
