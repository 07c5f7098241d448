/* Counts of reports that could not be used. */
#ifndef API_REJECTED_REPORTS_H
#define API_REJECTED_REPORTS_H

#include "http/route.h"

extern const struct route rejected_report_routes[];
extern const size_t rejected_report_route_count;
void rejected_report_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
