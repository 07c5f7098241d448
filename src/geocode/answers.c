/* Places as JSON in geocoding_addresses, and back. */
#include "geocode/answers.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "base/encode.h"
#include "base/json.h"
#include "base/parse.h"

#define MAX_KEY 500 /* characters, as the table bounds it */

const char *answers_query_key(struct arena *arena, const char *query)
{
    struct buf key = { 0 };
    bool space = false;
    for (const char *p = query; *p != '\0'; p++) {
        bool blank = isspace((unsigned char)*p) != 0;
        if (!blank && space && key.len > 0)
            buf_putc(&key, ' ');
        space = blank;
        if (!blank)
            buf_putc(&key, (char)tolower((unsigned char)*p)); /* of ASCII; other letters stay as they are */
    }
    while (key.len > 0 && strchr(" ,;.", key.data[key.len - 1]) != NULL)
        key.data[--key.len] = '\0';
    bool fits = key.len > 0 && utf8_length(key.data, key.len) <= MAX_KEY;
    const char *text = fits ? arena_strndup(arena, key.data, key.len) : NULL;
    buf_free(&key);
    return text;
}

/* About 11 m: the same door. */
const char *answers_position_key(struct arena *arena, double latitude, double longitude)
{
    return arena_printf(arena, "@%.4f,%.4f", latitude, longitude);
}

/* ---- reading ---- */

static const char *text(const json_t *object, const char *name, struct arena *arena)
{
    return arena_strdup(arena, json_string_value(json_object_get(object, name)));
}

static bool read_place(const json_t *item, struct arena *arena, struct geo_place *place)
{
    const char *kind = json_string_value(json_object_get(item, "kind"));
    int index = kind != NULL ? word_index(geo_kind_names, kind) : -1;
    *place = (struct geo_place){
        .latitude = json_number_value(json_object_get(item, "latitude")),
        .longitude = json_number_value(json_object_get(item, "longitude")),
        .kind = (enum geo_kind)index,
        .exact = json_is_true(json_object_get(item, "exact")),
        .name = text(item, "name", arena),
        .region = text(item, "region", arena),
        .country_code = text(item, "country_code", arena),
        .label = text(item, "label", arena),
    };
    return index >= 0 && place->label != NULL;
}

bool answers_find(struct db *db, struct arena *arena, const char *key, const char *provider,
                  struct geo_places *places)
{
    struct rows *rows = db_query(db,
                                 "SELECT results FROM geocoding_addresses WHERE query = $1 AND provider = $2 "
                                 "AND fetched_at > now() - make_interval(days => $3::integer)",
                                 "ssi", key, provider, (int64_t)ANSWERS_KEPT_DAYS);
    if (!rows_ok(rows) || rows_count(rows) == 0)
        return false;
    json_t *list = json_loads(rows_text(rows, 0, 0), 0, NULL);
    bool good = json_is_array(list);
    places->count = 0;
    for (size_t i = 0; good && i < json_array_size(list) && i < GEO_MAX_PLACES; i++)
        good = read_place(json_array_get(list, i), arena, &places->list[places->count++]);
    json_decref(list);
    return good;
}

/* ---- writing ---- */

static void write_place(struct json *json, const struct geo_place *place)
{
    json_start_object(json);
    json_put_double(json, "latitude", place->latitude);
    json_put_double(json, "longitude", place->longitude);
    json_put_text(json, "kind", geo_kind_names[place->kind]);
    json_put_bool(json, "exact", place->exact);
    json_put_text(json, "name", place->name);
    json_put_text(json, "region", place->region);
    json_put_text(json, "country_code", place->country_code);
    json_put_text(json, "label", place->label);
    json_end_object(json);
}

void answers_keep(struct db *db, const char *key, const char *provider, const struct geo_places *places)
{
    struct buf results = { 0 };
    struct json json;
    json_begin(&json, &results);
    json_start_array(&json);
    for (size_t i = 0; i < places->count; i++)
        write_place(&json, &places->list[i]);
    json_end_array(&json);
    (void)db_query(
        db,
        "INSERT INTO geocoding_addresses (query, results, provider) VALUES ($1, $2::jsonb, $3) "
        "ON CONFLICT (query) DO UPDATE SET results = excluded.results, provider = excluded.provider, "
        "fetched_at = now()",
        "sss", key, buf_text(&results), provider);
    buf_free(&results);
}
