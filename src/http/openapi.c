/* Writes the OpenAPI document from routes and component schemas. */
#include "http/openapi.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEM_SCHEMA                                                                                                \
    "{\"type\":\"object\",\"description\":\"RFC 9457.\",\"properties\":{\"type\":{\"type\":\"string\"},\"title\":{"   \
    "\"type\":\"string\"},\"status\":{\"type\":\"integer\"},\"code\":{\"type\":\"string\",\"description\":\"Stable, " \
    "for programs.\"},\"detail\":{\"type\":\"string\"},\"request_id\":{\"type\":"                                     \
    "\"string\"},\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"field\":{\"type\":"  \
    "\"string\"},\"code\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"}},\"required\":[\"field\",\"code\"," \
    "\"message\"]}}},\"required\":[\"status\",\"code\"]}"

#define SECURITY_SCHEMES                                                                                                             \
    "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\",\"description\":\"Access token of a sign-in.\"}," \
    "\"apiKey\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-API-Key\"},\"refreshCookie\":{\"type\":\"apiKey\",\"in\":\"cookie\"}}"

/* When an error can be answered by any route of a kind, so that the tables need not repeat it. */
enum { ALWAYS = 0, SIGNED_IN = 1, PATH_PARAMETER = 2, BODY = 4 };

static const struct {
    int status;
    unsigned when; /* any of these; ALWAYS: on every route */
    const char *about;
} common_errors[] = {
    { 400, ALWAYS, "The request is malformed." },
    { 401, SIGNED_IN, "Nobody is signed in, or the token or key is no longer valid." },
    { 403, SIGNED_IN, "The caller may not do this." },
    { 404, PATH_PARAMETER, "There is no such thing, or it is not the caller's." },
    { 408, BODY, "The body did not arrive in time." },
    { 411, BODY, "The body's length is missing." },
    { 413, ALWAYS, "The body is too large." },
    { 414, ALWAYS, "The address is too long." },
    { 415, BODY, "The body's content type is not supported." },
    { 422, ALWAYS, "A field or parameter is invalid; `errors` names each." },
    { 429, ALWAYS, "Too many requests; `Retry-After` tells when to come again." },
    { 431, ALWAYS, "The headers are too large." },
    { 500, ALWAYS, "A mistake on the server's side." },
    { 503, ALWAYS, "The server is busy or its database away; `Retry-After` tells when to come again." },
    { 504, ALWAYS, "The database took too long." },
};

/* Component schemas come from constants of the program: a malformed one is a mistake that no input causes. */
static json_t *must_parse(const char *name, const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL) {
        fprintf(stderr, "trackerd: schema %s: %s\n", name, error.text);
        abort();
    }
    return value;
}

static json_t *security_schemes(const char *refresh_cookie)
{
    json_t *schemes = must_parse("securitySchemes", SECURITY_SCHEMES);
    json_object_set_new(json_object_get(schemes, "refreshCookie"), "name", json_string(refresh_cookie));
    return schemes;
}

static void add_schema(void *to, const char *name, const char *json)
{
    json_object_set_new(to, name, must_parse(name, json));
}

static json_t *reference(const char *schema)
{
    char path[256];
    snprintf(path, sizeof(path), "#/components/schemas/%s", schema);
    return json_pack("{ss}", "$ref", path);
}

static json_t *content(const char *type, const char *schema)
{
    if (strcmp(type, "application/json") != 0 && strstr(type, "+json") == NULL && strcmp(schema, "Text") == 0)
        return json_pack("{s{s{ss}}}", type, "schema", "type", "string");
    return json_pack("{s{so}}", type, "schema", reference(schema));
}

/* ---- parameters ---- */

static json_t *words_schema(const char *const *words)
{
    json_t *list = json_array();
    for (size_t i = 0; words[i] != NULL; i++)
        json_array_append_new(list, json_string(words[i]));
    return json_pack("{ssso}", "type", "string", "enum", list);
}

static json_t *bounded(const char *type, const struct parameter *parameter, const char *low, const char *high)
{
    json_t *schema = json_pack("{ss}", "type", type);
    if (parameter->min != 0 || parameter->max != 0) {
        json_object_set_new(schema, low, json_integer(parameter->min));
        json_object_set_new(schema, high, json_integer(parameter->max));
    }
    return schema;
}

static json_t *parameter_schema(const struct parameter *parameter)
{
    switch (parameter->type) {
    case VALUE_INT:
        return bounded("integer", parameter, "minimum", "maximum");
    case VALUE_ID:
        return json_pack("{sssssi}", "type", "integer", "format", "int64", "minimum", 1);
    case VALUE_NUMBER:
        return bounded("number", parameter, "minimum", "maximum");
    case VALUE_BOOL:
        return json_pack("{ss}", "type", "boolean");
    case VALUE_TIME:
        return json_pack("{ssss}", "type", "string", "format", "date-time");
    case VALUE_ENUM:
        return words_schema(parameter->words);
    default:
        return bounded("string", parameter, "minLength", "maxLength");
    }
}

static json_t *parameter_entry(const struct parameter *parameter)
{
    const char *in = parameter->in != NULL ? parameter->in : "query";
    bool required = parameter->required || strcmp(in, "path") == 0;
    json_t *entry = json_pack("{sssssbso}", "name", parameter->name, "in", in, "required", required, "schema",
                              parameter_schema(parameter));
    if (parameter->about != NULL)
        json_object_set_new(entry, "description", json_string(parameter->about));
    return entry;
}

static bool describes(const struct route *route, const char *name, size_t len)
{
    for (size_t i = 0; i < route->parameter_count; i++) {
        const struct parameter *parameter = &route->parameters[i];
        if (parameter->in != NULL && strcmp(parameter->in, "path") == 0 && strlen(parameter->name) == len &&
            memcmp(parameter->name, name, len) == 0)
            return true;
    }
    return false;
}

/* What the table describes, and the path's parameters that it leaves out: those are ids. */
static json_t *parameters_of(const struct route *route)
{
    json_t *list = json_array();
    for (const char *p = strchr(route->path, '{'); p != NULL; p = strchr(p, '{')) {
        size_t len = strcspn(++p, "}");
        if (describes(route, p, len))
            continue;
        char name[64];
        snprintf(name, sizeof(name), "%.*s", (int)len, p);
        const struct parameter id = { .name = name, .type = VALUE_ID, .in = "path" };
        json_array_append_new(list, parameter_entry(&id));
    }
    for (size_t i = 0; i < route->parameter_count; i++)
        json_array_append_new(list, parameter_entry(&route->parameters[i]));
    return list;
}

/* ---- answers ---- */

static void set_answer(json_t *answers, int status, json_t *answer)
{
    char key[8];
    snprintf(key, sizeof(key), "%d", status);
    if (json_object_get(answers, key) == NULL)
        json_object_set_new(answers, key, answer);
    else
        json_decref(answer);
}

static json_t *answer_entry(const char *about, const char *schema, const char *content_type)
{
    json_t *entry = json_pack("{ss}", "description", about != NULL ? about : "");
    if (schema == NULL)
        return entry;
    if (content_type == NULL)
        content_type = strcmp(schema, "Problem") == 0 ? "application/problem+json" : "application/json";
    json_object_set_new(entry, "content", content(content_type, schema));
    return entry;
}

static bool has_body(const struct route *route)
{
    return route->method == HTTP_POST || route->method == HTTP_PUT || route->method == HTTP_PATCH;
}

static json_t *answers_of(const struct route *route)
{
    json_t *answers = json_object();
    for (size_t i = 0; i < route->answer_count; i++) {
        const struct answer *answer = &route->answers[i];
        set_answer(answers, answer->status,
                   answer_entry(answer->about, answer->schema, answer->content_type));
    }
    unsigned kind = (route->access != ACCESS_PUBLIC ? SIGNED_IN : 0) |
                    (strchr(route->path, '{') != NULL ? PATH_PARAMETER : 0) | (has_body(route) ? BODY : 0);
    for (size_t i = 0; i < sizeof(common_errors) / sizeof(common_errors[0]); i++)
        if (common_errors[i].when == ALWAYS || (common_errors[i].when & kind) != 0)
            set_answer(answers, common_errors[i].status,
                       answer_entry(common_errors[i].about, "Problem", NULL));
    return answers;
}

/* ---- operations ---- */

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL)
        json_object_set_new(object, key, json_string(text));
}

static json_t *operation_of(const struct route *route)
{
    json_t *operation = json_object();
    set_text(operation, "operationId", route->operation_id);
    set_text(operation, "summary", route->summary);
    set_text(operation, "description", route->about);
    if (route->tag != NULL)
        json_object_set_new(operation, "tags", json_pack("[s]", route->tag));
    json_object_set_new(operation, "parameters", parameters_of(route));
    if (route->body_schema != NULL) {
        const char *type = route->body_content_type != NULL ? route->body_content_type : "application/json";
        json_object_set_new(operation, "requestBody",
                            json_pack("{sbso}", "required", 1, "content", content(type, route->body_schema)));
    }
    json_object_set_new(operation, "responses", answers_of(route));
    json_object_set_new(operation, "security",
                        route->access == ACCESS_PUBLIC ? json_array()
                                                       : json_pack("[{s[]}{s[]}]", "bearer", "apiKey"));
    return operation;
}

static json_t *paths_of(const struct openapi_info *info)
{
    json_t *paths = json_object();
    for (size_t i = 0; i < info->route_count; i++) {
        const struct route *route = &info->routes[i];
        if ((route->flags & ROUTE_HIDDEN) != 0)
            continue;
        json_t *path = json_object_get(paths, route->path);
        if (path == NULL) {
            path = json_object();
            json_object_set_new(paths, route->path, path);
        }
        char method[16];
        snprintf(method, sizeof(method), "%s", http_method_names[route->method]);
        for (char *c = method; *c != '\0'; c++)
            *c = (char)tolower((unsigned char)*c);
        json_object_set_new(path, method, operation_of(route));
    }
    return paths;
}

static int append(const char *data, size_t len, void *out)
{
    buf_append(out, data, len);
    return 0;
}

void openapi_write(struct buf *out, const struct openapi_info *info)
{
    json_t *schemas = json_object();
    add_schema(schemas, "Problem", PROBLEM_SCHEMA);
    info->schemas(add_schema, schemas);
    json_t *document = json_pack("{sss{ss ss ss}s[{ss}]sos{soso}}", "openapi", "3.1.0", "info", "title",
                                 info->title, "version", info->version, "description", info->description,
                                 "servers", "url", info->server_url, "paths", paths_of(info), "components",
                                 "schemas", schemas, "securitySchemes",
                                 security_schemes(info->refresh_cookie));
    if (document == NULL)
        abort();
    json_dump_callback(document, append, out, JSON_COMPACT);
    json_decref(document);
}
