/* Path and query parameters that must be valid: a helper delivers the value or has answered. */
#include <inttypes.h>
#include <string.h>

#include "base/parse.h"
#include "base/timeutil.h"
#include "http/request_private.h"

/* Far enough for a slip of the finger, near enough not to suggest another word. */
#define SUGGESTION_DISTANCE 2

bool param_id(struct request *req, const char *name, int64_t *id)
{
    const char *text = request_param(req, name);
    if (text != NULL && parse_i64_range(text, 1, INT64_MAX, id))
        return true;
    reply_problem(req, 404, "not_found", "There is nothing under this address.");
    return false;
}

bool query_int(struct request *req, const char *name, int64_t min, int64_t max, int64_t fallback,
               int64_t *value)
{
    const char *text = request_query(req, name);
    if (text == NULL) {
        *value = fallback;
        return true;
    }
    if (parse_i64_range(text, min, max, value))
        return true;
    problem_field(req, name, "out_of_range", "must be a whole number from %" PRId64 " to %" PRId64, min, max);
    reply_invalid(req);
    return false;
}

bool query_bool(struct request *req, const char *name, bool fallback, bool *value)
{
    const char *text = request_query(req, name);
    if (text == NULL || strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        *value = text == NULL ? fallback : text[0] == 't';
        return true;
    }
    problem_field(req, name, "wrong_type", "must be true or false");
    reply_invalid(req);
    return false;
}

static bool read_time(struct request *req, const char *name, int64_t fallback, int64_t *usec)
{
    const char *text = request_query(req, name);
    if (text == NULL) {
        *usec = fallback;
        return true;
    }
    if (time_parse(text, usec))
        return true;
    problem_field(req, name, "invalid_time", "must be a time like 2025-01-31T12:00:00Z (RFC 3339)");
    return false;
}

bool query_time(struct request *req, const char *name, int64_t fallback, int64_t *usec)
{
    if (read_time(req, name, fallback, usec))
        return true;
    reply_invalid(req);
    return false;
}

/* "a, b or c" */
static const char *list_words(struct arena *arena, const char *const *words)
{
    const char *text = "";
    for (size_t i = 0; words[i] != NULL; i++)
        text = arena_printf(arena, "%s%s%s", text,
                            i == 0                 ? ""
                            : words[i + 1] == NULL ? " or "
                                                   : ", ",
                            words[i]);
    return text;
}

bool query_enum(struct request *req, const char *name, const char *const *words, int fallback, int *index)
{
    const char *text = request_query(req, name);
    *index = text == NULL ? fallback : word_index(words, text);
    if (text == NULL || *index >= 0)
        return true;
    problem_field(req, name, "unknown_value", "must be %s", list_words(req->arena, words));
    reply_invalid(req);
    return false;
}

bool query_period(struct request *req, struct period *period, int64_t max)
{
    return query_period_within(req, period, max, max);
}

bool query_period_within(struct request *req, struct period *period, int64_t usual, int64_t max)
{
    bool valid = read_time(req, "to", time_now(), &period->to);
    if (valid)
        valid = read_time(req, "from", period->to >= TIME_MIN + usual ? period->to - usual : TIME_MIN,
                          &period->from);
    else if (request_query(req, "from") != NULL)
        (void)!read_time(req, "from", 0, &period->from);
    if (valid && period->from >= period->to) {
        problem_field(req, "from", "out_of_range", "must be before \"to\"");
        valid = false;
    } else if (valid && period->to - period->from > max) {
        problem_field(req, "from", "out_of_range", "must be at most %" PRId64 " days before \"to\"",
                      max / DAYS(1));
        valid = false;
    }
    if (!valid)
        reply_invalid(req);
    return valid;
}

static const char *nearest(const char *const *names, const char *name)
{
    const char *found = NULL;
    size_t best = SUGGESTION_DISTANCE + 1;
    for (size_t i = 0; names[i] != NULL; i++) {
        size_t distance = edit_distance(name, names[i], SUGGESTION_DISTANCE);
        if (distance < best) {
            best = distance;
            found = names[i];
        }
    }
    return found;
}

bool query_known(struct request *req, const char *const *names)
{
    const char *name, *value;
    for (size_t i = 0; request_query_at(req, i, &name, &value); i++) {
        if (word_index(names, name) >= 0)
            continue;
        const char *suggestion = nearest(names, name);
        if (suggestion != NULL)
            problem_field(req, name, "unknown_parameter", "is not a parameter; did you mean %s?", suggestion);
        else
            problem_field(req, name, "unknown_parameter", "is not a parameter of this request");
    }
    if (!problem_pending(req))
        return true;
    reply_invalid(req);
    return false;
}
