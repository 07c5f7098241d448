/* Reads migrations from the binary or a folder, checks their numbers, puts the time-series form in. */
#include "store/migration_set.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/parse.h"

#define MAX_MIGRATIONS 9999 /* four digits */
#define MAX_FILE       (16u * 1024 * 1024)

static const char marker[] = "-- @timeseries ";

/* ---- files ---- */

static bool read_stream(FILE *file, const char *path, struct buf *out, struct error *err)
{
    while (!feof(file) && !ferror(file)) {
        char *room = buf_reserve(out, 65536);
        if (room == NULL)
            return error_set(err, "migration_file", "%s is larger than %u bytes", path, MAX_FILE);
        out->len += fread(room, 1, 65536, file);
    }
    if (ferror(file))
        return error_set(err, "migration_file", "cannot read %s: %s", path, strerror(errno));
    if (out->len > 0 && memchr(out->data, '\0', out->len) != NULL)
        return error_set(err, "migration_file", "%s holds a NUL byte", path);
    return true;
}

static const char *read_file(struct arena *arena, const char *path, struct error *err)
{
    struct buf text = { .max = MAX_FILE };
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        error_set(err, "migration_file", "cannot open %s: %s", path, strerror(errno));
        return NULL;
    }
    bool done = read_stream(file, path, &text, err);
    fclose(file);
    const char *copy = done ? arena_strndup(arena, text.len > 0 ? text.data : "", text.len) : NULL;
    buf_free(&text);
    return copy;
}

static const char *read_embedded(const char *path, struct error *err)
{
    for (const struct embedded_sql *file = embedded_sql; file->path != NULL; file++)
        if (strcmp(file->path, path) == 0)
            return file->text;
    error_set(err, "migration_file", "this binary does not hold %s", path);
    return NULL;
}

/* path is relative to db/ */
static const char *read_sql(struct arena *arena, const char *folder, const char *path, struct error *err)
{
    if (folder == NULL)
        return read_embedded(path, err);
    return read_file(arena, arena_printf(arena, "%s/%s", folder, path), err);
}

/* ---- numbers ---- */

/* "0001_name.sql" */
static bool parse_name(const char *file, int64_t *version)
{
    size_t len = strlen(file), digits = strspn(file, "0123456789");
    if (digits != 4 || file[4] != '_' || len < sizeof("0001_a.sql") - 1 ||
        strcmp(file + len - 4, ".sql") != 0)
        return false;
    *version = strtol(file, NULL, 10);
    return true;
}

static bool add(struct arena *arena, struct migration_set *set, const char *file, struct error *err)
{
    struct migration *next = &set->list[set->count];
    if (!parse_name(file, &next->version))
        return error_set(err, "migration_name", "%s is not named like 0001_name.sql", file);
    if (set->count == MAX_MIGRATIONS)
        return error_set(err, "migration_name", "there are more than %d migrations", MAX_MIGRATIONS);
    next->name = arena_strndup(arena, file, strlen(file) - 4);
    next->text = read_sql(arena, set->folder, arena_printf(arena, "migrations/%s", file), err);
    if (next->text == NULL)
        return false;
    set->count++;
    return true;
}

static bool add_embedded(struct arena *arena, struct migration_set *set, struct error *err)
{
    static const char folder[] = "migrations/";
    for (const struct embedded_sql *file = embedded_sql; file->path != NULL; file++)
        if (strncmp(file->path, folder, sizeof(folder) - 1) == 0 &&
            !add(arena, set, file->path + sizeof(folder) - 1, err))
            return false;
    return true;
}

static int is_sql(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".sql") == 0;
}

static bool add_folder(struct arena *arena, struct migration_set *set, struct error *err)
{
    struct dirent **entries;
    const char *path = arena_printf(arena, "%s/migrations", set->folder);
    int n = scandir(path, &entries, is_sql, alphasort);
    if (n < 0)
        return error_set(err, "migration_file", "cannot read the folder %s: %s", path, strerror(errno));
    bool good = true;
    for (int i = 0; i < n; i++) {
        good = good && add(arena, set, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    return good;
}

static int by_version(const void *a, const void *b)
{
    const struct migration *left = a, *right = b;
    return (left->version > right->version) - (left->version < right->version);
}

bool migration_set_read(struct arena *arena, const char *folder, struct migration_set *set, struct error *err)
{
    *set = (struct migration_set){ .folder = folder };
    set->list = arena_zalloc(arena, MAX_MIGRATIONS + 1, sizeof(*set->list));
    if (!(folder != NULL ? add_folder(arena, set, err) : add_embedded(arena, set, err)))
        return false;
    if (set->count == 0)
        return error_set(err, "migration_none", "there are no migrations in %s",
                         folder != NULL ? folder : "this binary");
    qsort(set->list, set->count, sizeof(*set->list), by_version);
    for (size_t i = 0; i < set->count; i++) {
        int64_t expected = (int64_t)i + 1;
        if (set->list[i].version < expected)
            return error_set(err, "migration_gap", "two migrations have the number of %s", set->list[i].name);
        if (set->list[i].version > expected)
            return error_set(err, "migration_gap", "migration %04lld is missing before %s",
                             (long long)expected, set->list[i].name);
    }
    return true;
}

int64_t migration_newest(void)
{
    int64_t newest = 0, version;
    for (const struct embedded_sql *file = embedded_sql; file->path != NULL; file++) {
        const char *slash = strrchr(file->path, '/');
        if (slash != NULL && strncmp(file->path, "migrations/", 11) == 0 && parse_name(slash + 1, &version) &&
            version > newest)
            newest = version;
    }
    return newest;
}

/* ---- text ---- */

/* The name on a marker line of len bytes, NULL when it is none. */
static const char *marker_name(struct arena *arena, const char *line, size_t len)
{
    size_t start = sizeof(marker) - 1;
    if (len <= start || strncmp(line, marker, start) != 0)
        return NULL;
    while (len > start && isspace((unsigned char)line[len - 1]))
        len--;
    for (size_t i = start; i < len; i++)
        if (!isalnum((unsigned char)line[i]) && line[i] != '_')
            return NULL;
    return len > start ? arena_strndup(arena, line + start, len - start) : NULL;
}

static bool append_form(struct arena *arena, const struct migration_set *set, const char *form,
                        const char *name, struct buf *out, struct error *err)
{
    const char *path = arena_printf(arena, "timeseries/%s/%s.sql", form, name);
    const char *text = read_sql(arena, set->folder, path, err);
    if (text == NULL)
        return false;
    buf_puts(out, text);
    buf_putc(out, '\n');
    return true;
}

const char *migration_assemble(struct arena *arena, const struct migration_set *set,
                               const struct migration *migration, const char *form, struct error *err)
{
    if (strstr(migration->text, marker) == NULL)
        return migration->text;
    struct buf out = { .max = MAX_FILE };
    bool good = true;
    for (const char *line = migration->text; good && *line != '\0';) {
        size_t len = strcspn(line, "\n");
        const char *name = marker_name(arena, line, len);
        len += line[len] == '\n';
        if (name != NULL)
            good = append_form(arena, set, form, name, &out, err);
        else
            buf_append(&out, line, len);
        line += len;
    }
    if (good && out.overflow)
        good = error_set(err, "migration_file", "%s is larger than %u bytes", migration->name, MAX_FILE);
    const char *text = good ? arena_strndup(arena, buf_text(&out), out.len) : NULL;
    buf_free(&out);
    return text;
}

void migration_digest(const char *text, char out[MIGRATION_DIGEST_SIZE])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, (const unsigned char *)text, strlen(text));
    hex_encode(digest, sizeof(digest), out);
}
