/* How the pipeline does: for the health page, for admins, and as metrics. Alive means progress, so all of it
 * is ages and counts of work, none of it "the process is up". */
#ifndef API_PIPELINE_H
#define API_PIPELINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "http/route.h"

/* The figures as they were a few seconds ago at most, shared by all requests of a process, so that a probe
 * every second costs the database one statement in five. */
struct pipeline;

struct pipeline *pipeline_new(void);
void pipeline_free(struct pipeline *pipeline); /* NULL is allowed */

/* Brings the figures and their metrics up to date when they are too old. False: they are unknown, because the
 * database does not answer; nothing was answered. */
MUST_CHECK bool pipeline_refresh(struct request *req);

/* The figures as members of the open object; after pipeline_refresh. */
void pipeline_put(struct request *req, struct json *json);

extern const struct route pipeline_routes[];
extern const size_t pipeline_route_count;
void pipeline_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

#endif
