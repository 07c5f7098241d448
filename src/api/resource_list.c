/* Lists: reads their parameters into a query, and writes pages. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/app.h"
#include "api/cursor.h"
#include "api/map_cover.h"
#include "api/reading.h"
#include "base/encode.h"
#include "base/parse.h"
#include "store/rows_json.h"

static const char *const archived_words[] = { "false", "true", "all", NULL }; /* order of enum archived */

/* ---- the parameters, as the document tells them ---- */

static const char *const *sort_words(const struct resource *resource, struct arena *arena)
{
    const char **words = arena_zalloc(arena, 2 * resource->field_count + 1, sizeof(*words));
    size_t n = 0;
    for (size_t i = 0; i < resource->field_count; i++)
        if (resource->fields[i].sort || resource->fields[i].type == FIELD_ID) {
            words[n++] = resource->fields[i].name;
            words[n++] = arena_printf(arena, "-%s", resource->fields[i].name);
        }
    return words;
}

static bool searchable(const struct resource *resource)
{
    for (size_t i = 0; i < resource->field_count; i++)
        if (resource->fields[i].search)
            return true;
    return false;
}

static const char *filter_about(const struct field *field, struct arena *arena)
{
    struct buf about = { 0 };
    buf_puts(&about, "Rows with this value, or one of several separated by commas");
    if (field->nullable)
        buf_puts(&about, "; `null` for rows without one");
    buf_puts(&about, ".");
    for (size_t i = 0; field->words != NULL && field->words[i] != NULL; i++)
        buf_printf(&about, "%s%s", i == 0 ? " Values: " : ", ", field->words[i]);
    const char *text = arena_strdup(arena, buf_text(&about));
    buf_free(&about);
    return text;
}

/* "created_at_from", or what the field has in place of "created_at_" */
static const char *bound_name(const struct field *field, const char *which, struct arena *arena)
{
    return field->range != NULL ? arena_printf(arena, "%s%s", field->range, which)
                                : arena_printf(arena, "%s_%s", field->name, which);
}

size_t list_parameters(const struct resource *resource, struct arena *arena,
                       const struct parameter **parameters)
{
    struct parameter *list = arena_zalloc(arena, 6 + 2 * resource->field_count, sizeof(*list));
    size_t n = 0;
    list[n++] = (struct parameter){ .name = "limit",
                                    .type = VALUE_INT,
                                    .min = 1,
                                    .max = resource_page_max(resource),
                                    .about = "Rows of a page; 50 when left out." };
    list[n++] = (struct parameter){ .name = "cursor",
                                    .type = VALUE_TEXT,
                                    .about = "next_cursor of the page before; opaque." };
    list[n++] =
        (struct parameter){ .name = "sort",
                            .type = VALUE_ENUM,
                            .words = sort_words(resource, arena),
                            .about = "Order; a leading minus reverses it. Null sorts as the largest value." };
    list[n++] = (struct parameter){ .name = "count",
                                    .type = VALUE_BOOL,
                                    .about = "Also tell the total number of rows." };
    if (resource_hides(resource)) {
        const char *hidden = resource_hidden(resource);
        list[n++] = (struct parameter){ .name = hidden,
                                        .type = VALUE_ENUM,
                                        .words = archived_words,
                                        .about = arena_printf(
                                            arena,
                                            "Rows that are %s: left out (false), only those "
                                            "(true), or both (all).",
                                            hidden) };
    }
    if (searchable(resource))
        list[n++] = (struct parameter){ .name = "q",
                                        .type = VALUE_TEXT,
                                        .min = 1,
                                        .max = SEARCH_MAX,
                                        .about = "Rows that contain these words, or this part of a name." };
    for (size_t i = 0; i < resource->field_count; i++) {
        const struct field *field = &resource->fields[i];
        if (!field->filter)
            continue;
        if (field->type == FIELD_TIME) {
            list[n++] = (struct parameter){ .name = bound_name(field, "from", arena),
                                            .type = VALUE_TIME,
                                            .about = "At this time or later." };
            list[n++] = (struct parameter){ .name = bound_name(field, "to", arena),
                                            .type = VALUE_TIME,
                                            .about = "Before this time." };
        } else if (field->type == FIELD_BOX) {
            list[n++] = (struct parameter){ .name = field->name,
                                            .type = VALUE_TEXT,
                                            .about = "Positions within west,south,east,north (degrees); west "
                                                     "beyond east crosses the antimeridian." };
        } else {
            list[n++] = (struct parameter){ .name = field->name,
                                            .type = VALUE_TEXT,
                                            .about = filter_about(field, arena) };
        }
    }
    *parameters = list;
    return n;
}

/* ---- reading them ---- */

static void to_request(struct request *req, const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        problem_field(req, problems->list[i].field, problems->list[i].code, "%s", problems->list[i].message);
}

static bool read_sort(struct request *req, struct list_query *query)
{
    const char *text = request_query(req, "sort");
    if (text == NULL)
        text = query->resource->default_sort != NULL ? query->resource->default_sort : "id";
    query->descending = text[0] == '-';
    int index = resource_field(query->resource, text + query->descending);
    const struct field *field = index >= 0 ? &query->resource->fields[index] : NULL;
    if (field == NULL || !(field->sort || field->type == FIELD_ID)) {
        problem_field(req, "sort", "unknown_value", "rows cannot be sorted by %s", text);
        return false;
    }
    query->sort = field;
    return true;
}

static bool read_cursor(struct request *req, struct page_request *page)
{
    struct list_query *query = &page->query;
    page->scope = arena_printf(req->arena, "%s|%s%s", query->resource->name, query->descending ? "-" : "",
                               query->sort->name);
    const char *text = request_query(req, "cursor");
    if (text == NULL || text[0] == '\0')
        return true;
    struct cursor cursor;
    if (!cursor_read(req->arena, req->app->cursor_key, page->scope, text, &cursor)) {
        problem_field(req, "cursor", "invalid_cursor", "is not a next_cursor of this list in this order");
        return false;
    }
    query->after = true;
    query->after_text = cursor.text;
    query->after_id = cursor.id;
    return true;
}

static void add_filter(struct list_query *query, const struct field *field, int kind, const char *text)
{
    query->filters[query->filter_count++] =
        (struct list_filter){ .field = field, .kind = kind, .text = text };
}

void list_narrow(struct list_query *query, const struct field *field, const char *text)
{
    add_filter(query, field, FILTER_IS, text);
}

/* Append a value to a PostgreSQL array literal. */
static void array_add(struct buf *array, const char *text)
{
    buf_puts(array, array->len > 1 ? ",\"" : "\"");
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buf_putc(array, '\\');
        buf_putc(array, *text);
    }
    buf_putc(array, '"');
}

static void read_values(struct request *req, struct list_query *query, const struct field *field,
                        struct problems *problems)
{
    struct buf array = { 0 };
    const char *only = NULL, *name, *value;
    size_t count = 0, nulls = 0, most = field->values_max != 0 ? field->values_max : FILTER_MAX_VALUES;
    buf_putc(&array, '{');
    for (size_t i = 0; request_query_at(req, i, &name, &value); i++) {
        if (strcmp(name, field->name) != 0)
            continue;
        for (const char *text = value;; text++) {
            size_t len = strcspn(text, ",");
            const char *word = arena_strndup(req->arena, text, len);
            struct field_value parsed;
            if (field->nullable && strcmp(word, "null") == 0)
                nulls++;
            else if (count == most)
                problem_add(problems, field->name, "too_many", "has more than %zu values", most);
            else if (field_parse(field, word, &parsed, problems)) {
                array_add(&array, parsed.text);
                only = parsed.text;
                count++;
            }
            text += len;
            if (*text == '\0' || problems->count == PROBLEMS_MAX)
                break;
        }
    }
    buf_putc(&array, '}');
    if (nulls > 0 && count > 0)
        problem_add(problems, field->name, "conflict", "null cannot be combined with other values");
    else if (nulls > 0)
        add_filter(query, field, FILTER_NULL, NULL);
    else if (count == 1 && field->filter_sql == NULL)
        add_filter(query, field, FILTER_IS, only);
    else
        add_filter(query, field, FILTER_IN, arena_strdup(req->arena, buf_text(&array)));
    buf_free(&array);
}

/* The array holds the box in 1e-7 degrees, south, west, north, east, and then the ranges of map keys that
 * cover it. */
static void read_box(struct request *req, struct list_query *query, const struct field *field,
                     struct problems *problems)
{
    struct map_box box;
    if (!map_box_parse(request_query(req, field->name), &box)) {
        problem_add(problems, field->name, "invalid", "must be west,south,east,north in degrees");
        return;
    }
    struct map_range ranges[MAP_COVER_MAX];
    map_cover(&box, ranges);
    struct buf array = { 0 };
    buf_printf(&array, "{%lld,%lld,%lld,%lld", llround(box.south * 1e7), llround(box.west * 1e7),
               llround(box.north * 1e7), llround(box.east * 1e7));
    for (size_t i = 0; i < MAP_COVER_MAX; i++)
        buf_printf(&array, ",%" PRId64 ",%" PRId64, ranges[i].low, ranges[i].high);
    buf_putc(&array, '}');
    add_filter(query, field, FILTER_BOX, arena_strdup(req->arena, buf_text(&array)));
    buf_free(&array);
}

static void read_bound(struct request *req, struct list_query *query, const struct field *field,
                       const char *which, int kind, struct problems *problems)
{
    const char *name = bound_name(field, which, req->arena);
    const char *text = request_query(req, name);
    if (text == NULL)
        return;
    struct field as_parameter = *field;
    as_parameter.name = name;
    struct field_value value;
    if (field_parse(&as_parameter, text, &value, problems))
        add_filter(query, field, kind, value.text);
}

static bool contains(const int64_t *ids, size_t n, int64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* The clients that the list is about: the caller's, narrowed by a filter on client_id. */
static void narrow_clients(struct request *req, struct list_query *query)
{
    const struct principal *principal = req->principal;
    /* The caller's own rows have an index of their own. */
    query->every_client = principal->role == ROLE_ADMIN || (query->resource->flags & RESOURCE_OWN) != 0;
    query->clients = principal->client_ids;
    query->client_count = query->every_client ? 0 : principal->client_count;

    const char *name, *value;
    int64_t *kept = NULL;
    size_t n = 0;
    for (size_t i = 0; request_query_at(req, i, &name, &value); i++) {
        if (strcmp(name, "client_id") != 0)
            continue;
        if (kept == NULL)
            kept = arena_zalloc(req->arena, FILTER_MAX_VALUES, sizeof(*kept));
        for (const char *text = value; n < FILTER_MAX_VALUES; text++) {
            size_t len = strcspn(text, ",");
            int64_t id;
            if (parse_i64(arena_strndup(req->arena, text, len), &id) &&
                principal_sees_client(principal, id) && !contains(kept, n, id))
                kept[n++] = id;
            text += len;
            if (*text == '\0')
                break;
        }
    }
    if (kept == NULL)
        return;
    query->every_client = false;
    query->clients = kept;
    query->client_count = n;
}

static void read_filters(struct request *req, struct list_query *query, struct problems *problems)
{
    for (size_t i = 0; i < query->resource->field_count; i++) {
        const struct field *field = &query->resource->fields[i];
        if (!field->filter)
            continue;
        if (field->type == FIELD_TIME) {
            read_bound(req, query, field, "from", FILTER_FROM, problems);
            read_bound(req, query, field, "to", FILTER_TO, problems);
        } else if (request_query(req, field->name) != NULL && field->type == FIELD_BOX) {
            read_box(req, query, field, problems);
        } else if (request_query(req, field->name) != NULL) {
            read_values(req, query, field, problems);
        }
    }
    if (query->resource->tenant == NULL)
        return;
    narrow_clients(req, query);

    /* The clients of a list are named by the builder; as a filter they would be named twice. */
    const struct list_filter *filters = query->filters;
    for (size_t i = 0; i < query->filter_count; i++)
        if (strcmp(filters[i].field->name, "client_id") == 0) {
            if (filters[i].kind == FILTER_NULL)
                query->every_client = req->principal->role == ROLE_ADMIN;
            else
                query->filters[i] = query->filters[--query->filter_count];
            break;
        }
}

static void read_search(struct request *req, struct list_query *query)
{
    const char *text = request_query(req, "q");
    if (text == NULL || text[0] == '\0')
        return;
    if (utf8_length(text, strlen(text)) > SEARCH_MAX) {
        problem_field(req, "q", "too_long", "must have at most %d characters", SEARCH_MAX);
        return;
    }
    query->search = text;
}

bool list_parse(struct request *req, const struct resource *resource, struct page_request *page)
{
    return route_parameters_known(req) && list_parse_query(req, resource, page);
}

bool list_parse_query(struct request *req, const struct resource *resource, struct page_request *page)
{
    *page = (struct page_request){ .query = { .resource = resource } };
    struct list_query *query = &page->query;
    int archived = ARCHIVED_NO;
    if (!query_int(req, "limit", 1, resource_page_max(resource), LIST_LIMIT_DEFAULT, &query->limit) ||
        !query_bool(req, "count", false, &page->count) ||
        !query_enum(req, resource_hidden(resource), archived_words, ARCHIVED_NO, &archived))
        return false;
    query->archived = (enum archived)archived;

    struct problems problems = { .arena = req->arena };
    if (read_sort(req, query))
        (void)!read_cursor(req, page);
    read_filters(req, query, &problems);
    read_search(req, query);
    to_request(req, &problems);
    if (!problem_pending(req))
        return true;
    reply_invalid(req);
    return false;
}

/* ---- answering ---- */

void reply_page(struct request *req, const struct page_request *page, const struct rows *rows, int64_t total)
{
    const struct list_query *query = &page->query;
    size_t columns = sql_column_count(query->resource);
    size_t count = rows_count(rows);
    bool more = count > (size_t)query->limit;
    if (more)
        count = (size_t)query->limit;

    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "items");
    if (query->resource->more == NULL) {
        rows_write_first(rows, count, columns, &json);
    } else {
        json_start_array(&json);
        for (size_t i = 0; i < count; i++)
            resource_write_row(req, query->resource, rows, i, &json);
        json_end_array(&json);
    }
    if (more) {
        struct cursor cursor = { .text = rows_null(rows, count - 1, columns)
                                             ? NULL
                                             : rows_text(rows, count - 1, columns),
                                 .id = rows_int(rows, count - 1, columns + 1) };
        json_put_text(&json, "next_cursor",
                      cursor_write(req->arena, req->app->cursor_key, page->scope, &cursor));
    } else {
        json_put_null(&json, "next_cursor");
    }
    if (total >= 0)
        json_put_int(&json, "total", total);
    json_end_object(&json);

    reply_reading(req, &body);
}
