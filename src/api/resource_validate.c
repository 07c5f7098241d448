/* Takes a JSON body apart by the description of its resource, and collects everything that is wrong with it.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "api/resource.h"
#include "base/encode.h"
#include "base/parse.h"
#include "base/timeutil.h"

/* A name this many edits away is still taken for a slip of the finger. */
#define SUGGEST_EDITS 2
/* Corners of a polygon: what the table takes (location_shapes_polygon_valid), and a bound on areas. */
#define POLYGON_MAX_POINTS 1000
#define AREA_MAX_POINTS    5000

struct reading {
    const struct field *field;
    const json_t *json;
    struct problems *problems;
    struct field_value *value;
};

static bool wrong(const struct reading *in, const char *code, const char *message)
{
    problem_add(in->problems, in->field->name, code, "%s", message);
    return false;
}

static bool wrong_type(const struct reading *in, const char *wanted)
{
    problem_add(in->problems, in->field->name, "wrong_type", "must be %s", wanted);
    return false;
}

static const char *integer_text(struct arena *arena, json_int_t value)
{
    return arena_printf(arena, "%" PRId64, (int64_t)value);
}

static const char *number_text(struct arena *arena, double value)
{
    return arena_printf(arena, "%.17g", value);
}

/* ---- one reader for each type: checks the JSON value and leaves its text ---- */

static bool read_text(struct reading *in)
{
    if (!json_is_string(in->json))
        return wrong_type(in, "a text");
    const char *text = json_string_value(in->json);
    size_t bytes = json_string_length(in->json);
    if (!utf8_valid(text, bytes))
        return wrong(in, "invalid_text", "must be valid UTF-8 without NUL characters");
    /* Only white space is no name; the space around a name would make two names that look the same. */
    while (bytes > 0 && (text[bytes - 1] == ' ' || text[bytes - 1] == '\t' || text[bytes - 1] == '\n' ||
                         text[bytes - 1] == '\r'))
        bytes--;
    while (bytes > 0 && (*text == ' ' || *text == '\t' || *text == '\n' || *text == '\r'))
        text++, bytes--;
    size_t length = utf8_length(text, bytes);
    if ((double)length < in->field->min) {
        problem_add(in->problems, in->field->name, "too_short", "must have at least %.0f character%s",
                    in->field->min, in->field->min > 1 ? "s" : "");
        return false;
    }
    if (in->field->max > 0 && (double)length > in->field->max) {
        problem_add(in->problems, in->field->name, "too_long", "must have at most %.0f characters",
                    in->field->max);
        return false;
    }
    in->value->text = arena_strndup(in->problems->arena, text, bytes);
    return true;
}

static bool in_range(struct reading *in, double value)
{
    const struct field *field = in->field;
    if ((field->min == 0 && field->max == 0) || (value >= field->min && value <= field->max))
        return true;
    problem_add(in->problems, field->name, "out_of_range", "must be between %.15g and %.15g", field->min,
                field->max);
    return false;
}

static bool read_int(struct reading *in)
{
    if (!json_is_integer(in->json))
        return wrong_type(in, "a whole number");
    in->value->text = integer_text(in->problems->arena, json_integer_value(in->json));
    return in_range(in, (double)json_integer_value(in->json));
}

static bool read_number(struct reading *in)
{
    if (!json_is_number(in->json))
        return wrong_type(in, "a number");
    double value = json_number_value(in->json);
    if (!isfinite(value))
        return wrong(in, "out_of_range", "must be a finite number");
    in->value->text = number_text(in->problems->arena, value);
    return in_range(in, value);
}

static bool read_bool(struct reading *in)
{
    if (!json_is_boolean(in->json))
        return wrong_type(in, "true or false");
    in->value->text = json_is_true(in->json) ? "true" : "false";
    return true;
}

static bool read_ref(struct reading *in)
{
    if (!json_is_integer(in->json))
        return wrong_type(in, "the id of a row, a whole number");
    if (json_integer_value(in->json) <= 0)
        return wrong(in, "not_found", "no such row");
    in->value->text = integer_text(in->problems->arena, json_integer_value(in->json));
    return true;
}

static bool read_time(struct reading *in)
{
    if (!json_is_string(in->json))
        return wrong_type(in, "a time as text (RFC 3339)");
    int64_t usec;
    if (!time_parse(json_string_value(in->json), &usec))
        return wrong(in, "invalid_time", "must be a time like 2025-01-31T12:00:00Z (RFC 3339)");
    char text[RFC3339_SIZE];
    in->value->text = arena_strdup(in->problems->arena, time_format(usec, text));
    return true;
}

static bool read_enum(struct reading *in)
{
    if (!json_is_string(in->json))
        return wrong_type(in, "a text");
    int index = word_index(in->field->words, json_string_value(in->json));
    if (index < 0) {
        struct buf list = { 0 };
        for (size_t i = 0; in->field->words[i] != NULL; i++)
            buf_printf(&list, "%s%s", i > 0 ? ", " : "", in->field->words[i]);
        problem_add(in->problems, in->field->name, "unknown_value", "must be one of: %s", buf_text(&list));
        buf_free(&list);
        return false;
    }
    in->value->text = in->field->words[index];
    return true;
}

/* An array literal in the order of the field's words, which need no quotes. */
static bool read_words(struct reading *in)
{
    if (!json_is_array(in->json) || json_array_size(in->json) == 0)
        return wrong_type(in, "an array of at least one word");
    uint64_t given = 0;
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)in->json, i, item)
    {
        int index = json_is_string(item) ? word_index(in->field->words, json_string_value(item)) : -1;
        if (index < 0)
            return wrong(in, "unknown_value", "must hold words of the list only");
        if (given & UINT64_C(1) << index)
            return wrong(in, "invalid", "must hold each word once");
        given |= UINT64_C(1) << index;
    }
    struct buf list = { 0 };
    for (i = 0; in->field->words[i] != NULL; i++)
        if (given & UINT64_C(1) << i)
            buf_printf(&list, "%c%s", list.len == 0 ? '{' : ',', in->field->words[i]);
    buf_putc(&list, '}');
    in->value->text = arena_strdup(in->problems->arena, buf_text(&list));
    buf_free(&list);
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* AA:BB:CC:DD:EE:FF, with dashes, or without separators, in any case. */
static bool read_mac(struct reading *in)
{
    if (!json_is_string(in->json))
        return wrong_type(in, "a MAC address as text");
    const char *text = json_string_value(in->json);
    size_t len = strlen(text);
    char separator = len == 17 ? text[2] : '\0';
    if (!(len == 12 || (len == 17 && (separator == ':' || separator == '-'))))
        return wrong(in, "invalid_mac", "must be a MAC address like AA:BB:CC:DD:EE:FF");
    char *mac = arena_alloc(in->problems->arena, 18);
    char *end = mac;
    for (size_t i = 0; i < len; i++) {
        if (separator != '\0' && i % 3 == 2) {
            if (text[i] != separator)
                return wrong(in, "invalid_mac", "must be a MAC address like AA:BB:CC:DD:EE:FF");
            continue;
        }
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return wrong(in, "invalid_mac", "must be a MAC address like AA:BB:CC:DD:EE:FF");
        if (end > mac && (end - mac) % 3 == 2)
            *end++ = ':';
        *end++ = "0123456789ABCDEF"[digit];
    }
    *end = '\0';
    in->value->text = mac;
    return true;
}

static bool coordinate(struct reading *in, const char *name, double bound, const char **text)
{
    const json_t *part = json_object_get(in->json, name);
    const char *path = arena_printf(in->problems->arena, "%s.%s", in->field->name, name);
    if (part == NULL) {
        problem_add(in->problems, path, "required", "is required");
        return false;
    }
    if (!json_is_number(part)) {
        problem_add(in->problems, path, "wrong_type", "must be a number");
        return false;
    }
    double value = json_number_value(part);
    if (!(value >= -bound && value <= bound)) {
        problem_add(in->problems, path, "out_of_range", "must be between %g and %g", -bound, bound);
        return false;
    }
    *text = number_text(in->problems->arena, value);
    return true;
}

static bool read_position(struct reading *in)
{
    if (!json_is_object(in->json))
        return wrong_type(in, "an object with latitude and longitude");
    bool good = coordinate(in, "latitude", 90, &in->value->text);
    good = coordinate(in, "longitude", 180, &in->value->more) && good;
    const char *name;
    json_t *part;
    json_object_foreach((json_t *)in->json, name, part)
    {
        if (strcmp(name, "latitude") == 0 || strcmp(name, "longitude") == 0)
            continue;
        problem_add(in->problems, arena_printf(in->problems->arena, "%s.%s", in->field->name, name),
                    "unknown_field", "a position has latitude and longitude only");
        good = false;
    }
    return good;
}

/* ---- GeoJSON ---- */

static bool good_point(const json_t *point)
{
    if (json_array_size(point) != 2 || !json_is_number(json_array_get(point, 0)) ||
        !json_is_number(json_array_get(point, 1)))
        return false;
    double longitude = json_number_value(json_array_get(point, 0));
    double latitude = json_number_value(json_array_get(point, 1));
    return longitude >= -180 && longitude <= 180 && latitude >= -90 && latitude <= 90;
}

/* What is wrong with a list of rings, or NULL. *points counts corners. Crossing edges are PostGIS's to find.
 */
static const char *rings_fault(const json_t *rings, size_t *points)
{
    if (!json_is_array(rings) || json_array_size(rings) == 0)
        return "coordinates must be an array of rings";
    for (size_t i = 0; i < json_array_size(rings); i++) {
        const json_t *ring = json_array_get(rings, i);
        size_t n = json_array_size(ring);
        if (!json_is_array(ring) || n < 4)
            return "every ring needs at least four positions, the last equal to the first";
        for (size_t k = 0; k < n; k++)
            if (!good_point(json_array_get(ring, k)))
                return "every position must be [longitude, latitude] in degrees";
        if (!json_equal(json_array_get(ring, 0), json_array_get(ring, n - 1)))
            return "every ring must end where it began";
        *points += n;
    }
    return NULL;
}

static const char *geometry_fault(const json_t *json, bool many, size_t max_points)
{
    static const char *const members[] = { "type", "coordinates", NULL };
    const char *name;
    json_t *part;
    json_object_foreach((json_t *)json, name,
                        part) if (word_index(members, name) <
                                  0) return "a geometry has the members type and coordinates only";

    const char *type = json_string_value(json_object_get(json, "type"));
    const json_t *coordinates = json_object_get(json, "coordinates");
    size_t points = 0;
    const char *fault = NULL;
    if (type != NULL && strcmp(type, "Polygon") == 0) {
        fault = rings_fault(coordinates, &points);
    } else if (many && type != NULL && strcmp(type, "MultiPolygon") == 0) {
        if (!json_is_array(coordinates) || json_array_size(coordinates) == 0)
            return "coordinates must be an array of polygons";
        for (size_t i = 0; i < json_array_size(coordinates) && fault == NULL; i++)
            fault = rings_fault(json_array_get(coordinates, i), &points);
    } else {
        return many ? "type must be Polygon or MultiPolygon" : "type must be Polygon";
    }
    if (fault == NULL && points > max_points)
        return "has too many positions";
    return fault;
}

static bool read_geometry(struct reading *in, bool many, size_t max_points)
{
    if (!json_is_object(in->json))
        return wrong_type(in, many ? "a GeoJSON Polygon or MultiPolygon" : "a GeoJSON Polygon");
    const char *fault = geometry_fault(in->json, many, max_points);
    if (fault != NULL)
        return wrong(in, "invalid_geometry", fault);
    char *text = json_dumps(in->json, JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (text == NULL)
        return wrong(in, "invalid_geometry", "cannot be read");
    in->value->text = arena_strdup(in->problems->arena, text);
    free(text);
    return true;
}

static bool read_polygon(struct reading *in)
{
    return read_geometry(in, false, POLYGON_MAX_POINTS);
}

static bool read_area(struct reading *in)
{
    return read_geometry(in, true, AREA_MAX_POINTS);
}

/* ---- objects ---- */

/* The largest object of a field, as JSON text; more is no option but data. */
#define OBJECT_MAX_BYTES 16384

static bool read_object(struct reading *in)
{
    if (!json_is_object(in->json))
        return wrong_type(in, "an object");
    char *text = json_dumps(in->json, JSON_COMPACT);
    bool fits = text != NULL && strlen(text) <= OBJECT_MAX_BYTES;
    in->value->text = fits ? arena_strdup(in->problems->arena, text) : NULL;
    free(text);
    return fits || wrong(in, "too_long", "is too large");
}

/* NULL: a type that no body can set */
static bool (*const readers[])(struct reading *in) = {
    [FIELD_ID] = NULL,
    [FIELD_REF] = read_ref,
    [FIELD_REFS] = NULL,
    [FIELD_TEXT] = read_text,
    [FIELD_INT] = read_int,
    [FIELD_NUMBER] = read_number,
    [FIELD_BOOL] = read_bool,
    [FIELD_TIME] = read_time,
    [FIELD_ENUM] = read_enum,
    [FIELD_MAC] = read_mac,
    [FIELD_POSITION] = read_position,
    [FIELD_POLYGON] = read_polygon,
    [FIELD_AREA] = read_area,
    [FIELD_OBJECT] = read_object,
    [FIELD_STRING_LIST] = NULL,
    [FIELD_WORDS] = read_words,
    [FIELD_BOX] = NULL,
};

bool field_parse(const struct field *field, const char *text, struct field_value *value,
                 struct problems *problems)
{
    *value = (struct field_value){ .given = true };
    int64_t number;
    json_t *json = NULL;
    bool flag;
    switch (field->type) {
    case FIELD_ID:
    case FIELD_REF:
    case FIELD_INT:
        json = parse_i64(text, &number) ? json_integer(number) : json_string(text);
        break;
    case FIELD_BOOL:
        json = parse_bool(text, &flag) ? json_boolean(flag) : json_string(text);
        break;
    default:
        json = json_string(text);
    }
    struct reading in = { field, json, problems, value };
    bool good = json != NULL && (field->type == FIELD_ID ? read_ref(&in) : readers[field->type](&in));
    json_decref(json);
    return good;
}

/* ---- whole bodies ---- */

/* The fallback of a field; it is ours, so it is valid. */
static void use_fallback(const struct field *field, struct field_value *value, struct problems *problems)
{
    value->given = true;
    value->text = NULL;
    if (field->fallback == NULL)
        return;
    json_t *json = json_loads(field->fallback, JSON_DECODE_ANY, NULL);
    struct reading in = { field, json, problems, value };
    if (json == NULL || !readers[field->type](&in))
        problem_add(problems, field->name, "invalid_default", "the default is not valid");
    json_decref(json);
}

static void read_field(const struct field *field, const json_t *json, struct field_value *value,
                       struct problems *problems)
{
    value->given = true;
    if (json_is_null(json)) {
        /* In a merge patch null takes the field away; what is left is its fallback. */
        if (field->nullable)
            value->text = NULL;
        else if (field->fallback != NULL)
            use_fallback(field, value, problems);
        else
            problem_add(problems, field->name, "not_null", "must not be null");
        return;
    }
    struct reading in = { field, json, problems, value };
    if (readers[field->type] == NULL || !readers[field->type](&in))
        value->given = false;
}

static void refuse_field(const struct resource *resource, const char *name, bool create,
                         struct problems *problems)
{
    int index = resource_field(resource, name);
    if (index >= 0 && !create && resource->fields[index].fixed && !resource->fields[index].computed) {
        problem_add(problems, name, "fixed", "cannot be changed after creation");
        return;
    }
    if (index >= 0 && !resource->fields[index].input) {
        problem_add(problems, name, "read_only", "is set by the system");
        return;
    }
    const char *nearest = NULL;
    size_t best = SUGGEST_EDITS + 1;
    for (size_t i = 0; i < resource->field_count; i++) {
        if (!field_writable(&resource->fields[i], !create))
            continue;
        size_t edits = edit_distance(name, resource->fields[i].name, SUGGEST_EDITS);
        if (edits < best) {
            best = edits;
            nearest = resource->fields[i].name;
        }
    }
    if (nearest != NULL)
        problem_add(problems, name, "unknown_field", "is not a field; did you mean %s?", nearest);
    else
        problem_add(problems, name, "unknown_field", "is not a field of a %s", resource->label);
}

bool resource_validate(const struct resource *resource, json_t *body, bool create, struct field_value *values,
                       struct problems *problems)
{
    size_t before = problems->count;
    memset(values, 0, resource->field_count * sizeof(*values));

    const char *name;
    json_t *json;
    json_object_foreach(body, name, json)
    {
        int index = resource_field(resource, name);
        if (index < 0 || !field_writable(&resource->fields[index], !create))
            refuse_field(resource, name, create, problems);
        else
            read_field(&resource->fields[index], json, &values[index], problems);
    }

    for (size_t i = 0; create && i < resource->field_count; i++) {
        const struct field *field = &resource->fields[i];
        if (values[i].given || !field_writable(field, false) || json_object_get(body, field->name) != NULL)
            continue;
        if (field->required)
            problem_add(problems, field->name, "required", "is required");
        else if (!field->input)
            use_fallback(field, &values[i], problems);
    }
    if (problems->count == before && resource->check != NULL)
        resource->check(values, create, problems);
    return problems->count == before;
}
