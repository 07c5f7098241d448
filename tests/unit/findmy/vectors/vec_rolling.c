/* Vectors of rolling. */
#include "vectors.h"

const struct vec_group vec_group_rolling = { NULL, 0 };
