/* Test vectors: one table of file kinds, one function a kind, and helpers that read a case and remember what
 * was read.
 *
 * A kind's function reads inputs and expectations of one case through vec_*() and reports differences with
 * vec_fail(). A field of the case that nobody read fails the case too: an expectation that is skipped proves
 * nothing. Add a kind: write the function in the C file of its group, add a row to that group's table; add a
 * group: its name in vectors.c and meson.build. */
#ifndef TESTS_FINDMY_VECTORS_H
#define TESTS_FINDMY_VECTORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct vec_seen; /* fields read so far */

struct vec {
    const char *path;    /* of the file */
    const char *id;      /* of the case */
    const json_t *file;  /* whole file, for fields of its frame (N_2048_hex) */
    json_t *root;        /* the case */
    struct arena *arena; /* lives as long as the case */
    struct vec_seen *seen;
    unsigned failures; /* of this case */
};

/* Run one case. It returns after the first vec_fail() or goes on, as suits it. */
typedef void vec_run_fn(struct vec *vec);

struct vec_kind {
    const char *file; /* "keys" for keys.json */
    vec_run_fn *run;
};

struct vec_group {
    const struct vec_kind *kinds;
    size_t count;
};

/* the groups; each is defined by one C file */
extern const struct vec_group vec_group_keys;      /* keys, keys-invalid, adv */
extern const struct vec_group vec_group_keyfiles;  /* keyfiles */
extern const struct vec_group vec_group_primitive; /* ecdh-p224, kdf-x963, aes-gcm-128 */
extern const struct vec_group vec_group_report;    /* reports, reports-parse */
extern const struct vec_group vec_group_rolling;   /* rolling, alignment */
extern const struct vec_group vec_group_login;     /* pbkdf2, srp, gsa */
extern const struct vec_group vec_group_apple;     /* fetch-requests, fetch-responses, anisette */

/* A difference: counted, and printed with file and case. */
void vec_fail(struct vec *vec, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fields of an object (NULL object: none). The value is owned by the file. vec_get marks the field as read,
 * and gives NULL when it is missing; the others fail the case when the field is missing or has another type,
 * and give "" , 0, false, an empty object or array. An explicit null is a missing value for vec_opt_text. */
bool vec_has(const json_t *object, const char *key); /* does not mark */
json_t *vec_get(struct vec *vec, json_t *object, const char *key);
const char *vec_text(struct vec *vec, json_t *object, const char *key);
const char *vec_opt_text(struct vec *vec, json_t *object, const char *key); /* NULL when missing or null */
int64_t vec_int(struct vec *vec, json_t *object, const char *key);
bool vec_bool(struct vec *vec, json_t *object, const char *key);
json_t *vec_object(struct vec *vec, json_t *object, const char *key);
json_t *vec_array(struct vec *vec, json_t *object, const char *key);

/* Mark a field and all below it as read, for values that are handed on or compared as a whole. */
json_t *vec_whole(struct vec *vec, json_t *object, const char *key);

/* Bytes of a field in hex or base64: allocated in the arena, *len bytes; with size > 0 exactly that many are
 * demanded (the result then has that room even when the case failed). */
uint8_t *vec_hex(struct vec *vec, json_t *object, const char *key, size_t size, size_t *len);
uint8_t *vec_b64(struct vec *vec, json_t *object, const char *key, size_t size, size_t *len);

/* A time in RFC 3339, in microseconds. */
int64_t vec_time(struct vec *vec, json_t *object, const char *key);

/* Compare with a field. */
void vec_same_text(struct vec *vec, json_t *object, const char *key, const char *got); /* got may be NULL */
void vec_same_int(struct vec *vec, json_t *object, const char *key, int64_t got);
void vec_same_bool(struct vec *vec, json_t *object, const char *key, bool got);
void vec_same_hex(struct vec *vec, json_t *object, const char *key, const void *got, size_t len);
void vec_same_b64(struct vec *vec, json_t *object, const char *key, const void *got, size_t len);
void vec_same_time(struct vec *vec, json_t *object, const char *key, int64_t got);

/* The result of running a folder. */
struct vec_result {
    unsigned files, cases, failures;
};

/* Run every *.json of a folder; prints one line a file. A folder that cannot be read is a failure. */
void vec_run_folder(const char *folder, bool quiet, struct vec_result *result);

#endif
