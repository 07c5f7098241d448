/* When a failed execution is tried again. */
#ifndef TASKS_RETRY_H
#define TASKS_RETRY_H

#include <stdint.h>

#include "base/timeutil.h"

#define RETRY_FIRST SECONDS(5)
#define RETRY_LAST  MINUTES(10)

/* Microseconds to wait after the given attempt (1: the first) failed: 5 s, 10 s, 20 s ... 10 min, and up to
 * half of it more, so that what failed together does not come back together. random: any number. */
int64_t retry_wait(int attempt, uint32_t random);

#endif
