/* GET /search: one question over the names, codes and descriptions of everything that the caller may see. */
#include "api/search.h"

#include <string.h>

#include "api/app.h"
#include "api/db_problem.h"
#include "base/encode.h"
#include "base/json.h"

#define GROUP_LIMIT_DEFAULT 10
#define GROUP_LIMIT_MAX     50

/* Ranking looks at this many matches at most: a word that a million rows share tells nothing anyway. */
#define CANDIDATES "2000"

/* $1 the words, $2 a pattern for parts, $3 the longest group; $4 the clients of the caller. Exact names come
 * first, then beginnings, then by words. */
#define SEARCH_SQL(clients)                                                                                          \
    "WITH found AS (SELECT s.resource, s.resource_id, s.client_id, s.title, s.codes, s.body, s.archived, "           \
    "CASE WHEN lower(s.title) = lower($1) THEN 3 WHEN s.parts LIKE lower($2) THEN 1 ELSE 0 END + "                   \
    "CASE WHEN starts_with(s.parts, lower($1)) THEN 1 ELSE 0 END + "                                                 \
    "ts_rank(s.words, websearch_to_tsquery('simple', $1)) AS rank FROM search_index s WHERE " clients                \
    "NOT s.archived AND (s.words @@ websearch_to_tsquery('simple', $1) OR s.parts LIKE lower($2)) LIMIT " CANDIDATES \
    "), ranked AS (SELECT f.*, row_number() OVER (PARTITION BY f.resource ORDER BY f.rank DESC, f.title, "           \
    "f.resource_id) AS place, count(*) OVER (PARTITION BY f.resource) AS matches, max(f.rank) OVER "                 \
    "(PARTITION BY f.resource) AS best FROM found f) "                                                               \
    "SELECT resource, resource_id, client_id, title, split_part(codes, ' ', 1) AS code, left(body, 200) AS "         \
    "excerpt, matches FROM ranked WHERE place <= $3 ORDER BY best DESC, resource, place"

static const char search_all_sql[] = SEARCH_SQL("");
static const char search_own_sql[] = SEARCH_SQL("s.client_id = ANY ($4) AND ");

static void put_hit(struct json *json, const struct rows *rows, size_t row)
{
    json_start_object(json);
    json_put_int(json, "id", rows_int(rows, row, 1));
    json_put_int(json, "client_id", rows_int(rows, row, 2));
    json_put_text(json, "name", rows_text(rows, row, 3));
    json_put_text(json, "code", rows_text(rows, row, 4)[0] != '\0' ? rows_text(rows, row, 4) : NULL);
    json_put_text(json, "excerpt", rows_text(rows, row, 5));
    json_end_object(json);
}

/* Rows of one resource stand together. */
static void reply_groups(struct request *req, const struct rows *rows)
{
    struct buf body = { 0 };
    struct json json;
    json_begin(&json, &body);
    json_start_object(&json);
    json_key(&json, "groups");
    json_start_array(&json);
    for (size_t i = 0; i < rows_count(rows);) {
        const char *resource = rows_text(rows, i, 0);
        json_start_object(&json);
        json_put_text(&json, "resource", resource);
        json_put_int(&json, "matches", rows_int(rows, i, 6));
        json_key(&json, "items");
        json_start_array(&json);
        for (; i < rows_count(rows) && strcmp(rows_text(rows, i, 0), resource) == 0; i++)
            put_hit(&json, rows, i);
        json_end_array(&json);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    reply_json(req, 200, &body);
}

static void search(struct request *req)
{
    static const char *const known[] = { "q", "limit", NULL };
    int64_t limit;
    if (!query_known(req, known) || !query_int(req, "limit", 1, GROUP_LIMIT_MAX, GROUP_LIMIT_DEFAULT, &limit))
        return;
    const char *q = request_query(req, "q");
    size_t length = q != NULL ? utf8_length(q, strlen(q)) : 0;
    if (length == 0 || length > SEARCH_MAX) {
        problem_field(req, "q", length == 0 ? "required" : "too_long", "must have 1 to %d characters",
                      SEARCH_MAX);
        reply_invalid(req);
        return;
    }

    const struct principal *principal = req->principal;
    bool all = principal->role == ROLE_ADMIN;
    const struct db_param params[] = {
        { .type = 's', .value.data = q },
        { .type = 's', .value.data = like_pattern(req->arena, q) },
        { .type = 'i', .value.number = limit },
        { .type = 'a', .value.data = principal->client_ids, .count = principal->client_count },
    };
    struct statement statement = { all ? search_all_sql : search_own_sql, params, all ? 3 : 4 };
    struct rows *rows = read_rows(req, &statement);
    if (rows_ok(rows))
        reply_groups(req, rows);
    else
        reply_db_problem(req, rows);
}

static const struct parameter parameters[] = {
    { .name = "q",
      .type = VALUE_TEXT,
      .about = "Words, or a part of a name or MAC address.",
      .required = true,
      .min = 1,
      .max = SEARCH_MAX },
    { .name = "limit",
      .type = VALUE_INT,
      .about = "Rows of each group; 10 when left out.",
      .min = 1,
      .max = GROUP_LIMIT_MAX },
};
static const struct answer answers[] = {
    { 200, "SearchResult", "Matches, grouped by resource, the best group first." },
    { 422, "Problem", "A parameter is not valid.", "application/problem+json" },
};

const struct route search_routes[] = {
    { .method = HTTP_GET,
      .path = "/api/v1/search",
      .handle = search,
      .access = ACCESS_USER,
      .tag = "search",
      .summary = "Search over all resources",
      .about =
          "Looks into the names, codes and descriptions of clients, brands, production runs, locations and "
          "trackers that are not archived. Words match in any order; a part of a name or of a MAC address "
          "matches too.",
      .operation_id = "search",
      .parameters = parameters,
      .parameter_count = ARRAY_LEN(parameters),
      .answers = answers,
      .answer_count = ARRAY_LEN(answers) },
};
const size_t search_route_count = ARRAY_LEN(search_routes);
