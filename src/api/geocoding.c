/* GET /geocoding/search and /geocoding/reverse; positions of locations that have only an address. */
#include "api/geocoding.h"

#include <string.h>

#include "api/app.h"
#include "base/encode.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/timeutil.h"
#include "geocode/geocoder.h"

#define QUERY_MAX     500 /* characters; an address is shorter */
#define LIMIT_DEFAULT 5

/* Longest wait for a moment that a web geocoder's limit allows: a handler's thread waits with it. With one
 * request a second few can wait at a time; the others are told to come again. */
#define MAX_WAIT SECONDS(2)

/* ---- asking ---- */

struct question {
    struct geocoder *geocoder;
    struct geo_places places;
    enum geocode_outcome outcome;
    int64_t wait;
    struct error err;
};

static void close_geocoder(void *geocoder)
{
    geocoder_free(geocoder);
}

/* A geocoder for this request. The web ones are asked about once a second by all processes together, so a
 * connection of its own costs nothing that counts. */
static bool begin(struct request *req, struct question *question)
{
    question->geocoder = geocoder_new(req->app->config, &question->err);
    if (question->geocoder == NULL) {
        reply_problem(req, 503, "geocoder_unavailable", "%s", question->err.message);
        return false;
    }
    arena_defer(req->arena, close_geocoder, question->geocoder);
    return true;
}

static struct geocode_manner manner_of(const struct request *req, size_t limit)
{
    int64_t timeout = req->app->config->geocoder_timeout;
    return (struct geocode_manner){ .remember = true,
                                    .limit = limit,
                                    .max_wait = timeout < MAX_WAIT ? timeout : MAX_WAIT };
}

static void search_places(struct request *req, struct question *question, const char *query, size_t limit)
{
    struct geocode_manner manner = manner_of(req, limit);
    question->outcome = geocoder_search(question->geocoder, req->db, req->arena, query, &manner,
                                        &question->places, &question->wait, &question->err);
}

/* The answer to a question that the geocoder did not answer. */
static void reply_no_answer(struct request *req, const struct question *question)
{
    request_note(req, "geocoder", question->err.message);
    int64_t seconds = (question->wait + SECONDS(1) - 1) / SECONDS(1);
    switch (question->outcome) {
    case GEOCODE_OFF:
        reply_unavailable(req, "geocoder_unavailable", 60, question->err.message);
        return;
    case GEOCODE_WAIT:
        reply_unavailable(req, "geocoder_busy", (int)(seconds > 0 ? seconds : 1),
                          "The geocoder may not be asked more often; try again.");
        return;
    default:
        reply_unavailable(req, "geocoder_unavailable", 10, "The geocoder does not answer.");
        return;
    }
}

/* ---- answering ---- */

static void put_place(struct json *json, const struct geo_place *place)
{
    json_start_object(json);
    json_key(json, "position");
    json_start_object(json);
    json_put_double(json, "latitude", place->latitude);
    json_put_double(json, "longitude", place->longitude);
    json_end_object(json);
    json_put_text(json, "label", place->label);
    json_put_text(json, "name", place->name);
    json_put_text(json, "region", place->region);
    json_put_text(json, "country_code", place->country_code);
    json_put_text(json, "kind", geo_kind_names[place->kind]);
    json_put_bool(json, "exact", place->exact);
    json_end_object(json);
}

static void put_source(struct json *json, const struct question *question)
{
    json_put_text(json, "provider", geocoder_name(question->geocoder));
    json_put_text(json, "attribution", geocoder_attribution(question->geocoder));
}

static void get_search(struct request *req)
{
    static const char *const known[] = { "q", "limit", NULL };
    struct question question = { 0 };
    int64_t limit;
    if (!query_known(req, known) || !query_int(req, "limit", 1, GEO_MAX_PLACES, LIMIT_DEFAULT, &limit))
        return;
    const char *q = request_query(req, "q");
    size_t length = q != NULL ? utf8_length(q, strlen(q)) : 0;
    if (length == 0 || length > QUERY_MAX) {
        problem_field(req, "q", length == 0 ? "required" : "too_long", "must have 1 to %d characters",
                      QUERY_MAX);
        reply_invalid(req);
        return;
    }
    if (!begin(req, &question))
        return;
    search_places(req, &question, q, (size_t)limit);
    if (question.outcome == GEOCODE_REFUSED)
        question.places.count = 0; /* the server makes nothing of such a text */
    else if (question.outcome != GEOCODE_DONE) {
        reply_no_answer(req, &question);
        return;
    }

    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "items");
    json_start_array(&json);
    for (size_t i = 0; i < question.places.count; i++)
        put_place(&json, &question.places.list[i]);
    json_end_array(&json);
    put_source(&json, &question);
    json_end_object(&json);
    reply_json(req, 200, &body);
}

/* A required number of the query, or a problem. */
static double take_degrees(struct request *req, const char *name, double limit)
{
    const char *text = request_query(req, name);
    double value = 0;
    if (text == NULL)
        problem_field(req, name, "required", "is required");
    else if (!parse_double(text, &value) || value < -limit || value > limit)
        problem_field(req, name, "out_of_range", "must be a number from %g to %g", -limit, limit);
    return value;
}

static void get_reverse(struct request *req)
{
    static const char *const known[] = { "latitude", "longitude", NULL };
    struct question question = { 0 };
    if (!query_known(req, known))
        return;
    double latitude = take_degrees(req, "latitude", 90), longitude = take_degrees(req, "longitude", 180);
    if (problem_pending(req)) {
        reply_invalid(req);
        return;
    }
    if (!begin(req, &question))
        return;
    struct geocode_manner manner = manner_of(req, 1);
    question.outcome = geocoder_reverse(question.geocoder, req->db, req->arena, latitude, longitude, &manner,
                                        &question.places, &question.wait, &question.err);
    if (question.outcome == GEOCODE_REFUSED)
        question.places.count = 0;
    else if (question.outcome != GEOCODE_DONE) {
        reply_no_answer(req, &question);
        return;
    }

    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "place");
    if (question.places.count > 0)
        put_place(&json, &question.places.list[0]);
    else
        json_write_null(&json);
    put_source(&json, &question);
    json_end_object(&json);
    reply_json(req, 200, &body);
}

/* ---- locations by their address ---- */

static bool left_out(const json_t *body, const char *name)
{
    const json_t *value = json_object_get(body, name);
    return value == NULL || json_is_null(value);
}

bool geocode_body(struct request *req, json_t *body, bool create)
{
    struct question question = { 0 };
    const char *address = json_string_value(json_object_get(body, "address"));
    bool wanted = create ? left_out(body, "center") : json_is_null(json_object_get(body, "center"));
    size_t length = address != NULL ? utf8_length(address, strlen(address)) : 0;
    if (!wanted || !left_out(body, "polygon") || length == 0 || length > QUERY_MAX)
        return true;
    if (!begin(req, &question))
        return false;

    search_places(req, &question, address, 1);
    switch (question.outcome) {
    case GEOCODE_OFF:
        return true; /* as if there were no geocoding: the body is told what it lacks */
    case GEOCODE_WAIT:
    case GEOCODE_DOWN:
        reply_no_answer(req, &question);
        return false;
    default:
        break;
    }
    /* A fence around the middle of a town because its streets are not known would judge wrongly. */
    const struct geo_place *place = &question.places.list[0];
    if (question.outcome == GEOCODE_DONE && question.places.count > 0 && place->exact)
        json_object_set_new(
            body, "center",
            json_pack("{s:f,s:f}", "latitude", place->latitude, "longitude", place->longitude));
    else
        problem_field(req, "address", "not_found",
                      "the geocoder (%s) knows no position for it; give a center or a polygon",
                      geocoder_name(question.geocoder));
    return true;
}

/* ---- the document ---- */

#define PLACE                                                                                                \
    "{\"type\":\"object\",\"properties\":{\"position\":{\"$ref\":\"#/components/schemas/Position\"},"        \
    "\"label\":{\"type\":\"string\",\"description\":\"One line for a person.\"},\"name\":{\"type\":"         \
    "[\"string\",\"null\"],\"description\":\"Town or village.\"},\"region\":{\"type\":[\"string\","          \
    "\"null\"]},\"country_code\":{\"type\":[\"string\",\"null\"],\"pattern\":\"^[A-Z]{2}$\"},\"kind\":{"     \
    "\"type\":\"string\",\"enum\":[\"address\",\"street\",\"town\",\"area\"],\"description\":\"How closely " \
    "the place is known.\"},\"exact\":{\"type\":\"boolean\",\"description\":\"It is what was asked for as "  \
    "a whole; false when it is only the town of an address, or near a position.\"}},\"required\":["          \
    "\"position\",\"label\",\"name\",\"region\",\"country_code\",\"kind\",\"exact\"],"                       \
    "\"additionalProperties\":false}"
#define SOURCE                                                                                               \
    "\"provider\":{\"type\":\"string\",\"enum\":[\"offline\",\"nominatim\",\"photon\",\"none\"]},"           \
    "\"attribution\":{\"type\":\"string\",\"description\":\"To be shown with the places.\"}"

void geocoding_schemas(void (*add)(void *to, const char *name, const char *json), void *to)
{
    add(to, "GeocodedPlace", PLACE);
    add(to, "GeocodedPlaces",
        "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{\"$ref\":"
        "\"#/components/schemas/GeocodedPlace\"}}," SOURCE
        "},\"required\":[\"items\",\"provider\",\"attribution\"],\"additionalProperties\":false}");
    add(to, "GeocodedPosition",
        "{\"type\":\"object\",\"properties\":{\"place\":{\"anyOf\":[{\"$ref\":"
        "\"#/components/schemas/GeocodedPlace\"},{\"type\":\"null\"}]}," SOURCE
        "},\"required\":[\"place\",\"provider\",\"attribution\"],\"additionalProperties\":false}");
}

static const struct parameter search_parameters[] = {
    { .name = "q",
      .type = VALUE_TEXT,
      .about = "An address or a town, in any language; a beginning is enough for towns.",
      .required = true,
      .min = 1,
      .max = QUERY_MAX },
    { .name = "limit",
      .type = VALUE_INT,
      .about = "Places; 5 when left out.",
      .min = 1,
      .max = GEO_MAX_PLACES },
};
static const struct parameter reverse_parameters[] = {
    { .name = "latitude",
      .type = VALUE_NUMBER,
      .about = "WGS 84, degrees.",
      .required = true,
      .min = -90,
      .max = 90 },
    { .name = "longitude", .type = VALUE_NUMBER, .required = true, .min = -180, .max = 180 },
};
static const struct answer search_answers[] = {
    { 200, "GeocodedPlaces", "Places, the best first." },
    { 422, "Problem", "A parameter is not valid.", "application/problem+json" },
    { 503, "Problem", "The geocoder does not answer, or may not be asked more often at the moment.",
      "application/problem+json" },
};
static const struct answer reverse_answers[] = {
    { 200, "GeocodedPosition", "The place, or null far from any." },
    { 422, "Problem", "A parameter is not valid.", "application/problem+json" },
    { 503, "Problem", "The geocoder does not answer, or may not be asked more often at the moment.",
      "application/problem+json" },
};

const struct route geocoding_routes[] = {
    { .method = HTTP_GET,
      .path = "/api/v1/geocoding/search",
      .handle = get_search,
      .access = ACCESS_USER,
      .tag = "geocoding",
      .summary = "Positions of an address",
      .about =
          "Asks the geocoder of this installation. Offline it knows towns only: of a street address it finds the "
          "town.",
      .operation_id = "searchPlaces",
      .parameters = search_parameters,
      .parameter_count = ARRAY_LEN(search_parameters),
      .answers = search_answers,
      .answer_count = ARRAY_LEN(search_answers) },
    { .method = HTTP_GET,
      .path = "/api/v1/geocoding/reverse",
      .handle = get_reverse,
      .access = ACCESS_USER,
      .tag = "geocoding",
      .summary = "Place at a position",
      .operation_id = "reversePlace",
      .parameters = reverse_parameters,
      .parameter_count = ARRAY_LEN(reverse_parameters),
      .answers = reverse_answers,
      .answer_count = ARRAY_LEN(reverse_answers) },
};
const size_t geocoding_route_count = ARRAY_LEN(geocoding_routes);
