/* Contexts and credentials of accounts in a database. */
#include "findmy/account_row.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "findmy/jsonx.h"

const char *account_context(int64_t id, const char *what, char out[ACCOUNT_CONTEXT_SIZE])
{
    snprintf(out, ACCOUNT_CONTEXT_SIZE, "apple_account:%" PRId64 ":%s", id, what);
    return out;
}

void account_credentials_write(const char *username, const char *password, struct buf *out)
{
    struct json json;
    json_begin(&json, out);
    json_start_object(&json);
    json_put_text(&json, "username", username);
    json_put_text(&json, "password", password);
    json_end_object(&json);
}

bool account_credentials_read(struct account *account, const char *name, const char *text, size_t len,
                              int64_t now, struct error *err)
{
    json_t *root = jsonx_parse(text, len, ACCOUNT_MAX_CREDENTIALS);
    const char *username = jsonx_text(root, "username"), *password = jsonx_text(root, "password");
    bool ok = username != NULL && password != NULL
                  ? account_init(account, name, username, password, now, err)
                  : error_set(err, "account_invalid", "the stored credentials are damaged");
    jsonx_free(root);
    return ok;
}
