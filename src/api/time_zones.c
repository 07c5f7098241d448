/* A sorted list of names behind a lock. */
#include "api/time_zones.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/timeutil.h"

#define READ_AGAIN HOURS(1)

struct time_zones {
    pthread_mutex_t lock;
    struct arena *arena; /* of the names */
    const char **names;  /* sorted by strcmp */
    size_t count;        /* 0: not read yet */
    int64_t read_at;     /* monotonic */
};

struct time_zones *time_zones_new(void)
{
    struct time_zones *zones = calloc(1, sizeof(*zones));
    if (zones == NULL)
        abort();
    pthread_mutex_init(&zones->lock, NULL);
    zones->arena = arena_new();
    return zones;
}

void time_zones_free(struct time_zones *zones)
{
    if (zones == NULL)
        return;
    pthread_mutex_destroy(&zones->lock);
    arena_free(zones->arena);
    free(zones);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool found(const struct time_zones *zones, const char *name)
{
    return zones->count > 0 &&
           bsearch(&name, zones->names, zones->count, sizeof(*zones->names), by_name) != NULL;
}

static void take(struct time_zones *zones, const struct rows *rows)
{
    arena_reset(zones->arena);
    zones->count = rows_count(rows);
    zones->names = arena_zalloc(zones->arena, zones->count + 1, sizeof(*zones->names));
    for (size_t i = 0; i < zones->count; i++)
        zones->names[i] = arena_strdup(zones->arena, rows_text(rows, i, 0));
    qsort(zones->names, zones->count, sizeof(*zones->names), by_name);
    zones->read_at = time_monotonic();
}

/* Who comes first reads; the others wait for what they need as well. */
const struct rows *time_zones_look_up(struct time_zones *zones, struct db *db, const char *name, bool *known)
{
    const struct rows *failed = NULL;
    pthread_mutex_lock(&zones->lock);
    *known = found(zones, name);
    if (!*known && (zones->count == 0 || time_monotonic() - zones->read_at > READ_AGAIN)) {
        const struct rows *rows = db_query(db, "SELECT name FROM pg_timezone_names", "");
        if (rows_ok(rows))
            take(zones, rows);
        else
            failed = rows;
        *known = found(zones, name);
    }
    pthread_mutex_unlock(&zones->lock);
    return failed;
}
