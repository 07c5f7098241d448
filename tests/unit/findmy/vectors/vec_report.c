/* Vectors of report. */
#include "vectors.h"

const struct vec_group vec_group_report = { NULL, 0 };
