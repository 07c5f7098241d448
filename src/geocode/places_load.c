/* GeoNames files into temporary tables by COPY, and from there into `places`, touching only what differs. */
#include "geocode/places_load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geocode/geonames.h"

/* Rows are handed to COPY in pieces of about this size. */
#define PIECE ((size_t)256 * 1024)

static const char begin_sql[] =
    /* One load at a time: two would wait for each other's rows. */
    "SELECT pg_advisory_xact_lock(hashtextextended('places_load', 0));"
    "CREATE TEMP TABLE loaded_places (id bigint, name text, ascii_name text, other_names text, latitude float8, "
    "longitude float8, is_section boolean, region_code text, country_code text, population bigint) ON COMMIT DROP;"
    "CREATE TEMP TABLE loaded_regions (code text, name text) ON COMMIT DROP";

static const char merge_sql[] =
    "INSERT INTO places AS p (id, name, ascii_name, other_names, position, is_section, region, country_code, population) "
    "SELECT DISTINCT ON (l.id) l.id, l.name, l.ascii_name, l.other_names, "
    "ST_SetSRID(ST_MakePoint(l.longitude, l.latitude), 4326)::geography, l.is_section, r.name, l.country_code, l.population "
    "FROM loaded_places l LEFT JOIN (SELECT DISTINCT ON (code) code, name FROM loaded_regions ORDER BY code, name) r "
    "ON r.code = l.region_code ORDER BY l.id "
    "ON CONFLICT (id) DO UPDATE SET name = excluded.name, ascii_name = excluded.ascii_name, "
    "other_names = excluded.other_names, position = excluded.position, is_section = excluded.is_section, "
    "region = excluded.region, country_code = excluded.country_code, population = excluded.population "
    "WHERE (p.name, p.ascii_name, p.other_names, p.is_section, p.region, p.country_code, p.population) IS DISTINCT FROM "
    "(excluded.name, excluded.ascii_name, excluded.other_names, excluded.is_section, excluded.region, "
    "excluded.country_code, excluded.population) OR NOT ST_Equals(p.position::geometry, excluded.position::geometry)";

static const char remove_sql[] =
    "DELETE FROM places p WHERE NOT EXISTS (SELECT FROM loaded_places l WHERE l.id = p.id)";

/* Nothing near by the old towns: perhaps there is something now. */
static const char retry_sql[] =
    "UPDATE geocoding_cache SET fetched_at = NULL, provider = NULL, next_try_at = now() "
    "WHERE provider = 'offline' AND name IS NULL";

typedef enum geonames_line (*take_line)(char *line, size_t len, struct buf *out, struct error *err);

static bool failed(const struct rows *rows, struct error *err)
{
    return error_set(err, "database", "the database refused the places: %s", rows_message(rows));
}

struct counts {
    int64_t lines, rows;
};

/* Sends the lines of an open file to the COPY that is under way. */
static bool send_lines(struct db *db, FILE *file, take_line take, struct counts *counts, struct error *err)
{
    struct buf out = { 0 };
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    bool good = true;
    while (good && (len = getline(&line, &size, file)) >= 0) {
        counts->lines++;
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            len--;
        enum geonames_line kind = GEONAMES_BAD;
        if (len > (ssize_t)GEONAMES_MAX_LINE)
            error_set(err, "geonames", "is longer than any of GeoNames");
        else
            kind = len == 0 ? GEONAMES_SKIPPED : take(line, (size_t)len, &out, err);
        counts->rows += kind == GEONAMES_ROW;
        if (kind == GEONAMES_BAD)
            good = error_prefix(err, "line %" PRId64, counts->lines);
        else if (out.len > PIECE) {
            good = db_copy_data(db, out.data, out.len, err);
            buf_clear(&out);
        }
    }
    if (good && ferror(file))
        good = error_set(err, "file", "%s", strerror(errno));
    if (good)
        good = db_copy_data(db, buf_text(&out), out.len, err);
    buf_free(&out);
    free(line);
    return good;
}

/* One file into one temporary table. */
static bool copy_file(struct db *db, const char *path, const char *copy_sql, take_line take,
                      struct counts *counts, struct error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(err, "file", "%s: %s", path, strerror(errno));
    bool good = db_copy_begin(db, copy_sql, err);
    if (good) {
        good = send_lines(db, file, take, counts, err);
        struct rows *rows = db_copy_end(db, good ? NULL : "the file is not good");
        if (!good)
            error_prefix(err, "%s", path);
        else if (!rows_ok(rows))
            good = failed(rows, err);
    }
    fclose(file);
    return good;
}

static bool load(struct db *db, const struct places_files *files, struct places_report *report,
                 struct error *err)
{
    struct counts places = { 0 }, regions = { 0 };
    struct rows *rows = db_execute(db, begin_sql);
    if (!rows_ok(rows))
        return failed(rows, err);
    if (files->regions != NULL &&
        !copy_file(db, files->regions, "COPY loaded_regions FROM STDIN", geonames_region, &regions, err))
        return false;
    if (!copy_file(db, files->places, "COPY loaded_places (" GEONAMES_PLACE_COLUMNS ") FROM STDIN",
                   geonames_place, &places, err))
        return false;
    if (places.rows == 0)
        return error_set(err, "empty", "%s: has no populated place", files->places);

    struct rows *merged = db_query(db, merge_sql, "");
    struct rows *removed = rows_ok(merged) ? db_query(db, remove_sql, "") : merged;
    struct rows *retried = rows_ok(removed) ? db_query(db, retry_sql, "") : removed;
    if (!rows_ok(retried))
        return failed(retried, err);
    *report = (struct places_report){
        .lines = places.lines,
        .skipped = places.lines - places.rows,
        .written = (int64_t)rows_affected(merged),
        .removed = (int64_t)rows_affected(removed),
        .regions = regions.rows,
    };
    return true;
}

bool places_load(struct db *db, struct arena *arena, const struct places_files *files,
                 struct places_report *report, struct error *err)
{
    db_use(db, arena, NULL);
    if (!db_begin(db, err))
        return false;
    if (!load(db, files, report, err)) {
        db_rollback(db);
        return false;
    }
    if (!db_commit(db, err))
        return false;
    /* Best effort: without statistics the planner still takes the index. */
    struct rows *analyzed = db_execute(db, "ANALYZE places");
    (void)analyzed;
    return places_count(db, &report->places, err);
}

bool places_count(struct db *db, int64_t *count, struct error *err)
{
    struct rows *rows = db_query(db, "SELECT count(*) FROM places", "");
    if (!rows_ok(rows))
        return failed(rows, err);
    *count = rows_int(rows, 0, 0);
    return true;
}
