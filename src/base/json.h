/* Writing JSON straight into a buffer; commas and nesting are kept by the writer.
 *
 * Reading is jansson's. No name here may be one of jansson's (json_object, json_array, json_null): both are
 * linked into one program, and the library would call ours. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define JSON_MAX_DEPTH 32

struct json {
    struct buf *out;
    int depth;
    bool comma[JSON_MAX_DEPTH + 1]; /* a value was already written at this depth */
};

void json_begin(struct json *json, struct buf *out);

/* structure */
void json_start_object(struct json *json); /* { */
void json_end_object(struct json *json);
void json_reopen_object(struct json *json); /* take back the end of the object just written, to add members */
void json_start_array(struct json *json);   /* [ */
void json_end_array(struct json *json);
void json_key(struct json *json, const char *key);
void json_key_n(struct json *json, const char *key, size_t len);
void json_key_written(struct json *json, const char *key, size_t len); /* with its quotes and colon */

/* values; a NULL text writes null */
void json_text(struct json *json, const char *text);
void json_text_n(struct json *json, const char *text, size_t len); /* invalid UTF-8 becomes U+FFFD */
void json_int(struct json *json, int64_t value);
void json_double(struct json *json,
                 double value); /* shortest form that reads back the same; null when not finite */
void json_bool(struct json *json, bool value);
void json_write_null(struct json *json);
void json_time(struct json *json, int64_t usec);                 /* RFC 3339 text */
void json_raw(struct json *json, const char *value, size_t len); /* already JSON; trusted */

/* key and value in one call */
void json_put_text(struct json *json, const char *key, const char *text);
void json_put_int(struct json *json, const char *key, int64_t value);
void json_put_double(struct json *json, const char *key, double value);
void json_put_bool(struct json *json, const char *key, bool value);
void json_put_time(struct json *json, const char *key, int64_t usec);
void json_put_null(struct json *json, const char *key);

#endif
