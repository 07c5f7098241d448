/* Names of the keys in Redis. Streams and hints share the hash tag {tracker}: one XREAD waits for all of
 * them, and in a Redis Cluster that takes one slot. Results are used one at a time and spread. */
#ifndef TASKS_KEYS_H
#define TASKS_KEYS_H

#define TASK_KEY_STREAM   "{tracker}:"      /* and the queue: a stream of messages */
#define TASK_KEY_HINTS    "{tracker}:hints" /* a stream of names of duties and queues */
#define TASK_KEY_DEAD     "{tracker}:dead"  /* a stream of messages that nobody could execute */
#define TASK_KEY_SCHEDULE "schedule"        /* prefix of TaskiQ's ListRedisScheduleSource */
#define TASK_KEY_PROGRESS "__progress"      /* appended to the key of the result */
#define TASK_GROUP        "taskiq"          /* consumer group, TaskiQ's default */
#define TASK_KEY_SIZE     160               /* longest of them, with its NUL */
#define TASK_HINTS_KEPT   "1000"            /* a worker that is further behind looks at everything anyway */

#endif
