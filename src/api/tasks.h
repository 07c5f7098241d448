/* Background work in the API: tasks, queues, schedules, and the erasing of clients. */
#ifndef API_TASKS_H
#define API_TASKS_H

#include <stddef.h>

#include "http/route.h"

extern const struct route task_routes[], queue_routes[], schedule_routes[], client_erase_routes[];
extern const size_t task_route_count, queue_route_count, schedule_route_count, client_erase_route_count;

/* Component schemas of those routes. */
void task_schemas(void (*add)(void *to, const char *name, const char *json), void *to);
void queue_schemas(void (*add)(void *to, const char *name, const char *json), void *to);
void client_erase_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
