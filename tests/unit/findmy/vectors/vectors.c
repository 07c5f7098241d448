/* Finds the vector files of a folder, runs their cases, and counts what it does not understand as failures.
 */
#include "vectors.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/timeutil.h"

#define FORMAT     "tracker-vectors/1"
#define BYTES_ROOM 64 /* zeros behind decoded bytes, so that a case with a short key can still be run */

static const struct vec_group *const groups[] = {
    &vec_group_keys,    &vec_group_keyfiles, &vec_group_primitive, &vec_group_report,
    &vec_group_rolling, &vec_group_login,    &vec_group_apple,
};

/* Fields that only comment on a case. */
static const char *const remarks[] = { "id",      "source", "origin", "note",
                                       "comment", "flags",  "why",    "upstream_result" };

/* Fields read, as (object, key): values cannot serve as marks, since jansson has only one null, true and
 * false. */
struct vec_seen {
    const json_t *object;
    const char *key;
    struct vec_seen *next;
};

static bool quiet_failures;

void vec_fail(struct vec *vec, const char *format, ...)
{
    vec->failures++;
    if (quiet_failures)
        return;
    va_list args;
    fprintf(stderr, "%s: case %s: ", vec->path, vec->id);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* ---- reading ---- */

bool vec_has(const json_t *object, const char *key)
{
    return json_object_get(object, key) != NULL;
}

json_t *vec_get(struct vec *vec, json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    if (value == NULL)
        return NULL;
    struct vec_seen *seen = arena_alloc(vec->arena, sizeof(*seen));
    *seen = (struct vec_seen){ object, arena_strdup(vec->arena, key), vec->seen };
    vec->seen = seen;
    return value;
}

static json_t *get_typed(struct vec *vec, json_t *object, const char *key, json_type type)
{
    json_t *value = vec_get(vec, object, key);
    bool fits = value != NULL && (json_typeof(value) == type || (type == JSON_TRUE && json_is_false(value)));
    if (!fits)
        vec_fail(vec, "field %s is %s", key, value == NULL ? "missing" : "of the wrong type");
    return fits ? value : NULL;
}

const char *vec_text(struct vec *vec, json_t *object, const char *key)
{
    json_t *value = get_typed(vec, object, key, JSON_STRING);
    return value == NULL ? "" : json_string_value(value);
}

const char *vec_opt_text(struct vec *vec, json_t *object, const char *key)
{
    json_t *value = vec_get(vec, object, key);
    if (value == NULL || json_is_null(value))
        return NULL;
    if (!json_is_string(value))
        vec_fail(vec, "field %s is of the wrong type", key);
    return json_string_value(value);
}

int64_t vec_int(struct vec *vec, json_t *object, const char *key)
{
    return json_integer_value(get_typed(vec, object, key, JSON_INTEGER));
}

bool vec_bool(struct vec *vec, json_t *object, const char *key)
{
    return json_is_true(get_typed(vec, object, key, JSON_TRUE));
}

json_t *vec_object(struct vec *vec, json_t *object, const char *key)
{
    return get_typed(vec, object, key, JSON_OBJECT);
}

json_t *vec_array(struct vec *vec, json_t *object, const char *key)
{
    return get_typed(vec, object, key, JSON_ARRAY);
}

static void mark_all(struct vec *vec, json_t *value)
{
    const char *key;
    json_t *child;
    size_t i;
    json_object_foreach(value, key, child)
    {
        vec_get(vec, value, key);
        mark_all(vec, child);
    }
    json_array_foreach(value, i, child)
    {
        mark_all(vec, child);
    }
}

json_t *vec_whole(struct vec *vec, json_t *object, const char *key)
{
    json_t *value = vec_get(vec, object, key);
    mark_all(vec, value);
    return value;
}

static uint8_t *get_bytes(struct vec *vec, json_t *object, const char *key, size_t size, size_t *len,
                          bool (*decode)(const char *, size_t, void *, size_t, size_t *))
{
    const char *text = vec_text(vec, object, key);
    size_t room = strlen(text) + BYTES_ROOM > size ? strlen(text) + BYTES_ROOM : size;
    uint8_t *bytes = arena_zalloc(vec->arena, room, 1);
    size_t got = 0;
    if (!decode(text, strlen(text), bytes, room, &got))
        vec_fail(vec, "field %s does not decode", key);
    else if (size > 0 && got != size)
        vec_fail(vec, "field %s has %zu bytes, not %zu", key, got, size);
    if (len != NULL)
        *len = got;
    return bytes;
}

uint8_t *vec_hex(struct vec *vec, json_t *object, const char *key, size_t size, size_t *len)
{
    return get_bytes(vec, object, key, size, len, hex_decode);
}

uint8_t *vec_b64(struct vec *vec, json_t *object, const char *key, size_t size, size_t *len)
{
    return get_bytes(vec, object, key, size, len, base64_decode);
}

int64_t vec_time(struct vec *vec, json_t *object, const char *key)
{
    int64_t usec = 0;
    const char *text = vec_text(vec, object, key);
    if (!time_parse(text, &usec))
        vec_fail(vec, "field %s is no time: %s", key, text);
    return usec;
}

/* ---- comparing ---- */

void vec_same_text(struct vec *vec, json_t *object, const char *key, const char *got)
{
    const char *want = vec_opt_text(vec, object, key);
    if ((want == NULL) != (got == NULL) || (want != NULL && strcmp(want, got) != 0))
        vec_fail(vec, "%s: want %s, got %s", key, want == NULL ? "null" : want, got == NULL ? "null" : got);
}

void vec_same_int(struct vec *vec, json_t *object, const char *key, int64_t got)
{
    int64_t want = vec_int(vec, object, key);
    if (want != got)
        vec_fail(vec, "%s: want %" PRId64 ", got %" PRId64, key, want, got);
}

void vec_same_bool(struct vec *vec, json_t *object, const char *key, bool got)
{
    if (vec_bool(vec, object, key) != got)
        vec_fail(vec, "%s: want %s", key, got ? "false" : "true");
}

void vec_same_hex(struct vec *vec, json_t *object, const char *key, const void *got, size_t len)
{
    char *text = arena_alloc(vec->arena, HEX_SIZE(len));
    hex_encode(got, len, text);
    vec_same_text(vec, object, key, text);
}

void vec_same_b64(struct vec *vec, json_t *object, const char *key, const void *got, size_t len)
{
    char *text = arena_alloc(vec->arena, BASE64_SIZE(len));
    base64_encode(got, len, text);
    vec_same_text(vec, object, key, text);
}

void vec_same_time(struct vec *vec, json_t *object, const char *key, int64_t got)
{
    int64_t want = vec_time(vec, object, key);
    if (want != got)
        vec_fail(vec, "%s: want %" PRId64 " us, got %" PRId64 " us", key, want, got);
}

/* ---- running ---- */

static bool is_remark(const char *key)
{
    for (size_t i = 0; i < sizeof(remarks) / sizeof(remarks[0]); i++)
        if (strcmp(remarks[i], key) == 0)
            return true;
    return false;
}

static bool was_read(const struct vec *vec, const json_t *object, const char *key)
{
    for (const struct vec_seen *seen = vec->seen; seen != NULL; seen = seen->next)
        if (seen->object == object && strcmp(seen->key, key) == 0)
            return true;
    return false;
}

/* Every field must have been read by the kind's function or be a remark. */
static void check_all_read(struct vec *vec, json_t *value)
{
    const char *key;
    json_t *child;
    size_t i;
    json_object_foreach(value, key, child)
    {
        if (is_remark(key))
            continue;
        if (!was_read(vec, value, key))
            vec_fail(vec, "field %s is not understood", key);
        else
            check_all_read(vec, child);
    }
    json_array_foreach(value, i, child)
    {
        check_all_read(vec, child);
    }
}

static const struct vec_kind *find_kind(const char *file)
{
    for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
        for (size_t k = 0; k < groups[g]->count; k++) {
            const char *name = groups[g]->kinds[k].file;
            size_t len = strlen(name);
            if (strncmp(file, name, len) == 0 && strcmp(file + len, ".json") == 0)
                return &groups[g]->kinds[k];
        }
    return NULL;
}

static bool id_is_repeated(const json_t *cases, size_t upto, const char *id)
{
    for (size_t i = 0; i < upto; i++) {
        const char *other = json_string_value(json_object_get(json_array_get(cases, i), "id"));
        if (other != NULL && strcmp(other, id) == 0)
            return true;
    }
    return false;
}

static unsigned run_cases(const char *path, const json_t *file, const struct vec_kind *kind,
                          const json_t *cases)
{
    unsigned failures = 0;
    struct arena *arena = arena_new();
    json_t *root;
    size_t i;
    json_array_foreach(cases, i, root)
    {
        const char *id = json_string_value(json_object_get(root, "id"));
        struct vec vec = { path, id == NULL ? "without id" : id, file, root, arena, NULL, 0 };
        if (id == NULL || id_is_repeated(cases, i, id))
            vec_fail(&vec, "ids must be there and differ");
        kind->run(&vec);
        if (vec.failures == 0)
            check_all_read(&vec, root);
        failures += vec.failures > 0;
        arena_reset(arena);
    }
    arena_free(arena);
    return failures;
}

/* Reason why a file's frame is not what this runner understands, or NULL. */
static const char *frame_problem(const json_t *file, const struct vec_kind **kind)
{
    const char *format = json_string_value(json_object_get(file, "format"));
    const char *name = json_string_value(json_object_get(file, "file"));
    const json_t *cases = json_object_get(file, "cases");
    if (format == NULL || strcmp(format, FORMAT) != 0)
        return "format is not " FORMAT;
    if (name == NULL || (*kind = find_kind(name)) == NULL)
        return "unknown kind of file";
    if (!json_is_array(cases) || json_array_size(cases) == 0)
        return "no cases";
    if (json_integer_value(json_object_get(file, "count")) != (json_int_t)json_array_size(cases))
        return "count differs from the number of cases";
    return NULL;
}

static void run_file(const char *path, struct vec_result *result)
{
    json_error_t problem;
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &problem);
    const struct vec_kind *kind = NULL;
    const char *reason = file == NULL ? problem.text : frame_problem(file, &kind);
    result->files++;
    if (reason != NULL) {
        if (!quiet_failures)
            fprintf(stderr, "%s: %s\n", path, reason);
        result->failures++;
    } else {
        const json_t *cases = json_object_get(file, "cases");
        unsigned failures = run_cases(path, file, kind, cases);
        result->cases += (unsigned)json_array_size(cases);
        result->failures += failures;
        if (!quiet_failures)
            printf("%-16s %4zu cases, %u failed (%s)\n", kind->file, json_array_size(cases), failures, path);
    }
    json_decref(file);
}

static int is_json(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

void vec_run_folder(const char *folder, bool quiet, struct vec_result *result)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_json, alphasort);
    quiet_failures = quiet;
    if (count < 0) {
        if (!quiet)
            fprintf(stderr, "%s: cannot be read\n", folder);
        result->failures++;
        return;
    }
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        run_file(path, result);
        free(entries[i]);
    }
    free(entries);
}
