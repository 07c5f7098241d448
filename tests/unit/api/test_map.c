/* Boxes and tiles as ranges of map keys. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/map_cover.h"
#include "base/error.h"

static void test_tiles(void **state)
{
    (void)state;
    struct map_range world = map_tile(0, 0, 0);
    assert_int_equal(world.low, 0);
    assert_int_equal(world.high, INT64_C(1) << 48);
    /* Morton order: x in the even places, y in the odd ones. */
    static const struct {
        uint32_t x, y;
        int64_t quarter;
    } quarters[] = { { 0, 0, 0 }, { 1, 0, 1 }, { 0, 1, 2 }, { 1, 1, 3 } };
    for (size_t i = 0; i < ARRAY_LEN(quarters); i++) {
        struct map_range range = map_tile(1, quarters[i].x, quarters[i].y);
        assert_int_equal(range.low, quarters[i].quarter << 46);
        assert_int_equal(range.high, (quarters[i].quarter + 1) << 46);
    }
    uint32_t last = (1u << MAP_ZOOM) - 1;
    struct map_range corner = map_tile(MAP_ZOOM, last, last);
    assert_int_equal(corner.low, (INT64_C(1) << 48) - 1);
    assert_int_equal(corner.high, INT64_C(1) << 48);
}

static void test_texts(void **state)
{
    (void)state;
    struct map_box box;
    assert_true(map_box_parse("-1.5,50,2,51.25", &box));
    assert_true(box.west == -1.5 && box.south == 50 && box.east == 2 && box.north == 51.25);
    static const char *const good[] = { "-180,-90,180,90", "179,0,-179,0", "0,0,0,0" };
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(map_box_parse(good[i], &box));
    static const char *const bad[] = { "",           "1",        "1,2,3",      "1,2,3,4,5", "1,2,3,",
                                       ",2,3,4",     "1,3,2,2",  "-181,0,0,1", "0,0,181,1", "0,-91,1,1",
                                       "0,0,1,90.1", "1, 2,3,4", "nan,0,1,1",  "0x1,0,1,1", "a,b,c,d" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(map_box_parse(bad[i], &box));
}

/* map_key() of the database, written down once more. */
static int64_t key_of(double latitude, double longitude)
{
    double size = ldexp(1, MAP_ZOOM),
           lat = fmax(-85.0511287798066, fmin(85.0511287798066, latitude)) * M_PI / 180;
    double x = floor((longitude + 180) / 360 * size);
    double y = floor((1 - log(tan(lat) + 1 / cos(lat)) / M_PI) / 2 * size);
    return map_tile(MAP_ZOOM, (uint32_t)fmax(0, fmin(size - 1, x)), (uint32_t)fmax(0, fmin(size - 1, y))).low;
}

static bool covered(const struct map_range *ranges, int64_t key)
{
    for (size_t i = 0; i < MAP_COVER_MAX; i++)
        if (key >= ranges[i].low && key < ranges[i].high)
            return true;
    return false;
}

static double at(double from, double to, int step)
{
    return from + (to - from) * step / 8;
}

/* Every position of a box has its key in the cover, and the cover of a small box is small. */
static void test_covers(void **state)
{
    (void)state;
    static const struct map_box boxes[] = {
        { 10, 50, 10, 50 },       { 10, 50, 10.0001, 50.0001 },
        { -0.5, -0.5, 0.5, 0.5 }, { 9, 49, 12, 51 },
        { -180, -90, 180, 90 },   { 179.5, -17, -179.5, -16 },
        { 170, 10, -100, 60 },    { -180, 80, 180, 90 },
        { -180, -90, -179, -89 }, { 179.9999999, 0, 180, 0.1 },
        { 1, 40, 0, 41 },
    };
    for (size_t i = 0; i < ARRAY_LEN(boxes); i++) {
        struct map_range ranges[MAP_COVER_MAX];
        map_cover(&boxes[i], ranges);
        double east = boxes[i].east < boxes[i].west ? boxes[i].east + 360 : boxes[i].east;
        for (int a = 0; a <= 8; a++)
            for (int b = 0; b <= 8; b++) {
                double longitude = at(boxes[i].west, east, a);
                if (longitude > 180)
                    longitude -= 360;
                assert_true(covered(ranges, key_of(at(boxes[i].south, boxes[i].north, b), longitude)));
            }
    }
    struct map_range ranges[MAP_COVER_MAX];
    map_cover(&boxes[1], ranges);
    int64_t keys = 0;
    for (size_t i = 0; i < MAP_COVER_MAX; i++)
        keys += ranges[i].high - ranges[i].low;
    assert_true(keys < 4 * 16 * 16 * 4);
    assert_false(covered(ranges, key_of(50.1, 10)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_covers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
