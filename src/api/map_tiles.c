/* GET /map/trackers/{z}/{x}/{y}.mvt: the trackers of a map tile, clustered, filtered like the list of
 * trackers. */
#include "api/map_tiles.h"

#include <string.h>

#include "api/app.h"
#include "api/db_problem.h"
#include "api/map_cover.h"
#include "api/reading.h"
#include "api/resources.h"
#include "base/parse.h"

#define TILE_CONTENT_TYPE "application/vnd.mapbox-vector-tile"

/* Maps are not shown nearer: a tile is 10 m wide there, less than the accuracy of most positions. */
#define TILE_ZOOM_MAX 22

/* One feature stands for the trackers of one cell. Far out a tile is 16 cells wide, so that clusters do not
 * touch; near by 64, a few pixels, so that nearly all trackers stand alone. Either way the number of features
 * is bounded. */
#define NEAR_ZOOM 14
#define FAR_BITS  4
#define NEAR_BITS 6

/* $1 to $3 z, x, y; $4 and $5 the range of map keys; $6 how far to shift a key to get its cell. A cluster
 * stands where its trackers are on average. Beyond 85.05 degrees the projection has no place. */
static const char head[] =
    "SELECT ST_AsMVT(q, 'trackers', 4096, 'geom') FROM (SELECT ST_AsMVTGeom(ST_Transform(ST_SetSRID(ST_MakePoint("
    "avg(t.last_longitude), greatest(-85.05, least(85.05, avg(t.last_latitude)))), 4326), 3857), "
    "ST_TileEnvelope($1::integer, $2::integer, $3::integer), 4096, 0, false) AS geom, count(*)::integer AS trackers, "
    "CASE WHEN count(*) = 1 THEN min(t.id) END AS id, CASE WHEN count(*) = 1 THEN min(t.name) END AS name, "
    "CASE WHEN count(*) = 1 THEN min(t.status)::text END AS status, "
    "CASE WHEN count(*) = 1 THEN extract(epoch FROM max(t.last_report_at))::bigint END AS reported, "
    "(count(*) FILTER (WHERE t.status = 'CREATED'))::integer AS created, "
    "(count(*) FILTER (WHERE t.status = 'IN_TRANSIT'))::integer AS in_transit, "
    "(count(*) FILTER (WHERE t.status = 'IN_STORAGE'))::integer AS in_storage, "
    "(count(*) FILTER (WHERE t.status = 'DELIVERED'))::integer AS delivered";
static const char tail[] = " AND t.map_key >= $4 AND t.map_key < $5 GROUP BY t.map_key >> $6::integer) q";

/* The same far out, where a tile may hold every tracker there is: from the sums by cell of zoom 12
 * (db/migrations/0032_map_cells.sql). A cluster stands at the middle of its cells, weighted; one tracker
 * alone where it is. $7 the clients, {0} for all; $8 the statuses, NULL for any; $9 all clients. */
#define CELLS_ZOOM   12
#define CELLS_BITS   (2 * (MAP_ZOOM - CELLS_ZOOM))
#define WORLD_METRES "40075016.685578488"
static const char by_cells[] =
    "WITH parts AS ("
    "  SELECT cell >> $6::integer AS part, status, trackers AS n, x, y FROM map_cells"
    "  WHERE client_id = ANY ($7::bigint[]) AND cell >= $4 AND cell < $5"
    "  UNION ALL"
    "  SELECT cell >> $6::integer, status, change, map_cell_axis(cell, 0), map_cell_axis(cell, 1) FROM map_cell_changes"
    "  WHERE ($9::boolean OR client_id = ANY ($7::bigint[])) AND cell >= $4 AND cell < $5"
    "), groups AS ("
    "  SELECT part, sum(n)::integer AS trackers,"
    "   (((sum(n * x) / sum(n))::float8 + 0.5) / 4096 - 0.5) * " WORLD_METRES " AS east,"
    "   (0.5 - ((sum(n * y) / sum(n))::float8 + 0.5) / 4096) * " WORLD_METRES " AS north,"
    "   coalesce(sum(n) FILTER (WHERE status = 'CREATED'), 0)::integer AS created,"
    "   coalesce(sum(n) FILTER (WHERE status = 'IN_TRANSIT'), 0)::integer AS in_transit,"
    "   coalesce(sum(n) FILTER (WHERE status = 'IN_STORAGE'), 0)::integer AS in_storage,"
    "   coalesce(sum(n) FILTER (WHERE status = 'DELIVERED'), 0)::integer AS delivered"
    "  FROM parts WHERE $8::tracker_status[] IS NULL OR status = ANY ($8::tracker_status[])"
    "  GROUP BY part HAVING sum(n) > 0"
    ") SELECT ST_AsMVT(q, 'trackers', 4096, 'geom') FROM (SELECT ST_AsMVTGeom(coalesce(one.place,"
    "  ST_SetSRID(ST_MakePoint(g.east, g.north), 3857)), ST_TileEnvelope($1::integer, $2::integer, $3::integer), 4096, 0, false)"
    "  AS geom, g.trackers, one.id, one.name, one.status, one.reported, g.created, g.in_transit, g.in_storage, g.delivered"
    " FROM groups g LEFT JOIN LATERAL ("
    "  SELECT t.id, t.name, t.status::text, extract(epoch FROM t.last_report_at)::bigint AS reported, ST_Transform(ST_SetSRID("
    "   ST_MakePoint(t.last_longitude, greatest(-85.05, least(85.05, t.last_latitude))), 4326), 3857) AS place"
    "  FROM trackers t WHERE g.trackers = 1 AND t.archived_at IS NULL AND ($9::boolean OR t.client_id = ANY ($7::bigint[]))"
    "   AND t.map_key >= g.part::bigint << ($6::integer + $10::integer)"
    "   AND t.map_key < (g.part::bigint + 1) << ($6::integer + $10::integer)"
    "   AND ($8::tracker_status[] IS NULL OR t.status = ANY ($8::tracker_status[])) LIMIT 1"
    " ) one ON true) q";

struct tile {
    int64_t z, x, y;
};

/* False: answered. A tile beside the map does not exist. */
static bool take_tile(struct request *req, struct tile *tile)
{
    if (parse_i64_range(request_param(req, "z"), 0, TILE_ZOOM_MAX, &tile->z) &&
        parse_i64_range(request_param(req, "x"), 0, (INT64_C(1) << tile->z) - 1, &tile->x) &&
        parse_i64_range(request_param(req, "y"), 0, (INT64_C(1) << tile->z) - 1, &tile->y))
        return true;
    reply_problem(req, 404, "not_found", "There is no such tile; z is 0 to %d.", TILE_ZOOM_MAX);
    return false;
}

static int64_t cell_bits(const struct tile *tile)
{
    return tile->z < NEAR_ZOOM ? FAR_BITS : NEAR_BITS;
}

/* By tracker, with any filter of the list. */
static struct statement by_tracker(const struct list_query *query, const struct tile *tile,
                                   struct arena *arena)
{
    struct map_range keys = map_tile((int)tile->z, (uint32_t)tile->x, (uint32_t)tile->y);
    int64_t levels = MAP_ZOOM - tile->z - cell_bits(tile);
    const struct db_param params[] = {
        { .type = 'i', .value.number = tile->z },
        { .type = 'i', .value.number = tile->x },
        { .type = 'i', .value.number = tile->y },
        { .type = 'i', .value.number = keys.low },
        { .type = 'i', .value.number = keys.high },
        { .type = 'i', .value.number = levels > 0 ? 2 * levels : 0 },
    };
    return sql_over(query, head, tail, params, ARRAY_LEN(params), arena);
}

/* Do the sums by cell answer this? *statuses: the filter, NULL for any. */
static bool in_sums(const struct list_query *query, const struct tile *tile, struct arena *arena,
                    const char **statuses)
{
    *statuses = NULL;
    if (tile->z + cell_bits(tile) > CELLS_ZOOM || query->archived != ARCHIVED_NO || query->search != NULL ||
        query->filter_count > 1)
        return false;
    if (query->filter_count == 0)
        return true;
    const struct list_filter *filter = &query->filters[0];
    if (strcmp(filter->field->name, "status") != 0 ||
        (filter->kind != FILTER_IS && filter->kind != FILTER_IN))
        return false;
    *statuses = filter->kind == FILTER_IN ? filter->text : arena_printf(arena, "{%s}", filter->text);
    return true;
}

static struct statement by_sums(const struct list_query *query, const struct tile *tile, const char *statuses,
                                struct arena *arena)
{
    static const int64_t all[] = { 0 };
    struct map_range keys = map_tile((int)tile->z, (uint32_t)tile->x, (uint32_t)tile->y);
    const struct db_param params[] = {
        { .type = 'i', .value.number = tile->z },
        { .type = 'i', .value.number = tile->x },
        { .type = 'i', .value.number = tile->y },
        { .type = 'i', .value.number = keys.low >> CELLS_BITS },
        { .type = 'i', .value.number = keys.high >> CELLS_BITS },
        { .type = 'i', .value.number = 2 * (CELLS_ZOOM - tile->z - cell_bits(tile)) },
        { .type = 'a',
          .value.data = query->every_client ? all : query->clients,
          .count = query->every_client ? ARRAY_LEN(all) : query->client_count },
        { .type = 's', .value.data = statuses },
        { .type = 's', .value.data = query->every_client ? "true" : "false" },
        { .type = 'i', .value.number = CELLS_BITS },
    };
    return (struct statement){ by_cells, arena_memdup(arena, params, sizeof(params)), ARRAY_LEN(params) };
}

static struct rows *ask(struct request *req, const struct list_query *query, const struct tile *tile)
{
    const char *statuses;
    struct statement statement = in_sums(query, tile, req->arena, &statuses)
                                     ? by_sums(query, tile, statuses, req->arena)
                                     : by_tracker(query, tile, req->arena);
    return read_rows(req, &statement);
}

static void get_tile(struct request *req)
{
    struct tile tile;
    struct page_request page;
    if (!take_tile(req, &tile) || !list_parse(req, &trackers_resource, &page))
        return;
    struct rows *rows = ask(req, &page.query, &tile);
    if (!rows_ok(rows)) {
        reply_db_problem(req, rows);
        return;
    }
    size_t len;
    const void *bytes = rows_bytes(rows, 0, 0, &len);
    if (len > 0)
        reply_content(req, TILE_CONTENT_TYPE, bytes, len);
    else
        reply_empty(req, 204);
}

/* ---- the route ---- */

/* Of the list of trackers what is a filter. */
static const char *const no_filters[] = { "limit", "cursor", "sort", "count", NULL };

static const struct parameter own_parameters[] = {
    { .name = "z", .type = VALUE_INT, .in = "path", .about = "Zoom.", .max = TILE_ZOOM_MAX },
    { .name = "x",
      .type = VALUE_INT,
      .in = "path",
      .about = "Column, from the west.",
      .max = (1 << TILE_ZOOM_MAX) - 1 },
    { .name = "y",
      .type = VALUE_INT,
      .in = "path",
      .about = "Row, from the north.",
      .max = (1 << TILE_ZOOM_MAX) - 1 },
    { .name = "If-None-Match",
      .type = VALUE_TEXT,
      .in = "header",
      .about = "Answer 304 while this is the ETag." },
};
static const struct answer answers[] = {
    { 200, "Binary", "A Mapbox vector tile with the layer `trackers`.", TILE_CONTENT_TYPE },
    { 204, NULL, "No tracker is in the tile." },
    { 304, NULL, "Not changed." },
    { 404, "Problem", "There is no such tile.", "application/problem+json" },
    { 422, "Problem", "A parameter is not valid.", "application/problem+json" },
};

size_t map_tile_routes(struct arena *arena, const struct route **routes)
{
    const struct parameter *known;
    size_t n = list_parameters(&trackers_resource, arena, &known), count = ARRAY_LEN(own_parameters);
    struct parameter *all = arena_zalloc(arena, n + count, sizeof(*all));
    memcpy(all, own_parameters, sizeof(own_parameters));
    for (size_t i = 0; i < n; i++)
        if (word_index(no_filters, known[i].name) < 0)
            all[count++] = known[i];
    const struct route route = {
        .method = HTTP_GET,
        .path = "/api/v1/map/trackers/{z}/{x}/{y}.mvt",
        .handle = get_tile,
        .access = ACCESS_USER,
        .flags = ROUTE_KEPT,
        .tag = "map",
        .summary = "Trackers of a map tile",
        .about =
            "A web-mercator tile for MapLibre and its like, with the filters of the list of trackers. A feature stands "
            "for the trackers of one cell: `trackers` is how many, `created`, `in_transit`, `in_storage` and `delivered` "
            "how many have each status. One that stands for a single tracker also has its `id`, `name`, `status` and "
            "`reported` (seconds since 1970).",
        .operation_id = "getTrackerTile",
        .parameters = all,
        .parameter_count = count,
        .answers = answers,
        .answer_count = ARRAY_LEN(answers),
    };
    *routes = arena_memdup(arena, &route, sizeof(route));
    return 1;
}

void map_tile_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "Binary", "{\"type\":\"string\",\"format\":\"binary\"}");
}
