/* Answers of Nominatim and Photon: whatever a server says, places are on the globe, bounded and whole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "geocode/web.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct geo_place *place)
{
    if (!(place->latitude >= -90 && place->latitude <= 90 && place->longitude >= -180 &&
          place->longitude <= 180))
        abort();
    if (place->label == NULL || place->kind > GEO_AREA)
        abort();
    if (place->country_code != NULL && strlen(place->country_code) != 2)
        abort();
    if (place->name != NULL && strlen(place->name) > (size_t)4 * 300)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "nominatim", "photon" };
    json_t *answer = json_loadb((const char *)data, size, 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct arena *arena = arena_new();
        struct geo_places places;
        struct error err = { .code = "" };
        bool good = web_provider(names[i])->read(answer, arena, &places, &err);
        if (good == error_is(&err, "geocoder_answer") || (good && places.count > GEO_MAX_PLACES))
            abort();
        for (size_t k = 0; good && k < places.count; k++)
            check(&places.list[k]);
        arena_free(arena);
    }
    json_decref(answer);
    return 0;
}
