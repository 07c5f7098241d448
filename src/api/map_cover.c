/* Web mercator and Morton order, as in the SQL functions map_key(), morton() and map_tile_low(). */
#include "api/map_cover.h"

#include <math.h>
#include <string.h>

#include "base/parse.h"

/* Beyond it web mercator has no tiles; map_key() clamps positions to it. */
#define LATITUDE_MAX 85.0511287798066

/* Spreads the lower 24 bits to the even places. */
static uint64_t spread(uint64_t v)
{
    v = (v | (v << 16)) & UINT64_C(0x0000FFFF0000FFFF);
    v = (v | (v << 8)) & UINT64_C(0x00FF00FF00FF00FF);
    v = (v | (v << 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    v = (v | (v << 2)) & UINT64_C(0x3333333333333333);
    return (v | (v << 1)) & UINT64_C(0x5555555555555555);
}

struct map_range map_tile(int z, uint32_t x, uint32_t y)
{
    int below = 2 * (MAP_ZOOM - z);
    int64_t low = (int64_t)((spread(x) | (spread(y) << 1)) << below);
    return (struct map_range){ low, low + (INT64_C(1) << below) };
}

/* ---- boxes ---- */

static bool parse_degrees(const char *text, double limit, double *value)
{
    return parse_double(text, value) && *value >= -limit && *value <= limit;
}

bool map_box_parse(const char *text, struct map_box *box)
{
    char copy[128];
    if (!text_copy(copy, sizeof(copy), text))
        return false;
    char *part[4];
    part[0] = copy;
    for (int i = 1; i < 4; i++) {
        char *comma = strchr(part[i - 1], ',');
        if (comma == NULL)
            return false;
        *comma = '\0';
        part[i] = comma + 1;
    }
    return parse_degrees(part[0], 180, &box->west) && parse_degrees(part[1], 90, &box->south) &&
           parse_degrees(part[2], 180, &box->east) && parse_degrees(part[3], 90, &box->north) &&
           box->south <= box->north;
}

/* 0 (west) to 1 (east) */
static double world_x(double longitude)
{
    return (longitude + 180) / 360;
}

/* 0 (north) to 1 (south) */
static double world_y(double latitude)
{
    double radians = fmax(-LATITUDE_MAX, fmin(LATITUDE_MAX, latitude)) * M_PI / 180;
    return (1 - log(tan(radians) + 1 / cos(radians)) / M_PI) / 2;
}

static uint32_t tile_at(double world, int z)
{
    double size = ldexp(1, z);
    return (uint32_t)fmax(0, fmin(size - 1, floor(world * size)));
}

void map_cover(const struct map_box *box, struct map_range ranges[MAP_COVER_MAX])
{
    double left = world_x(box->west), right = world_x(box->east);
    double top = world_y(box->north), bottom = world_y(box->south);
    double width = right >= left ? right - left : right + 1 - left;
    double extent = fmax(width, bottom - top);

    int z = MAP_ZOOM;
    while (z > 0 && ldexp(extent, z) > 1)
        z--;
    /* A box that wraps ends in a column west of the one where it begins. */
    uint32_t columns[2] = { tile_at(left, z), tile_at(right, z) };
    uint32_t lines[2] = { tile_at(top, z), tile_at(bottom, z) };
    for (int i = 0; i < MAP_COVER_MAX; i++) {
        int column = i & 1, line = i >> 1;
        bool again = (column == 1 && columns[1] == columns[0]) || (line == 1 && lines[1] == lines[0]);
        ranges[i] = again ? (struct map_range){ 0, 0 } : map_tile(z, columns[column], lines[line]);
    }
}
