/* How it stands with each queue, from the table of tasks: for the operator, by API and command line. */
#ifndef TASKS_FIGURES_H
#define TASKS_FIGURES_H

#include "base/arena.h"
#include "store/db.h"

/* Columns of a row. waiting: due and not begun; scheduled: for later; oldest: since when the first of those
 * waits (null: none does); succeeded and failed: in the last 24 hours. */
enum figure {
    FIGURE_QUEUE,
    FIGURE_WAITING,
    FIGURE_SCHEDULED,
    FIGURE_RUNNING,
    FIGURE_OLDEST,
    FIGURE_SUCCEEDED,
    FIGURE_FAILED,
};

/* One row a queue, by name: our own ones, and those of Python workers that have tasks open. Each count reads
 * an index of just those rows. The caller asks rows_ok. */
struct rows *task_figures(struct db *db, struct arena *arena);

#endif
