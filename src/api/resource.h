/* A resource of the API as data: its fields, limits, rights and relations, described once.
 *
 * From the description come validation of bodies (resource_validate.c), SQL (resource_sql.c), the handlers
 * for list, read, create, patch, delete, archive and restore (resource_handlers.c), and the component schemas
 * of the OpenAPI document (resource_openapi.c). One file for each resource holds its tables and, where it
 * needs them, its own handlers. */
#ifndef API_RESOURCE_H
#define API_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/principal.h"
#include "base/json.h"
#include "http/route.h"

/* A resource with more fields needs to be split before this needs to grow: every field costs three parameters
 * of the one UPDATE, and PostgreSQL takes 65,535. */
#define RESOURCE_MAX_FIELDS 48

#define LIST_LIMIT_DEFAULT 50
#define LIST_LIMIT_MAX     500 /* rows; a page of the largest rows stays below a few megabytes */

enum field_type {
    FIELD_ID,          /* bigint, the row's own id */
    FIELD_REF,         /* bigint, id of a row of `ref` */
    FIELD_REFS,        /* array of such ids, read only */
    FIELD_TEXT,        /* min, max count characters */
    FIELD_INT,         /* min, max bound the value */
    FIELD_NUMBER,      /* double; min, max bound the value */
    FIELD_BOOL,        /**/
    FIELD_TIME,        /* timestamptz */
    FIELD_ENUM,        /* one of `words`; `cast` names the SQL type when it is not text */
    FIELD_MAC,         /* MAC address; upper case with colons, whatever separators it came with */
    FIELD_POSITION,    /* {latitude, longitude}; columns <column>latitude and <column>longitude */
    FIELD_POLYGON,     /* GeoJSON Polygon, stored as jsonb by the view or cast by `write` */
    FIELD_AREA,        /* GeoJSON Polygon or MultiPolygon */
    FIELD_OBJECT,      /* a JSON object: jsonb; read only when it has several columns (`columns`) */
    FIELD_STRING_LIST, /* text[], read only */
    FIELD_WORDS,       /* array of some of `words`, at least one, each once; `cast` names the SQL type */
    FIELD_BOX,         /* filter only: a box on the map that holds the position; `column` as for POSITION */
};

/* The order is the reader's; there are a few hundred of them.
 * NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct field {
    const char *name; /* in JSON; also the SQL column unless `column` or `select` says otherwise */
    enum field_type type;
    const char *about; /* one sentence for the OpenAPI document; NULL when the name says it */

    /* where it is kept */
    const char *column; /* NULL: like name. FIELD_POSITION: the columns' prefix */
    const char *select; /* NULL: the column. SQL expression over the row `t` */
    const char *write;  /* NULL: the value cast to its type. SQL expression with one %s for the parameter */
    const char *cast;   /* SQL type of an ENUM; NULL: text */
    const char *filter_sql; /* NULL: the column itself. SQL condition, %s stands for an array of values */
    size_t columns;     /* OBJECT: `select` is a list of this many columns, each AS "<name>.<member>"; 0: one
                           value */
    const char *schema; /* OBJECT: component schema of the value; NULL: any object */

    /* what is accepted */
    double min, max;          /* both 0: none */
    const char *const *words; /* ENUM, NULL-terminated */
    const char *ref;          /* REF, REFS: name of the other resource */
    bool required;            /* in a create body */
    bool nullable;            /* null is a value of it */
    bool fixed;               /* accepted at creation only */
    bool computed;            /* never accepted */
    bool input;           /* accepted, never shown, no column: for the resource's own check(). Computed too:
                             neither accepted nor shown */
    const char *fallback; /* what a create body without the field, or a patch with null, stores: a JSON text.
                             NULL: null */

    /* lists */
    bool sort, filter, search;
    size_t values_max; /* of its filter; 0: FILTER_MAX_VALUES */
    const char *range; /* TIME: prefix of its filters `from` and `to`; NULL: the name and an underscore */
};

/* A field's value from a body, in PostgreSQL's text form. */
struct field_value {
    bool given;       /* the body had it (or, at creation, its fallback stands in) */
    const char *text; /* NULL: null */
    const char *more; /* FIELD_POSITION: the longitude, text holds the latitude */
};

/* Problems found in a body, one for each field at fault; kept apart from the request so that tests need none.
 */
struct field_problem {
    const char *field, *code, *message;
};
#define PROBLEMS_MAX 64
struct problems {
    struct arena *arena;
    size_t count; /* those beyond PROBLEMS_MAX are dropped */
    struct field_problem list[PROBLEMS_MAX];
};
void problem_add(struct problems *problems, const char *field, const char *code, const char *message, ...)
    PRINTF_LIKE(4, 5);

/* What keeps a row from being deleted. */
struct dependant {
    const char *resource; /* as the answer names it: "production-runs" */
    const char *sql; /* FROM … WHERE …, with $1 for the row's id: "FROM brands WHERE client_id = $1" */
};

/* What a violated constraint means to the caller. */
struct constraint {
    const char *name;  /* in the database */
    const char *field; /* in the body; "" when it concerns several */
    const char *code, *message;
};

enum resource_flags {
    RESOURCE_NO_CREATE = 1 << 0,
    RESOURCE_NO_PATCH = 1 << 1,
    RESOURCE_NO_DELETE = 1 << 2,
    RESOURCE_NO_ARCHIVE = 1 << 3,
    RESOURCE_READ_ONLY = RESOURCE_NO_CREATE | RESOURCE_NO_PATCH | RESOURCE_NO_DELETE | RESOURCE_NO_ARCHIVE,
    RESOURCE_INDEXED_SEARCH =
        1 << 4,                    /* rows have documents in search_index; else q looks into search fields */
    RESOURCE_UNVERSIONED = 1 << 5, /* rows never change: the ETag is made of the id alone */
    RESOURCE_REREAD = 1 << 6, /* what a write returns may differ from what a read then shows: read it again */
    RESOURCE_DERIVED =
        1 << 9, /* rows also show what changes without a new version of them: their ETag is made of both */
    RESOURCE_LIST_ONLY = 1 << 7, /* no route reads one row by its id */
    RESOURCE_OWN = 1 << 9,       /* rows are the caller's own, by row security: answers are nobody else's */
    RESOURCE_GEOCODED = 1 << 8,  /* an `address` without a `center` is looked up before validation */
};

struct resource {
    const char *name;     /* in paths: "production-runs" */
    const char *table;    /* table or view */
    const char *singular; /* component schema: "ProductionRun" */
    const char *plural;   /* operation ids: "ProductionRuns" */
    const char *label;    /* in sentences: "production run" */
    const char *about;

    const struct field *fields;
    size_t field_count;

    enum role read, write;           /* least role; create and delete may ask for more: */
    enum role create_role, del_role; /* ROLE_NONE: like write */
    unsigned flags;                  /* enum resource_flags */

    /* The tenant's column, NULL when rows belong to nobody; "id" for clients. */
    const char *tenant;
    /* When a create body leaves client_id out: SQL that finds it from other fields, %s is the parameter of
     * `field`. */
    struct {
        const char *field, *sql;
    } owners[2]; /* the first whose field is given; unused ones are NULL */

    const char *default_sort; /* "id" when NULL; with a leading minus: descending */

    /* What lists leave out unless asked: rows whose <hidden>_at is set; also the name of the parameter. NULL:
     * "archived". */
    const char *hidden;
    int64_t page_max; /* largest page; 0: LIST_LIMIT_MAX. More for lean rows only */

    const struct dependant *dependants;
    size_t dependant_count;
    const struct constraint *constraints;
    size_t constraint_count;

    /* Rows with a secret, of which the table keeps a hash: makes it, sets computed fields that have a
     * `write`, and returns its text, which the answer to the create shows as `token`, this once. */
    const char *(*make_secret)(struct arena *arena, struct field_value *values);

    /* A member of each row beyond its fields, which SQL cannot give: its name, component schema, and what
     * writes its value. */
    const char *more_name, *more_schema;
    void (*more)(struct request *req, const struct rows *rows, size_t row, struct json *json);

    /* Checks that need several fields. May change values. create: a new row; else a patch. */
    void (*check)(struct field_value *values, bool create, struct problems *problems);
};

#define FIELDS(array)      .fields = (array), .field_count = ARRAY_LEN(array)
#define DEPENDANTS(array)  .dependants = (array), .dependant_count = ARRAY_LEN(array)
#define CONSTRAINTS(array) .constraints = (array), .constraint_count = ARRAY_LEN(array)

/* Fields that nearly every resource has. */
#define FIELD_ROW_ID                                                                                         \
    {                                                                                                        \
        "id", FIELD_ID, .computed = true, .sort = true, .filter = true                                       \
    }
#define FIELD_CLIENT                                                                                         \
    {                                                                                                        \
        "client_id", FIELD_REF,                                                                              \
            "The client that the row belongs to; fixed for ever. May be left out when "                      \
            "it follows from another field or the caller has only one client.",                              \
            .ref = "clients", .fixed = true, .filter = true                                                  \
    }
#define FIELD_CREATED                                                                                        \
    {                                                                                                        \
        "created_at", FIELD_TIME, .computed = true, .sort = true, .filter = true                             \
    }
#define FIELD_UPDATED                                                                                        \
    {                                                                                                        \
        "updated_at", FIELD_TIME, .computed = true                                                           \
    }
#define FIELD_ARCHIVED                                                                                       \
    {                                                                                                        \
        "archived_at", FIELD_TIME, "Hidden from lists since; null while in use.", .computed = true,          \
                                                                                  .nullable = true           \
    }

/* Name of the parameter that shows what lists leave out. */
static inline const char *resource_hidden(const struct resource *resource)
{
    return resource->hidden != NULL ? resource->hidden : "archived";
}

static inline bool resource_hides(const struct resource *resource)
{
    return resource->hidden != NULL || !(resource->flags & RESOURCE_NO_ARCHIVE);
}

static inline int64_t resource_page_max(const struct resource *resource)
{
    return resource->page_max != 0 ? resource->page_max : LIST_LIMIT_MAX;
}

/* Index of a field by its JSON name, or -1. */
int resource_field(const struct resource *resource, const char *name);

/* Can a caller ever set it (at creation; with patch: afterwards)? */
bool field_writable(const struct field *field, bool patch);

/* Does a write store it? That is what callers set, and computed fields with a `write`, which check() sets. */
bool field_stored(const struct field *field, bool patch);

/* ---- bodies ---- */

/* A create body (create) or a merge patch into values[field_count]. False when a problem was found: all of
 * them are in problems. */
MUST_CHECK bool resource_validate(const struct resource *resource, json_t *body, bool create,
                                  struct field_value *values, struct problems *problems);

/* One value of a filter, from its text in a query string. */
MUST_CHECK bool field_parse(const struct field *field, const char *text, struct field_value *value,
                            struct problems *problems);

/* ---- SQL ---- */

/* Values of `archived`. */
enum archived { ARCHIVED_NO, ARCHIVED_YES, ARCHIVED_ALL };

struct list_filter {
    const struct field *field;
    enum { FILTER_IS, FILTER_IN, FILTER_FROM, FILTER_TO, FILTER_NULL, FILTER_NOT_NULL, FILTER_BOX } kind;
    const char *text; /* IN, BOX: PostgreSQL array literal; IS, FROM, TO: one value */
};

/* Each field has at most an IN and a NULL, or a FROM and a TO. */
#define LIST_MAX_FILTERS (2 * RESOURCE_MAX_FIELDS)

struct list_query {
    const struct resource *resource;
    const struct field *sort;
    bool descending;
    bool after;             /* there is a cursor: */
    const char *after_text; /* sort column of the last row, NULL: it was null */
    int64_t after_id;
    enum archived archived;
    struct list_filter filters[LIST_MAX_FILTERS];
    size_t filter_count;
    const char *search;     /* NULL: none */
    bool every_client;      /* the caller sees all: no client is named */
    const int64_t *clients; /* otherwise those that the list is about */
    size_t client_count;
    int64_t limit; /* rows of a page; one more is asked for, to learn whether there is a next page */
};

/* A statement and its parameters, all text; lives in the arena. */
struct statement {
    const char *sql;
    const struct db_param *params;
    size_t count;
};

/* A page. The columns end with two helpers: the sort column as text, and the id. */
struct statement sql_list(const struct list_query *query, struct arena *arena);
/* The number of rows of all pages. */
struct statement sql_count(const struct list_query *query, struct arena *arena);
/* Anything else over the rows that a list shows, without its order and pages: "<head> FROM <table> t WHERE
 * <filters> <tail>"; $1 to $n in head and tail are params. */
struct statement sql_over(const struct list_query *query, const char *head, const char *tail,
                          const struct db_param *params, size_t n, struct arena *arena);
/* One row by id; the last column is the helper `version`. */
struct statement sql_get(const struct resource *resource, int64_t id, struct arena *arena);

/* Who writes, for the audit log. */
struct writer {
    const struct principal *principal;
    const char *request_id, *address;
};

/* The writes are one statement each: the change, the audit row and the tenant's new cache generation. After
 * the sql_column_count columns of the row stand these helpers: */
enum write_helper { HELPER_VERSION, HELPER_TENANT, HELPER_CHANGED, HELPER_GENERATION };

struct statement sql_insert(const struct resource *resource, const struct field_value *values,
                            const struct writer *writer, struct arena *arena);

/* action: "update", "archive" or "restore"; values may be NULL for the latter two. versions: NULL, or the
 * array literal of the only versions that may be changed. One row comes back whenever the row exists; the
 * helper HELPER_CHANGED says whether it was written. It was not when its version is another one, or when
 * somebody else wrote it at the same moment. */
struct statement sql_update(const struct resource *resource, int64_t id, const char *action,
                            const char *versions, const struct field_value *values,
                            const struct writer *writer, struct arena *arena);
struct statement sql_delete(const struct resource *resource, int64_t id, const char *versions,
                            const struct writer *writer, struct arena *arena);
/* One row: for each dependant how many there are, at most DEPENDANTS_COUNTED. */
#define DEPENDANTS_COUNTED 1000
struct statement sql_dependants(const struct resource *resource, int64_t id, struct arena *arena);

/* A pattern that finds q anywhere, for `… LIKE lower($n)` over lower-case text. */
const char *like_pattern(struct arena *arena, const char *q);

/* The columns of a row `t` for SELECT, as the writer of JSON wants them. */
void sql_columns(const struct resource *resource, struct buf *sql);
size_t sql_column_count(const struct resource *resource);

/* ---- lists ---- */

#define FILTER_MAX_VALUES 100   /* of one filter; more of them belong into a search */
#define SEARCH_MAX        200   /* characters of q */
#define SEARCH_MATCHES    10000 /* rows that q finds at most: who finds more has to ask more precisely */

struct page_request {
    struct list_query query;
    bool count;        /* the total is wanted */
    const char *scope; /* of its cursors */
};

/* Reads the parameters of a list. False: answered. */
MUST_CHECK bool list_parse(struct request *req, const struct resource *resource, struct page_request *page);

/* The same, when the names of the parameters have been looked at already. */
MUST_CHECK bool list_parse_query(struct request *req, const struct resource *resource,
                                 struct page_request *page);

/* Answers with a page; rows are those of sql_list. total: negative when it was not asked for. */
void reply_page(struct request *req, const struct page_request *page, const struct rows *rows, int64_t total);

/* The parameters that list_parse knows, for the route; they live in the arena. */
size_t list_parameters(const struct resource *resource, struct arena *arena,
                       const struct parameter **parameters);

/* Keep the rows with this one value, which must have the field's SQL form, and no other; a parameter of this
 * name must not be among those of the route. */
void list_narrow(struct list_query *query, const struct field *field, const char *text);

/* One row as JSON. */
void resource_write_row(struct request *req, const struct resource *resource, const struct rows *rows,
                        size_t row, struct json *json);

/* Answer with the row as it is now; for handlers that wrote it themselves. */
void resource_reply(struct request *req, const struct resource *resource, int status, int64_t id);

/* ---- routes and document ---- */

/* Routes that the description gives; they live in the arena. Returns their number. */
size_t resource_routes(const struct resource *resource, struct arena *arena, const struct route **routes);

/* Is it a generated list or read? Then its data is the resource. */
bool resource_reads(const struct route *route);

/* Calls add(name, schema JSON) for each component schema of the resource. */
void resource_schemas(const struct resource *resource,
                      void (*add)(void *to, const char *name, const char *json), void *to);

#endif
