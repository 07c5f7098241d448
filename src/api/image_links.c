/* A token is "<hour it ends>.<client>.<MAC>"; the key is derived from the secret that all processes share. */
#include "api/image_links.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api/app.h"
#include "base/encode.h"
#include "base/timeutil.h"

/* Hours that a new token is good for at least; a page may stay open for that long. */
#define TOKEN_HOURS 6

#define MAC_SIZE 16

static void sign(const struct app *app, int64_t hour, int64_t client, char mac[BASE64_SIZE(MAC_SIZE)])
{
    char text[80];
    int len = snprintf(text, sizeof(text), "image files|%" PRId64 "|%" PRId64, hour, client);
    uint8_t hash[MAC_SIZE];
    crypto_generichash(hash, sizeof(hash), (const uint8_t *)text, (size_t)len, app->cursor_key,
                       sizeof(app->cursor_key));
    base64url_encode(hash, sizeof(hash), mac);
}

const char *image_token(const struct request *req, int64_t client_id)
{
    int64_t hour = time_now() / HOURS(1) + TOKEN_HOURS + 1;
    char mac[BASE64_SIZE(MAC_SIZE)];
    sign(req->app, hour, client_id, mac);
    return arena_printf(req->arena, "%" PRId64 ".%" PRId64 ".%s", hour, client_id, mac);
}

const struct db_context *image_token_context(struct request *req, const char *token)
{
    int64_t hour, client;
    int at = 0;
    if (sscanf(token, "%" SCNd64 ".%" SCNd64 ".%n", &hour, &client, &at) != 2 || at == 0)
        return NULL;
    char mac[BASE64_SIZE(MAC_SIZE)];
    sign(req->app, hour, client, mac);
    if (strlen(token + at) != strlen(mac) || !equal_secret(token + at, mac, strlen(mac)) ||
        hour <= time_now() / HOURS(1))
        return NULL;
    struct db_context *context = arena_zalloc(req->arena, 1, sizeof(*context));
    *context = (struct db_context){ .role = "user",
                                    .clients = arena_printf(req->arena, "{%" PRId64 "}", client),
                                    .user = "" };
    return context;
}
