/* Trackers by the hundred: import of key files, generating, and the public part of their keys. */
#ifndef API_TRACKER_IMPORT_H
#define API_TRACKER_IMPORT_H

#include "api/tracker_load.h"
#include "http/route.h"

extern const struct route tracker_import_routes[], tracker_key_routes[];
extern const size_t tracker_import_route_count, tracker_key_route_count;

/* Component schemas of these routes. */
void tracker_key_schemas(void (*add)(void *to, const char *name, const char *json), void *to);

/* ---- the uploaded file (tracker_upload.c) ---- */

/* A span of the mapped upload. */
struct upload_part {
    const char *data;
    size_t len;
};

struct upload {
    struct upload_part file;
    const char *type;             /* media type in lower case, "" when unknown */
    struct upload_part fields[8]; /* other parts of a form, small texts … */
    const char *field_names[8];   /* … and their names */
    size_t field_count;
};

/* Map the request's body and find the file in it: the whole body, or the part "file" of multipart/form-data.
 * Unmapped with the arena. False: answered. */
MUST_CHECK bool upload_open(struct request *req, struct upload *upload);

/* An option from the query or else from the form; NULL when it is in neither. */
const char *upload_option(struct request *req, const struct upload *upload, const char *name);

/* ---- key files (tracker_keyfile.c) ---- */

/* Add the trackers of a JSON, .keys or property list file, or note what is wrong with it. False: answered. */
MUST_CHECK bool tracker_keyfile_load(struct request *req, struct load *load, struct upload_part part);

#endif
