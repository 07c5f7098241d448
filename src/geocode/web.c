/* Questions to Nominatim and Photon, and what their answers mean. */
#include "geocode/web.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/parse.h"
#include "net/httpc.h"

const char *const geo_kind_names[] = { "address", "street", "town", "area", NULL };

/* Answers are OpenStreetMap's wherever they come from. */
#define OSM "© OpenStreetMap contributors (ODbL)"

/* What the database and a screen take; longer texts are nobody's names. */
#define MAX_NAME   300
#define MAX_REGION 200
#define MAX_LABEL  500

/* ---- common ---- */

/* A text of an answer: NULL when absent or empty, cut to max characters. */
static const char *text(const json_t *object, const char *name, size_t max, struct arena *arena)
{
    const char *value = json_string_value(json_object_get(object, name));
    if (value == NULL || value[0] == '\0')
        return NULL;
    size_t bytes = 0, characters = 0;
    while (value[bytes] != '\0' && characters < max) {
        do
            bytes++;
        while (((unsigned char)value[bytes] & 0xC0) == 0x80);
        characters++;
    }
    return arena_strndup(arena, value, bytes);
}

/* The first of several members that is there. */
static const char *first_text(const json_t *object, const char *const *names, size_t max, struct arena *arena)
{
    const char *found = NULL;
    for (; *names != NULL && found == NULL; names++)
        found = text(object, *names, max, arena);
    return found;
}

/* "de" or "DE" to "DE"; anything else is none. */
static const char *country(const char *code, struct arena *arena)
{
    char out[3] = { 0 };
    if (code == NULL || strlen(code) != 2)
        return NULL;
    for (int i = 0; i < 2; i++) {
        char upper = (char)(code[i] >= 'a' && code[i] <= 'z' ? code[i] - 'a' + 'A' : code[i]);
        if (upper < 'A' || upper > 'Z')
            return NULL;
        out[i] = upper;
    }
    return arena_strdup(arena, out);
}

static bool on_globe(double latitude, double longitude)
{
    return latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180;
}

static bool unreadable(struct error *err)
{
    return error_set(err, "geocoder_answer", "the geocoder's answer cannot be read");
}

static void put_base(struct buf *url, const struct web_manner *manner, const char *path)
{
    size_t len = strlen(manner->base);
    while (len > 0 && manner->base[len - 1] == '/')
        len--;
    buf_append(url, manner->base, len);
    buf_puts(url, path);
}

static void put_position(struct buf *url, double latitude, double longitude)
{
    char number[32];
    snprintf(number, sizeof(number), "%.6f", latitude);
    httpc_put_query(url, "lat", number);
    snprintf(number, sizeof(number), "%.6f", longitude);
    httpc_put_query(url, "lon", number);
}

static void put_limit(struct buf *url, size_t limit)
{
    char number[8];
    snprintf(number, sizeof(number), "%zu", limit < GEO_MAX_PLACES ? limit : GEO_MAX_PLACES);
    httpc_put_query(url, "limit", number);
}

/* ---- Nominatim ---- */

/* Levels of detail of a reverse answer: 13 is a village or suburb, 18 a building. */
#define ZOOM_TOWN     "13"
#define ZOOM_BUILDING "18"

static void nominatim_manner(struct buf *url, const struct web_manner *manner)
{
    httpc_put_query(url, "format", "jsonv2");
    httpc_put_query(url, "addressdetails", "1");
    httpc_put_query(url, "accept-language", manner->language);
    httpc_put_query(url, "email", manner->email);
}

static void nominatim_reverse_url(struct buf *url, const struct web_manner *manner, double latitude,
                                  double longitude, bool town)
{
    put_base(url, manner, "/reverse");
    put_position(url, latitude, longitude);
    httpc_put_query(url, "zoom", town ? ZOOM_TOWN : ZOOM_BUILDING);
    nominatim_manner(url, manner);
}

static void nominatim_search_url(struct buf *url, const struct web_manner *manner, const char *query,
                                 size_t limit)
{
    put_base(url, manner, "/search");
    httpc_put_query(url, "q", query);
    put_limit(url, limit);
    nominatim_manner(url, manner);
}

/* place_rank: 30 a house, 26 and 27 streets, 13 to 25 from towns to blocks, below counties and more. */
static enum geo_kind nominatim_kind(int64_t rank)
{
    return rank >= 28 ? GEO_ADDRESS : rank >= 26 ? GEO_STREET : rank >= 13 ? GEO_TOWN : GEO_AREA;
}

/* Numbers of positions are texts there. */
static bool nominatim_number(const json_t *object, const char *name, double *value)
{
    const char *number = json_string_value(json_object_get(object, name));
    return number != NULL && parse_double(number, value);
}

static bool nominatim_place(const json_t *item, struct arena *arena, struct geo_place *place)
{
    static const char *const towns[] = { "city",   "town",   "village", "municipality",
                                         "hamlet", "suburb", "county",  NULL };
    static const char *const regions[] = { "state", "region", "province", "state_district", "county", NULL };
    const json_t *address = json_object_get(item, "address");
    const char *label = text(item, "display_name", MAX_LABEL, arena);
    *place = (struct geo_place){
        .kind = nominatim_kind(json_integer_value(json_object_get(item, "place_rank"))),
        .exact = true,
        .name = first_text(address, towns, MAX_NAME, arena),
        .region = first_text(address, regions, MAX_REGION, arena),
        .country_code = country(json_string_value(json_object_get(address, "country_code")), arena),
        .label = label,
    };
    if (place->name == NULL)
        place->name = text(item, "name", MAX_NAME, arena);
    return label != NULL && nominatim_number(item, "lat", &place->latitude) &&
           nominatim_number(item, "lon", &place->longitude) && on_globe(place->latitude, place->longitude);
}

static bool nominatim_read(const json_t *answer, struct arena *arena, struct geo_places *places,
                           struct error *err)
{
    places->count = 0;
    if (json_is_object(answer)) {
        /* reverse: one place, or {"error": "Unable to geocode"} with status 200 */
        if (json_is_string(json_object_get(answer, "error")))
            return true;
        places->count = nominatim_place(answer, arena, &places->list[0]);
        return places->count == 1 ? true : unreadable(err);
    }
    if (!json_is_array(answer))
        return unreadable(err);
    for (size_t i = 0; i < json_array_size(answer) && places->count < GEO_MAX_PLACES; i++)
        if (nominatim_place(json_array_get(answer, i), arena, &places->list[places->count]))
            places->count++;
    return places->count > 0 || json_array_size(answer) == 0 ? true : unreadable(err);
}

/* ---- Photon ---- */

static void photon_reverse_url(struct buf *url, const struct web_manner *manner, double latitude,
                               double longitude, bool town)
{
    put_base(url, manner, "/reverse");
    put_position(url, latitude, longitude);
    if (town) /* the nearest house names its town too, but may be a field's width too far */
        httpc_put_query(url, "radius", "10");
    httpc_put_query(url, "limit", "1");
    httpc_put_query(url, "lang", manner->language);
}

static void photon_search_url(struct buf *url, const struct web_manner *manner, const char *query,
                              size_t limit)
{
    put_base(url, manner, "/api");
    httpc_put_query(url, "q", query);
    put_limit(url, limit);
    httpc_put_query(url, "lang", manner->language);
}

static enum geo_kind photon_kind(const char *type)
{
    static const char *const towns[] = { "locality", "district", "city", NULL };
    static const char *const areas[] = { "county", "state", "country", NULL };
    if (type == NULL || strcmp(type, "house") == 0)
        return GEO_ADDRESS;
    if (strcmp(type, "street") == 0)
        return GEO_STREET;
    return word_index(towns, type) >= 0 ? GEO_TOWN : word_index(areas, type) >= 0 ? GEO_AREA : GEO_ADDRESS;
}

/* Photon gives parts, no line: "Lange Reihe 5, 20099 Hamburg, Hamburg, Germany". */
static const char *photon_label(const json_t *properties, struct arena *arena)
{
    static const char *const parts[] = { "name", "street", "postcode", "city", "state", "country" };
    struct buf line = { .max = 4096 };
    const char *last = "";
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const char *part = text(properties, parts[i], MAX_NAME, arena);
        if (part == NULL || strcmp(part, last) == 0)
            continue;
        bool after_postcode = i > 0 && strcmp(parts[i], "city") == 0 &&
                              json_object_get(properties, "postcode") != NULL;
        buf_printf(&line, "%s%s", line.len == 0 ? "" : after_postcode ? " " : ", ", part);
        const char *number = text(properties, "housenumber", MAX_NAME, arena);
        if (number != NULL && strcmp(parts[i], "street") == 0)
            buf_printf(&line, " %s", number);
        last = part;
    }
    json_t *whole = line.len > 0 ? json_pack("{s:s}", "line", line.data) : NULL;
    const char *label = text(whole, "line", MAX_LABEL, arena);
    json_decref(whole);
    buf_free(&line);
    return label;
}

static bool photon_place(const json_t *feature, struct arena *arena, struct geo_place *place)
{
    static const char *const towns[] = { "city",     "town",   "village", "locality",
                                         "district", "county", "name",    NULL };
    const json_t *properties = json_object_get(feature, "properties");
    const json_t *point = json_object_get(json_object_get(feature, "geometry"), "coordinates");
    const json_t *longitude = json_array_get(point, 0), *latitude = json_array_get(point, 1);
    const char *type = json_string_value(json_object_get(properties, "type"));
    bool is_town = type != NULL && (strcmp(type, "city") == 0 || strcmp(type, "locality") == 0);
    *place = (struct geo_place){
        .latitude = json_number_value(latitude),
        .longitude = json_number_value(longitude),
        .kind = photon_kind(type),
        .exact = true,
        /* a town is called by its own name, a district or a house by its town's */
        .name = is_town ? text(properties, "name", MAX_NAME, arena) : NULL,
        .region = text(properties, "state", MAX_REGION, arena),
        .country_code = country(json_string_value(json_object_get(properties, "countrycode")), arena),
        .label = photon_label(properties, arena),
    };
    if (place->name == NULL)
        place->name = first_text(properties, towns, MAX_NAME, arena);
    return json_is_number(latitude) && json_is_number(longitude) && place->label != NULL &&
           on_globe(place->latitude, place->longitude);
}

static bool photon_read(const json_t *answer, struct arena *arena, struct geo_places *places,
                        struct error *err)
{
    const json_t *features = json_object_get(answer, "features");
    places->count = 0;
    if (!json_is_array(features))
        return unreadable(err);
    for (size_t i = 0; i < json_array_size(features) && places->count < GEO_MAX_PLACES; i++)
        if (photon_place(json_array_get(features, i), arena, &places->list[places->count]))
            places->count++;
    return places->count > 0 || json_array_size(features) == 0 ? true : unreadable(err);
}

/* ---- the table ---- */

static const struct web_provider providers[] = {
    { "nominatim", "https://nominatim.openstreetmap.org", OSM, nominatim_reverse_url, nominatim_search_url,
      nominatim_read },
    { "photon", "https://photon.komoot.io", OSM, photon_reverse_url, photon_search_url, photon_read },
};

const struct web_provider *web_provider(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(providers); i++)
        if (strcmp(providers[i].name, name) == 0)
            return &providers[i];
    return NULL;
}
