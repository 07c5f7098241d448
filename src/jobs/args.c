/* Reading arguments of tasks. */
#include "jobs/args.h"

#include "base/timeutil.h"

const json_t *task_argument(const struct task_context *task, size_t position, const char *name)
{
    const json_t *value = json_array_get(task->args, position);
    if (value == NULL)
        value = json_object_get(task->kwargs, name);
    return json_is_null(value) ? NULL : value;
}

bool task_id_argument(const struct task_context *task, size_t position, const char *name, int64_t *value,
                      struct error *err)
{
    const json_t *argument = task_argument(task, position, name);
    if (!json_is_integer(argument) || json_integer_value(argument) < 1)
        return error_set(err, "argument_invalid", "%s must be an id", name);
    *value = json_integer_value(argument);
    return true;
}

bool task_time_argument(const struct task_context *task, size_t position, const char *name, int64_t *value,
                        struct error *err)
{
    const json_t *argument = task_argument(task, position, name);
    if (argument == NULL)
        return true;
    const char *text = json_string_value(argument);
    return (text != NULL && time_parse(text, value)) ||
           error_set(err, "argument_invalid", "%s must be a time", name);
}

bool task_text_argument(const struct task_context *task, size_t position, const char *name,
                        const char **value, struct error *err)
{
    const json_t *argument = task_argument(task, position, name);
    if (argument == NULL)
        return true;
    if (!json_is_string(argument))
        return error_set(err, "argument_invalid", "%s must be a text", name);
    *value = json_string_value(argument);
    return true;
}
