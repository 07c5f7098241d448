/* TaskiQ's task message: one JSON object with six members, as taskiq's default formatter writes it.
 *
 * Reading is tolerant where Python's is: any key order, unknown members, labels with or without types. */
#ifndef TASKS_MESSAGE_H
#define TASKS_MESSAGE_H

#include <jansson.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

/* Larger ones are dead letters: arguments are ids and options, data belongs into the database. */
#define MESSAGE_MAX (1024u * 1024)

struct task_message {
    const char *id, *name;
    json_t *args, *kwargs; /* array, object */
    json_t *labels;        /* object; values as their types say: strings, integers, reals, booleans */
};

/* Everything lives in the arena. False and err (code "message_invalid") when Python could not read it either,
 * or the id or name is longer than table `tasks` allows. */
MUST_CHECK bool message_read(struct arena *arena, const char *text, size_t len, struct task_message *message,
                             struct error *err);

/* As a client of TaskiQ would send it: label values are strings, their types stand beside them. */
void message_write(struct buf *out, const struct task_message *message);

/* A label as integer, or fallback when it is missing or none. Text digits count, as senders without types
 * write them. */
int64_t label_int(const json_t *labels, const char *name, int64_t fallback);
double label_number(const json_t *labels, const char *name, double fallback);

#endif
