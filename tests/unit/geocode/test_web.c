/* Questions to Nominatim and Photon, and their answers, good and bad. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "geocode/web.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static bool read_answer(const char *provider, const char *text, struct geo_places *places)
{
    struct error err = { .code = "" };
    json_t *answer = json_loads(text, 0, NULL);
    bool good = web_provider(provider)->read(answer, arena, places, &err);
    json_decref(answer);
    assert_int_equal(!good, error_is(&err, "geocoder_answer"));
    return good;
}

/* ---- questions ---- */

static void questions_carry_what_the_policies_want(void **state)
{
    (void)state;
    const struct web_manner manner = { .base = "https://geo.example/nominatim//",
                                       .language = "de",
                                       .email = "a+b@c.example" };
    const struct web_manner bare = { .base = "http://h", .language = "en", .email = "" };
    const struct web_provider *nominatim = web_provider("nominatim"), *photon = web_provider("photon");
    struct buf url = { 0 };
    nominatim->search_url(&url, &manner, "Straße 5 & Söhne", 5);
    assert_string_equal(buf_text(&url),
                        "https://geo.example/nominatim/search?q=Stra%C3%9Fe%205%20%26%20S%C3%B6hne&limit=5"
                        "&format=jsonv2&addressdetails=1&accept-language=de&email=a%2Bb%40c.example");
    buf_clear(&url);
    nominatim->reverse_url(&url, &bare, -33.86, 151.2094, true);
    assert_string_equal(buf_text(&url), "http://h/reverse?lat=-33.860000&lon=151.209400&zoom=13&format=jsonv2"
                                        "&addressdetails=1&accept-language=en");
    buf_clear(&url);
    nominatim->reverse_url(&url, &bare, 90, -180, false);
    assert_non_null(strstr(buf_text(&url), "lat=90.000000&lon=-180.000000&zoom=18"));
    buf_clear(&url);
    photon->search_url(&url, &bare, "x", 1000);
    assert_string_equal(buf_text(&url), "http://h/api?q=x&limit=10&lang=en");
    buf_clear(&url);
    photon->reverse_url(&url, &bare, 1.5, 2.5, true);
    assert_string_equal(buf_text(&url),
                        "http://h/reverse?lat=1.500000&lon=2.500000&radius=10&limit=1&lang=en");
    buf_free(&url);
    assert_null(web_provider("offline"));
    assert_null(web_provider(""));
}

/* ---- Nominatim ---- */

#define HOUSE                                                                                                \
    "{\"lat\":\"53.5573\",\"lon\":\"10.0115\",\"place_rank\":30,\"name\":\"\",\"display_name\":\"5, Lange "  \
    "Reihe, Hamburg, Deutschland\",\"address\":{\"road\":\"Lange Reihe\",\"suburb\":\"St. Georg\",\"city\":" \
    "\"Hamburg\",\"state\":\"Hamburg\",\"country_code\":\"de\"}}"

static void nominatim_answers(void **state)
{
    (void)state;
    struct geo_places places;
    assert_true(read_answer("nominatim", HOUSE, &places)); /* reverse */
    assert_int_equal(places.count, 1);
    const struct geo_place *place = &places.list[0];
    assert_true(fabs(place->latitude - 53.5573) < 1e-9 && fabs(place->longitude - 10.0115) < 1e-9);
    assert_int_equal(place->kind, GEO_ADDRESS);
    assert_true(place->exact);
    assert_string_equal(place->name, "Hamburg");
    assert_string_equal(place->region, "Hamburg");
    assert_string_equal(place->country_code, "DE");
    assert_string_equal(place->label, "5, Lange Reihe, Hamburg, Deutschland");

    assert_true(read_answer("nominatim", "[" HOUSE "," HOUSE ",{\"lat\":\"x\"}]", &places)); /* search */
    assert_int_equal(places.count, 2);
    assert_true(read_answer("nominatim", "[]", &places));
    assert_int_equal(places.count, 0);
    assert_true(read_answer("nominatim", "{\"error\":\"Unable to geocode\"}", &places)); /* the sea */
    assert_int_equal(places.count, 0);
}

static void nominatim_kinds_and_names(void **state)
{
    (void)state;
    static const struct {
        int rank;
        enum geo_kind kind;
    } ranks[] = { { 30, GEO_ADDRESS }, { 28, GEO_ADDRESS }, { 27, GEO_STREET },
                  { 26, GEO_STREET },  { 25, GEO_TOWN },    { 13, GEO_TOWN },
                  { 12, GEO_AREA },    { 4, GEO_AREA },     { 0, GEO_AREA } };
    struct geo_places places;
    for (size_t i = 0; i < ARRAY_LEN(ranks); i++) {
        const char *text = arena_printf(arena,
                                        "[{\"lat\":\"1\",\"lon\":\"2\",\"display_name\":\"d\",\"name\":\"n\","
                                        "\"place_rank\":%d,\"address\":{\"country_code\":\"xx1\"}}]",
                                        ranks[i].rank);
        assert_true(read_answer("nominatim", text, &places));
        assert_int_equal(places.list[0].kind, ranks[i].kind);
        assert_string_equal(places.list[0].name, "n"); /* no town around it */
        assert_null(places.list[0].country_code);
        assert_null(places.list[0].region);
    }
}

/* ---- Photon ---- */

static void photon_answers(void **state)
{
    (void)state;
    struct geo_places places;
    assert_true(read_answer(
        "photon",
        "{\"type\":\"FeatureCollection\",\"features\":[{\"geometry\":{\"type\":\"Point\",\"coordinates\":[10.0115,"
        "53.5573]},\"properties\":{\"type\":\"house\",\"street\":\"Lange Reihe\",\"housenumber\":\"5\",\"postcode\":"
        "\"20099\",\"city\":\"Hamburg\",\"state\":\"Hamburg\",\"country\":\"Germany\",\"countrycode\":\"DE\"}},"
        "{\"geometry\":{\"coordinates\":[10,53.55]},\"properties\":{\"type\":\"city\",\"name\":\"Hamburg\",\"county\":"
        "\"x\",\"countrycode\":\"DE\"}},{\"geometry\":{\"coordinates\":[10,53.5]},\"properties\":{\"type\":"
        "\"district\",\"name\":\"Altona\",\"city\":\"Hamburg\"}},{\"geometry\":{\"coordinates\":[10,91]},"
        "\"properties\":{\"name\":\"nowhere\"}}]}",
        &places));
    assert_int_equal(places.count, 3);
    assert_string_equal(places.list[0].label, "Lange Reihe 5, 20099 Hamburg, Germany");
    assert_string_equal(places.list[0].name, "Hamburg");
    assert_int_equal(places.list[0].kind, GEO_ADDRESS);
    assert_true(fabs(places.list[0].latitude - 53.5573) < 1e-9);
    assert_string_equal(places.list[1].name, "Hamburg");
    assert_string_equal(places.list[1].label, "Hamburg");
    assert_int_equal(places.list[1].kind, GEO_TOWN);
    assert_string_equal(places.list[2].name, "Hamburg");
    assert_string_equal(places.list[2].label, "Altona, Hamburg");
    assert_true(read_answer("photon", "{\"features\":[]}", &places));
    assert_int_equal(places.count, 0);
}

static void answers_of_something_else(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[1]",
        "3",
        "{}",
        "{\"features\":{}}",
        "[{}]",
        "{\"features\":[{}]}",
        "null",
        "[{\"lat\":1,\"lon\":2,\"display_name\":\"numbers\"}]",
        "[{\"lat\":\"91\",\"lon\":\"2\",\"display_name\":\"off the globe\"}]"
    };
    struct geo_places places;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (read_answer("nominatim", bad[i], &places) || read_answer("photon", bad[i], &places))
            fail_msg("%s", bad[i]);
    }
    struct error err;
    assert_false(web_provider("photon")->read(NULL, arena, &places, &err)); /* no JSON at all */
    assert_false(web_provider("nominatim")->read(NULL, arena, &places, &err));
}

static void texts_and_lists_are_bounded(void **state)
{
    (void)state;
    char name[400 * 2 + 1] = "";
    for (int i = 0; i < 400; i++)
        strcat(name, "ä");
    struct geo_places places;
    struct buf many = { 0 };
    buf_puts(&many, "[");
    for (int i = 0; i < GEO_MAX_PLACES + 1; i++)
        buf_printf(&many,
                   "%s{\"lat\":\"1\",\"lon\":\"2\",\"display_name\":\"%s\",\"address\":{\"city\":\"%s\"}}",
                   i > 0 ? "," : "", name, name);
    buf_puts(&many, "]");
    assert_true(read_answer("nominatim", buf_text(&many), &places));
    assert_int_equal(places.count, GEO_MAX_PLACES);
    assert_int_equal(strlen(places.list[0].name), 300 * 2); /* characters, none of them cut in two */
    assert_int_equal(strlen(places.list[0].label), 400 * 2);
    buf_free(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_carry_what_the_policies_want),
        cmocka_unit_test(nominatim_answers),
        cmocka_unit_test(nominatim_kinds_and_names),
        cmocka_unit_test(photon_answers),
        cmocka_unit_test(answers_of_something_else),
        cmocka_unit_test(texts_and_lists_are_bounded),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
