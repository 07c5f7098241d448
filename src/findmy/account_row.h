/* How an account's secrets stand in a database row: what the API hands in and the worker opens. */
#ifndef FINDMY_ACCOUNT_ROW_H
#define FINDMY_ACCOUNT_ROW_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "findmy/account.h"

#define ACCOUNT_CONTEXT_SIZE sizeof("apple_account:-9223372036854775808:credentials")

/* Contexts that the sealed columns are sealed with (docs/developers/database.md). what: "credentials",
 * "session", "anisette", and "code" for a second-factor code on its way in a task. */
const char *account_context(int64_t id, const char *what, char out[ACCOUNT_CONTEXT_SIZE]);

#define ACCOUNT_MAX_CREDENTIALS 4096 /* user name and password as JSON, escaped */

/* Credentials as they are sealed: a JSON object of user name and password. out needs the secret mark. */
void account_credentials_write(const char *username, const char *password, struct buf *out);

/* A new account of these credentials, without a session. "account_invalid". */
MUST_CHECK bool account_credentials_read(struct account *account, const char *name, const char *text,
                                         size_t len, int64_t now, struct error *err);

#endif
