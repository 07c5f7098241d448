/* Small questions about the description of a resource. */
#include <stdarg.h>
#include <string.h>

#include "api/resource.h"

int resource_field(const struct resource *resource, const char *name)
{
    for (size_t i = 0; i < resource->field_count; i++)
        if (strcmp(resource->fields[i].name, name) == 0)
            return (int)i;
    return -1;
}

bool field_writable(const struct field *field, bool patch)
{
    return !field->computed && field->type != FIELD_ID && !(patch && field->fixed);
}

bool field_stored(const struct field *field, bool patch)
{
    if (field->computed)
        return field->write != NULL && !(patch && field->fixed);
    return !field->input && field_writable(field, patch);
}

void problem_add(struct problems *problems, const char *field, const char *code, const char *message, ...)
{
    if (problems->count == PROBLEMS_MAX)
        return;
    va_list args;
    va_start(args, message);
    problems->list[problems->count++] = (struct field_problem){
        .field = arena_strdup(problems->arena, field),
        .code = code,
        .message = arena_vprintf(problems->arena, message, args),
    };
    va_end(args);
}
