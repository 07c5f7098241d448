/* Vectors of keyfiles. */
#include "vectors.h"

const struct vec_group vec_group_keyfiles = { NULL, 0 };
