/* Lists below one row of another resource: the same list as the tenant's, narrowed to that row. */
#include "api/sublists.h"

#include <inttypes.h>
#include <string.h>

#include "api/app.h"
#include "api/db_problem.h"
#include "api/reading.h"
#include "api/resources.h"

struct sublist {
    const struct resource *resource, *parent;
    const char *field;   /* of resource: names the row of parent */
    const char *segment; /* of the path; NULL: the resource's name */
};

static const struct sublist sublists[] = {
    { &events_resource, &trackers_resource, "tracker_id", NULL },
    { &events_resource, &production_runs_resource, "production_run_id", NULL },
    { &status_history_resource, &trackers_resource, "tracker_id", NULL },
    { &status_history_resource, &production_runs_resource, "production_run_id", NULL },
    { &exceptions_resource, &trackers_resource, "tracker_id", NULL },
    { &positions_resource, &production_runs_resource, "production_run_id", "trackers/positions" },
};

static void list_below(struct request *req)
{
    const struct sublist *below = req->route->data;
    const struct resource *resource = below->resource;
    int64_t id;
    struct page_request page;
    if (!param_id(req, "id", &id) || !list_parse(req, resource, &page))
        return;

    /* One parent has one client: naming clients too would only offer the planner a worse index. */
    page.query.every_client = true;
    page.query.client_count = 0;
    list_narrow(&page.query, &resource->fields[resource_field(resource, below->field)],
                arena_printf(req->arena, "%" PRId64, id));
    struct statement statement = sql_list(&page.query, req->arena);
    struct rows *rows = read_rows(req, &statement);
    int64_t total = -1;
    if (rows_ok(rows) && page.count) {
        struct statement count = sql_count(&page.query, req->arena);
        struct rows *counted = read_rows(req, &count);
        if (rows_ok(counted))
            total = rows_int(counted, 0, 0);
        else
            rows = counted;
    }
    if (!rows_ok(rows))
        reply_db_problem(req, rows);
    else if (rows_count(rows) > 0 || row_exists(req, below->parent, id))
        reply_page(req, &page, rows, total);
}

/* ---- routes ---- */

static const struct parameter id_parameter = {
    .name = "id", .type = VALUE_ID, .in = "path", .required = true
};
static const struct parameter if_none_match = {
    .name = "If-None-Match", .type = VALUE_TEXT, .in = "header", .about = "Answer 304 while this is the ETag."
};

/* What the list takes, but the row that it is below of, and whose that is. */
static void set_parameters(struct route *route, const struct sublist *below, struct arena *arena)
{
    const struct parameter *known;
    size_t n = list_parameters(below->resource, arena, &known), count = 0;
    struct parameter *all = arena_zalloc(arena, n + 2, sizeof(*all));
    all[count++] = id_parameter;
    for (size_t i = 0; i < n; i++)
        if (strcmp(known[i].name, below->field) != 0 && strcmp(known[i].name, "client_id") != 0)
            all[count++] = known[i];
    all[count++] = if_none_match;
    route->parameters = all;
    route->parameter_count = count;
}

static void set_answers(struct route *route, const struct resource *resource, struct arena *arena)
{
    const struct answer answers[] = {
        { 200, arena_printf(arena, "%sPage", resource->singular), "One page.", NULL },
        { 304, NULL, "Not changed.", NULL },
        { 404, "Problem", "No such row, or not yours.", "application/problem+json" },
        { 422, "Problem", "A parameter is not valid.", "application/problem+json" },
    };
    route->answers = arena_memdup(arena, answers, sizeof(answers));
    route->answer_count = ARRAY_LEN(answers);
}

size_t sublist_routes(struct arena *arena, const struct route **routes)
{
    struct route *all = arena_zalloc(arena, ARRAY_LEN(sublists), sizeof(*all));
    for (size_t i = 0; i < ARRAY_LEN(sublists); i++) {
        const struct sublist *below = &sublists[i];
        const struct resource *resource = below->resource, *parent = below->parent;
        all[i] = (struct route){
            .method = HTTP_GET,
            .path = arena_printf(arena, "/api/v1/%s/{id}/%s", parent->name,
                                 below->segment != NULL ? below->segment : resource->name),
            .handle = list_below,
            .access = ACCESS_USER,
            .tag = parent->name,
            .summary = arena_printf(arena, "List the %ss of one %s", resource->label, parent->label),
            .about = resource->about,
            .operation_id = arena_printf(arena, "list%s%s", parent->singular, resource->plural),
            .data = below,
        };
        set_parameters(&all[i], below, arena);
        set_answers(&all[i], resource, arena);
    }
    *routes = all;
    return ARRAY_LEN(sublists);
}
