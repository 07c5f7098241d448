/* Which duty is to be looked at when. */
#include "tasks/board.h"

#include <string.h>

#include "base/timeutil.h"

static bool may_start(const struct duty_slot *slot)
{
    return slot->duty->parallel == 0 || slot->running < slot->duty->parallel;
}

struct duty_slot *board_take(struct duty_slot *slots, size_t n, int64_t now)
{
    struct duty_slot *best = NULL;
    for (size_t i = 0; i < n; i++)
        if (may_start(&slots[i]) && slots[i].look_at <= now &&
            (best == NULL || slots[i].look_at < best->look_at))
            best = &slots[i];
    if (best == NULL)
        return NULL;
    best->running++;
    best->hinted = false;
    best->look_at = now + best->duty->period; /* others may look meanwhile, but not at once */
    return best;
}

/* Up to a fifth more, so that the processes of a system do not march in step. */
static int64_t jittered(int64_t wait, uint32_t random)
{
    return wait + wait / 5 * (int64_t)(random % 1024) / 1024;
}

static int64_t back_off(int failures)
{
    int64_t wait = DUTY_FIRST_WAIT;
    for (int i = 1; i < failures && wait < DUTY_LAST_WAIT; i++)
        wait *= 2;
    return wait < DUTY_LAST_WAIT ? wait : DUTY_LAST_WAIT;
}

void board_done(struct duty_slot *slot, int64_t units, int64_t now, uint32_t random)
{
    slot->running--;
    if (units < 0) {
        slot->failures++;
        slot->look_at = now + jittered(back_off(slot->failures), random);
        return; /* a hint does not shorten a back-off */
    }
    slot->failures = 0;
    slot->done_at = now;
    slot->look_at = units > 0 || slot->hinted ? now : now + jittered(slot->duty->period, random);
}

void board_hint(struct duty_slot *slots, size_t n, const char *name, int64_t now)
{
    for (size_t i = 0; i < n; i++) {
        struct duty_slot *slot = &slots[i];
        if (name != NULL && strcmp(slot->duty->name, name) != 0)
            continue;
        slot->hinted = true;
        if (slot->failures == 0 && slot->look_at > now)
            slot->look_at = now;
    }
}

int64_t board_next(const struct duty_slot *slots, size_t n)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < n; i++)
        if (may_start(&slots[i]) && slots[i].look_at < next)
            next = slots[i].look_at;
    return next;
}
