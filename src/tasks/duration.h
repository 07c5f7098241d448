/* Lengths of time in ISO 8601's form, as Python's pydantic writes them: "PT5M", "P1DT2.000003S", "-PT5S". */
#ifndef TASKS_DURATION_H
#define TASKS_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Days, hours, minutes, seconds (weeks too); no years and months, whose length is not known. Microseconds. */
MUST_CHECK bool duration_parse(const char *text, int64_t *usec);

#endif
