/* What processes without an API have in common (workers, schedulers): /metrics, /health/live, stop signals.
 */
#ifndef CLI_MONITOR_H
#define CLI_MONITOR_H

#include <signal.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"

struct monitor;

/* Answers on `port` of HTTP_ADDRESS; 0: nowhere, and the result is a monitor that does nothing. health writes
 * a JSON object and tells whether the process makes progress (200) or not (503); it must not block. */
MUST_CHECK struct monitor *monitor_start(const struct config *config, int64_t port,
                                         bool (*health)(void *self, struct buf *out), void *self,
                                         struct error *err);
void monitor_stop(struct monitor *monitor); /* NULL is allowed */

/* A process of another schema than this binary's would fail at every statement. */
MUST_CHECK bool cli_check_schema(const struct config *config, struct error *err);

/* Blocks SIGTERM and SIGINT for this thread and those it starts, and waits for one of them. */
void stop_signals_block(sigset_t *stop);
const char *stop_signals_wait(const sigset_t *stop); /* its name */

#endif
