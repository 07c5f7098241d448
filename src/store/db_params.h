/* Parameters of statements in the form libpq sends. */
#ifndef STORE_DB_PARAMS_H
#define STORE_DB_PARAMS_H

#include <libpq-fe.h>
#include <stdarg.h>

#include "store/db.h"

#define DB_MAX_ARGUMENTS 64 /* of one db_query call; a longer list is a mistake and ends the process */

struct pg_params {
    size_t count;
    const Oid *types;
    const char *const *values;
    const int *lengths, *formats; /* NULL: all text */
};

/* Memory of the arena. */
void params_to_wire(struct arena *arena, const struct db_param *params, size_t n, struct pg_params *wire);

/* Returns the number of parameters that the letters of types name. */
size_t params_from_arguments(const char *types, va_list args, struct db_param *params);

#endif
