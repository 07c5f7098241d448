/* Reads If-Match into row versions. */
#include "api/conditions.h"

#include <inttypes.h>
#include <string.h>

#include "base/parse.h"

const char *version_etag(struct arena *arena, int64_t version)
{
    return arena_printf(arena, "\"%" PRId64 "\"", version);
}

/* One entity tag from *text on; moves *text behind it. False: not a tag. A weak tag or one that is no version
 * is read and left out, because If-Match compares strongly. */
static bool next_tag(struct arena *arena, const char **text, struct condition *condition)
{
    bool weak = strncmp(*text, "W/", 2) == 0;
    const char *open = *text + (weak ? 2 : 0);
    const char *close = *open == '"' ? strchr(open + 1, '"') : NULL;
    if (close == NULL)
        return false;
    /* A row that shows more than its own columns is tagged "version-hash"; what is written is the version. */
    int64_t version;
    const char *end = memchr(open + 1, '-', (size_t)(close - open - 1));
    if (end == NULL || end == open + 1)
        end = close;
    if (!weak && parse_i64(arena_strndup(arena, open + 1, (size_t)(end - open - 1)), &version) &&
        condition->count < CONDITION_MAX_VERSIONS)
        condition->versions[condition->count++] = version;
    *text = close + 1;
    return true;
}

struct condition condition_parse(struct arena *arena, const char *header)
{
    struct condition condition = { 0 };
    if (header == NULL || strcmp(header, "*") == 0)
        return condition;

    condition.given = true;
    for (const char *text = header; *(text += strspn(text, " \t,")) != '\0';)
        if (!next_tag(arena, &text, &condition)) {
            condition.count = 0;
            break;
        }
    struct buf array = { 0 };
    for (size_t i = 0; i < condition.count; i++)
        buf_printf(&array, "%c%" PRId64, i > 0 ? ',' : '{', condition.versions[i]);
    condition.array = condition.count > 0 ? arena_printf(arena, "%s}", buf_text(&array)) : "{}";
    buf_free(&array);
    return condition;
}

bool condition_allows(const struct condition *condition, int64_t version)
{
    for (size_t i = 0; i < condition->count; i++)
        if (condition->versions[i] == version)
            return true;
    return !condition->given;
}
