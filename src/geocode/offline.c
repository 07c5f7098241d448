/* Names of towns near a position, and positions of towns named in an address, by SQL. */
#include "geocode/offline.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"

/* Of one address; further commas are left out. */
#define MAX_PARTS 6

static bool failed(const struct rows *rows, struct error *err)
{
    return error_set(err, rows_status(rows) == DB_UNAVAILABLE ? "database_unavailable" : "database",
                     "the towns cannot be looked up: %s", rows_message(rows));
}

bool offline_loaded(struct db *db, bool *loaded, struct error *err)
{
    struct rows *rows = db_query(db, "SELECT EXISTS (SELECT FROM places)", "");
    if (!rows_ok(rows))
        return failed(rows, err);
    *loaded = rows_bool(rows, 0, 0);
    return true;
}

/* "Garching, Bavaria, DE"; "Hamburg, DE" where the region has the town's name. */
static const char *label(struct arena *arena, const struct geo_place *place)
{
    bool region = place->region != NULL && strcmp(place->region, place->name) != 0;
    return arena_printf(arena, "%s%s%s, %s", place->name, region ? ", " : "", region ? place->region : "",
                        place->country_code);
}

static const char *text_or_null(const struct rows *rows, size_t row, size_t column)
{
    return rows_null(rows, row, column) ? NULL : rows_text(rows, row, column);
}

bool offline_reverse(struct db *db, struct arena *arena, double latitude, double longitude,
                     struct geo_places *places, struct error *err)
{
    struct rows *rows = db_query(db, "SELECT name, region, country_code FROM nearest_place($1, $2)", "dd",
                                 latitude, longitude);
    if (!rows_ok(rows))
        return failed(rows, err);
    places->count = rows_count(rows);
    if (places->count == 0)
        return true;
    struct geo_place *place = &places->list[0];
    *place = (struct geo_place){
        .latitude = latitude,
        .longitude = longitude,
        .kind = GEO_TOWN,
        .name = rows_text(rows, 0, 0),
        .region = text_or_null(rows, 0, 1),
        .country_code = rows_text(rows, 0, 2),
    };
    place->label = label(arena, place);
    return true;
}

/* ---- forward ---- */

/* One word of a part, unless it has a digit. */
static bool is_name(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (isdigit((unsigned char)word[i]))
            return false;
    return len > 0;
}

const char *offline_parts(struct arena *arena, const char *query)
{
    struct buf parts = { 0 };
    size_t count = 0;
    while (*query != '\0' && count < MAX_PARTS) {
        size_t len = strcspn(query, ",;\n\r"), began = parts.len;
        for (const char *word = query; word < query + len;) {
            word += strspn(word, " \t");
            size_t size = strcspn(word, " \t,;\n\r");
            if (is_name(word, size)) {
                if (parts.len > began)
                    buf_putc(&parts, ' ');
                else if (parts.len > 0)
                    buf_putc(&parts, '\n');
                buf_append(&parts, word, size);
            }
            word += size;
        }
        count += parts.len > began;
        query += len + (query[len] != '\0');
    }
    const char *text = arena_strdup(arena, buf_text(&parts));
    buf_free(&parts);
    return text;
}

/* $1 the parts, $2 how many places. A part is looked up as the beginning of a name (of one or two letters,
 * which begin half of all names, as a word); a name that is the part as a whole is better, then one whose
 * region or country is another part, then the larger town. Of one part the largest 200 towns are looked at:
 * whoever finds more has to type more. */
static const char search_sql[] =
    "WITH parts AS (SELECT p.part, p.n, CASE WHEN octet_length(p.part) < 3 THEN phraseto_tsquery('simple', p.part) "
    "ELSE (phraseto_tsquery('simple', p.part)::text || ':*')::tsquery END AS query "
    "FROM unnest(string_to_array($1, E'\\n')) WITH ORDINALITY p (part, n) "
    "WHERE phraseto_tsquery('simple', p.part)::text <> ''), "
    "hits AS (SELECT h.*, s.n, lower(s.part) = ANY (string_to_array(lower(concat_ws(',', h.name, h.ascii_name, "
    "h.other_names)), ',')) AS whole, EXISTS (SELECT FROM parts o WHERE o.n <> s.n AND lower(o.part) IN "
    "(lower(h.region), lower(h.country_code))) AS confirmed FROM parts s CROSS JOIN LATERAL ("
    "SELECT * FROM places p WHERE p.words @@ s.query ORDER BY p.population DESC LIMIT 200) h) "
    "SELECT name, region, country_code, ST_Y(position::geometry), ST_X(position::geometry), n = 1 AND whole FROM "
    "(SELECT DISTINCT ON (id) * FROM hits ORDER BY id, whole DESC, confirmed DESC, n) best "
    "ORDER BY whole DESC, confirmed DESC, population DESC, id LIMIT $2";

bool offline_search(struct db *db, struct arena *arena, const char *query, size_t limit,
                    struct geo_places *places, struct error *err)
{
    places->count = 0;
    const char *parts = offline_parts(arena, query);
    if (parts[0] == '\0')
        return true;
    struct rows *rows = db_query(db, search_sql, "si", parts,
                                 (int64_t)(limit < GEO_MAX_PLACES ? limit : GEO_MAX_PLACES));
    if (!rows_ok(rows))
        return failed(rows, err);
    for (size_t i = 0; i < rows_count(rows); i++) {
        struct geo_place *place = &places->list[places->count++];
        *place = (struct geo_place){
            .latitude = rows_double(rows, i, 3),
            .longitude = rows_double(rows, i, 4),
            .kind = GEO_TOWN,
            .exact = rows_bool(rows, i, 5),
            .name = rows_text(rows, i, 0),
            .region = text_or_null(rows, i, 1),
            .country_code = rows_text(rows, i, 2),
        };
        place->label = label(arena, place);
    }
    return true;
}
