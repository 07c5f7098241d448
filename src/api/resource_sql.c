/* Builds the SQL of a resource from its description. Texts depend on the shape of a request only, never on
 * its values, so that few of them exist and each is prepared once per connection. */
#include <inttypes.h>
#include <string.h>

#include "api/map_cover.h"
#include "api/resource.h"

/* three for each field of an UPDATE, and those around them */
#define MAX_PARAMS (3 * RESOURCE_MAX_FIELDS + 16)

struct builder {
    struct arena *arena;
    struct buf sql;
    struct db_param params[MAX_PARAMS];
    size_t count;
};

static void begin(struct builder *b, struct arena *arena)
{
    b->arena = arena;
    b->sql = (struct buf){ 0 };
    b->count = 0;
}

static struct statement finish(struct builder *b)
{
    struct statement statement = {
        .sql = arena_strndup(b->arena, buf_text(&b->sql), b->sql.len),
        .params = arena_memdup(b->arena, b->params, b->count * sizeof(b->params[0])),
        .count = b->count,
    };
    buf_free(&b->sql);
    return statement;
}

/* Add a parameter; returns its number. */
static size_t bind(struct builder *b, const char *text)
{
    b->params[b->count] = (struct db_param){ .type = 's', .value.data = text };
    return ++b->count;
}

static size_t bind_id(struct builder *b, int64_t id)
{
    return bind(b, arena_printf(b->arena, "%" PRId64, id));
}

static const char *column_of(const struct field *field)
{
    return field->column != NULL ? field->column : field->name;
}

static const char *const type_casts[] = {
    [FIELD_ID] = "bigint",
    [FIELD_REF] = "bigint",
    [FIELD_REFS] = "bigint[]",
    [FIELD_TEXT] = "text",
    [FIELD_INT] = "bigint",
    [FIELD_NUMBER] = "double precision",
    [FIELD_BOOL] = "boolean",
    [FIELD_TIME] = "timestamptz",
    [FIELD_ENUM] = "text",
    [FIELD_MAC] = "text",
    [FIELD_POSITION] = "double precision",
    [FIELD_POLYGON] = "jsonb",
    [FIELD_AREA] = "text",
    [FIELD_OBJECT] = "jsonb",
    [FIELD_STRING_LIST] = "text[]",
    [FIELD_WORDS] = "text[]",
    [FIELD_BOX] = "bigint",
};

static const char *cast_of(const struct field *field)
{
    return field->cast != NULL ? field->cast : type_casts[field->type];
}

/* ---- columns ---- */

static bool shown(const struct field *field)
{
    return !field->input;
}

void sql_columns(const struct resource *resource, struct buf *sql)
{
    const char *comma = "";
    for (size_t i = 0; i < resource->field_count; i++) {
        const struct field *field = &resource->fields[i];
        if (!shown(field))
            continue;
        buf_puts(sql, comma);
        if (field->type == FIELD_POSITION) {
            const char *prefix = field->column != NULL ? field->column : "";
            buf_printf(sql, "t.%slatitude AS \"%s.latitude\", t.%slongitude AS \"%s.longitude\"", prefix,
                       field->name, prefix, field->name);
        } else if (field->columns > 0) {
            buf_puts(sql, field->select);
        } else if (field->select != NULL) {
            buf_printf(sql, "%s AS \"%s\"", field->select, field->name);
        } else if (field->column != NULL) {
            buf_printf(sql, "t.%s AS \"%s\"", field->column, field->name);
        } else {
            buf_printf(sql, "t.%s", field->name);
        }
        comma = ", ";
    }
}

size_t sql_column_count(const struct resource *resource)
{
    size_t n = 0;
    for (size_t i = 0; i < resource->field_count; i++)
        if (shown(&resource->fields[i]))
            n += resource->fields[i].type == FIELD_POSITION ? 2
                 : resource->fields[i].columns > 0          ? resource->fields[i].columns
                                                            : 1;
    return n;
}

static const char *version_of(const struct resource *resource)
{
    return resource->flags & RESOURCE_UNVERSIONED ? "t.id" : "t.version";
}

/* Row `alias` of a query with sql_columns as the JSON that the audit log keeps, positions nested. */
static void audit_json(struct builder *b, const struct resource *resource, const char *alias)
{
    buf_printf(&b->sql, "to_jsonb(%s) - '!version' - '!tenant'", alias);
    for (size_t i = 0; i < resource->field_count; i++) {
        const struct field *field = &resource->fields[i];
        if (!shown(field) || field->type != FIELD_POSITION)
            continue;
        buf_printf(
            &b->sql,
            " - '%s.latitude' - '%s.longitude' || jsonb_build_object('%s', CASE WHEN %s.\"%s.latitude\" IS "
            "NOT NULL THEN jsonb_build_object('latitude', %s.\"%s.latitude\", 'longitude', "
            "%s.\"%s.longitude\") END)",
            field->name, field->name, field->name, alias, field->name, alias, field->name, alias,
            field->name);
    }
}

/* ---- lists ---- */

enum part { PART_ALL, PART_AFTER, PART_NULL, PART_NULL_AFTER, PART_NOT_NULL };

/* PostgreSQL sorts null as the largest value, and its indexes do too. "After the row with value v" is then a
 * range of the index plus the nulls, and after a null it is the rest of the nulls: each a part of its own, so
 * that every page is read from an index where the last one ended. */
static size_t parts_of(const struct list_query *q, enum part parts[2])
{
    if (!q->after) {
        parts[0] = PART_ALL;
        return 1;
    }
    if (!q->sort->nullable) {
        parts[0] = PART_AFTER;
        return 1;
    }
    if (q->after_text == NULL) {
        parts[0] = PART_NULL_AFTER;
        parts[1] = PART_NOT_NULL;
        return q->descending ? 2 : 1;
    }
    parts[0] = PART_AFTER;
    parts[1] = PART_NULL;
    return q->descending ? 1 : 2;
}

static bool by_id(const struct list_query *q)
{
    return q->sort->type == FIELD_ID;
}

/* numbers of the parameters that several parts share; 0: not bound */
struct list_params {
    size_t limit, after, after_id, client, clients, search, like;
    size_t filters[LIST_MAX_FILTERS];
};

static void write_position(struct builder *b, const struct list_query *q, enum part part,
                           const struct list_params *p)
{
    const char *column = column_of(q->sort);
    const char *beyond = q->descending ? "<" : ">";
    switch (part) {
    case PART_ALL:
        break;
    case PART_AFTER:
        if (by_id(q))
            buf_printf(&b->sql, " AND t.id %s $%zu::bigint", beyond, p->after_id);
        else
            buf_printf(&b->sql, " AND (t.%s, t.id) %s ($%zu::%s, $%zu::bigint)", column, beyond, p->after,
                       cast_of(q->sort), p->after_id);
        break;
    case PART_NULL:
        buf_printf(&b->sql, " AND t.%s IS NULL", column);
        break;
    case PART_NULL_AFTER:
        buf_printf(&b->sql, " AND t.%s IS NULL AND t.id %s $%zu::bigint", column, beyond, p->after_id);
        break;
    case PART_NOT_NULL:
        buf_printf(&b->sql, " AND t.%s IS NOT NULL", column);
        break;
    }
}

static const char *filter_expression(const struct builder *b, const struct field *field)
{
    return field->select != NULL && field->column == NULL ? field->select
                                                          : arena_printf(b->arena, "t.%s", column_of(field));
}

/* What read_box() of resource_list.c has put into the array. Ranges of keys are what an index can serve; they
 * hold more than the box. */
static void write_box(struct builder *b, const char *prefix, size_t param)
{
    const char *box = arena_printf(b->arena, "($%zu::bigint[])", param);
    buf_puts(&b->sql, " AND (");
    for (int i = 0; i < MAP_COVER_MAX; i++)
        buf_printf(&b->sql, "%st.map_key >= %s[%d] AND t.map_key < %s[%d]", i > 0 ? " OR " : "", box,
                   5 + 2 * i, box, 6 + 2 * i);
    buf_printf(
        &b->sql,
        ") AND t.%slatitude BETWEEN %s[1] / 1e7::float8 AND %s[3] / 1e7::float8 AND (%s[2] <= %s[4] AND t.%slongitude "
        "BETWEEN %s[2] / 1e7::float8 AND %s[4] / 1e7::float8 OR %s[2] > %s[4] AND (t.%slongitude >= %s[2] / 1e7::float8 OR "
        "t.%slongitude <= %s[4] / 1e7::float8))",
        prefix, box, box, box, box, prefix, box, box, box, box, prefix, box, prefix, box);
}

static void write_filter(struct builder *b, const struct list_filter *filter, size_t param)
{
    const char *expression = filter_expression(b, filter->field);
    const char *cast = cast_of(filter->field);
    if (filter->field->filter_sql != NULL) {
        const char *mark = strstr(filter->field->filter_sql, "%s");
        buf_printf(&b->sql, " AND %.*s$%zu::%s[]%s", (int)(mark - filter->field->filter_sql),
                   filter->field->filter_sql, param, cast, mark + 2);
        return;
    }
    switch (filter->kind) {
    case FILTER_BOX:
        write_box(b, filter->field->column, param);
        break;
    case FILTER_IS:
        buf_printf(&b->sql, " AND %s = $%zu::%s", expression, param, cast);
        break;
    case FILTER_IN:
        buf_printf(&b->sql, " AND %s = ANY ($%zu::%s[])", expression, param, cast);
        break;
    case FILTER_FROM:
        buf_printf(&b->sql, " AND %s >= $%zu::%s", expression, param, cast);
        break;
    case FILTER_TO:
        buf_printf(&b->sql, " AND %s < $%zu::%s", expression, param, cast);
        break;
    case FILTER_NULL:
        buf_printf(&b->sql, " AND %s IS NULL", expression);
        break;
    case FILTER_NOT_NULL:
        buf_printf(&b->sql, " AND %s IS NOT NULL", expression);
        break;
    }
}

/* The array makes the planner search first, once, and then fetch the rows found by their ids. As a sub-query
 * with IN, a list sorted by name walked all rows in that order and looked each of them up in the search
 * index: 1.2 s for 3,000 matches among 300,000 trackers. */
static void write_search(struct builder *b, const struct list_query *q, const struct list_params *p)
{
    const struct resource *resource = q->resource;
    if (resource->flags & RESOURCE_INDEXED_SEARCH) {
        buf_printf(&b->sql,
                   " AND t.id = ANY (ARRAY(SELECT s.resource_id FROM search_index s WHERE s.resource = '%s'",
                   resource->name);
        if (p->clients != 0)
            buf_printf(&b->sql, " AND s.client_id = ANY ($%zu::bigint[])", p->clients);
        buf_printf(
            &b->sql,
            " AND (s.words @@ websearch_to_tsquery('simple', $%zu) OR s.parts LIKE lower($%zu)) LIMIT %d))",
            p->search, p->like, SEARCH_MATCHES);
        return;
    }
    buf_puts(&b->sql, " AND (false");
    for (size_t i = 0; i < resource->field_count; i++)
        if (resource->fields[i].search)
            buf_printf(&b->sql, " OR lower(t.%s) LIKE lower($%zu)", column_of(&resource->fields[i]), p->like);
    buf_puts(&b->sql, ")");
}

/* client: SQL for the client that the rows belong to, NULL: any of p->clients, or all. */
static void write_where(struct builder *b, const struct list_query *q, const struct list_params *p,
                        const char *client)
{
    buf_puts(&b->sql, " WHERE true");
    if (client != NULL)
        buf_printf(&b->sql, " AND t.%s = %s", q->resource->tenant, client);
    else if (p->clients != 0)
        buf_printf(&b->sql, " AND t.%s = ANY ($%zu::bigint[])", q->resource->tenant, p->clients);
    if (resource_hides(q->resource) && q->archived != ARCHIVED_ALL)
        buf_printf(&b->sql, " AND t.%s_at IS %s", resource_hidden(q->resource),
                   q->archived == ARCHIVED_NO ? "NULL" : "NOT NULL");
    for (size_t i = 0; i < q->filter_count; i++)
        write_filter(b, &q->filters[i], p->filters[i]);
    if (q->search != NULL)
        write_search(b, q, p);
}

static void write_order(struct builder *b, const struct list_query *q, const char *sort, const char *id,
                        size_t limit)
{
    const char *direction = q->descending ? " DESC" : "";
    buf_puts(&b->sql, " ORDER BY ");
    if (!by_id(q))
        buf_printf(&b->sql, "%s%s, ", sort, direction);
    buf_printf(&b->sql, "%s%s LIMIT $%zu::bigint", id, direction, limit);
}

static void write_part(struct builder *b, const struct list_query *q, enum part part,
                       const struct list_params *p, const char *client)
{
    const char *sort = arena_printf(b->arena, "t.%s", column_of(q->sort));
    buf_puts(&b->sql, "SELECT ");
    sql_columns(q->resource, &b->sql);
    buf_printf(&b->sql, ", %s AS \"!sort\", t.id AS \"!id\" FROM %s t", sort, q->resource->table);
    write_where(b, q, p, client);
    write_position(b, q, part, p);
    write_order(b, q, sort, "t.id", p->limit);
}

/* The parts of a page, merged. */
static void write_parts(struct builder *b, const struct list_query *q, const struct list_params *p,
                        const char *client)
{
    enum part parts[2];
    size_t n = parts_of(q, parts);
    if (n == 1) {
        write_part(b, q, parts[0], p, client);
        return;
    }
    buf_puts(&b->sql, "SELECT p.* FROM ((");
    write_part(b, q, parts[0], p, client);
    buf_puts(&b->sql, ") UNION ALL (");
    write_part(b, q, parts[1], p, client);
    buf_puts(&b->sql, ")) p");
    write_order(b, q, "p.\"!sort\"", "p.\"!id\"", p->limit);
}

const char *like_pattern(struct arena *arena, const char *q)
{
    struct buf pattern = { 0 };
    buf_putc(&pattern, '%');
    for (; *q != '\0'; q++) {
        if (*q == '%' || *q == '_' || *q == '\\')
            buf_putc(&pattern, '\\');
        buf_putc(&pattern, *q);
    }
    buf_putc(&pattern, '%');
    const char *text = arena_strndup(arena, pattern.data, pattern.len);
    buf_free(&pattern);
    return text;
}

static const char *id_array(struct arena *arena, const int64_t *ids, size_t n)
{
    struct buf text = { 0 };
    buf_putc(&text, '{');
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s%" PRId64, i > 0 ? "," : "", ids[i]);
    buf_putc(&text, '}');
    const char *array = arena_strndup(arena, text.data, text.len);
    buf_free(&text);
    return array;
}

static bool names_clients(const struct list_query *q)
{
    return q->resource->tenant != NULL && !q->every_client;
}

/* Bind what pages and counts share. */
static void bind_where(struct builder *b, const struct list_query *q, bool one_client, struct list_params *p)
{
    if (one_client)
        p->client = bind_id(b, q->clients[0]);
    if (names_clients(q) &&
        (!one_client || (q->search != NULL && q->resource->flags & RESOURCE_INDEXED_SEARCH)))
        p->clients = bind(b, id_array(b->arena, q->clients, q->client_count));
    for (size_t i = 0; i < q->filter_count; i++)
        p->filters[i] = q->filters[i].text != NULL ? bind(b, q->filters[i].text) : 0;
    if (q->search == NULL)
        return;
    if (q->resource->flags & RESOURCE_INDEXED_SEARCH)
        p->search = bind(b, q->search);
    p->like = bind(b, like_pattern(b->arena, q->search));
}

struct statement sql_list(const struct list_query *q, struct arena *arena)
{
    struct builder b;
    struct list_params p = { 0 };
    /* The row of a client is its own tenant: clients are looked up by id, which needs no merging. */
    bool tenant_is_row = q->resource->tenant != NULL && strcmp(q->resource->tenant, "id") == 0;
    bool one = names_clients(q) && q->client_count == 1 && !tenant_is_row;
    bool merge = names_clients(q) && !one && !tenant_is_row;

    begin(&b, arena);
    p.limit = bind_id(&b, q->limit + 1);
    if (q->after) {
        if (!by_id(q) && q->after_text != NULL)
            p.after = bind(&b, q->after_text);
        p.after_id = bind_id(&b, q->after_id);
    }
    bind_where(&b, q, one, &p);

    if (merge) {
        /* An index that starts with the client gives each client's first rows in order; a condition
         * `client_id = ANY (…)` would read and sort all rows of all of them. */
        buf_printf(&b.sql, "SELECT x.* FROM unnest($%zu::bigint[]) AS c (id) CROSS JOIN LATERAL (",
                   p.clients);
        write_parts(&b, q, &p, "c.id");
        buf_puts(&b.sql, ") x");
        write_order(&b, q, "x.\"!sort\"", "x.\"!id\"", p.limit);
    } else {
        write_parts(&b, q, &p, one ? arena_printf(arena, "$%zu::bigint", p.client) : NULL);
    }
    return finish(&b);
}

struct statement sql_over(const struct list_query *q, const char *head, const char *tail,
                          const struct db_param *params, size_t n, struct arena *arena)
{
    struct builder b;
    struct list_params p = { 0 };
    begin(&b, arena);
    memcpy(b.params, params, n * sizeof(*params));
    b.count = n;
    bool one = names_clients(q) && q->client_count == 1;
    bind_where(&b, q, one, &p);
    buf_printf(&b.sql, "%s FROM %s t", head, q->resource->table);
    write_where(&b, q, &p, one ? arena_printf(arena, "$%zu::bigint", p.client) : NULL);
    buf_puts(&b.sql, tail);
    return finish(&b);
}

struct statement sql_count(const struct list_query *q, struct arena *arena)
{
    struct builder b;
    struct list_params p = { 0 };
    begin(&b, arena);
    bind_where(&b, q, false, &p);
    buf_printf(&b.sql, "SELECT count(*) FROM %s t", q->resource->table);
    write_where(&b, q, &p, NULL);
    return finish(&b);
}

/* ---- one row ---- */

struct statement sql_get(const struct resource *resource, int64_t id, struct arena *arena)
{
    struct builder b;
    begin(&b, arena);
    size_t param = bind_id(&b, id);
    buf_puts(&b.sql, "SELECT ");
    sql_columns(resource, &b.sql);
    buf_printf(&b.sql, ", %s AS \"!version\" FROM %s t WHERE t.id = $%zu::bigint", version_of(resource),
               resource->table, param);
    return finish(&b);
}

/* ---- writes ---- */

/* The value of a field as SQL. */
static void write_value(struct builder *b, const struct field *field, const char *text)
{
    size_t param = bind(b, text);
    if (field->write == NULL) {
        buf_printf(&b->sql, "$%zu::%s", param, cast_of(field));
        return;
    }
    const char *mark = strstr(field->write, "%s");
    buf_append(&b->sql, field->write, (size_t)(mark - field->write));
    buf_printf(&b->sql, "$%zu::%s", param, cast_of(field));
    buf_puts(&b->sql, mark + 2);
}

static void write_returning(struct builder *b, const struct resource *resource)
{
    sql_columns(resource, &b->sql);
    buf_puts(&b->sql, ", t.version AS \"!version\", ");
    buf_printf(&b->sql, resource->tenant != NULL ? "t.%s AS \"!tenant\"" : "NULL::bigint AS \"!tenant\"",
               resource->tenant);
}

/* log AS (INSERT INTO audit_log …); before and after: names of one-row queries or NULL; one of them is `row`.
 */
static void write_audit(struct builder *b, const struct resource *resource, const struct writer *writer,
                        const char *action, const char *before, const char *after, const char *only_if)
{
    const struct principal *principal = writer->principal;
    const char *row = after != NULL ? after : before;
    size_t user = bind_id(b, principal->user_id);
    size_t key = bind(b, principal->kind == PRINCIPAL_API_KEY
                             ? arena_printf(b->arena, "%" PRId64, principal->api_key_id)
                             : NULL);
    size_t request = bind(b, writer->request_id);
    size_t address = bind(b, writer->address);

    buf_printf(&b->sql,
               "log AS (INSERT INTO audit_log (client_id, user_id, api_key_id, request_id, address, action, "
               "resource, resource_id, before, after) SELECT %s.\"!tenant\", $%zu::bigint, $%zu::bigint, "
               "$%zu::text, $%zu::inet, '%s', '%s', %s.id, ",
               row, user, key, request, address, action, resource->name, row);
    if (before != NULL)
        audit_json(b, resource, before);
    else
        buf_puts(&b->sql, "NULL");
    buf_puts(&b->sql, ", ");
    if (after != NULL)
        audit_json(b, resource, after);
    else
        buf_puts(&b->sql, "NULL");
    buf_printf(&b->sql, " FROM %s", row);
    if (before != NULL && after != NULL)
        buf_printf(&b->sql, ", %s", before);
    if (only_if != NULL)
        buf_printf(&b->sql, " WHERE EXISTS (SELECT FROM %s)", only_if);
    buf_puts(&b->sql, ")");
}

static void write_bump(struct builder *b, const char *row)
{
    buf_printf(&b->sql,
               "(SELECT max(g.generation) FROM bump_generations(ARRAY[coalesce(%s.\"!tenant\", 0)]) g) AS "
               "\"!generation\"",
               row);
}

static bool is_owner(const struct resource *resource, const struct field *field)
{
    return resource->owners[0].field != NULL && strcmp(field->name, "client_id") == 0;
}

/* The owner: as given, or found through another field. */
static void write_owner(struct builder *b, const struct resource *resource, const struct field_value *values,
                        const char *given)
{
    buf_printf(&b->sql, "coalesce($%zu::bigint", bind(b, given));
    for (size_t i = 0; i < ARRAY_LEN(resource->owners) && resource->owners[i].field != NULL; i++) {
        const char *sql = resource->owners[i].sql, *mark = strstr(sql, "%s");
        size_t through = bind(b, values[resource_field(resource, resource->owners[i].field)].text);
        buf_printf(&b->sql, ", (%.*s$%zu::bigint%s)", (int)(mark - sql), sql, through, mark + 2);
    }
    buf_putc(&b->sql, ')');
}

struct statement sql_insert(const struct resource *resource, const struct field_value *values,
                            const struct writer *writer, struct arena *arena)
{
    struct builder b;
    begin(&b, arena);
    buf_printf(&b.sql, "WITH new AS (INSERT INTO %s AS t (", resource->table);
    const char *comma = "";
    for (size_t i = 0; i < resource->field_count; i++) {
        const struct field *field = &resource->fields[i];
        if (!field_stored(field, false))
            continue;
        if (field->type == FIELD_POSITION) {
            const char *prefix = field->column != NULL ? field->column : "";
            buf_printf(&b.sql, "%s%slatitude, %slongitude", comma, prefix, prefix);
        } else {
            buf_printf(&b.sql, "%s%s", comma, column_of(field));
        }
        comma = ", ";
    }
    buf_puts(&b.sql, ") VALUES (");
    comma = "";
    for (size_t i = 0; i < resource->field_count; i++) {
        const struct field *field = &resource->fields[i];
        if (!field_stored(field, false))
            continue;
        buf_puts(&b.sql, comma);
        if (is_owner(resource, field))
            write_owner(&b, resource, values, values[i].text);
        else
            write_value(&b, field, values[i].text);
        if (field->type == FIELD_POSITION) {
            buf_puts(&b.sql, ", ");
            write_value(&b, field, values[i].more);
        }
        comma = ", ";
    }
    buf_puts(&b.sql, ") RETURNING ");
    write_returning(&b, resource);
    buf_puts(&b.sql, "), ");
    write_audit(&b, resource, writer, "create", NULL, "new", NULL);
    buf_puts(&b.sql, " SELECT new.*, true AS \"!changed\", ");
    write_bump(&b, "new");
    buf_puts(&b.sql, " FROM new");
    return finish(&b);
}

/* old AS (the row as it is) */
static void write_old(struct builder *b, const struct resource *resource, size_t id)
{
    buf_puts(&b->sql, "WITH old AS MATERIALIZED (SELECT ");
    write_returning(b, resource);
    buf_printf(&b->sql, " FROM %s t WHERE t.id = $%zu::bigint)", resource->table, id);
}

/* The row that `old` saw and no other: a change by somebody else in between leaves nothing to write, and the
 * caller of the statement tries again. */
static void write_same(struct builder *b, const char *versions)
{
    size_t wanted = bind(b, versions);
    buf_printf(
        &b->sql,
        " WHERE t.id = old.id AND t.version = old.\"!version\" AND ($%zu::bigint[] IS NULL OR t.version = "
        "ANY ($%zu::bigint[]))",
        wanted, wanted);
}

static void write_set(struct builder *b, const char *column, const struct field *field, bool given,
                      const char *text, const char *comma)
{
    size_t flag = bind(b, given ? "true" : "false");
    buf_printf(&b->sql, "%s%s = CASE WHEN $%zu::boolean THEN ", comma, column, flag);
    write_value(b, field, text);
    buf_printf(&b->sql, " ELSE t.%s END", column);
}

static void write_sets(struct builder *b, const struct resource *resource, const struct field_value *values)
{
    const char *comma = "";
    for (size_t i = 0; i < resource->field_count; i++) {
        const struct field *field = &resource->fields[i];
        const struct field_value *value = &values[i];
        if (!field_stored(field, true))
            continue;
        if (field->type == FIELD_POSITION) {
            const char *prefix = field->column != NULL ? field->column : "";
            write_set(b, arena_printf(b->arena, "%slatitude", prefix), field, value->given, value->text,
                      comma);
            write_set(b, arena_printf(b->arena, "%slongitude", prefix), field, value->given, value->more,
                      ", ");
        } else {
            write_set(b, column_of(field), field, value->given, value->text, comma);
        }
        comma = ", ";
    }
}

struct statement sql_update(const struct resource *resource, int64_t id, const char *action,
                            const char *versions, const struct field_value *values,
                            const struct writer *writer, struct arena *arena)
{
    struct builder b;
    begin(&b, arena);
    write_old(&b, resource, bind_id(&b, id));
    buf_printf(&b.sql, ", new AS (UPDATE %s AS t SET ", resource->table);
    if (strcmp(action, "archive") == 0)
        buf_puts(&b.sql, "archived_at = coalesce(t.archived_at, now())");
    else if (strcmp(action, "restore") == 0)
        buf_puts(&b.sql, "archived_at = NULL");
    else
        write_sets(&b, resource, values);
    buf_puts(&b.sql, " FROM old");
    write_same(&b, versions);
    buf_puts(&b.sql, " RETURNING ");
    write_returning(&b, resource);
    buf_puts(&b.sql, "), ");
    write_audit(&b, resource, writer, action, "old", "new", NULL);
    buf_puts(&b.sql, " SELECT new.*, true AS \"!changed\", ");
    write_bump(&b, "new");
    buf_puts(&b.sql,
             " FROM new UNION ALL SELECT old.*, false, NULL FROM old WHERE NOT EXISTS (SELECT FROM new)");
    return finish(&b);
}

struct statement sql_delete(const struct resource *resource, int64_t id, const char *versions,
                            const struct writer *writer, struct arena *arena)
{
    struct builder b;
    begin(&b, arena);
    write_old(&b, resource, bind_id(&b, id));
    buf_printf(&b.sql, ", gone AS (DELETE FROM %s AS t USING old", resource->table);
    write_same(&b, versions);
    buf_puts(&b.sql, " RETURNING t.id), ");
    write_audit(&b, resource, writer, "delete", "old", NULL, "gone");
    buf_puts(&b.sql,
             " SELECT old.*, gone.id IS NOT NULL AS \"!changed\", CASE WHEN gone.id IS NOT NULL THEN ");
    buf_puts(&b.sql,
             "(SELECT max(g.generation) FROM bump_generations(ARRAY[coalesce(old.\"!tenant\", 0)]) g) END "
             "AS \"!generation\" FROM old LEFT JOIN gone ON gone.id = old.id");
    return finish(&b);
}

struct statement sql_dependants(const struct resource *resource, int64_t id, struct arena *arena)
{
    struct builder b;
    begin(&b, arena);
    bind_id(&b, id);
    buf_puts(&b.sql, "SELECT ");
    for (size_t i = 0; i < resource->dependant_count; i++)
        buf_printf(&b.sql, "%s(SELECT count(*) FROM (SELECT %s LIMIT %d) d) AS \"%s\"", i > 0 ? ", " : "",
                   resource->dependants[i].sql, DEPENDANTS_COUNTED, resource->dependants[i].resource);
    return finish(&b);
}
