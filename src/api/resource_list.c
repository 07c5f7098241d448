/* Lists: reads their parameters into a query, and writes pages. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api/app.h"
#include "api/cursor.h"
#include "base/encode.h"
#include "base/parse.h"
#include "store/rows_json.h"

static const char *const archived_words[] = { "false", "true", "all", NULL }; /* order of enum archived */

/* Values of one filter; more of them belong into a search. */
#define FILTER_MAX_VALUES 100

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

size_t list_parameters(const struct resource *resource, struct arena *arena,
                       const struct parameter **parameters)
{
    struct parameter *list = arena_zalloc(arena, 6 + 2 * resource->field_count, sizeof(*list));
    size_t n = 0;
    list[n++] = (struct parameter){ .name = "limit",
                                    .type = VALUE_INT,
                                    .min = 1,
                                    .max = LIST_LIMIT_MAX,
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
    if (!(resource->flags & RESOURCE_NO_ARCHIVE))
        list[n++] =
            (struct parameter){ .name = "archived",
                                .type = VALUE_ENUM,
                                .words = archived_words,
                                .about = "Archived rows: left out (false), only those (true), or both "
                                         "(all)." };
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
            list[n++] = (struct parameter){ .name = arena_printf(arena, "%s_from", field->name),
                                            .type = VALUE_TIME,
                                            .about = "At this time or later." };
            list[n++] = (struct parameter){ .name = arena_printf(arena, "%s_to", field->name),
                                            .type = VALUE_TIME,
                                            .about = "Before this time." };
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

static bool known_parameters(struct request *req)
{
    const char **names = arena_zalloc(req->arena, req->route->parameter_count + 1, sizeof(*names));
    size_t n = 0;
    for (size_t i = 0; i < req->route->parameter_count; i++)
        if (req->route->parameters[i].in == NULL)
            names[n++] = req->route->parameters[i].name;
    return query_known(req, names);
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
    size_t count = 0, nulls = 0;
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
            else if (count == FILTER_MAX_VALUES)
                problem_add(problems, field->name, "too_many", "has more than %d values", FILTER_MAX_VALUES);
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

static void read_bound(struct request *req, struct list_query *query, const struct field *field,
                       const char *suffix, int kind, struct problems *problems)
{
    const char *name = arena_printf(req->arena, "%s%s", field->name, suffix);
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
    query->every_client = principal->role == ROLE_ADMIN;
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
            read_bound(req, query, field, "_from", FILTER_FROM, problems);
            read_bound(req, query, field, "_to", FILTER_TO, problems);
        } else if (request_query(req, field->name) != NULL) {
            read_values(req, query, field, problems);
        }
    }
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
    *page = (struct page_request){ .query = { .resource = resource } };
    struct list_query *query = &page->query;
    int archived = ARCHIVED_NO;
    if (!known_parameters(req) ||
        !query_int(req, "limit", 1, LIST_LIMIT_MAX, LIST_LIMIT_DEFAULT, &query->limit) ||
        !query_bool(req, "count", false, &page->count) ||
        !query_enum(req, "archived", archived_words, ARCHIVED_NO, &archived))
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

/* Weak, because it is made of the rows as they are shown now. */
static const char *body_etag(struct request *req, const struct buf *body)
{
    uint8_t hash[16];
    char text[BASE64_SIZE(sizeof(hash))];
    crypto_generichash(hash, sizeof(hash), (const uint8_t *)body->data, body->len, NULL, 0);
    base64url_encode(hash, sizeof(hash), text);
    return arena_printf(req->arena, "W/\"%s\"", text);
}

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
    rows_write_first(rows, count, columns, &json);
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

    reply_header(req, "Cache-Control", "private, no-cache");
    if (reply_unless_unchanged(req, body_etag(req, &body)))
        reply_json(req, 200, &body);
    else
        buf_free(&body);
}
