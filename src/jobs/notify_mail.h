/* The mail that tells a user what happened, written into the outbox. */
#ifndef JOBS_NOTIFY_MAIL_H
#define JOBS_NOTIFY_MAIL_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/error.h"
#include "store/db.h"

/* Texts live as long as the mail. */
struct notify_line {
    int64_t notification_id;
    const char *kind, *tracker;
    const char *place; /* NULL: none */
    const char *when;  /* UTC, to the minute */
};

struct notify_mail {
    const char *to, *language; /* "de", "en-GB": what is not known is written in English */
    int64_t client_id;
    struct notify_line *lines;
    size_t count; /* at least one */
};

/* Writes into the open transaction, once for the first notification. */
MUST_CHECK bool notify_mail_write(struct db *db, struct arena *arena, const struct config *config,
                                  const struct notify_mail *mail, struct error *err);

#endif
