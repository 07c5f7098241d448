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

static struct rows *ask(struct request *req, const struct list_query *query, const struct tile *tile)
{
    struct map_range keys = map_tile((int)tile->z, (uint32_t)tile->x, (uint32_t)tile->y);
    int64_t bits = tile->z < NEAR_ZOOM ? FAR_BITS : NEAR_BITS;
    int64_t levels = MAP_ZOOM - tile->z - bits;
    const struct db_param params[] = {
        { .type = 'i', .value.number = tile->z },
        { .type = 'i', .value.number = tile->x },
        { .type = 'i', .value.number = tile->y },
        { .type = 'i', .value.number = keys.low },
        { .type = 'i', .value.number = keys.high },
        { .type = 'i', .value.number = levels > 0 ? 2 * levels : 0 },
    };
    struct statement statement = sql_over(query, head, tail, params, ARRAY_LEN(params), req->arena);
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
