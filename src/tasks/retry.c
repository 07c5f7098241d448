/* When a failed execution is tried again. */
#include "tasks/retry.h"

int64_t retry_wait(int attempt, uint32_t random)
{
    int64_t wait = RETRY_FIRST;
    for (int i = 1; i < attempt && wait < RETRY_LAST; i++)
        wait *= 2;
    if (wait > RETRY_LAST)
        wait = RETRY_LAST;
    return wait + wait / 2 * (int64_t)(random % 1024) / 1024;
}
