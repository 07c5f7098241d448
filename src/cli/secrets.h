/* Secrets that everybody can guess keep a production process from starting. */
#ifndef CLI_SECRETS_H
#define CLI_SECRETS_H

#include "base/config.h"
#include "base/error.h"

/* MASTER_KEY must be set; in production JWT_SECRET too, and neither may be a placeholder that somebody forgot
 * to replace. What else a secret must be (long enough, in the right form) is checked where it is used. */
MUST_CHECK bool secrets_check(const struct config *config, struct error *err);

#endif
