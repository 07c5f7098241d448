/* Component schemas of a resource for the OpenAPI document: what is read, created, patched and listed. */
#include <string.h>

#include "api/resource.h"
#include "base/json.h"

/* ---- one schema for each field type ---- */

static void put_words(struct json *json, const char *const *words, bool nullable)
{
    json_key(json, "enum");
    json_start_array(json);
    for (size_t i = 0; words[i] != NULL; i++)
        json_text(json, words[i]);
    if (nullable)
        json_write_null(json);
    json_end_array(json);
}

static void put_type(struct json *json, const char *type, bool nullable)
{
    json_key(json, "type");
    if (!nullable) {
        json_text(json, type);
        return;
    }
    json_start_array(json);
    json_text(json, type);
    json_text(json, "null");
    json_end_array(json);
}

/* A reference, or one of it and null. */
static void put_reference(struct json *json, const char *schema, bool nullable)
{
    struct buf path = { 0 };
    buf_printf(&path, "#/components/schemas/%s", schema);
    if (nullable) {
        json_key(json, "anyOf");
        json_start_array(json);
        json_start_object(json);
        json_put_text(json, "$ref", buf_text(&path));
        json_end_object(json);
        json_start_object(json);
        json_put_text(json, "type", "null");
        json_end_object(json);
        json_end_array(json);
    } else {
        json_put_text(json, "$ref", buf_text(&path));
    }
    buf_free(&path);
}

static void put_bounds(struct json *json, const struct field *field)
{
    if (field->min == 0 && field->max == 0)
        return;
    json_put_double(json, "minimum", field->min);
    json_put_double(json, "maximum", field->max);
}

static void put_lengths(struct json *json, const struct field *field)
{
    if (field->min > 0)
        json_put_int(json, "minLength", (int64_t)field->min);
    if (field->max > 0)
        json_put_int(json, "maxLength", (int64_t)field->max);
}

static void put_items(struct json *json, const char *type)
{
    json_key(json, "items");
    json_start_object(json);
    json_put_text(json, "type", type);
    json_end_object(json);
}

static void put_word_items(struct json *json, const char *const *words)
{
    json_put_int(json, "minItems", 1);
    json_put_bool(json, "uniqueItems", true);
    json_key(json, "items");
    json_start_object(json);
    json_put_text(json, "type", "string");
    put_words(json, words, false);
    json_end_object(json);
}

/* input: as a body gives it; output is not bound, so that a bound may be narrowed without lying about old
 * rows. */
static void put_value(struct json *json, const struct field *field, bool input, bool nullable)
{
    switch (field->type) {
    case FIELD_ID:
    case FIELD_REF:
        put_type(json, "integer", nullable);
        json_put_text(json, "format", "int64");
        if (input)
            json_put_int(json, "minimum", 1);
        break;
    case FIELD_REFS:
        put_type(json, "array", nullable);
        put_items(json, "integer");
        break;
    case FIELD_TEXT:
        put_type(json, "string", nullable);
        if (input)
            put_lengths(json, field);
        break;
    case FIELD_INT:
        put_type(json, "integer", nullable);
        if (input)
            put_bounds(json, field);
        break;
    case FIELD_NUMBER:
        put_type(json, "number", nullable);
        if (input)
            put_bounds(json, field);
        break;
    case FIELD_BOOL:
        put_type(json, "boolean", nullable);
        break;
    case FIELD_TIME:
        put_type(json, "string", nullable);
        json_put_text(json, "format", "date-time");
        break;
    case FIELD_ENUM:
        put_type(json, "string", nullable);
        put_words(json, field->words, nullable);
        break;
    case FIELD_MAC:
        put_type(json, "string", nullable);
        json_put_text(
            json, "pattern",
            input
                ? "^([0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(-[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{12})$"
                : "^[0-9A-F]{2}(:[0-9A-F]{2}){5}$");
        break;
    case FIELD_POSITION:
        put_reference(json, "Position", nullable);
        break;
    case FIELD_POLYGON:
        put_reference(json, "Polygon", nullable);
        break;
    case FIELD_AREA:
        put_reference(json, "Area", nullable);
        break;
    case FIELD_OBJECT:
        if (field->schema != NULL)
            put_reference(json, field->schema, nullable);
        else
            put_type(json, "object", nullable);
        break;
    case FIELD_WORDS:
        put_type(json, "array", nullable);
        put_word_items(json, field->words);
        break;
    case FIELD_STRING_LIST:
        put_type(json, "array", nullable);
        put_items(json, "string");
        break;
    case FIELD_BOX: /* in filters only */
        put_type(json, "string", nullable);
        break;
    }
}

/* ---- objects ---- */

enum shape { SHAPE_READ, SHAPE_CREATE, SHAPE_PATCH };

static bool in_shape(const struct field *field, enum shape shape)
{
    return shape == SHAPE_READ ? !field->input : field_writable(field, shape == SHAPE_PATCH);
}

static bool required_in(const struct field *field, enum shape shape)
{
    return shape == SHAPE_READ ? !field->input : shape == SHAPE_CREATE && field->required;
}

/* May a body or an answer hold null here? In a body null also means: back to the default. */
static bool null_in(const struct field *field, enum shape shape)
{
    return field->nullable || (shape != SHAPE_READ && field->fallback != NULL);
}

static void put_property(struct json *json, const struct field *field, enum shape shape)
{
    json_key(json, field->name);
    json_start_object(json);
    put_value(json, field, shape != SHAPE_READ, null_in(field, shape));
    if (field->about != NULL)
        json_put_text(json, "description", field->about);
    if (shape == SHAPE_CREATE && field->fallback != NULL) {
        json_key(json, "default");
        json_raw(json, field->fallback, strlen(field->fallback));
    }
    json_end_object(json);
}

static void put_object(struct json *json, const struct resource *resource, enum shape shape)
{
    json_start_object(json);
    json_put_text(json, "type", "object");
    if (shape == SHAPE_READ)
        json_put_text(json, "description", resource->about);
    json_key(json, "properties");
    json_start_object(json);
    for (size_t i = 0; i < resource->field_count; i++)
        if (in_shape(&resource->fields[i], shape))
            put_property(json, &resource->fields[i], shape);
    bool more = shape == SHAPE_READ && resource->more != NULL;
    if (more) {
        json_key(json, resource->more_name);
        json_start_object(json);
        put_reference(json, resource->more_schema, false);
        json_end_object(json);
    }
    json_end_object(json);

    bool any = false;
    for (size_t i = 0; i < resource->field_count; i++)
        any = any || (in_shape(&resource->fields[i], shape) && required_in(&resource->fields[i], shape));
    if (any) {
        json_key(json, "required");
        json_start_array(json);
        for (size_t i = 0; i < resource->field_count; i++)
            if (in_shape(&resource->fields[i], shape) && required_in(&resource->fields[i], shape))
                json_text(json, resource->fields[i].name);
        if (more)
            json_text(json, resource->more_name);
        json_end_array(json);
    }
    /* Bodies take no other fields; answers may get more of them one day. */
    if (shape != SHAPE_READ)
        json_put_bool(json, "additionalProperties", false);
    json_end_object(json);
}

static void put_page(struct json *json, const struct resource *resource)
{
    struct buf path = { 0 };
    buf_printf(&path, "#/components/schemas/%s", resource->singular);
    json_start_object(json);
    json_put_text(json, "type", "object");
    json_key(json, "properties");
    json_start_object(json);
    json_key(json, "items");
    json_start_object(json);
    json_put_text(json, "type", "array");
    json_key(json, "items");
    json_start_object(json);
    json_put_text(json, "$ref", buf_text(&path));
    json_end_object(json);
    json_end_object(json);
    json_key(json, "next_cursor");
    json_start_object(json);
    put_type(json, "string", true);
    json_put_text(json, "description", "For the next page; null on the last one.");
    json_end_object(json);
    json_key(json, "total");
    json_start_object(json);
    json_put_text(json, "type", "integer");
    json_put_text(json, "description", "Rows of all pages; only with count=true.");
    json_end_object(json);
    json_end_object(json);
    json_key(json, "required");
    json_start_array(json);
    json_text(json, "items");
    json_text(json, "next_cursor");
    json_end_array(json);
    json_end_object(json);
    buf_free(&path);
}

/* ---- all of a resource ---- */

typedef void add_schema(void *to, const char *name, const char *json);

static void add_named(const struct resource *resource, const char *suffix, struct buf *schema,
                      add_schema *add, void *to)
{
    struct buf name = { 0 };
    buf_printf(&name, "%s%s", resource->singular, suffix);
    add(to, buf_text(&name), buf_text(schema));
    buf_free(&name);
    buf_free(schema);
}

static void add_shape(const struct resource *resource, enum shape shape, const char *suffix, add_schema *add,
                      void *to)
{
    struct buf schema = { 0 };
    struct json json;
    json_begin(&json, &schema);
    put_object(&json, resource, shape);
    add_named(resource, suffix, &schema, add, to);
}

void resource_schemas(const struct resource *resource, add_schema *add, void *to)
{
    add_shape(resource, SHAPE_READ, "", add, to);
    if (!(resource->flags & RESOURCE_NO_CREATE))
        add_shape(resource, SHAPE_CREATE, "Create", add, to);
    if (resource->make_secret != NULL) {
        struct buf schema = { 0 };
        buf_printf(
            &schema,
            "{\"allOf\":[{\"$ref\":\"#/components/schemas/%s\"},{\"type\":\"object\",\"properties\":{\"token\":"
            "{\"type\":\"string\",\"description\":\"Shown in this answer only.\"}},\"required\":[\"token\"]}]}",
            resource->singular);
        add_named(resource, "Created", &schema, add, to);
    }
    if (!(resource->flags & RESOURCE_NO_PATCH))
        add_shape(resource, SHAPE_PATCH, "Patch", add, to);

    struct buf schema = { 0 };
    struct json json;
    json_begin(&json, &schema);
    put_page(&json, resource);
    add_named(resource, "Page", &schema, add, to);
}
