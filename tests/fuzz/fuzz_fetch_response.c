/* Answers of the report server: the first byte chooses interface and status, the rest is the body. */
#include <stdlib.h>
#include <string.h>

#include "findmy/fetch.h"
#include "findmy/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int statuses[] = { 200, 200, 200, 200, 401, 403, 429, 503 };

static void check(const struct fetch_answer *answer, size_t ids)
{
    for (size_t i = 0; i < answer->count; i++) {
        const struct fetch_report *report = &answer->reports[i];
        if (report->id >= ids || (report->len != REPORT_SHORT && report->len != REPORT_LONG) ||
            (i > 0 && answer->reports[i - 1].time > report->time))
            abort();
        if (i > 0 && answer->reports[i - 1].id == report->id && answer->reports[i - 1].len == report->len &&
            memcmp(answer->reports[i - 1].payload, report->payload, report->len) == 0)
            abort(); /* the same report twice */
    }
    if (answer->outcome != FETCH_OK && answer->count > 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* ids of the corpus: bytes 0x00.., 0x01.. and so on */
    static struct fetch_id ids[4] = {
        { .hash = { 0 } }, { .hash = { 1 } }, { .hash = { 2 } }, { .hash = { 0xff } }
    };
    struct fetch_answer answer;
    if (size == 0)
        return 0;
    struct arena *arena = arena_new();
    const char *body = arena_strndup(arena, (const char *)data + 1, size - 1);
    fetch_read(profile_default(), (data[0] & 1) != 0 ? PROFILE_API_V1 : PROFILE_API_V2,
               statuses[data[0] >> 1 & 7], body, size - 1, ids, 4, arena, &answer);
    check(&answer, 4);
    arena_free(arena);
    return 0;
}
